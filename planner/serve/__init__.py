"""A local page on which one person reads a paper, watches the reply arrive, edits the plan and exports it."""
