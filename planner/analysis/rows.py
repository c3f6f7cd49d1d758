"""Recognise table rows that report an ablation: "w/o X", "– X", "+ X", "X → Y", and columns of check marks."""

import re
from collections.abc import Iterator
from typing import Final

_CELL: Final = r"\s*(?:[|&]|\\\\|$)|\s+[-+±−]?\d"
_WITHOUT: Final = re.compile(
    r"^[\s|&*_\\]*(?:[\w+. -]{0,30}?\s)?[(\[]?"
    r"(?:w\s?/?\s?/?o\.?|wo/|w\.o\.|[Ww]ithout\b|[Nn]o\b|-|–|−|—|\$-\$|minus)[\s~]*"
    rf"([^\W\d][^|&\n]{{1,60}}?)[)\]]?(?={_CELL})"
)
_CHANGED: Final = re.compile(
    rf"^[\s|&*_]*([^\W\d][^|&\n→]{{1,50}}?)\s*(?:→|->|\$?\\(?:right)?(?:to|arrow)\$?|⇒)\s*([^|&\n]{{1,50}}?)(?={_CELL})"
)
_ADDED: Final = re.compile(rf"^[\s|&*_]*\+\s*([^\W\d][^|&+\n]{{2,60}}?)(?={_CELL})")
_VALUES: Final = re.compile(r"[|&]|(?:(?:^|\s)[-+±−]?\d+(?:[.,]\d+)?%?(?=\s|$).*){2}")
_MARK: Final = re.compile(r"[✓✔√☑×✗✘✕]|\\(?:checkmark|cmark|xmark|ding)\b")
_DRESS: Final = re.compile(
    r"\\(?:q?quad\b|[,;:!])|\\text[a-z]+\s*(?=\{)|\\(?:emph|bf|it)\b|</?[a-zA-Z]{1,6}>|[{}~]|\$(?=[-+−{}]|\\)|(?<=[-+−])\$"
)
_LONGEST_ROW: Final = 400


def table_rows(text: str) -> Iterator[tuple[str, int]]:
    """Yield lines that hold cells or at least two numbers, without their markup, each with its place in the text."""
    start = 0
    for line in text.split("\n"):
        if len(line) <= _LONGEST_ROW and _VALUES.search(line):
            yield _DRESS.sub("", line), start
        start += len(line) + 1


def without(row: str) -> re.Match[str] | None:
    """Match a row that removes a part, which is group 1: "w/o gate 81.2", "– gate & 81.2"."""
    return _WITHOUT.match(row)


def added(row: str) -> re.Match[str] | None:
    """Match a row that adds a part, which is group 1: "+ gate 81.2"."""
    return _ADDED.match(row)


def changed(row: str) -> re.Match[str] | None:
    """Match a row that replaces group 1 by group 2: "ReLU → GELU 81.2"."""
    return _CHANGED.match(row)


def marked_columns(text: str) -> Iterator[tuple[str, int]]:
    """Yield column heads above rows of check marks, which name the parts switched on and off, with their places.

    The text of a PDF has no columns, so words count as cells: the first words of the header, up to the last mark.
    """
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if len(_MARK.findall(line)) > 1), 0)
    width = max((n for n, cell in enumerate(_cells(lines[first]), start=1) if _MARK.search(cell)), default=0)
    start = 0
    for line in lines[:first]:
        if not line.lower().startswith(("table", "tab.")):
            for cell in _cells(line)[:width]:
                yield cell, start + line.find(cell)
        start += len(line) + 1


def _cells(line: str) -> list[str]:
    parted = line.split("|") if "|" in line else line.split("&") if "&" in line else line.split()
    return [cell.strip() for cell in parted]
