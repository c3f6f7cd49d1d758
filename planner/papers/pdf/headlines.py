"""Find the headings among a paper's lines, by the PDF's outline or by their type and numbering."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from planner.papers.headings import bare, counts_in_roman, is_lettered, section_kind
from planner.papers.paper import SectionKind
from planner.papers.pdf.captions import announced
from planner.papers.pdf.headline import MAX_LINES, Headline, number_of
from planner.papers.pdf.hyphens import Vocabulary, is_broken, joined
from planner.papers.pdf.lines import Line
from planner.papers.pdf.outline import OutlineItem, locate

_MAX_LENGTH: Final = 160
# Standard titles: headings wherever they stand alone. Outlines often leave them out.
_STANDARD: Final = re.compile(
    r"abstract|introduction|conclusions?|references?|bibliography|works cited|literature cited"
    r"|acknowledge?ments?|appendi(?:x|ces)|limitations?|(?:[\w-]+ )?(?:paper )?checklist"
    r"|(?:ethics?|reproducibility|broader impact|impact) statement|supplement(?:ary|al) materials?"
)
_BACK: Final = frozenset({SectionKind.REFERENCES, SectionKind.APPENDIX})
_STEP: Final = re.compile(r"\d+:")  # the number of a step of an algorithm
_ROMAN: Final = {"I": 1, "V": 5, "X": 10}
_COUNTED: Final = re.compile(r"(?:Appendix\s+)?(?:\d+(?:\.\d+)*[.)]?|[A-Z](?:\.\d+)+[.)]?|[A-Z][.)])\s+[A-Z]")
_ENTRY: Final = re.compile(r"\[(\d{1,3})\]\s")
_APPENDIX: Final = re.compile(r"appendix\s+A\b", re.I)
_LEAST_ENTRIES: Final = 5
_SENTENCE: Final = re.compile(r"[a-z]{2}[.;,]$")


@dataclass(frozen=True, slots=True)
class Style:
    """The type of a heading: its size in points, and flags for bold, italic and all capitals."""

    size: float
    bold: bool
    italic: bool
    capitals: bool


def find_headlines(
    lines: Sequence[Line], outline: Sequence[OutlineItem], body: float, words: Vocabulary
) -> tuple[list[Headline], list[OutlineItem]]:
    """Return the headings in reading order, and the outline's items that were not found.

    The size of the body is the type size of running text in points.
    """
    found, missing = locate(outline, lines, words)
    taken = {at for one in found for at in range(one.at, one.at + one.lines)}
    if len(found) >= 3:
        tops = {_style(lines[one.at]) for one in found if one.level == 1}
        extra = _unlisted(lines, tops, taken, body)
    else:
        found, extra = [], _from_type(lines, body, words)
    headlines = _below_roman(sorted([*found, *extra], key=lambda one: one.at))
    if not any(section_kind(one.text) is SectionKind.REFERENCES for one in headlines):
        headlines = sorted([*headlines, *_unannounced_references(lines)], key=lambda one: one.at)
    return headlines, missing


def _unannounced_references(lines: Sequence[Line]) -> list[Headline]:
    """Return a heading of no lines before a numbered list of references without a heading, as is common in physics."""
    entries = [(at, int(found[1])) for at, line in enumerate(lines) if (found := _ENTRY.match(line.text))]
    first = next((place for place in reversed(range(len(entries))) if entries[place][1] == 1), len(entries))
    counted = [number for _, number in entries[first : first + _LEAST_ENTRIES]]
    if counted != list(range(1, _LEAST_ENTRIES + 1)):
        return []
    return [Headline(entries[first][0], 0, "References", 1)]


def _below_roman(found: list[Headline]) -> list[Headline]:
    """Return the headings, with lettered ones on level 2 if the sections have Roman numbers."""
    if not counts_in_roman(one.text for one in found):
        return found
    back = next((one.at for one in found if section_kind(one.text) in _BACK), len(found) and found[-1].at + 1)
    return [replace(one, level=2) if one.at < back and is_lettered(one.text) else one for one in found]


def _style(line: Line) -> Style:
    return Style(round(line.size, 0), line.bold, line.italic, line.text.isupper())


def _could_be_heading(line: Line, body: float) -> bool:
    text = line.bare
    if line.turned or not text[:1].isalnum() or len(text) > _MAX_LENGTH or not re.search(r"[^\W\d_]{3}", text):
        return False
    if _SENTENCE.search(text):
        return False
    if text.isupper():  # small capitals are mostly smaller than running text
        return line.size > 0.75 * body
    told = line.bold or (line.italic and bool(_COUNTED.match(text)))
    return line.size > 1.07 * body or (told and line.size > 0.88 * body)


def _unlisted(lines: Sequence[Line], styles: set[Style], taken: set[int], body: float) -> list[Headline]:
    """Return the headings with a standard title that the outline leaves out, such as abstract and references."""
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
    return bool(_STANDARD.fullmatch(bare(line.bare).casefold().rstrip(":. ")))


def _is_title_case(line: Line) -> bool:
    return line.bare[:1].isupper() and line.bare[-1:].isalpha()


def _is_short(line: Line) -> bool:
    return len(line.cells) <= 2 and len(bare(line.bare).split()) <= 5


def _stands_alone(lines: Sequence[Line], at: int) -> bool:
    """Return whether no other line shares the row."""
    line = lines[at]
    near = (lines[other] for other in (at - 1, at + 1) if 0 <= other < len(lines))
    return not any(other.page == line.page and abs(other.y - line.y) < 2 and not other.turned for other in near)


def _from_type(lines: Sequence[Line], body: float, words: Vocabulary) -> list[Headline]:
    """Return the headings found by type: numbered in sequence, with a standard title, or set just like these."""
    candidates = [at for at, line in enumerate(lines) if _could_be_heading(line, body)]
    sure = _sure(lines, candidates, words)
    if not sure:
        return []
    tops = _top_styles(lines, sure, body)
    taken = {at for one in sure for at in range(one.at, one.at + one.lines)}
    others = [at for at in candidates if at > sure[0].at and at not in taken and _is_set_off(lines, at)]
    found = sure + [_headline(lines, at, 1, words) for at in others if _style(lines[at]) in tops]
    if any(number_of(one.text) and section_kind(one.text) is not SectionKind.APPENDIX for one in sure):
        return found
    below = [at for at in others if _style(lines[at]) not in tops and _leads_to_text(lines, at, body)]
    styles = Counter(_style(lines[at]) for at in below)
    return found + [_headline(lines, at, 2, words) for at in below if styles[_style(lines[at])] >= 2]


def _leads_to_text(lines: Sequence[Line], at: int, body: float) -> bool:
    """Return whether running text starts right under a line; under a label of a figure or table it does not."""
    end = at + _height(lines, at)
    if end >= len(lines):
        return False
    line, under = lines[end - 1], lines[end]
    near = under.page != line.page or 0 < line.y - under.y < 4 * body
    return near and len(under.cells) == 1 and len(under.text) > 30 and abs(under.size - body) < 0.5


def _sure(lines: Sequence[Line], candidates: Sequence[int], words: Vocabulary) -> list[Headline]:
    """Return the candidates with the next section number or a standard title."""
    numbered = Counter(_style(lines[at]) for at in candidates if number_of(lines[at].bare))
    roman = counts_in_roman(lines[at].bare for at in candidates)
    found: list[Headline] = []
    last: tuple[str, ...] = ()
    for at in candidates:
        if found and at < found[-1].at + found[-1].lines:
            continue
        text = lines[at].bare
        roman = roman and not (found and section_kind(found[-1].text) in _BACK)
        number = _number(text, last) if roman else tuple(filter(None, number_of(text).split(".")))
        styled = numbered[_style(lines[at])] >= 2 or _is_apart(lines, at)
        follows = number and (_follows(last, number) or (not last and _APPENDIX.match(text)))
        if follows and styled and not _STEP.match(text):
            last = number
        elif not _is_standard(lines[at]):
            continue
        found.append(_headline(lines, at, max(1, len(number)), words))
    return found


def _number(text: str, last: tuple[str, ...]) -> tuple[str, ...]:
    """Return a heading's number, where sections have Roman numbers and their subsections letters."""
    number = number_of(text)
    if is_lettered(text) and number:
        return (*last[:1], number)
    return (str(_value(number)),) if number and set(number) <= set(_ROMAN) else ()


def _value(roman: str) -> int:
    """Return the value of a Roman number."""
    values = [_ROMAN[letter] for letter in roman]
    return sum(-one if one < nxt else one for one, nxt in zip(values, [*values[1:], 0], strict=True))


def _headline(lines: Sequence[Line], at: int, level: int, words: Vocabulary) -> Headline:
    count = _height(lines, at)
    return Headline(at, count, joined([one.bare for one in lines[at : at + count]], words), level)


def _follows(last: tuple[str, ...], number: tuple[str, ...]) -> bool:
    """Return whether a section number may follow the last one: it may skip one, but not go back."""
    if len(number) > len(last) + 1:
        return False
    depth = len(number) - 1
    above = last[:depth]
    if number[:depth] != above:
        return False
    before = last[depth] if len(last) > depth else ""
    if depth == 0 and number[0] == "A":
        return bool(last)  # before the first section it is an author's initial
    if last and last[0].isdigit() != number[0].isdigit():
        return False
    return _rank(before) < _rank(number[depth]) <= _rank(before) + 2


def _rank(part: str) -> int:
    """Return the place of a section's own number among its siblings, or 0 for none."""
    if part.isdigit():
        return int(part)
    if len(part) > 1:
        return _value(part.upper())
    return ord(part.upper()) - ord("A") + 1 if part else 0


def _is_set_off(lines: Sequence[Line], at: int) -> bool:
    """Return whether a line without a number stands alone and apart, as a heading does."""
    line = lines[at]
    worded = line.bare[:1].isalpha() and not is_broken(line.text) and announced(line) is None
    return worded and len(line.cells) == 1 and _stands_alone(lines, at) and _is_apart(lines, at)


def _is_apart(lines: Sequence[Line], at: int) -> bool:
    """Return whether there is more space above the line than between lines of text."""
    line, before = lines[at], lines[at - 1] if at else None
    return before is None or before.page != line.page or not 0 < before.y - line.y < 1.4 * line.size


def _top_styles(lines: Sequence[Line], sure: Sequence[Headline], body: float) -> set[Style]:
    """Return the styles of top-level headings that no line of running text can have."""
    tops = Counter(_style(lines[one.at]) for one in sure if one.level == 1)
    return {style for style, times in tops.items() if times >= 2 and (style.size > 1.07 * body or style.capitals)}


def _height(lines: Sequence[Line], at: int) -> int:
    """Return the number of a heading's lines: the further ones follow close below in its style, without a number."""
    count = 1
    while count < MAX_LINES and at + count < len(lines):
        before, line = lines[at + count - 1], lines[at + count]
        follows = line.page == before.page and 0 < before.y - line.y < 1.5 * before.size
        if not (follows and _style(line) == _style(lines[at]) and not number_of(line.bare)):
            break
        count += 1
    return count
