"""Read papers and build their prompts in processes with limits."""
