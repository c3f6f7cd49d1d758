"""Parse a completion into a plan: strict about the plan's content, lenient about its form."""
