"""`load`: a source as people have it in, a `Paper` out."""

import re
import unicodedata
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from planner.errors import PaperError
from planner.papers.archive import read_archive
from planner.papers.characters import decode
from planner.papers.folder import read_tree
from planner.papers.html.reader import read_html
from planner.papers.ids import paper_id as make_id
from planner.papers.latex.reader import read_latex
from planner.papers.markdown import read_markdown
from planner.papers.paper import Paper, Reading
from planner.papers.sniff import Kind, foreign_name, kind_of, text_kind
from planner.papers.text import read_text
from planner.papers.tree import Tree, folder_tree, read_file

LEAST: Final = 500  # characters of text under which a source is no paper
LARGEST: Final = 300_000_000  # bytes of a PDF or an archive
WHAT_WORKS: Final = "give a PDF, a LaTeX folder, archive or file, Markdown, HTML or plain text"


def load(source: str, *, title: str = "", abstract: str = "", paper_id: str = "", stdin: bytes | None = None) -> Paper:
    """Read a paper from a file, a folder or an archive, or from `-`, which stands for the bytes in `stdin`.

    A given title and abstract win over what is found; a disagreement is a warning.

    Raises:
        PaperError: the source is missing, empty, no paper, or holds less than 500 characters of text.
    """
    if source == "-":
        kind, reading = read_bytes(stdin or b"", "stdin")
    elif Path(source).is_dir():
        kind, reading = read_tree(folder_tree(Path(source)))
    else:
        kind, reading = read_bytes(_bytes_of(source), Path(source).name)
    return paper_of(kind, reading, source, title=title, abstract=abstract, paper_id=paper_id)


def read_bytes(data: bytes, name: str) -> tuple[Kind, Reading]:
    """The format of a paper in one piece, file or archive, and what its loader found.

    Raises:
        PaperError: the bytes are empty, damaged, or no paper.
    """
    kind = kind_of(data, name)
    if kind is Kind.EMPTY:
        raise PaperError(f"{name!r} is empty; {WHAT_WORKS}")
    if kind is Kind.OTHER:
        raise PaperError(f"{name!r} is {foreign_name(data) or 'no text and no PDF'}; {WHAT_WORKS}")
    if kind is Kind.PDF:
        from planner.papers.pdf.reader import read_pdf  # pdfium is loaded only for PDFs

        return kind, read_pdf(data, name)
    if kind in (Kind.ZIP, Kind.TAR, Kind.GZIP):
        content = read_archive(data, kind, name)
        return read_tree(content) if isinstance(content, Tree) else read_bytes(content, inner_name(name))
    return _read_text(data, name)


def _read_text(data: bytes, name: str) -> tuple[Kind, Reading]:
    text, warnings = decode(data, name)
    kind = text_kind(text, name)
    match kind:
        case Kind.LATEX:
            reading = read_latex(Tree(name, {name: partial(bytes, data)}), name)
            warnings = ()  # they are found again, file by file
        case Kind.HTML:
            reading = read_html(text, name)
        case Kind.MARKDOWN:
            reading = read_markdown(text, name)
        case _:
            reading = read_text(text, name)
    return kind, replace(reading, warnings=(*warnings, *reading.warnings))


def inner_name(name: str) -> str:
    """The name of what a `.gz` holds."""
    return re.sub(r"(?i)\.(?:gz|gzip)$", "", name)


def paper_of(format_: Kind, reading: Reading, source: str, *, title: str, abstract: str, paper_id: str) -> Paper:
    """The paper of a reading, with what the user gave in the place of what was found.

    Raises:
        PaperError: less than 500 characters of text.
    """
    size = sum(len(block.text) for section in reading.sections for block in section.blocks)
    if size < LEAST:
        raise PaperError(f"{source!r} holds {size} characters of text, less than {LEAST}; is it the whole paper?")
    given_title, given_abstract = " ".join(title.split()), abstract.strip()
    warnings = (
        *reading.warnings,
        *_disagreement("title", given_title, reading.title),
        *_disagreement("abstract", given_abstract, reading.abstract),
    )
    final = given_title or reading.title
    return Paper(
        id=make_id(final, given=paper_id, name=source),
        title=final,
        abstract=given_abstract or reading.abstract,
        sections=reading.sections,
        format=format_.value,
        source=source,
        main_file=reading.main_file,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _disagreement(what: str, given: str, found: str) -> tuple[str, ...]:
    if not given or not found or _words(given) == _words(found):
        return ()
    shared = len(_words(given) & _words(found)) / len(_words(given) | _words(found))
    if what == "abstract" and shared >= 0.8:
        return ()
    return (f"the given {what} is not the one found in the paper ({found[:120]!r}); the given one is used",)


def _words(text: str) -> frozenset[str]:
    letters = unicodedata.normalize("NFKC", text).casefold()
    return frozenset("".join(c if c.isalnum() else " " for c in letters).split())


def _bytes_of(source: str) -> bytes:
    try:
        path = Path(source)
        if not path.exists():
            raise PaperError(f"there is no file or folder {source!r}; check the path")
        if not path.is_file():
            raise PaperError(f"{source!r} is neither a file nor a folder; {WHAT_WORKS}")
        return read_file(path, LARGEST)
    except (OSError, ValueError) as error:
        raise PaperError(f"{source[:200]!r} cannot be read: {error}") from None
