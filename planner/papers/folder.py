"""Find the paper in a tree of files, and read it in its format."""

import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import Final

from planner.errors import PaperError
from planner.papers.characters import decode
from planner.papers.front_matter import Front, metadata
from planner.papers.html.dom import parse
from planner.papers.html.reader import page_title, read_html
from planner.papers.latex.mainfile import is_document, main_file
from planner.papers.latex.reader import read_latex
from planner.papers.markdown import read_markdown, read_markdown_files
from planner.papers.paper import Reading
from planner.papers.sniff import Kind
from planner.papers.text import read_text
from planner.papers.tree import Tree

_MARKDOWN: Final = (".md", ".markdown")
_HTML: Final = (".html", ".htm", ".xhtml")
_NO_PAPER: Final = re.compile(
    r"^(?:read.?me|licen[cs]e|copying|notice|changelog|changes|contributing|code_of_conduct|authors|citation|todo"
    r"|requirements.*|install|security|makefile|manifest|_sidebar|00readme)\b",
    re.I,
)
_USUAL: Final = re.compile(r"^(?:main|paper|index|draft|article|manuscript|content|full.?text)\b", re.I)
_BACK: Final = re.compile(r"append|supp|refer|biblio|back.?matter", re.I)
_ABSTRACT: Final = re.compile(r"^(?:#+\s*|\\begin\{|\*\*)?abstract\b", re.I | re.M)


def read_tree(tree: Tree) -> tuple[Kind, Reading]:
    """Return the format and the content of the paper in a tree.

    Raises:
        PaperError: if there is no paper, or there are several and no main one.
    """
    if tree.names(".tex", ".ltx", ".latex") or not tree.names(*_MARKDOWN, *_HTML, ".txt"):
        main, others = main_file(tree)
        if main and (is_document(tree, main) or not _papers(tree, *_MARKDOWN, ".txt", ".text")):
            return Kind.LATEX, read_latex(tree, main, others)
    if (page := _top(tree.names(*_HTML), "index")) and not _numbered(_papers(tree, *_MARKDOWN)):
        return Kind.HTML, read_html(_text(tree, page), page)
    texts = _papers(tree, *_MARKDOWN, ".txt", ".text", ".tex")
    if texts and all(name.lower().endswith(_MARKDOWN) for name in texts):
        return Kind.MARKDOWN, _markdown(tree, texts)
    if texts:
        return Kind.TEXT, _mixed(tree, _only_one_paper(tree, texts))
    if pages := tree.names(*_HTML):
        page = max(pages, key=lambda name: len(tree.read(name)))
        return Kind.HTML, read_html(_text(tree, page), page)
    return _pdf(tree)


def _papers(tree: Tree, *endings: str) -> tuple[str, ...]:
    names = (n for n in tree.names(*endings) if not _NO_PAPER.match(posixpath.basename(n)))
    return tuple(sorted(names, key=_natural))


def _markdown(tree: Tree, names: tuple[str, ...]) -> Reading:
    """Read a paper from Markdown: manubot's numbered files, one file, or a draft with its appendix and page header."""
    meta = _top(tree.names("metadata.yaml", "metadata.yml"), "")
    known = metadata(_text(tree, meta)) if meta else Front()
    content = tuple(n for n in names if "/content/" in f"/{n}")
    names = content if meta and content else names
    if _numbered(names):
        names = tuple(n for n in names if not _is_template(_text(tree, n)))
    else:
        names = _only_one_paper(tree, names)
    if not known.title and (header := next(iter(tree.names(*_HTML)), "")):
        known = Front(page_title(parse(_text(tree, header))), known.abstract)
    texts = {name: _text(tree, name) for name in names}
    first = next((n for n, text in texts.items() if _ABSTRACT.search(text)), names[0])
    return read_markdown_files(texts, main_file=first, known=known)


def _only_one_paper(tree: Tree, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files of one paper, its main file first and its appendix last.

    Raises:
        PaperError: if several files have an abstract and no file name tells which is the paper.
    """
    if len(names) == 1:
        return names
    whole = [n for n in names if _ABSTRACT.search(_text(tree, n))]
    usual = [n for n in whole if _USUAL.match(posixpath.basename(n))]
    if len(whole) > 1 and len(usual) != 1:
        raise PaperError(f"{tree.name!r} holds several papers ({', '.join(map(repr, whole[:5]))}); give one of them")
    first = usual or whole or [n for n in names if _USUAL.match(posixpath.basename(n))][:1]
    rest = [n for n in names if n not in first and n not in whole]
    if first and not _numbered(names) and len(names) > 12:
        rest = []
    return (*first[:1], *sorted(rest, key=lambda n: bool(_BACK.search(n))))


def _mixed(tree: Tree, names: Sequence[str]) -> Reading:
    """Read the text, Markdown and LaTeX files of one paper in order, and join them."""
    readings = [_one(tree, name) for name in names]
    return Reading(
        title=next((r.title for r in readings if r.title), ""),
        abstract=next((r.abstract for r in readings if r.abstract), ""),
        sections=tuple(section for r in readings for section in r.sections),
        main_file=names[0],
        warnings=tuple(warning for r in readings for warning in r.warnings),
    )


def _one(tree: Tree, name: str) -> Reading:
    if name.lower().endswith(".tex"):
        return read_latex(tree, name)
    read = read_markdown if name.lower().endswith(_MARKDOWN) else read_text
    return read(_text(tree, name), name)


def _pdf(tree: Tree) -> tuple[Kind, Reading]:
    """Read the only PDF of a tree that has no other sources."""
    pdfs = tree.names(".pdf")
    if len(pdfs) != 1:
        held = "; ".join((f"{len(pdfs)} PDFs" if pdfs else f"{len(tree.files)} files", *tree.skipped[:2]))
        raise PaperError(
            f"{tree.name!r} holds no paper that can be recognised ({held}): looked for a .tex file with "
            "\\documentclass, Markdown, an index.html, text or one PDF; give the paper's own file"
        )
    from planner.papers.pdf.reader import read_pdf  # pdfium is loaded only for PDFs

    return Kind.PDF, read_pdf(tree.read(pdfs[0]), pdfs[0])


def _text(tree: Tree, name: str) -> str:
    return decode(tree.read(name), name)[0]


def _top(names: Iterable[str], stem: str) -> str:
    """Return the path nearest to the root whose file name begins with the stem; "" if there is none."""
    fit = [n for n in names if posixpath.basename(n).lower().startswith(stem)]
    return min(fit, key=lambda n: (n.count("/"), n), default="")


def _numbered(names: Sequence[str]) -> bool:
    return len(names) > 1 and all(re.match(r"\d", posixpath.basename(n)) for n in names)


def _is_template(text: str) -> bool:
    """Return whether a file is manubot's front-matter template, which holds no text of the paper."""
    return text.count("{%") + text.count("{{") > 5 and "## Authors" in text


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name))
