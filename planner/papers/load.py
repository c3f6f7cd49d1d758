"""`load`: a source as people have it in, a `Paper` out."""

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from planner.errors import PaperError
from planner.papers.arxiv import Arxiv, ArxivId, Entry, arxiv_id
from planner.papers.ids import paper_id as make_id
from planner.papers.paper import Paper
from planner.papers.read import Found, Reader, Source, read

LEAST: Final = 500  # characters of text under which a source is no paper
MOST: Final = 2_000_000  # characters over which it is none either: half a million tokens, a thousand pages
_ALIKE: Final = 0.8  # of the words: two abstracts that share so many are one


@dataclass(frozen=True, slots=True)
class _Given:
    """What the user says of the paper."""

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
    """Read a paper from a path, from an arXiv id or address, or from `-`, which stands for the bytes in `stdin`.

    A given title and abstract win over what is found; a disagreement is a warning. `arxiv` fetches what is not on this
    machine; `reader` is `read` itself or a guard around it.

    Raises:
        PaperError: the source is missing, empty, no paper, or holds under 500 or over 2,000,000 characters of text.
    """
    given = _Given(" ".join(title.split()), abstract.strip(), paper_id)
    if source == "-":
        return _paper(reader(Source("stdin", stdin or b"")), source, given)
    if (wanted := arxiv_id(source)) and not _is_here(source):
        return _paper(_from_arxiv(wanted, arxiv or Arxiv(), reader), source, given)
    if "://" in source:
        raise PaperError(f"{source!r} is not fetched: only arXiv addresses are; download the paper and give the file")
    return _paper(reader(Source(source)), source, given)


def _from_arxiv(wanted: ArxivId, arxiv: Arxiv, reader: Reader) -> Found:
    """The paper's source, or its PDF where no source can be read; title and abstract as arXiv lists them."""
    entry = arxiv.entry(wanted)
    data = arxiv.source(entry)
    try:
        found = reader(Source(entry.name, data)) if data else None
        if found is not None and _size(found) >= LEAST:
            return _as_listed(found, entry, ())
        why = "it holds no text" if found else "there is none"
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
        raise PaperError(f"{source!r} holds {size} characters of text, less than {LEAST}; is it the whole paper?")
    if size > MOST:
        raise PaperError(f"{source!r} holds {size:,} characters of text, over {MOST:,}; give one paper alone")
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
    """A warning where a stated title or abstract has other words than the paper's own."""
    ours, theirs = _words(stated), _words(found)
    if not ours or not theirs or ours == theirs:
        return ()
    if "abstract" in what and len(ours & theirs) >= _ALIKE * len(ours | theirs):
        return ()
    return (f"the {what} is not the one found in the paper ({found[:120]!r}); the former is used",)


def _words(text: str) -> frozenset[str]:
    letters = unicodedata.normalize("NFKC", text).casefold()
    return frozenset("".join(c if c.isalnum() else " " for c in letters).split())


def _is_here(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):
        return False
