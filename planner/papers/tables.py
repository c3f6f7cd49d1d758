"""Recognize tables that are set in plain characters: grids, columns under dashes, and rows of numbers.

The first two are the grid, simple and multiline tables of pandoc (https://pandoc.org/MANUAL.html#tables) and the tables
of reStructuredText.
"""

import re
from collections.abc import Sequence
from typing import Final

_BORDER: Final = re.compile(r"\s*\+(?:[:=-]{2,}\+)+\s*")
_DASHES_BY_COLUMN: Final = re.compile(r"\s*[-=]{2,}(?:\s+[-=]{2,})+\s*")
_DASHES: Final = re.compile(r"\s*-{5,}\s*")
_CELL_END: Final = re.compile(r"\t|\s{2,}|[|&]")
_CELL_SIGNS: Final = ("\t", "  ", "|", "&", "--", "==")  # a table has one of them
_RESULT: Final = re.compile(r"\d[.,]\d|\d\d|\d ?%")
MAX_TABLE_LINES: Final = 500  # lines of one table
_MAX_NUMBER_CHARS: Final = 20
_MIN_ROWS: Final = 2
_MIN_ROW_SHARE: Final = 0.6  # of the lines of a table without dashes


def find_table_end(lines: Sequence[str], first: int, end: int) -> int:
    """Return the index after the table that begins at line `first`, at most `end`; `first` if no table begins there."""
    end = min(end, first + MAX_TABLE_LINES)
    if _BORDER.fullmatch(lines[first]):
        return next((at for at in range(first, end) if not lines[at].lstrip().startswith(("+", "|"))), end)
    if _DASHES.fullmatch(lines[first]) or _DASHES_BY_COLUMN.fullmatch(lines[first]):
        return _find_closing_dashes(lines, first, end)
    has_header = len(lines[first].split()) > 1 and first + 1 < end and _DASHES_BY_COLUMN.fullmatch(lines[first + 1])
    return next((at for at in range(first, end) if not lines[at].strip()), end) if has_header else first


def _find_closing_dashes(lines: Sequence[str], first: int, end: int) -> int:
    """Return the index after the dashes that close a table which dashes open; `first` if none do."""
    has_columns = bool(_DASHES_BY_COLUMN.fullmatch(lines[first]))
    for at in range(first + 1, end):
        is_columns = bool(_DASHES_BY_COLUMN.fullmatch(lines[at]))
        has_columns = has_columns or is_columns
        is_last = at + 1 == len(lines) or not lines[at + 1].strip()
        if is_last and at > first + 1 and (is_columns or _DASHES.fullmatch(lines[at])):
            return at + 1 if has_columns else first
    return first


def is_table(text: str) -> bool:
    """Return whether a paragraph is a table of plain characters."""
    if "\n" not in text or not any(sign in text for sign in _CELL_SIGNS):
        return False
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith(("```", "~~~"))]
    if len(lines) < _MIN_ROWS:
        return False
    if find_table_end(lines, 0, len(lines)) == len(lines) or all(line.lstrip().startswith("|") for line in lines):
        return True
    rows = sum(map(_is_row_of_numbers, lines))
    return rows >= _MIN_ROWS and rows >= _MIN_ROW_SHARE * len(lines)


def _is_row_of_numbers(line: str) -> bool:
    """Return whether a line has several cells, most of them numbers, and is no line of a formula."""
    cells = [cell.strip() for cell in _CELL_END.split(line.strip(" \t|&\\")) if cell.strip()]
    numbers = sum(map(_is_number, cells))
    return numbers > 0 and len(cells) > 1 and 2 * numbers >= len(cells) - 1 and "=" not in line and _has_result(cells)


def _is_number(cell: str) -> bool:
    letters = sum(map(str.isalpha, cell))
    return len(cell) <= _MAX_NUMBER_CHARS and letters <= 1 and any(map(str.isdigit, cell))


def _has_result(cells: Sequence[str]) -> bool:
    return any(_is_number(cell) and _RESULT.search(cell) for cell in cells)
