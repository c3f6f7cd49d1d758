"""Follow the section numbers of a paper, and tell them from the numbers of list items."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.papers.headings import classify_heading, has_letter_number, has_roman_numbers
from planner.papers.paper import SectionKind
from planner.papers.pdf.lines import Line
from planner.papers.pdf.outline import extract_section_number

_ALGORITHM_STEP: Final = re.compile(r"\d+:")
_APPENDIX_A: Final = re.compile(r"appendix\s+A\b", re.I)
BACK_MATTER: Final = frozenset({SectionKind.REFERENCES, SectionKind.APPENDIX})
_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10}
_FIRST_NUMBERS: Final = frozenset({("1",), ("S1",), ("A",)})  # of a supplement that counts anew

Number = tuple[str, ...]  # the parts of a section number: "2.1" gives ("2", "1")


@dataclass(frozen=True, slots=True)
class HeadingStyle:
    """The type of a heading: its size in points, and flags for bold, italic and all capitals."""

    size: float
    bold: bool
    italic: bool
    all_capitals: bool


class NumberSequence:
    """The section numbers of a paper, read in order from the candidates.

    `is_past_references` is true after the references, where a supplement may count anew.
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
        self._style_counts = Counter(read_type_style(lines[at]) for at in numbered)
        self._last_places = {_read_number_style(lines[at]): at for at in numbered if at < body_end}
        introductions = (at for at in numbered if kinds[at] is SectionKind.INTRODUCTION)
        self._introduction = next(introductions, -1)

    def read_number(self, index: int) -> Number:
        """Return the parts of a line's number, or () for none."""
        text = self._lines[index].bare_text
        return _read_roman_number(text, self._last_number) if self._is_roman else _read_arabic_number(text)

    def accept_number(self, index: int, number: Number) -> bool:
        """Return whether a line is the section that follows the last one, and if so count it."""
        line = self._lines[index]
        follows = _is_next_number(self._last_number, number) or (
            (not self._last_number and bool(_APPENDIX_A.match(line.bare_text)))
            or (self.is_past_references and number in _FIRST_NUMBERS)
        )
        is_styled = self._style_counts[read_type_style(line)] >= 2 or is_set_apart(self._lines, index)
        is_item = _ALGORITHM_STEP.match(line.bare_text) or _runs_on(self._lines, index)
        if not number or not follows or not is_styled or is_item or self._is_outdone(index, len(number)):
            return False
        self._last_number = number
        self._models[len(number)] = index
        return True

    def note_kind(self, kind: SectionKind) -> None:
        """Note the kind of the last heading: behind the body, sections have other numbers."""
        self.is_past_references = self.is_past_references or kind is SectionKind.REFERENCES
        self._is_roman = self._is_roman and kind not in BACK_MATTER

    def _is_outdone(self, index: int, level: int) -> bool:
        """Return whether a later line with this number is set like the last section of its level, and this line is not.

        If there was no section of this level yet, a line before the introduction is outdone too.
        """
        model = self._models.get(level)
        if model is None:
            return index < self._introduction
        number, *own_style = _read_number_style(self._lines[index])
        _, style, mark = _read_number_style(self._lines[model])
        return own_style != [style, mark] and self._last_places.get((number, style, mark), -1) > index


def read_type_style(line: Line) -> HeadingStyle:
    """Return the style of a line, as that of a heading."""
    return HeadingStyle(round(line.size, 0), line.bold, line.italic, line.text.isupper())


def _read_number_style(line: Line) -> tuple[str, HeadingStyle, str]:
    """Return a line's section number, its style, and what stands behind the number, such as a full stop."""
    number = extract_section_number(line.bare_text)
    return number, read_type_style(line), line.bare_text.partition(number)[2][:1] if number else ""


def _runs_on(lines: Sequence[Line], index: int) -> bool:
    """Return whether the sentence of a line goes on in plain type below, as that of an item of a list does."""
    line, below = lines[index], lines[index + 1] if index + 1 < len(lines) else None
    if below is None or below.page != line.page or read_type_style(below) == read_type_style(line):
        return False
    return 0 < line.y - below.y < 1.5 * line.size and below.text[:1].islower()


def is_set_apart(lines: Sequence[Line], index: int) -> bool:
    """Return whether there is more space above the line than between lines of text."""
    line, before = lines[index], lines[index - 1] if index else None
    return before is None or before.page != line.page or not 0 < before.y - line.y < 1.4 * line.size


def _read_arabic_number(text: str) -> Number:
    """Return the parts of the section number that a heading starts with, or () for none."""
    return tuple(filter(None, extract_section_number(text).split(".")))


def _read_roman_number(text: str, last_number: Number) -> Number:
    """Return a heading's number, where sections have Roman numbers and their subsections letters."""
    number = extract_section_number(text)
    if has_letter_number(text) and number:
        return (*last_number[:1], number)
    return (str(_convert_roman_number(number)),) if number and set(number) <= set(_ROMAN_VALUES) else ()


def _convert_roman_number(roman: str) -> int:
    """Return the value of a Roman number."""
    values = [_ROMAN_VALUES[letter] for letter in roman]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _is_next_number(last_number: Sequence[str], number: Sequence[str]) -> bool:
    """Return whether a section number may follow the last one: it may skip one, but not go back."""
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
    """Return the place of a section's own number among its siblings, or 0 for none."""
    digits = number_part.upper().removeprefix("S")
    if digits.isdigit():
        return int(digits)
    if len(number_part) > 1:
        return _convert_roman_number(number_part.upper())
    return ord(number_part.upper()) - ord("A") + 1 if number_part else 0
