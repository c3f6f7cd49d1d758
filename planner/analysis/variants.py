"""Recognise tables that compare variants of one part: each row is a value, a kind or a design choice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from planner.analysis.passages import bare_markup
from planner.analysis.rows import table_rows

_RULE: Final = re.compile(
    r"\\(?:hline|[a-z]*rule\b|cmidrule|rowcolor|multirow|multicolumn)(?:\([^()]*\))?(?:\{[^{}]*\}){0,2}"
)
_NUMBER: Final = re.compile(r"[-+±−$\s]*\d[\d.,]*\s*(?:%|[kKMB]|\\%)?\$?")
_HAS_NUMBER: Final = re.compile(r"\d")
_ALTERED: Final = re.compile(
    r"^(?:models?|methods?|variants?|settings?|configurations?)\s*\(([A-Za-z][\w -]{2,40})\)$", re.I
)
_WHOLE: Final = re.compile(
    r"\b(?:full|ours|baselines?|default|original|proposed|all|none|average|mean|total|random|vanilla|standard|delta|"
    r"base|human|oracle)\b|\\?Δ|\\Delta|^[\W\d]*$",
    re.I,
)
_ALTERATION: Final = re.compile(r"(?:.*\s)?(?:w\s?/\s?o|without|wo/)|(?:no\s|[-+–−—])", re.I)  # rows that `rows` reads
_LEAST_VALUES: Final = 3
_LONGEST: Final = 60  # characters of the name of a variant
_FEWEST_CELLS: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """A table row as its cells without markup; it starts `start` characters into the text."""

    cells: tuple[str, ...]
    start: int

    @property
    def name(self) -> str:
        """The first cell that is not empty, or ""."""
        return next((cell for cell in self.cells if cell), "")

    @property
    def has_values(self) -> bool:
        """True if a cell after the first holds a number."""
        return any(_HAS_NUMBER.search(cell) for cell in self.cells[1:])


def altered(text: str) -> Iterator[tuple[str, int]]:
    """Yield the part that a table's head names as varied ("Model (dropout)" or "Temperature"), with its place."""
    rows = list(_rows(text))
    values = [row for row in rows if row.has_values and _NUMBER.fullmatch(row.cells[0])]
    head = next((row for row in rows if row.cells[0] and not _NUMBER.fullmatch(row.cells[0])), None)
    if head is None:
        return
    if said := _ALTERED.match(head.cells[0]):
        yield said[1], head.start
    elif len({row.cells[0] for row in values}) >= _LEAST_VALUES and values[0].start > head.start:
        yield head.cells[0], head.start


def variants(text: str) -> Iterator[tuple[str, int]]:
    """Yield the row names of an ablation table, except the head and whole methods, with their places."""
    below_head = False
    for row in _rows(text):
        told_elsewhere = _WHOLE.search(row.name) or _ALTERATION.match(row.name)
        if below_head and row.has_values and len(row.name) <= _LONGEST and not told_elsewhere:
            yield row.name, row.start
        below_head = True


def _rows(text: str) -> Iterator[Row]:
    for line, start in table_rows(text):
        parted = line.strip().strip("|").split("|") if line.lstrip().startswith("|") else _RULE.sub("", line).split("&")
        cells = tuple(
            bare_markup(cell.replace("\\\\", "")).removeprefix("->").removesuffix("<-").strip() for cell in parted
        )
        if len(cells) >= _FEWEST_CELLS and any(cells) and "caption" not in line:
            yield Row(cells, start)
