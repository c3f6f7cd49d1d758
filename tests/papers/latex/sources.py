"""LaTeX sources for the tests of each stage of the loader, made in memory."""

from hypothesis import strategies as st

from planner.papers.latex.reader import read_latex
from planner.papers.paper import ParsedPaper
from planner.papers.sources import SourceTree

# What TeX gives a meaning to, so that generated sources meet every rule of the scanner soon.
SCRAPS = [
    "\\", "{", "}", "[", "]", "%", "\n", "\n\n", "$", "&", "#1", "~", " ", "word ", "\\section{A}", "\\verb|%|",
    "\\begin{table}", "\\end{table}", "\\begin{verbatim}", "\\end{verbatim}", "\\iffalse ", "\\else ", "\\fi ",
    "\\newcommand{\\x}[1]{#1}", "\\x{a}", "\\textcolor{white}{unseen}", "\\begin{abstract}", "\\end{abstract}",
    "\\item ", "\\caption{c}", "\\label{l}", "\\title{t}", "\\appendix ", "\\'e", "\\\\", "\\%",
]  # fmt: skip
ODD_LATEX = st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join)


def make_tree(files: dict[str, str]) -> SourceTree:
    """A tree of text files that exists nowhere on disk."""
    return SourceTree("t", {name: content.encode for name, content in files.items()})


def make_document(body: str, preamble: str = "") -> str:
    """A complete source around a body."""
    return f"\\documentclass{{article}}{preamble}\\begin{{document}}{body}\\end{{document}}"


def read_body(body: str, preamble: str = "", others: dict[str, str] | None = None) -> ParsedPaper:
    """The reading of a main file among others."""
    return read_latex(make_tree({"main.tex": make_document(body, preamble), **(others or {})}), "main.tex")


def join_text(paper: ParsedPaper) -> str:
    """Return the whole text of a reading."""
    return "\n\n".join(section.text for section in paper.sections)
