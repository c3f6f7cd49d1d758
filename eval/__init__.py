"""Score plans against gold ablations and reviews; run from a checkout as `python -m eval`."""
