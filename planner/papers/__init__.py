"""Papers: what one is, and one loader a format."""
