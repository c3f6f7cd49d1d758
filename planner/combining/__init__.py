"""Combined plans: those of several models, samples or runs for one paper are joined to one, without a model."""
