"""A local web page on which one person reads papers, has plans made, edits them and exports them."""
