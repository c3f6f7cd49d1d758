"""Plan the ablations that a paper is missing."""

__version__ = "0.1.0"
