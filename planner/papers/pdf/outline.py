"""Find the headings that the outline of a PDF lists, and follow the section numbers of a paper.

The outline is the PDF's own list of titles. Its titles are compared with lines on the pages by letters and digits only.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import islice
from typing import Final

import pypdfium2

from planner.papers.headings import classify_heading, has_letter_number, has_roman_numbers
from planner.papers.paper import SectionKind
from planner.papers.pdf.lines import Line
from planner.papers.pdf.paragraphs import Vocabulary, join_lines

MAX_HEADING_LINES: Final = 4
_UNSPACED_TITLE: Final = r"(?=[A-Z](?:[a-z]{2}|[A-Z]{3}))"  # right behind a number, as in "1.Introduction"
_ARABIC_NUMBER: Final = re.compile(
    r"^(?:(?i:section|appendix)\s+)?((?:S?\d{1,2}|[A-Za-z])(?:\.\d{1,2}){0,3})"
    rf"(?:(?:[.:]|\s[|])?\s+(?=\S)|[.:]{_UNSPACED_TITLE}|(?<=\d){_UNSPACED_TITLE})"
)
_ROMAN_NUMBER: Final = re.compile(rf"^([IVX]{{1,5}})\.(?:\s+(?=\S)|{_UNSPACED_TITLE})")
_MAX_ITEMS: Final = 1000
_MAX_DEPTH: Final = 8
_MIN_LIKENESS: Final = 0.86
_EXACT_BELOW: Final = 6  # letters; shorter titles resemble each other too much
_ALGORITHM_STEP: Final = re.compile(r"\d+:")
_APPENDIX_A: Final = re.compile(r"appendix\s+A\b", re.I)
BACK_MATTER: Final = frozenset({SectionKind.REFERENCES, SectionKind.APPENDIX})
_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10}
_FIRST_NUMBERS: Final = frozenset({("1",), ("S1",), ("A",)})  # of a supplement that counts anew
Number = tuple[str, ...]  # the parts of a section number: "2.1" gives ("2", "1")


@dataclass(frozen=True, slots=True)
class PrintedHeading:
    """A heading: the indices of its lines among the lines of the paper, its text, and its level (counted from 1)."""

    line_indices: range
    text: str
    level: int


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """A title in the PDF's outline; `level` and `page` count from 1, and `page` is None for a title without a page."""

    title: str
    level: int
    page: int | None


def read_outline(document: pypdfium2.PdfDocument) -> tuple[OutlineItem, ...]:
    """Return the titles in a PDF's outline; if all others are under the first (the paper's title), leave that out."""
    items: list[OutlineItem] = []
    for bookmark in islice(document.get_toc(max_depth=_MAX_DEPTH), _MAX_ITEMS):
        title = " ".join(bookmark.get_title().replace("\x00", "").split())
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        items.append(OutlineItem(title, bookmark.level + 1, None if index is None else index + 1))
    if len(items) > 2 and [at for at, item in enumerate(items) if item.level == 1] == [0]:
        return tuple(replace(item, level=item.level - 1) for item in items[1:])
    return tuple(items)


def find_heading_per_item(
    items: Sequence[OutlineItem], lines: Sequence[Line], vocabulary: Vocabulary
) -> list[PrintedHeading | None]:
    """Return for each outline title its printed heading, or None for a title that is not printed as a heading."""
    line_index = _LineIndex(lines if items else (), vocabulary)
    headings: list[PrintedHeading | None] = []
    after_line = -1
    for item in items:
        heading = line_index.find_heading(item, after_line)
        headings.append(heading)
        after_line = heading.line_indices[-1] if heading else after_line
    return headings


def find_missing_items(
    items: Sequence[OutlineItem], headings: Sequence[PrintedHeading | None], lines: Iterable[Line]
) -> list[OutlineItem]:
    """Return the outline titles without a heading, except titles that only begin a line of running text."""
    missing = [item for item, heading in zip(items, headings, strict=True) if heading is None]
    letters_by_page: dict[int | None, list[str]] = {item.page: [] for item in missing}
    for line in lines:
        if line.page in letters_by_page:
            letters_by_page[line.page].append(_fold_title(line.bare_text))

    def is_run_in(item: OutlineItem) -> bool:
        title = _fold_title(item.title)
        return bool(title) and any(title in letters[: len(title) + 2] for letters in letters_by_page[item.page])

    return [item for item in missing if not is_run_in(item)]


def _fold_title(text: str) -> str:
    return fold_to_alphanumerics(strip_section_number(text))


class _LineIndex:
    """The lines of a paper, in which the titles of the outline are looked up."""

    def __init__(self, lines: Sequence[Line], vocabulary: Vocabulary) -> None:
        self._lines = lines
        self._vocabulary = vocabulary
        self._line_letters = [fold_to_alphanumerics(line.bare_text) for line in lines]
        self._title_letters = [_fold_title(line.bare_text) for line in lines]
        self._pages: dict[int, list[int]] = {}
        for index, line in enumerate(lines):
            self._pages.setdefault(line.page, []).append(index)

    def find_heading(self, item: OutlineItem, after_line: int) -> PrintedHeading | None:
        """Return the printed heading of an outline title after line `after_line`, or None if it is not found."""
        title = _TitleMatcher(item.title)
        if item.page is None or not title.letters:
            return None
        for page in (item.page, item.page + 1, item.page - 1):
            best = (0.0, 0, 0)
            for index in self._pages.get(page, []):
                # Most lines of running text are longer.
                if index > after_line and len(self._title_letters[index]) <= title.max_length:
                    best = max(best, self._match_lines_from(index, title))
            score, index, count = best
            if score:
                text = join_lines([line.bare_text for line in self._lines[index : index + count]], self._vocabulary)
                return PrintedHeading(range(index, index + count), text, item.level)
        return None

    def _match_lines_from(self, index: int, title: "_TitleMatcher") -> tuple[float, int, int]:
        """Return (score, `index`, number of lines) for the best match at line `index`; score 0 means no match."""
        line, letters, best = self._lines[index], self._title_letters[index], (0.0, index, 1)
        for count in range(1, MAX_HEADING_LINES + 1):
            if likeness := title.measure_likeness(letters):
                is_numbered = bool(extract_section_number(line.bare_text))
                score = likeness + 0.02 * line.bold + 0.02 * is_numbered + 0.001 * min(line.size, 20)
                best = (score, index, count) if score > best[0] else best
            if len(letters) >= len(title.letters) or index + count >= len(self._lines):
                break
            letters += self._line_letters[index + count]
        return best


class _TitleMatcher:
    """A matcher that compares the letters of a title with those of many lines; a much longer line never matches."""

    def __init__(self, text: str) -> None:
        self.letters = _fold_title(text)
        self._max_difference = 0.3 * len(self.letters) + 1
        self.max_length = len(self.letters) + self._max_difference
        self._min_likeness = _MIN_LIKENESS if len(self.letters) >= _EXACT_BELOW else 1.0
        self._matcher = SequenceMatcher(None, "", self.letters, autojunk=False)

    def measure_likeness(self, printed_letters: str) -> float:
        """Return how alike the title's letters and the printed letters are, from 0 to 1; a small value becomes 0."""
        if printed_letters == self.letters:
            return 1.0
        if abs(len(printed_letters) - len(self.letters)) > self._max_difference:
            return 0.0
        self._matcher.set_seq1(printed_letters)
        if self._matcher.quick_ratio() < self._min_likeness:  # rules out most lines cheaply
            return 0.0
        likeness = self._matcher.ratio()
        return likeness if likeness >= self._min_likeness else 0.0


def find_line_range_under_each_heading(headings: Sequence[PrintedHeading], line_count: int) -> list[range]:
    """Return the indices of the lines between each heading and the next; the last range ends at `line_count`."""
    ends = [*(heading.line_indices.start for heading in headings[1:]), line_count]
    return [range(heading.line_indices.stop, end) for heading, end in zip(headings, ends, strict=False)]


def extract_section_number(text: str) -> str:
    """Return the section number with which a text begins, such as "3.2"; "" if there is none."""
    match = _ROMAN_NUMBER.match(text) or _ARABIC_NUMBER.match(text)
    return match[1] if match else ""


def strip_section_number(text: str) -> str:
    """Return the text without the section number with which it begins."""
    match = _ROMAN_NUMBER.match(text) or _ARABIC_NUMBER.match(text)
    return text[match.end() :] if match else text


def fold_to_alphanumerics(text: str) -> str:
    """Return the letters and digits of a text in lower case, to compare titles."""
    return "".join(filter(str.isalnum, text.casefold()))


@dataclass(frozen=True, slots=True)
class HeadingStyle:
    """The style of a heading: its type size in points, and whether it is bold, italic and all in capitals."""

    size: float
    bold: bool
    italic: bool
    all_capitals: bool


class SectionNumberSequence:
    """The section numbers of a paper's headings, which are read in order.

    `is_past_references` is true after the references, since numbers may begin again there.
    """

    def __init__(self, lines: Sequence[Line], candidates: Sequence[int]) -> None:
        self.is_past_references = False
        self._lines = lines
        self._last_number: Number = ()
        self._models: dict[int, int] = {}  # the last numbered heading of each level
        self._is_roman = has_roman_numbers(lines[at].bare_text for at in candidates)
        kinds = {at: classify_heading(lines[at].bare_text) for at in candidates}
        body_end = max((at for at in candidates if kinds[at] is SectionKind.REFERENCES), default=len(lines))
        numbered = [at for at in candidates if extract_section_number(lines[at].bare_text)]
        self._style_counts = Counter(read_heading_style(lines[at]) for at in numbered)
        self._last_places = {_read_number_style(lines[at]): at for at in numbered if at < body_end}
        introductions = (at for at in numbered if kinds[at] is SectionKind.INTRODUCTION)
        self._introduction = next(introductions, -1)

    def read_number(self, index: int) -> Number:
        """Return the section number of line `index` in parts, such as ("3", "2") for "3.2"; () if it has no number."""
        text = self._lines[index].bare_text
        if self._is_roman:
            return _read_roman_number(text, self._last_number)
        return tuple(filter(None, extract_section_number(text).split(".")))

    def is_next_heading(self, index: int, number: Number) -> bool:
        """Return whether line `index` is the heading with the next section number, `number`."""
        line = self._lines[index]
        follows = _is_next_number(self._last_number, number) or (
            (not self._last_number and bool(_APPENDIX_A.match(line.bare_text)))
            or (self.is_past_references and number in _FIRST_NUMBERS)
        )
        is_styled = self._style_counts[read_heading_style(line)] >= 2 or has_space_above(self._lines, index)
        is_item = _ALGORITHM_STEP.match(line.bare_text) or _runs_on(self._lines, index)
        is_heading = bool(number) and follows and is_styled and not is_item
        return is_heading and not self._is_outdone(index, len(number))

    def record_heading(self, index: int, number: Number, kind: SectionKind) -> None:
        """Record the heading on line `index`; `number` is () for a heading outside the sequence of numbers."""
        if number:
            self._last_number = number
            self._models[len(number)] = index
        self.is_past_references = self.is_past_references or kind is SectionKind.REFERENCES
        self._is_roman = self._is_roman and kind not in BACK_MATTER

    def _is_outdone(self, index: int, level: int) -> bool:
        """Return whether another line is likelier than line `index` to be the heading with this section number.

        The first heading of a level is not before the introduction. Otherwise, a later line with the same number is
        likelier if it looks like the last heading of the level, and line `index` does not.
        """
        model = self._models.get(level)
        if model is None:
            return index < self._introduction
        number, *own_style = _read_number_style(self._lines[index])
        _, style, mark = _read_number_style(self._lines[model])
        return own_style != [style, mark] and self._last_places.get((number, style, mark), -1) > index


def read_heading_style(line: Line) -> HeadingStyle:
    """Return the style of a line: the size of its type, and whether it is bold, italic and all in capitals."""
    return HeadingStyle(round(line.size, 0), line.bold, line.italic, line.text.isupper())


def _read_number_style(line: Line) -> tuple[str, HeadingStyle, str]:
    """Return a line's section number, its style, and the character after the number, such as a full stop."""
    number = extract_section_number(line.bare_text)
    return number, read_heading_style(line), line.bare_text.partition(number)[2][:1] if number else ""


def _runs_on(lines: Sequence[Line], index: int) -> bool:
    """Return whether a line begins a sentence that goes on in another style on the next line."""
    line, below = lines[index], lines[index + 1] if index + 1 < len(lines) else None
    if below is None or below.page != line.page or read_heading_style(below) == read_heading_style(line):
        return False
    return 0 < line.y - below.y < 1.5 * line.size and below.text[:1].islower()


def has_space_above(lines: Sequence[Line], index: int) -> bool:
    """Return whether the space above a line is larger than the space between lines of text."""
    line, before = lines[index], lines[index - 1] if index else None
    return before is None or before.page != line.page or not 0 < before.y - line.y < 1.4 * line.size


def _read_roman_number(text: str, last_number: Number) -> Number:
    """Return the parts of a section number: ("2",) for "II", ("2", "B") for "B" in section II; () without a number."""
    number = extract_section_number(text)
    if has_letter_number(text) and number:
        return (*last_number[:1], number)
    return (str(_convert_roman_number(number)),) if number and set(number) <= set(_ROMAN_VALUES) else ()


def _convert_roman_number(roman: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in roman]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _is_next_number(last_number: Sequence[str], number: Sequence[str]) -> bool:
    """Return whether a section number may follow the last one; one number may be missing between the two."""
    if not number or len(number) > len(last_number) + 1:
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
    """Return the value of a part of a section number: 2 for "2", "S2", "II" and "B"; 0 for ""."""
    digits = number_part.upper().removeprefix("S")
    if digits.isdigit():
        return int(digits)
    if len(number_part) > 1:
        return _convert_roman_number(number_part.upper())
    return ord(number_part.upper()) - ord("A") + 1 if number_part else 0
