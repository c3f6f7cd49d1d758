"""HTML: arXiv and ar5iv pages, Distill articles and plain pages, as a reader of the page sees them."""
