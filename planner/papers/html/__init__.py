"""Read HTML papers as a reader of the page sees them: arXiv, ar5iv, Distill and plain pages."""
