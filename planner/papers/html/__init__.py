"""Read papers from HTML pages, such as those of arXiv, ar5iv and Distill."""
