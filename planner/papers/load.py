"""Load a paper from a file, a folder, arXiv or standard input."""

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from planner.errors import PaperError
from planner.papers.arxiv import Arxiv, ArxivId, Entry, arxiv_id
from planner.papers.ids import paper_id as make_id
from planner.papers.paper import Paper
from planner.papers.read import Found, Reader, Source, read

LEAST: Final = 500  # characters of text; a source with fewer is not a paper
MOST: Final = 2_000_000  # characters of text, about half a million tokens or a thousand pages
_ALIKE: Final = 0.8  # share of common words from which two abstracts count as the same


@dataclass(frozen=True, slots=True)
class _Given:
    """The title, abstract and id that the user gave; "" if not given."""

    title: str
    abstract: str
    paper_id: str


def load(
    source: str,
    *,
    title: str = "",
    abstract: str = "",
    paper_id: str = "",
    stdin: bytes | None = None,
    arxiv: Arxiv | None = None,
    reader: Reader = read,
) -> Paper:
    """Load a paper from a path, from an arXiv id or address, or from the bytes in `stdin` if `source` is `-`.

    A given title or abstract replaces the one in the paper, with a warning if they differ. `arxiv` downloads papers;
    `reader` is `read` itself or a wrapper around it, such as `guarded()`.

    Raises:
        PaperError: if the source is missing, empty, no paper, or has under 500 or over 2,000,000 characters of text.
    """
    given = _Given(" ".join(title.split()), abstract.strip(), paper_id)
    if source == "-":
        return _paper(reader(Source("stdin", stdin or b"")), source, given)
    if (wanted := arxiv_id(source)) and not _is_here(source):
        return _paper(_from_arxiv(wanted, arxiv or Arxiv(), reader), source, given)
    if "://" in source:
        raise PaperError(f"{source!r} is not downloaded: only arXiv addresses are; download it and give the file")
    return _paper(reader(Source(source)), source, given)


def _from_arxiv(wanted: ArxivId, arxiv: Arxiv, reader: Reader) -> Found:
    """Read the source of an arXiv paper, or its PDF if that fails, with arXiv's title and abstract."""
    entry = arxiv.entry(wanted)
    data = arxiv.source(entry)
    try:
        found = reader(Source(entry.name, data)) if data else None
        if found is not None and _size(found) >= LEAST:
            return _as_listed(found, entry, ())
        why = "the source holds no text" if found else "arXiv has no source"
    except PaperError as error:
        why = str(error)
    pdf = arxiv.pdf(entry)
    if pdf is None:
        raise PaperError(entry.withdrawn or f"arXiv has neither a readable source nor a PDF of {entry.name} ({why})")
    return _as_listed(reader(Source(f"{entry.name}.pdf", pdf)), entry, (f"the PDF was read, not the source: {why}",))


def _as_listed(found: Found, entry: Entry, warnings: tuple[str, ...]) -> Found:
    reading = found.reading
    notes = (
        *warnings,
        *((entry.withdrawn,) if entry.withdrawn else ()),
        *_disagreement("title that arXiv lists", entry.title, reading.title),
        *_disagreement("abstract that arXiv lists", entry.abstract, reading.abstract),
    )
    listed = replace(reading, title=entry.title, abstract=entry.abstract, warnings=(*reading.warnings, *notes))
    return Found(found.kind, listed)


def _paper(found: Found, source: str, given: _Given) -> Paper:
    reading, size = found.reading, _size(found)
    if size < LEAST:
        raise PaperError(f"{source!r} holds {size} characters of text, less than {LEAST}; give the whole paper")
    if size > MOST:
        raise PaperError(f"{source!r} holds {size:,} characters of text, over {MOST:,}; give a single paper")
    warnings = (
        *reading.warnings,
        *_disagreement("given title", given.title, reading.title),
        *_disagreement("given abstract", given.abstract, reading.abstract),
    )
    return Paper(
        id=make_id(given.title or reading.title, given=given.paper_id, name=source if source != "-" else "stdin"),
        title=given.title or reading.title,
        abstract=given.abstract or reading.abstract,
        sections=reading.sections,
        format=found.kind.value,
        source=source,
        main_file=reading.main_file,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _size(found: Found) -> int:
    return sum(len(block.text) for section in found.reading.sections for block in section.blocks)


def _disagreement(what: str, stated: str, found: str) -> tuple[str, ...]:
    """Return a warning if a stated title or abstract differs in words from the one found in the paper."""
    ours, theirs = _words(stated), _words(found)
    if not ours or not theirs or ours == theirs:
        return ()
    if "abstract" in what and len(ours & theirs) >= _ALIKE * len(ours | theirs):
        return ()
    return (f"the {what} differs from the one found in the paper ({found[:120]!r}), which is ignored",)


def _words(text: str) -> frozenset[str]:
    letters = unicodedata.normalize("NFKC", text).casefold()
    return frozenset("".join(c if c.isalnum() else " " for c in letters).split())


def _is_here(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):
        return False
