"""The types of papers, and a loader for each format."""
