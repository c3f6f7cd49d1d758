"""Papers: their types, and one loader for each format."""
