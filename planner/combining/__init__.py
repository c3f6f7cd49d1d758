"""Combine plans of several models, samples or runs for a paper into one plan. No model is asked."""
