"""Reports on judged runs and comparisons of planners, as documents with tables and pictures."""
