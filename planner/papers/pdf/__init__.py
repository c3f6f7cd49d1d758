"""A reader for PDFs: the text that their pages show, in reading order, as a paper."""
