"""The commands of `python -m eval`; each parses its options, writes files, prints, and sets an exit code."""
