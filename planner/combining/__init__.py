"""Join the plans of several models, samples or runs for one paper into a combined plan, without a model."""
