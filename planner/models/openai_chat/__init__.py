"""A model at an OpenAI-compatible endpoint, and the batch service of such an endpoint."""
