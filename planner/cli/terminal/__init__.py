"""Text for a terminal: messages, progress, a live view, plans as cards."""
