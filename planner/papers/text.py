"""Read papers in plain text; headings are found by their numbers, their names and the blank lines around them."""

import re
from collections.abc import Iterator
from typing import Final

from planner.papers.characters import clean
from planner.papers.headings import bare, section_kind
from planner.papers.outline import Heading, Piece, abstract_of, outline
from planner.papers.paper import Block, BlockKind, Reading, SectionKind

_NUMBERED: Final = re.compile(r"^(?:Appendix\s+)?((?:\d{1,2}|[A-Z]|[IVX]{1,5})(?:\.\d{1,2}){0,3})[.):]?\s+(?=[^\W\d_])")
_USUAL: Final = frozenset(
    {"method", "methods", "methodology", "approach", "background", "model", "experiments", "results", "evaluation"}
    | {"experimental setup", "experimental results", "results and discussion", "materials and methods", "analysis"}
)
_BARE_LETTER: Final = re.compile(r"[A-Z]\s")  # "A Title" is a title, "A Proofs" a heading of an appendix
_CAPTION: Final = re.compile(r"^(?:\*\*)?(Table|Figure|Fig\.)\s+[A-Z]?\d+[.:|]", re.I)
_ENDS_A_SENTENCE: Final = re.compile(r"[.,;:!]$")
_RULE: Final = re.compile(r"^(?:={3,}|-{3,})\s*$")
_LONGEST: Final = 120  # characters of a heading
_LETTERS: Final = 1000  # offset of lettered appendices, so that they follow all numbered sections
_FEW: Final = 5  # most words of a numbered heading without a blank line after it


def read_text(text: str, name: str) -> Reading:
    """Read a paper from plain text; `name` is its file name, for `main_file`."""
    text, warnings = clean(text)
    paragraphs = [p.strip("\n") for p in re.split(r"\n[ \t]*\n+", text) if p.strip()]
    title, rest = _title(paragraphs)
    sections = outline(pieces(rest))
    return Reading(title, abstract_of(sections), sections, name, warnings)


def pieces(paragraphs: list[str]) -> Iterator[Piece]:
    """Yield the headings and blocks of paragraphs; a paragraph may begin with a heading line."""
    last: tuple[int, ...] = ()
    for paragraph in paragraphs:
        line, _, rest = paragraph.partition("\n")
        underlined = bool(_RULE.match(rest.split("\n", 1)[0]))
        level, number = _level(line.strip(), last, alone=not rest or underlined)
        if not level:
            yield Block(_block_kind(paragraph), paragraph)
            continue
        last = number or last
        yield Heading(line.strip(), level, "\n".join(paragraph.split("\n")[: 2 if underlined else 1]))
        body = rest.partition("\n")[2] if underlined else rest
        if body.strip():
            yield Block(_block_kind(body), body.strip("\n"))


def _level(line: str, last: tuple[int, ...], *, alone: bool) -> tuple[int, tuple[int, ...]]:
    """Return the level and number of a heading line; 0 if its number is out of order or its name is unusual."""
    if len(line) > _LONGEST or _ENDS_A_SENTENCE.search(line):
        return 0, ()
    if (found := _NUMBERED.match(line)) and (alone or _is_named(line)) and (last or not _BARE_LETTER.match(line)):
        number = _parts(found[1])
        return (len(number), number) if _follows(number, last) else (0, ())
    known = section_kind(line) not in (SectionKind.OTHER, SectionKind.METHOD, SectionKind.EXPERIMENTS)
    usual = alone and bare(line).casefold() in _USUAL
    few = len(bare(line).split()) <= 4 and line[:1].isupper()
    shouted = alone and line.isupper() and len(line) > 3 and not _CAPTION.match(line)
    return (1 if shouted or usual or (known and few) else 0), ()


def _is_named(line: str) -> bool:
    """Return whether a numbered line directly above text is a heading: it names a section in at most five words."""
    words = bare(line).split()
    return len(words) <= _FEW and words[0][:1].isupper() and section_kind(line) is not SectionKind.OTHER


def _parts(number: str) -> tuple[int, ...]:
    """Parse a section number into integers: "B.2" gives (1002, 2), since appendices follow sections."""
    first, *rest = number.split(".")
    if first.isdigit():
        return (int(first), *map(int, rest))
    roman = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10}
    value = roman.get(first, 0) if (not rest and len(first) > 1) or first == "I" else _LETTERS + ord(first[0]) - 64
    return (value, *map(int, rest))


def _follows(number: tuple[int, ...], last: tuple[int, ...]) -> bool:
    """Return whether a number may follow `last`: the next number of some level, or the first of a deeper one."""
    if not last:
        return number[0] < _LETTERS  # "A. Author" is in a list of authors
    if number in ((1,), (_LETTERS + 1,)):
        return True
    nexts = {(*last[:depth], last[depth] + 1) for depth in range(len(last))} | {(*last, 1)}
    return number in nexts or (len(number) == 1 and last[0] < number[0] <= last[0] + 2)


def _title(paragraphs: list[str]) -> tuple[str, list[str]]:
    """Return the first paragraph as the title if it is short and names no section, and all paragraphs."""
    if not paragraphs:
        return "", paragraphs
    lines = [line.strip() for line in paragraphs[0].split("\n") if not _RULE.match(line)]
    first = re.sub(r"^(?:Title:|#+)\s*", "", " ".join(lines[:3] if len(" ".join(lines)) < 300 else lines[:1]))
    if len(first) > 300 or section_kind(first) in (SectionKind.ABSTRACT, SectionKind.INTRODUCTION):
        return "", paragraphs
    return first, paragraphs


def _block_kind(paragraph: str) -> BlockKind:
    caption = _CAPTION.match(paragraph)
    if caption:
        return BlockKind.TABLE if caption[1].lower() == "table" else BlockKind.FIGURE
    return BlockKind.PROSE
