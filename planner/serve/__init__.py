"""A local page for one person: read a paper, watch the reply arrive, edit the plan and export it."""
