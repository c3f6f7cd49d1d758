"""PDFs: what their pages show, in reading order, as a paper."""

from planner.papers.pdf.reader import MAX_PAGES, read_pdf

__all__ = ["MAX_PAGES", "read_pdf"]
