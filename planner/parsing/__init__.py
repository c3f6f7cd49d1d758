"""From a completion to a plan: strict where a plan would be lost, lenient about its form."""

from planner.parsing.reply import Reply, parse

__all__ = ["Reply", "parse"]
