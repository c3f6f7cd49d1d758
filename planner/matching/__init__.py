"""Match the ablations of two plans."""
