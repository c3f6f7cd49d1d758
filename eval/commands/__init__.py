"""The commands of `python -m eval`: argv in; files, prints and exit codes out."""
