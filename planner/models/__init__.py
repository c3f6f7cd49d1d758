"""Models: everything that answers a prompt, and the wrappers around it."""
