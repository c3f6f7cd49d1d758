"""The planning of one paper: prompts, requests, the plan, its record and its files."""
