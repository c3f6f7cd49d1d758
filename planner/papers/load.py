"""Load a paper from a file, a folder, an archive, bytes or arXiv."""

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planner.errors import NotAPaperError, PaperError
from planner.files import describe_os_error, path_exists
from planner.names import ArxivId, parse_arxiv_id
from planner.papers.characters import decode_text_with_warnings
from planner.papers.html.reader import read_html
from planner.papers.markdown import read_markdown
from planner.papers.paper import Paper, ParsedPaper, is_english_paper
from planner.papers.sources import (
    MAX_FILE_BYTES,
    TEXT_ENDINGS,
    FileFormat,
    SourceTree,
    build_source_tree,
    describe_unsupported_type,
    detect_file_format,
    detect_text_format,
    propose_paper_id,
    read_source_file,
)
from planner.papers.text import read_plain_text
from planner.sanitize import truncate_long_name

if TYPE_CHECKING:
    from planner.papers.arxiv import ArxivClient, ArxivEntry

_FORMATS_HINT: Final = "give a PDF, a LaTeX folder, archive or file, Markdown, HTML or plain text"
MIN_CHARACTERS: Final = 500  # characters of text; a source with fewer is not a paper
MAX_CHARACTERS: Final = 2_000_000  # characters of text, about half a million tokens or a thousand pages
_MAX_AUTHORS: Final = 200
_MAX_LIKELY_ABSTRACT_CHARS: Final = 5_000
_MIN_COMMON_WORDS: Final = 0.8  # share of common words from which two abstracts count as the same


def _read_path(source: str) -> ParsedPaper:
    path = Path(source)
    try:
        if path.is_dir():
            return _read_tree(build_source_tree(path))
        if not path.exists():
            raise PaperError(f"there is no file or folder {source!r}; check the path")
        if not path.is_file():
            raise PaperError(f"{source!r} is neither a file nor a folder; {_FORMATS_HINT}")
        return read_paper_bytes(read_source_file(path, MAX_FILE_BYTES), path.name)
    except (OSError, ValueError) as error:
        raise PaperError(f"{source[:200]!r} cannot be read: {describe_os_error(error)}") from None


def read_paper_bytes(data: bytes, name: str) -> ParsedPaper:
    """Read the paper in the bytes of a file or an archive; `name` is the name of the file.

    Raises:
        PaperError: if the bytes are empty, damaged, or not a paper.
    """
    kind = detect_file_format(data, name)
    if kind is FileFormat.EMPTY:
        raise PaperError(f"{name!r} is empty; {_FORMATS_HINT}")
    if kind is FileFormat.OTHER:
        what = describe_unsupported_type(data) or "neither text nor a PDF"
        raise NotAPaperError(f"{name!r} is {what}; {_FORMATS_HINT}")
    if kind is FileFormat.PDF:
        from planner.papers.pdf.reader import read_pdf  # pdfium is loaded only for PDFs

        return read_pdf(data, name)
    if kind in TEXT_ENDINGS:
        return _read_text(data, name)
    from planner.papers.archive import decompress_file, read_archive  # imports the decompressors

    if tree := read_archive(data, kind, name):
        return _read_tree(tree)
    return read_paper_bytes(decompress_file(data, kind, name), re.sub(r"(?i)\.(?:gz|gzip|bz2|xz)$", "", name))


def _read_tree(tree: SourceTree) -> ParsedPaper:
    from planner.papers.folder import read_source_tree  # reads LaTeX, whose patterns take long to compile

    return read_source_tree(tree, _read_non_latex_text)


def _read_text(data: bytes, name: str) -> ParsedPaper:
    text, warnings = decode_text_with_warnings(data, name)
    kind = detect_text_format(text, name)
    if kind is FileFormat.LATEX:  # its reader decodes the file again and returns the same warnings
        from planner.papers.latex.reader import read_latex  # compiles many patterns

        return read_latex(SourceTree(name, {name: partial(bytes, data)}), name)
    paper = _read_non_latex_text(kind, text, name)
    return replace(paper, warnings=(*warnings, *paper.warnings))


def _read_non_latex_text(kind: FileFormat, text: str, name: str) -> ParsedPaper:
    """Read a paper from the text of the file `name`, whose format is HTML, Markdown or plain text."""
    match kind:
        case FileFormat.HTML:
            return read_html(text, name)
        case FileFormat.MARKDOWN:
            return read_markdown(text, name)
        case _:
            return read_plain_text(text, name)


def load_paper(
    source: str | os.PathLike[str],
    *,
    title: str = "",
    abstract: str = "",
    paper_id: str = "",
    stdin: bytes | None = None,
    arxiv: "ArxivClient | None" = None,
) -> Paper:
    """Load a paper from a path, from an arXiv id or address, or from the bytes `stdin` if `source` is `-`.

    `arxiv` is the client that downloads from arXiv; the default client has no cache. Nothing else is downloaded: if
    `source` is another address, pass the content of that page as `stdin`. A given title or abstract replaces the
    paper's; a warning says if they differ.

    Raises:
        PaperError: if the source is missing, is empty, is no paper, or has under 500 or over 2,000,000 characters.
    """
    source = os.fspath(source)
    parsed = _parse_source(source, stdin or b"", arxiv)
    return _build_paper(parsed, source, " ".join(title.split()), abstract.strip(), paper_id)


def _parse_source(source: str, stdin: bytes, arxiv: "ArxivClient | None") -> ParsedPaper:
    if source == "-":
        return read_paper_bytes(stdin, "stdin")
    if (wanted := parse_arxiv_id(source)) and not path_exists(source):
        return _read_from_arxiv(wanted, arxiv)
    if "://" not in source:
        return _read_path(source)
    if not stdin:
        raise PaperError(
            f"{source!r} is not fetched, because it is not an arXiv address; add --fetch, or give the paper as a file"
        )
    return read_paper_bytes(stdin, source)


def _read_from_arxiv(identifier: ArxivId, arxiv: "ArxivClient | None") -> ParsedPaper:
    """Read a paper from arXiv: from its source, or from its PDF if the source cannot be read."""
    from planner.papers.arxiv import ArxivClient  # imports an HTTP client

    arxiv = arxiv or ArxivClient()
    entry = arxiv.fetch_entry(identifier)
    data = arxiv.fetch_source(entry)
    try:
        found = read_paper_bytes(data, entry.name) if data else None
        if found is not None and len(_join_blocks(found)) >= MIN_CHARACTERS:
            return _use_arxiv_metadata(found, entry, ())
        why = "the source holds no text" if found else "arXiv has no source"
    except PaperError as error:
        why = str(error)
    pdf = arxiv.fetch_pdf(entry)
    if pdf is None:
        raise PaperError(
            entry.withdrawal_warning or f"arXiv has neither a readable source nor a PDF of {entry.name} ({why})"
        )
    warning = f"the PDF was read, not the source: {why}"
    return _use_arxiv_metadata(read_paper_bytes(pdf, f"{entry.name}.pdf"), entry, (warning,))


def _use_arxiv_metadata(parsed: ParsedPaper, entry: "ArxivEntry", warnings: tuple[str, ...]) -> ParsedPaper:
    all_warnings = (
        *parsed.warnings,
        *warnings,
        *((entry.withdrawal_warning,) if entry.withdrawal_warning else ()),
        *_compare_metadata("title that arXiv lists", entry.title, parsed.title),
        *_compare_metadata("abstract that arXiv lists", entry.abstract, parsed.abstract),
    )
    return replace(parsed, title=entry.title, abstract=entry.abstract, authors=entry.authors, warnings=all_warnings)


def _build_paper(parsed: ParsedPaper, source: str, title: str, abstract: str, paper_id: str) -> Paper:
    """Return the paper; a title, an abstract and an id from the user replace those in the paper if they are not ""."""
    text = _join_blocks(parsed)
    size = len(text)
    # A Chinese paper has few characters, but three bytes for each.
    if size < MIN_CHARACTERS and len(text.encode("utf-8", "replace")) < MIN_CHARACTERS:
        raise PaperError(
            f"{source!r} holds {size} characters, but a paper has at least {MIN_CHARACTERS}; give the whole paper"
        )
    if size > MAX_CHARACTERS:
        raise PaperError(f"{source!r} holds {size:,} characters, over the limit of {MAX_CHARACTERS:,}; give one paper")
    warnings = (
        *parsed.warnings,
        *_list_doubts(parsed),
        *_compare_metadata("given title", title, parsed.title),
        *_compare_metadata("given abstract", abstract, parsed.abstract),
    )
    return Paper(
        id=propose_paper_id(source, given_id=paper_id, given_title=title, title=parsed.title),
        title=truncate_long_name(title or parsed.title),
        abstract=abstract or parsed.abstract,
        sections=tuple(replace(section, heading=truncate_long_name(section.heading)) for section in parsed.sections),
        format=parsed.format.value,
        source=source,
        main_file=parsed.main_file,
        warnings=tuple(dict.fromkeys(warnings)),
        authors=tuple(map(truncate_long_name, parsed.authors[:_MAX_AUTHORS])),
    )


def _list_doubts(paper: ParsedPaper) -> Iterator[str]:
    """Yield a warning if the abstract is unusually long, and one if the paper seems not to be in English."""
    if len(paper.abstract) > _MAX_LIKELY_ABSTRACT_CHARS:
        yield (
            f"the abstract has {len(paper.abstract):,} characters, which is unusual "
            f"(over {_MAX_LIKELY_ABSTRACT_CHARS:,}); perhaps the heading after it was not found"
        )
    if not is_english_paper(paper.sections):
        yield (
            "the paper seems not to be in English; its sections, ablations and metrics are recognized by English words"
        )


def _join_blocks(paper: ParsedPaper) -> str:
    return "".join(block.text for section in paper.sections for block in section.blocks)


def _compare_metadata(label: str, stated: str, found: str) -> tuple[str, ...]:
    """Return a warning if `stated` and `found` differ in their words; `label` says, for example, "given title"."""
    ours = _extract_words(stated)
    theirs = _extract_words(found) if ours else ours
    if not ours or not theirs or ours == theirs:
        return ()
    if "abstract" in label and len(ours & theirs) >= _MIN_COMMON_WORDS * len(ours | theirs):
        return ()
    return (f"the {label} is used; it differs from the one found in the paper ({found[:120]!r})",)


def _extract_words(text: str) -> frozenset[str]:
    letters = unicodedata.normalize("NFKC", text).casefold()
    return frozenset("".join(c if c.isalnum() else " " for c in letters).split())
