"""Parse a completion into a plan: strict about the plan's content, lenient about its form."""

from planner.parsing.reply import Reply, parse_reply

__all__ = ["Reply", "parse_reply"]
