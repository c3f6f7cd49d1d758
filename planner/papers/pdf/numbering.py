"""Tell which section number may follow another."""

from collections.abc import Sequence
from typing import Final

from planner.papers.headings import has_letter_number
from planner.papers.pdf.outline import extract_section_number

_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10}
FIRST_NUMBERS: Final = frozenset({("1",), ("S1",), ("A",)})  # of a supplement that counts anew

Number = tuple[str, ...]  # the parts of a section number: "2.1" gives ("2", "1")


def read_arabic_number(text: str) -> Number:
    """Return the parts of the section number that a heading starts with, or () for none."""
    return tuple(filter(None, extract_section_number(text).split(".")))


def read_roman_number(text: str, last_number: Number) -> Number:
    """Return a heading's number, where sections have Roman numbers and their subsections letters."""
    number = extract_section_number(text)
    if has_letter_number(text) and number:
        return (*last_number[:1], number)
    return (str(_convert_roman_number(number)),) if number and set(number) <= set(_ROMAN_VALUES) else ()


def _convert_roman_number(roman: str) -> int:
    """Return the value of a Roman number."""
    values = [_ROMAN_VALUES[letter] for letter in roman]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def is_next_number(last_number: Sequence[str], number: Sequence[str]) -> bool:
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
    digits = number_part.upper().removeprefix("S")
    if digits.isdigit():
        return int(digits)
    if len(number_part) > 1:
        return _convert_roman_number(number_part.upper())
    return ord(number_part.upper()) - ord("A") + 1 if number_part else 0
