"""PDFs: what their pages show, in reading order, as a paper."""
