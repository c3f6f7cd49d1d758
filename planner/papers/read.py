"""Read a paper from a file, a folder, an archive or bytes, in this process and without a network."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from planner.errors import PaperError
from planner.papers.archive import PACKED, read_archive
from planner.papers.characters import decode
from planner.papers.folder import read_tree
from planner.papers.html.reader import read_html
from planner.papers.latex.reader import read_latex
from planner.papers.markdown import read_markdown
from planner.papers.paper import Reading
from planner.papers.sniff import Kind, foreign_name, kind_of, text_kind
from planner.papers.text import read_text
from planner.papers.tree import Tree, folder_tree, read_file

LARGEST: Final = 300_000_000  # bytes of a PDF or an archive
WHAT_WORKS: Final = "give a PDF, a LaTeX folder, archive or file, Markdown, HTML or plain text"


@dataclass(frozen=True, slots=True)
class Source:
    """A source to read: the file or folder `name`, or the bytes `data` with that name."""

    name: str
    data: bytes | None = None


class Found(NamedTuple):
    """The format of a source and its parsed content."""

    kind: Kind
    reading: Reading


Reader = Callable[[Source], Found]
"""A function that reads a source: `read` itself, or a wrapper around it."""


def read(source: Source) -> Found:
    """Read a file, a folder, an archive, or bytes.

    Raises:
        PaperError: if the source is missing, empty, damaged, or not a paper.
    """
    if source.data is not None:
        return _read_bytes(source.data, source.name)
    path = Path(source.name)
    try:
        if path.is_dir():
            return Found(*read_tree(folder_tree(path)))
        if not path.exists():
            raise PaperError(f"there is no file or folder {source.name!r}; check the path")
        if not path.is_file():
            raise PaperError(f"{source.name!r} is neither a file nor a folder; {WHAT_WORKS}")
        return _read_bytes(read_file(path, LARGEST), path.name)
    except (OSError, ValueError) as error:
        raise PaperError(f"{source.name[:200]!r} cannot be read: {error}") from None


def _read_bytes(data: bytes, name: str) -> Found:
    kind = kind_of(data, name)
    if kind is Kind.EMPTY:
        raise PaperError(f"{name!r} is empty; {WHAT_WORKS}")
    if kind is Kind.OTHER:
        raise PaperError(f"{name!r} is {foreign_name(data) or 'neither text nor a PDF'}; {WHAT_WORKS}")
    if kind is Kind.PDF:
        from planner.papers.pdf.reader import read_pdf  # pdfium is loaded only for PDFs

        return Found(kind, read_pdf(data, name))
    if kind in (Kind.ZIP, Kind.TAR, *PACKED):
        content = read_archive(data, kind, name)
        inner = re.sub(r"(?i)\.(?:gz|gzip|bz2|xz)$", "", name)
        return Found(*read_tree(content)) if isinstance(content, Tree) else _read_bytes(content, inner)
    return _read_text(data, name)


def _read_text(data: bytes, name: str) -> Found:
    text, warnings = decode(data, name)
    kind = text_kind(text, name)
    match kind:
        case Kind.LATEX:
            reading = read_latex(Tree(name, {name: partial(bytes, data)}), name)
            warnings = ()  # the LaTeX reader repeats them, file by file
        case Kind.HTML:
            reading = read_html(text, name)
        case Kind.MARKDOWN:
            reading = read_markdown(text, name)
        case _:
            reading = read_text(text, name)
    return Found(kind, replace(reading, warnings=(*warnings, *reading.warnings)))
