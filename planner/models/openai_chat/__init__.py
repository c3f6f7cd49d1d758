"""TODO openai_chat."""
