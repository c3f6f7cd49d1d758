"""When two ablations are the same."""
