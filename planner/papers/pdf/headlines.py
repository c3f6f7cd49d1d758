"""Finds the headings among a paper's lines: those of the outline, and those that type and numbering give away."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from planner.papers.headings import bare, section_kind
from planner.papers.paper import SectionKind
from planner.papers.pdf.hyphens import Vocabulary, joined
from planner.papers.pdf.lines import Line
from planner.papers.pdf.outline import OutlineItem

_MAX_LINES: Final = 4
_MAX_LENGTH: Final = 160
_ALIKE: Final = 0.86
_NUMBERED: Final = re.compile(r"^(?:(?:section|appendix)\s+)?((?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3})[.:]?\s+(?=\S)", re.I)
_ROMAN: Final = re.compile(r"^([IVX]{1,5})\.\s+(?=\S)")
_BARE_NUMBER: Final = re.compile(r"^(?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3}\.?$")
_STANDARD: Final = frozenset(
    ["abstract", "introduction", "conclusion", "conclusions", "references", "bibliography", "acknowledgements", "acknowledgments", "acknowledgement", "acknowledgment", "appendix", "appendices", "discussion", "limitations", "summary", "checklist"]
)
_ALONE: Final = frozenset({SectionKind.REFERENCES, SectionKind.ABSTRACT, SectionKind.ACKNOWLEDGEMENTS})
_SENTENCE: Final = re.compile(r"[a-z]{2}[.;,]$")


@dataclass(frozen=True, slots=True)
class Headline:
    """A heading: the index of its first line among the paper's lines, how many lines it takes, and its level from 1."""

    at: int
    lines: int
    text: str
    level: int


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
    found, missing = _from_outline(lines, outline, words)
    taken = {at for one in found for at in range(one.at, one.at + one.lines)}
    if len(found) >= 3:
        tops = {_style(lines[one.at]) for one in found if one.level == 1}
        extra = _unnumbered(lines, tops, taken, body, words)
    else:
        extra = _from_type(lines, taken, body, words)
    return sorted([*found, *extra], key=lambda one: one.at), missing


def _style(line: Line) -> Style:
    return Style(round(line.size, 0), line.bold, line.text.isupper())


# --- from the outline


def _from_outline(
    lines: Sequence[Line], outline: Sequence[OutlineItem], words: Vocabulary
) -> tuple[list[Headline], list[OutlineItem]]:
    pages: dict[int, list[int]] = {}
    for at, line in enumerate(lines):
        pages.setdefault(line.page, []).append(at)
    found: list[Headline] = []
    missing: list[OutlineItem] = []
    after = -1
    for item in outline:
        headline = _locate(item, lines, pages, after, words)
        if headline is None:
            missing.append(item)
        else:
            found.append(headline)
            after = headline.at + headline.lines - 1
    return found, missing


def _locate(
    item: OutlineItem, lines: Sequence[Line], pages: dict[int, list[int]], after: int, words: Vocabulary
) -> Headline | None:
    """The lines that print an outline's title, on its page or, where links are a page off, on the next or the last."""
    if item.page is None or not _letters(item.title):
        return None
    best: tuple[float, Headline] | None = None
    for page in (item.page, item.page + 1, item.page - 1):
        for at in pages.get(page, []):
            if at <= after:
                continue
            for count in range(1, _MAX_LINES + 1):
                scored = _score(item, lines[at : at + count], at, words)
                if scored and (best is None or scored[0] > best[0]):
                    best = scored
        if best is not None:
            return best[1]
    return None


def _score(item: OutlineItem, group: Sequence[Line], at: int, words: Vocabulary) -> tuple[float, Headline] | None:
    text = joined([line.bare for line in group], words)
    wanted, got = _letters(_unnumbered_text(item.title)), _letters(_unnumbered_text(text))
    if not got or abs(len(got) - len(wanted)) > 0.3 * len(wanted) + 1:
        return None
    alike = 1.0 if got == wanted else SequenceMatcher(None, got, wanted, autojunk=False).ratio()
    if alike < (_ALIKE if len(wanted) > 5 else 1.0):
        return None
    line = group[0]
    numbered = bool(_number(text))
    emphasis = 0.02 * line.bold + 0.02 * numbered + 0.001 * min(line.size, 20)
    return alike + emphasis, Headline(at, len(group), text, item.level)


def _letters(text: str) -> str:
    return "".join(re.findall(r"[^\W_]", text.casefold()))


def _number(text: str) -> str:
    """The section number that a text starts with, "" for none."""
    match = _NUMBERED.match(text) or _ROMAN.match(text)
    return match[1] if match else ""


def _unnumbered_text(text: str) -> str:
    match = _NUMBERED.match(text) or _ROMAN.match(text)
    return text[match.end() :] if match else text


# --- from type and numbering


def _could_be_heading(line: Line, body: float) -> bool:
    text = line.bare
    if line.turned or not text[:1].isalnum() or len(text) > _MAX_LENGTH or not re.search(r"[^\W\d_]{3}", text):
        return False
    large = line.size > 1.07 * body
    return (large or line.bold or text.isupper()) and line.size > 0.93 * body and not _SENTENCE.search(text)


def _unnumbered(
    lines: Sequence[Line], styles: set[Style], taken: set[int], body: float, words: Vocabulary
) -> list[Headline]:
    """Top-level headings that outlines leave out: abstract, references, and what is set like the sections that it has."""
    found: list[Headline] = []
    for at, line in enumerate(lines):
        if at in taken or not line.bare or line.turned:
            continue
        kind = section_kind(line.bare)
        alone = _stands_alone(lines, at)
        if (kind in _ALONE or bare(line.bare).casefold() in _STANDARD) and alone and _is_short(line):
            if _style(line) in styles or _could_be_heading(line, body) or kind is SectionKind.REFERENCES:
                found.append(Headline(at, 1, line.bare, 1))
    return found


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
    styles = _heading_styles(lines, candidates)
    found: list[Headline] = []
    for at in candidates:
        line = lines[at]
        if found and at < found[-1].at + found[-1].lines:
            continue
        number = _number(line.bare)
        standard = bare(line.bare).casefold().rstrip(":.") in _STANDARD
        if _style(line) not in styles and not standard:
            continue
        if not number and not standard and (_style(line) not in _top_styles(lines, candidates) or at == 0):
            continue
        count = _height(lines, at)
        text = joined([one.bare for one in lines[at : at + count]], words)
        found.append(Headline(at, count, text, number.count(".") + 1 if number else 1))
    return found


def _heading_styles(lines: Sequence[Line], candidates: Iterable[int]) -> set[Style]:
    numbered = Counter(_style(lines[at]) for at in candidates if _number(lines[at].bare))
    return {style for style, times in numbered.items() if times >= 2}


def _top_styles(lines: Sequence[Line], candidates: Iterable[int]) -> set[Style]:
    """The styles of headings whose number has no dot, and of standard names."""
    tops = [
        _style(lines[at])
        for at in candidates
        if ("." not in _number(lines[at].bare) and _number(lines[at].bare))
        or bare(lines[at].bare).casefold() in _STANDARD
    ]
    return {style for style, times in Counter(tops).items() if times >= 2}


def _height(lines: Sequence[Line], at: int) -> int:
    """How many lines a heading takes: those that follow it close below in its own style, without a number."""
    count = 1
    while count < _MAX_LINES and at + count < len(lines):
        before, line = lines[at + count - 1], lines[at + count]
        follows = line.page == before.page and 0 < before.y - line.y < 1.5 * before.size
        if not (follows and _style(line) == _style(lines[at]) and not _number(line.bare)):
            break
        count += 1
    return count
