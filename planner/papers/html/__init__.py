"""Read papers from HTML pages (of arXiv, ar5iv, Distill and others) as a reader of the page sees them."""
