"""A heading among a paper's lines, and how its number is told from its words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_LINES: Final = 4  # that a heading takes

_NUMBERED: Final = re.compile(r"^(?:(?:section|appendix)\s+)?((?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3})[.:]?\s+(?=\S)", re.I)
_ROMAN: Final = re.compile(r"^([IVX]{1,5})\.\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Headline:
    """A heading: the index of its first line among the paper's lines, how many lines it takes, and its level from 1."""

    at: int
    lines: int
    text: str
    level: int


def spans(headlines: Sequence[Headline], count: int) -> list[tuple[Headline, int, int]]:
    """Each heading with the first and one past the last of the lines under it, of `count` lines in all."""
    ends = [*(headline.at for headline in headlines[1:]), count]
    return [(one, one.at + one.lines, end) for one, end in zip(headlines, ends, strict=False)]


def number_of(text: str) -> str:
    """The section number that a text starts with, its parts joined by dots; "" for none."""
    match = _ROMAN.match(text) or _NUMBERED.match(text)
    return match[1] if match else ""


def unnumbered(text: str) -> str:
    """The text without the section number that it starts with."""
    match = _ROMAN.match(text) or _NUMBERED.match(text)
    return text[match.end() :] if match else text


def letters(text: str) -> str:
    """The letters and digits of a text, case folded: what printings of one heading share."""
    return "".join(filter(str.isalnum, text.casefold()))
