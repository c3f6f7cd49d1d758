"""Combine plans of several models, samples or runs into one plan for each paper. No model is asked."""
