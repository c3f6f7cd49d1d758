"""Score plans against gold ablations and reviews: `python -m eval`, from a checkout."""
