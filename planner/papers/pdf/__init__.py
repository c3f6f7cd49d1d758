"""Read papers from PDFs: the text that the pages show, in reading order."""
