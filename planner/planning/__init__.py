"""The planning of one paper: its prompts, the requests, the plan, the record and the files."""
