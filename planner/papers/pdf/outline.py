"""Read the outline that a PDF carries, and find the lines that print its headings.

Two printings of one heading are compared by their letters, without the section number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import pypdfium2

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


@dataclass(frozen=True, slots=True)
class PrintedHeading:
    """A heading: the index of its first line in the paper, its number of lines, its text, and its level from 1."""

    first_line: int
    line_count: int
    text: str
    level: int

    @property
    def line_indices(self) -> range:
        """The indices of its lines in the paper."""
        return range(self.first_line, self.first_line + self.line_count)


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """A title in the outline; level and page count from 1, and `page` is None if the item leads to no page."""

    title: str
    level: int
    page: int | None


def read_outline(document: pypdfium2.PdfDocument) -> tuple[OutlineItem, ...]:
    """Return the outline's items in order; a single item that holds all others is left out and they move up a level."""
    items: list[OutlineItem] = []
    for bookmark in document.get_toc(max_depth=_MAX_DEPTH):
        if len(items) >= _MAX_ITEMS:
            break
        title = " ".join(bookmark.get_title().replace("\x00", "").split())
        destination = bookmark.get_dest()
        index = destination.get_index() if destination else None
        items.append(OutlineItem(title, bookmark.level + 1, None if index is None else index + 1))
    return _shift_levels(items)


def _shift_levels(items: list[OutlineItem]) -> tuple[OutlineItem, ...]:
    top_count = sum(item.level == 1 for item in items)
    if len(items) > 2 and top_count == 1 and items[0].level == 1:
        return tuple(OutlineItem(item.title, item.level - 1, item.page) for item in items[1:])
    return tuple(items)


def find_printed_headings(
    items: Sequence[OutlineItem], lines: Sequence[Line], vocabulary: Vocabulary
) -> tuple[list[PrintedHeading], list[OutlineItem]]:
    """Return the headings that print the outline's titles, in order, and the items that no line prints."""
    line_index = _LineIndex(lines, vocabulary)
    headings: list[PrintedHeading] = []
    missing: list[OutlineItem] = []
    for item in items:
        heading = line_index.find_heading(item, headings[-1].line_indices[-1] if headings else -1)
        if heading:
            headings.append(heading)
        elif not line_index.is_run_in(item):
            missing.append(item)
    return headings, missing


class _LineIndex:
    """The lines of a paper, prepared to look up titles by page."""

    def __init__(self, lines: Sequence[Line], vocabulary: Vocabulary) -> None:
        self._lines = lines
        self._vocabulary = vocabulary
        self._line_letters = [fold_to_letters(line.bare_text) for line in lines]
        self._title_letters = [
            fold_to_letters(strip_section_number(line.bare_text)) if extract_section_number(line.bare_text) else letters
            for line, letters in zip(lines, self._line_letters, strict=True)
        ]
        self._pages: dict[int, list[int]] = {}
        for index, line in enumerate(lines):
            self._pages.setdefault(line.page, []).append(index)

    def find_heading(self, item: OutlineItem, after_line: int) -> PrintedHeading | None:
        """Return an item's heading after a given line, on the item's page or else on a neighbouring one, or None."""
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
                return PrintedHeading(index, count, text, item.level)
        return None

    def is_run_in(self, item: OutlineItem) -> bool:
        """Return whether a line of the item's page begins with its title, without number, and goes on with text."""
        letters = fold_to_letters(strip_section_number(item.title))
        on_page = self._pages.get(item.page, []) if item.page else []
        return bool(letters) and any(letters in self._title_letters[index][: len(letters) + 2] for index in on_page)

    def _match_lines_from(self, index: int, title: "_TitleMatcher") -> tuple[float, int, int]:
        """Return the best score of the lines from an index, the index and their number; a score of 0 is no match."""
        letters, best = self._title_letters[index], (0.0, index, 1)
        for count in range(1, MAX_HEADING_LINES + 1):
            score = self._score_text(letters, title, index)
            if score > best[0]:
                best = score, index, count
            if len(letters) >= len(title.letters) or index + count >= len(self._lines):
                break
            letters += self._line_letters[index + count]
        return best

    def _score_text(self, printed_letters: str, title: "_TitleMatcher", index: int) -> float:
        likeness = title.measure_likeness(printed_letters)
        if not likeness:
            return 0.0
        line = self._lines[index]
        is_numbered = bool(extract_section_number(line.bare_text))
        return likeness + 0.02 * line.bold + 0.02 * is_numbered + 0.001 * min(line.size, 20)


class _TitleMatcher:
    """The letters of a title, to compare with many lines; a much longer text never matches."""

    def __init__(self, text: str) -> None:
        self.letters = fold_to_letters(strip_section_number(text))
        self._max_difference = 0.3 * len(self.letters) + 1
        self.max_length = len(self.letters) + self._max_difference
        self._min_likeness = _MIN_LIKENESS if len(self.letters) >= _EXACT_BELOW else 1.0
        self._matcher = SequenceMatcher(None, "", self.letters, autojunk=False)

    def measure_likeness(self, printed_letters: str) -> float:
        """Return the share of letters that both texts have in the same order, or 0 if it is too small to count."""
        if printed_letters == self.letters:
            return 1.0
        if abs(len(printed_letters) - len(self.letters)) > self._max_difference:
            return 0.0
        self._matcher.set_seq1(printed_letters)
        if self._matcher.quick_ratio() < self._min_likeness:  # rules out most lines cheaply
            return 0.0
        likeness = self._matcher.ratio()
        return likeness if likeness >= self._min_likeness else 0.0


def find_lines_under_headings(
    headings: Sequence[PrintedHeading], line_count: int
) -> list[tuple[PrintedHeading, int, int]]:
    """Return each heading with the start and end (exclusive) of the lines under it, given the count of all lines."""
    ends = [*(heading.first_line for heading in headings[1:]), line_count]
    return [(heading, heading.line_indices.stop, end) for heading, end in zip(headings, ends, strict=False)]


def extract_section_number(text: str) -> str:
    """Return the section number that a text starts with, its parts joined by dots, or "" for none."""
    match = _ROMAN_NUMBER.match(text) or _ARABIC_NUMBER.match(text)
    return match[1] if match else ""


def strip_section_number(text: str) -> str:
    """Return the text without the section number that it starts with."""
    match = _ROMAN_NUMBER.match(text) or _ARABIC_NUMBER.match(text)
    return text[match.end() :] if match else text


def fold_to_letters(text: str) -> str:
    """Return the letters and digits of a text, case folded, to compare two printings of one heading."""
    return "".join(filter(str.isalnum, text.casefold()))
