"""The models that answer prompts, and the wrappers around models."""
