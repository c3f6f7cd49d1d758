"""What a paper's text says of components, reported ablations and metrics, each with its place."""
