"""Find the headings among a paper's lines, by the PDF's outline or by their type and numbering."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

from planner.papers.headings import classify_heading, has_letter_number, has_roman_numbers, strip_heading_number
from planner.papers.paper import SectionKind
from planner.papers.pdf.floats import match_label
from planner.papers.pdf.lines import Line
from planner.papers.pdf.outline import (
    MAX_HEADING_LINES,
    OutlineItem,
    PrintedHeading,
    extract_section_number,
    locate_outline_items,
)
from planner.papers.pdf.paragraphs import Vocabulary, has_line_end_hyphen, join_lines

_MAX_LENGTH: Final = 160
# Standard titles: headings wherever they stand alone. Outlines often leave them out.
_STANDARD_TITLE: Final = re.compile(
    r"abstract|introduction|conclusions?|references?|bibliography|works cited|literature cited"
    r"|acknowledge?ments?|appendi(?:x|ces)|limitations?|(?:[\w-]+ )?(?:paper )?checklist"
    r"|(?:ethics?|reproducibility|broader impact|impact) statement|supplement(?:ary|al) materials?"
)
_BACK_MATTER: Final = frozenset({SectionKind.REFERENCES, SectionKind.APPENDIX})
_ALGORITHM_STEP: Final = re.compile(r"\d+:")
_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10}
_NUMBERED_TITLE: Final = re.compile(r"(?:Appendix\s+)?(?:\d+(?:\.\d+)*[.)]?|[A-Z](?:\.\d+)+[.)]?|[A-Z][.)])\s+[A-Z]")
_REFERENCE_ENTRY: Final = re.compile(r"\[(\d{1,3})\]\s")
_APPENDIX_A: Final = re.compile(r"appendix\s+A\b", re.I)
_MIN_ENTRIES: Final = 5
_SENTENCE_END: Final = re.compile(r"[a-z]{2}[.;,]$")


@dataclass(frozen=True, slots=True)
class HeadingStyle:
    """The type of a heading: its size in points, and flags for bold, italic and all capitals."""

    size: float
    bold: bool
    italic: bool
    all_capitals: bool


def find_headings(
    lines: Sequence[Line], outline: Sequence[OutlineItem], body_size: float, vocabulary: Vocabulary
) -> tuple[list[PrintedHeading], list[OutlineItem]]:
    """Return the headings in reading order, and the outline's items that were not found.

    `body_size` is the type size of running text in points.
    """
    listed, missing = locate_outline_items(outline, lines, vocabulary)
    if len(listed) >= 3:
        headings = listed + _find_unlisted_headings(lines, listed, body_size)
    else:
        headings = _find_headings_by_type(lines, body_size, vocabulary)
    headings = _lower_lettered_headings(sorted(headings, key=attrgetter("first_line")))
    if not any(classify_heading(heading.text) is SectionKind.REFERENCES for heading in headings):
        headings = sorted(headings + _find_unheaded_references(lines), key=attrgetter("first_line"))
    return headings, missing


def _find_unheaded_references(lines: Sequence[Line]) -> list[PrintedHeading]:
    """Return a heading of no lines before a numbered list of references without a heading, as is common in physics."""
    entries = [(index, int(m[1])) for index, line in enumerate(lines) if (m := _REFERENCE_ENTRY.match(line.text))]
    first = next((place for place in reversed(range(len(entries))) if entries[place][1] == 1), len(entries))
    numbers = [number for _, number in entries[first : first + _MIN_ENTRIES]]
    if numbers != list(range(1, _MIN_ENTRIES + 1)):
        return []
    return [PrintedHeading(entries[first][0], 0, "References", 1)]


def _lower_lettered_headings(headings: list[PrintedHeading]) -> list[PrintedHeading]:
    """Return the headings, with lettered ones on level 2 if the sections have Roman numbers."""
    if not has_roman_numbers(heading.text for heading in headings):
        return headings
    back_matter = (at for at, heading in enumerate(headings) if classify_heading(heading.text) in _BACK_MATTER)
    body_end = next(back_matter, len(headings))
    body = [
        replace(heading, level=2) if has_letter_number(heading.text) else heading for heading in headings[:body_end]
    ]
    return body + headings[body_end:]


def _read_style(line: Line) -> HeadingStyle:
    return HeadingStyle(round(line.size, 0), line.bold, line.italic, line.text.isupper())


def _is_heading_candidate(line: Line, body_size: float) -> bool:
    text = line.bare_text
    if line.is_rotated or not text[:1].isalnum() or len(text) > _MAX_LENGTH or not re.search(r"[^\W\d_]{3}", text):
        return False
    if _SENTENCE_END.search(text):
        return False
    if text.isupper():  # small capitals are mostly smaller than running text
        return line.size > 0.75 * body_size
    is_emphasized = line.bold or (line.italic and bool(_NUMBERED_TITLE.match(text)))
    return line.size > 1.07 * body_size or (is_emphasized and line.size > 0.88 * body_size)


def _find_unlisted_headings(
    lines: Sequence[Line], listed: Sequence[PrintedHeading], body_size: float
) -> list[PrintedHeading]:
    """Return the headings with a standard title that the outline leaves out, such as abstract and references."""
    styles = {_read_style(lines[heading.first_line]) for heading in listed if heading.level == 1}
    listed_lines = {index for heading in listed for index in heading.line_indices}
    unlisted: list[PrintedHeading] = []
    for index, line in enumerate(lines):
        if index in listed_lines or line.is_rotated or not _is_short_title(line) or not _is_alone_in_row(lines, index):
            continue
        is_like_heading = _read_style(line) in styles or (
            not extract_section_number(line.bare_text)
            and (_is_heading_candidate(line, body_size) or _is_title_case(line))
        )
        if is_like_heading and _has_standard_title(line):
            unlisted.append(PrintedHeading(index, 1, line.bare_text, 1))
    return unlisted


def _has_standard_title(line: Line) -> bool:
    return bool(_STANDARD_TITLE.fullmatch(strip_heading_number(line.bare_text).casefold().rstrip(":. ")))


def _is_title_case(line: Line) -> bool:
    return line.bare_text[:1].isupper() and line.bare_text[-1:].isalpha()


def _is_short_title(line: Line) -> bool:
    return len(line.cells) <= 2 and len(strip_heading_number(line.bare_text).split()) <= 5


def _is_alone_in_row(lines: Sequence[Line], index: int) -> bool:
    """Return whether no other line shares the row."""
    line = lines[index]
    neighbours = (lines[other] for other in (index - 1, index + 1) if 0 <= other < len(lines))
    return not any(
        other.page == line.page and abs(other.y - line.y) < 2 and not other.is_rotated for other in neighbours
    )


def _find_headings_by_type(lines: Sequence[Line], body_size: float, vocabulary: Vocabulary) -> list[PrintedHeading]:
    """Return the headings found by type: numbered in sequence, with a standard title, or set just like these."""
    candidates = [at for at, line in enumerate(lines) if _is_heading_candidate(line, body_size)]
    sure = _select_sure_headings(lines, candidates, vocabulary)
    if not sure:
        return []
    top_styles = _find_top_styles(lines, sure, body_size)
    sure_lines = {at for heading in sure for at in heading.line_indices}
    others = [at for at in candidates if at > sure[0].first_line and at not in sure_lines and _is_set_off(lines, at)]
    tops = [at for at in others if _read_style(lines[at]) in top_styles]
    headings = sure + [_build_heading(lines, at, 1, vocabulary) for at in tops]
    if any(extract_section_number(h.text) and classify_heading(h.text) is not SectionKind.APPENDIX for h in sure):
        return headings
    lower = [at for at in others if at not in tops and _is_above_text(lines, at, body_size)]
    styles = Counter(_read_style(lines[at]) for at in lower)
    return headings + [_build_heading(lines, at, 2, vocabulary) for at in lower if styles[_read_style(lines[at])] >= 2]


def _is_above_text(lines: Sequence[Line], index: int, body_size: float) -> bool:
    """Return whether running text starts right under a line; under a label of a figure or table it does not."""
    end = index + _count_heading_lines(lines, index)
    if end >= len(lines):
        return False
    line, line_below = lines[end - 1], lines[end]
    is_near = line_below.page != line.page or 0 < line.y - line_below.y < 4 * body_size
    return (
        is_near and len(line_below.cells) == 1 and len(line_below.text) > 30 and abs(line_below.size - body_size) < 0.5
    )


def _select_sure_headings(
    lines: Sequence[Line], candidates: Sequence[int], vocabulary: Vocabulary
) -> list[PrintedHeading]:
    """Return the candidates with the next section number or a standard title."""
    numbered_styles = Counter(
        _read_style(lines[at]) for at in candidates if extract_section_number(lines[at].bare_text)
    )
    is_roman = has_roman_numbers(lines[at].bare_text for at in candidates)
    headings: list[PrintedHeading] = []
    last_number: tuple[str, ...] = ()
    for at in candidates:
        if headings and at < headings[-1].line_indices.stop:
            continue
        text = lines[at].bare_text
        is_roman = is_roman and not (headings and classify_heading(headings[-1].text) in _BACK_MATTER)
        number = _extract_roman_number(text, last_number) if is_roman else _extract_arabic_number(text)
        is_styled = numbered_styles[_read_style(lines[at])] >= 2 or _is_apart(lines, at)
        follows = number and (_is_next_number(last_number, number) or (not last_number and _APPENDIX_A.match(text)))
        if follows and is_styled and not _ALGORITHM_STEP.match(text):
            last_number = number
        elif not _has_standard_title(lines[at]):
            continue
        headings.append(_build_heading(lines, at, max(1, len(number)), vocabulary))
    return headings


def _extract_arabic_number(text: str) -> tuple[str, ...]:
    return tuple(filter(None, extract_section_number(text).split(".")))


def _extract_roman_number(text: str, last_number: tuple[str, ...]) -> tuple[str, ...]:
    """Return a heading's number, where sections have Roman numbers and their subsections letters."""
    number = extract_section_number(text)
    if has_letter_number(text) and number:
        return (*last_number[:1], number)
    return (str(_convert_roman_number(number)),) if number and set(number) <= set(_ROMAN_VALUES) else ()


def _convert_roman_number(roman: str) -> int:
    """Return the value of a Roman number."""
    values = [_ROMAN_VALUES[letter] for letter in roman]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _build_heading(lines: Sequence[Line], index: int, level: int, vocabulary: Vocabulary) -> PrintedHeading:
    count = _count_heading_lines(lines, index)
    text = join_lines([line.bare_text for line in lines[index : index + count]], vocabulary)
    return PrintedHeading(index, count, text, level)


def _is_next_number(last_number: tuple[str, ...], number: tuple[str, ...]) -> bool:
    """Return whether a section number may follow the last one: it may skip one, but not go back."""
    if len(number) > len(last_number) + 1:
        return False
    depth = len(number) - 1
    above = last_number[:depth]
    if number[:depth] != above:
        return False
    before = last_number[depth] if len(last_number) > depth else ""
    if depth == 0 and number[0] == "A":
        return bool(last_number)  # before the first section it is an author's initial
    if last_number and last_number[0].isdigit() != number[0].isdigit():
        return False
    return _rank_number(before) < _rank_number(number[depth]) <= _rank_number(before) + 2


def _rank_number(number_part: str) -> int:
    """Return the place of a section's own number among its siblings, or 0 for none."""
    if number_part.isdigit():
        return int(number_part)
    if len(number_part) > 1:
        return _convert_roman_number(number_part.upper())
    return ord(number_part.upper()) - ord("A") + 1 if number_part else 0


def _is_set_off(lines: Sequence[Line], index: int) -> bool:
    """Return whether a line without a number stands alone and apart, as a heading does."""
    line = lines[index]
    has_words = line.bare_text[:1].isalpha() and not has_line_end_hyphen(line.text) and match_label(line) is None
    return has_words and len(line.cells) == 1 and _is_alone_in_row(lines, index) and _is_apart(lines, index)


def _is_apart(lines: Sequence[Line], index: int) -> bool:
    """Return whether there is more space above the line than between lines of text."""
    line, before = lines[index], lines[index - 1] if index else None
    return before is None or before.page != line.page or not 0 < before.y - line.y < 1.4 * line.size


def _find_top_styles(lines: Sequence[Line], headings: Sequence[PrintedHeading], body_size: float) -> set[HeadingStyle]:
    """Return the styles of top-level headings that no line of running text can have."""
    styles = Counter(_read_style(lines[heading.first_line]) for heading in headings if heading.level == 1)
    distinct = {style for style in styles if style.size > 1.07 * body_size or style.all_capitals}
    return {style for style in distinct if styles[style] >= 2}


def _count_heading_lines(lines: Sequence[Line], index: int) -> int:
    """Return the number of a heading's lines: the further ones follow close below in its style, without a number."""
    count = 1
    while count < MAX_HEADING_LINES and index + count < len(lines):
        before, line = lines[index + count - 1], lines[index + count]
        is_close = line.page == before.page and 0 < before.y - line.y < 1.5 * before.size
        is_same_style = _read_style(line) == _read_style(lines[index])
        if not is_close or not is_same_style or extract_section_number(line.bare_text):
            break
        count += 1
    return count
