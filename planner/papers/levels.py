"""Find the title and the section levels among headings with unreliable markup.

Converters choose arbitrary heading levels, and mark authors and comments in code as headings. The numbers and the
usual names of sections are more reliable.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.papers.headings import bare, counts_in_roman, is_lettered, section_kind
from planner.papers.outline import Heading, Piece
from planner.papers.paper import Block, BlockKind, SectionKind

_NUMBER: Final = re.compile(r"^(?:(?:Appendix|Section)\s+)?(\d{1,2}|[A-Z])((?:\.\d{1,2}){0,4})[.):]?\s+\S")
_ROMAN: Final = re.compile(r"[IVX]{1,5}\.\s")
_CODE: Final = re.compile(r"[=;{}]|->|−>|\)\s*:?$|[^.]\.$|^[^\W\d_A-Z]|:$")
_COUNTED: Final = re.compile(r"\d{1,2}(?:\.\d|[.):]?\s)|[A-Z][.):]\s")  # "A. Proofs" is numbered, "A Fine Title" is not
_MANY: Final = 4  # numbered headings from which all sections are taken to be numbered
_LONGEST: Final = 250  # characters of a heading


@dataclass(frozen=True, slots=True)
class Ranked:
    """A heading as marked; `rank` is 1 for the most prominent mark, `source` is its line in the text."""

    text: str
    rank: int
    source: str
    kind: SectionKind | None = None
    appendix: bool = False

    @property
    def number(self) -> tuple[str, ...]:
        """The parts of the heading's number, () if it has none: "B.2 Data" gives ("B", "2")."""
        found = _NUMBER.match(self.text)
        return (found[1], *found[2].split(".")[1:]) if found else ()


@dataclass(frozen=True, slots=True)
class Settled:
    """The title, the headings and blocks in order, and the number of headings that were demoted to text."""

    title: str
    pieces: tuple[Piece, ...]
    demoted: int


def settle(items: Sequence[Ranked | Block], *, known_title: str = "") -> Settled:
    """Decide which marked heading is the title, which are sections of which level, and which are only text."""
    headings = [item for item in items if isinstance(item, Ranked) and item.text]
    numbered = len({h.number for h in headings if h.number}) >= _MANY
    code = [h for h in headings if _looks_like_code(h, numbered=numbered)]
    dropped = set(map(id, code))
    title = _title([h for h in headings if id(h) not in dropped], known_title)
    dropped |= _before_abstract(headings, title)
    kept = [h for h in headings if id(h) not in dropped]
    levels = _levels(kept, numbered=numbered)
    pieces = tuple(_piece(item, levels, title) for item in items)
    return Settled(title.text if title else "", pieces, len(code))


def _piece(item: Ranked | Block, levels: dict[int, int], title: Ranked | None) -> Piece:
    if isinstance(item, Block):
        return item
    if not item.text:
        return Heading("", 0)
    if id(item) not in levels:
        return Block(BlockKind.HEADING if item is title else BlockKind.PROSE, item.source)
    return Heading(item.text, levels[id(item)], item.source, item.kind, item.appendix)


def _title(headings: list[Ranked], known: str) -> Ranked | None:
    """Return the first heading if none is more prominent and it is not the name of a section, else None."""
    first = headings[0] if headings else None
    if first is None or first.kind is not None or _COUNTED.match(first.text):
        return None
    if known and _folded(first.text) == _folded(known):
        return first
    prominent = all(first.rank <= other.rank for other in headings)
    alone = sum(other.rank == first.rank for other in headings) == 1
    named = section_kind(first.text) is not SectionKind.OTHER and len(first.text.split()) < 4
    return first if prominent and not named and (alone or not known) else None


def _before_abstract(headings: list[Ranked], title: Ranked | None) -> set[int]:
    """Return the object ids of the title and of the headings (authors, a subtitle) between it and the abstract."""
    start = headings.index(title) if title else 0
    for end, heading in enumerate(headings[start : start + 15], start):
        if heading.kind is SectionKind.ABSTRACT or section_kind(heading.text) is SectionKind.ABSTRACT:
            return set(map(id, headings[:end]))
        counted = heading.number and heading.number[0].isdigit()  # "A. Author" is no section
        if counted or section_kind(heading.text) is SectionKind.INTRODUCTION:
            break
    return {id(title)} if title else set()


def _levels(headings: list[Ranked], *, numbered: bool) -> dict[int, int]:
    """Return the level of each heading by object id: from its number, else from numbered headings or its rank."""
    top = min((h.rank for h in headings), default=1)
    roman = counts_in_roman(h.text for h in headings)
    of_rank: dict[int, int] = {}
    levels: dict[int, int] = {}
    last = 1
    for heading in headings:
        if roman and (level := _roman_level(heading.text)):
            last = of_rank[heading.rank] = level
        elif not numbered:
            last = heading.rank - top + 1
        elif heading.number:
            last = of_rank[heading.rank] = len(heading.number)
        elif _stands_alone(heading.text):
            last = 1
        else:
            last = min(of_rank.get(heading.rank, last) + 1, last + 1)
        levels[id(heading)] = last
    return levels


def _roman_level(text: str) -> int:
    """Return the level of a heading if sections are numbered I, II and subsections A, B; 0 if it has no number."""
    return 2 if is_lettered(text) else int(bool(_ROMAN.match(text)))


def _stands_alone(text: str) -> bool:
    """Return whether a heading is one that only first-level sections have."""
    kind = section_kind(text)
    inner = (SectionKind.OTHER, SectionKind.METHOD, SectionKind.EXPERIMENTS, SectionKind.ABLATION)
    return kind not in inner or bare(text).casefold() in ("contents", "table of contents", "keywords")


def _looks_like_code(heading: Ranked, *, numbered: bool) -> bool:
    if len(heading.text) > _LONGEST or not bare(heading.text):
        return True
    return numbered and not heading.number and heading.kind is None and bool(_CODE.search(heading.text))


def _folded(text: str) -> str:
    return re.sub(r"\W+", "", text).casefold()
