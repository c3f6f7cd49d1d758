"""Finds the headings among a paper's lines: those of the outline, and those that type and numbering give away."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from planner.papers.headings import bare
from planner.papers.pdf.headline import MAX_LINES, Headline, number_of
from planner.papers.pdf.hyphens import Vocabulary, joined
from planner.papers.pdf.lines import Line
from planner.papers.pdf.outline import OutlineItem, locate

_MAX_LENGTH: Final = 160
_STANDARD: Final = frozenset(
    [
        "abstract",
        "introduction",
        "conclusion",
        "conclusions",
        "references",
        "bibliography",
        "acknowledgements",
        "acknowledgments",
        "acknowledgement",
        "acknowledgment",
        "appendix",
        "appendices",
        "discussion",
        "limitations",
        "summary",
        "checklist",
    ]
)
_SENTENCE: Final = re.compile(r"[a-z]{2}[.;,]$")


@dataclass(frozen=True, slots=True)
class Style:
    """How a heading is set: type size in points, whether bold, whether in capitals."""

    size: float
    bold: bool
    capitals: bool


def find_headlines(
    lines: Sequence[Line], outline: Sequence[OutlineItem], body: float, words: Vocabulary
) -> tuple[list[Headline], list[OutlineItem]]:
    """The headings in reading order, and the outline's items that were not found.

    `body` is the type size of running text in points.
    """
    found, missing = locate(outline, lines, words)
    taken = {at for one in found for at in range(one.at, one.at + one.lines)}
    if len(found) >= 3:
        tops = {_style(lines[one.at]) for one in found if one.level == 1}
        extra = _unlisted(lines, tops, taken, body)
    else:
        extra = _from_type(lines, taken, body, words)
    return sorted([*found, *extra], key=lambda one: one.at), missing


def _style(line: Line) -> Style:
    return Style(round(line.size, 0), line.bold, line.text.isupper())


def _could_be_heading(line: Line, body: float) -> bool:
    text = line.bare
    if line.turned or not text[:1].isalnum() or len(text) > _MAX_LENGTH or not re.search(r"[^\W\d_]{3}", text):
        return False
    large = line.size > 1.07 * body
    return (large or line.bold or text.isupper()) and line.size > 0.93 * body and not _SENTENCE.search(text)


def _unlisted(lines: Sequence[Line], styles: set[Style], taken: set[int], body: float) -> list[Headline]:
    """Top-level headings that outlines leave out: abstract and references, and numbered ones set like those it has."""
    found: list[Headline] = []
    for at, line in enumerate(lines):
        if at in taken or line.turned or not _is_short(line) or not _stands_alone(lines, at):
            continue
        listed = _style(line) in styles
        told = listed or (not number_of(line.bare) and (_could_be_heading(line, body) or _is_title_case(line)))
        if _is_standard(line) and told:
            found.append(Headline(at, 1, line.bare, 1))
    return found


def _is_standard(line: Line) -> bool:
    return bare(line.bare).casefold().rstrip(":. ") in _STANDARD


def _is_title_case(line: Line) -> bool:
    return line.bare[:1].isupper() and line.bare[-1:].isalpha()


def _is_short(line: Line) -> bool:
    return len(bare(line.bare).split()) <= 5 and len(line.cells) <= 2


def _stands_alone(lines: Sequence[Line], at: int) -> bool:
    """Whether no other line shares the row."""
    line = lines[at]
    near = (lines[other] for other in (at - 1, at + 1) if 0 <= other < len(lines))
    return not any(other.page == line.page and abs(other.y - line.y) < 2 and not other.turned for other in near)


def _from_type(lines: Sequence[Line], taken: set[int], body: float, words: Vocabulary) -> list[Headline]:
    """Headings told by their type, of the styles that numbered headings and standard names have."""
    candidates = [at for at, line in enumerate(lines) if at not in taken and _could_be_heading(line, body)]
    styles, tops = _heading_styles(lines, candidates), _top_styles(lines, candidates)
    found: list[Headline] = []
    last: tuple[str, ...] = ()
    for at in candidates:
        line = lines[at]
        if found and at < found[-1].at + found[-1].lines:
            continue
        number = tuple(number_of(line.bare).split(".")) if number_of(line.bare) else ()
        if number and _style(line) in styles and _follows(last, number):
            last = number
        elif not (_is_standard(line) or (not number and _style(line) in tops and _is_set_off(lines, at))):
            continue
        count = _height(lines, at)
        text = joined([one.bare for one in lines[at : at + count]], words)
        found.append(Headline(at, count, text, max(1, len(number))))
    return found


def _follows(last: tuple[str, ...], number: tuple[str, ...]) -> bool:
    """Whether a section number may come after the last one: one may be missed, none may go back."""
    if len(number) > len(last) + 1:
        return False
    depth = len(number) - 1
    above = last[:depth]
    if number[:depth] != above:
        return False
    before = last[depth] if len(last) > depth else ""
    return _rank(before) < _rank(number[depth]) <= _rank(before) + 2 or (depth == 0 and number[0] in ("A", "1", "I"))


def _rank(part: str) -> int:
    """The place of a section's own number among its siblings, 0 for none."""
    if part.isdigit():
        return int(part)
    if len(part) > 1:
        values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in part.upper()]
        return sum(-one if one < nxt else one for one, nxt in zip(values, [*values[1:], 0], strict=True))
    return ord(part.upper()) - ord("A") + 1 if part else 0


def _is_set_off(lines: Sequence[Line], at: int) -> bool:
    """Whether a line without a number stands apart from the text above it, as a heading does."""
    line, before = lines[at], lines[at - 1] if at else None
    if not line.bare[:1].isalpha() or len(line.cells) > 1 or not _stands_alone(lines, at):
        return False
    return before is None or before.page != line.page or not 0 < before.y - line.y < 1.4 * line.size


def _heading_styles(lines: Sequence[Line], candidates: Iterable[int]) -> set[Style]:
    numbered = Counter(_style(lines[at]) for at in candidates if number_of(lines[at].bare))
    return {style for style, times in numbered.items() if times >= 2}


def _top_styles(lines: Sequence[Line], candidates: Iterable[int]) -> set[Style]:
    """The styles of headings whose number has no dot, and of standard names."""
    tops = [
        _style(lines[at])
        for at in candidates
        if ("." not in number_of(lines[at].bare) and number_of(lines[at].bare)) or _is_standard(lines[at])
    ]
    return {style for style, times in Counter(tops).items() if times >= 2}


def _height(lines: Sequence[Line], at: int) -> int:
    """How many lines a heading takes: those that follow it close below in its own style, without a number."""
    count = 1
    while count < MAX_LINES and at + count < len(lines):
        before, line = lines[at + count - 1], lines[at + count]
        follows = line.page == before.page and 0 < before.y - line.y < 1.5 * before.size
        if not (follows and _style(line) == _style(lines[at]) and not number_of(line.bare)):
            break
        count += 1
    return count
