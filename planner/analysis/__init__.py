"""Find components, reported ablations and metrics in a paper's text, each with its place."""
