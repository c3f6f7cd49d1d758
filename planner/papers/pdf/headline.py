"""Headings among a paper's lines, and the split of a heading into its number and its words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_LINES: Final = 4  # of a heading

_NUMBERED: Final = re.compile(r"^(?:(?:section|appendix)\s+)?((?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3})[.:]?\s+(?=\S)", re.I)
_ROMAN: Final = re.compile(r"^([IVX]{1,5})\.\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Headline:
    """A heading: the index of its first line in the paper, its number of lines, its text, and its level from 1."""

    at: int
    lines: int
    text: str
    level: int


def spans(headlines: Sequence[Headline], count: int) -> list[tuple[Headline, int, int]]:
    """Return each heading with the start and end (exclusive) of the lines under it, given the count of all lines."""
    ends = [*(headline.at for headline in headlines[1:]), count]
    return [(one, one.at + one.lines, end) for one, end in zip(headlines, ends, strict=False)]


def number_of(text: str) -> str:
    """Return the section number that a text starts with, its parts joined by dots, or "" for none."""
    match = _ROMAN.match(text) or _NUMBERED.match(text)
    return match[1] if match else ""


def unnumbered(text: str) -> str:
    """Return the text without the section number that it starts with."""
    match = _ROMAN.match(text) or _NUMBERED.match(text)
    return text[match.end() :] if match else text


def letters(text: str) -> str:
    """Return the letters and digits of a text, case folded, to compare two printings of one heading."""
    return "".join(filter(str.isalnum, text.casefold()))
