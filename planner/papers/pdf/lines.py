"""A line of type, as the page shows it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from planner.papers.pdf.runs import HYPHEN, Run

_CELL_GAP: Final = 0.95  # of the type size: wider than the spaces of justified prose
_WORD_GAP: Final = 0.2
_NO_GAP: Final = 0.12
_MARKS: Final = re.compile(r"[\s,∗*†‡§¶‖♯#♠♣♦\d]+$|^[a-z]$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of type on a page (counted from 1); places in points, y upwards.

    `text` may end in a line-end hyphen, U+0002. `cells` are its parts between wide gaps, one for plain prose;
    `bare` is the text without the footnote marks at its end; `noted` says that it starts with a raised mark.
    """

    page: int
    text: str
    bare: str
    cells: tuple[str, ...]
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    italic: bool
    noted: bool
    turned: bool


def line_of(page: int, runs: Sequence[Run]) -> Line:
    """The line that the runs make, which stand in reading order."""
    size = _main(runs, lambda run: round(run.size, 1))
    base = _main([run for run in runs if abs(run.size - size) < 0.1], lambda run: round(run.y, 1))
    half = sum(len(run.text) for run in runs) / 2
    first = runs[0]
    kept = list(runs)
    while len(kept) > 1 and _is_mark(kept[-1], size, base):
        kept.pop()
    text = _text(runs)
    return Line(
        page=page,
        text=text,
        bare=text if len(kept) == len(runs) else _text(kept),
        cells=_cells(runs, size),
        x0=min(run.x0 for run in runs),
        x1=max(run.x1 for run in runs),
        y=base,
        size=size,
        bold=sum(len(run.text) for run in runs if run.bold) > half,
        italic=sum(len(run.text) for run in runs if run.italic) > half,
        noted=len(runs) > 1 and _is_mark(first, size, base),
        turned=first.turned,
    )


def joined_words(before: Run, after: Run) -> bool:
    """Whether no space stands between two runs that follow each other on a line."""
    gap = after.x0 - before.x1
    size = max(before.size, after.size)
    if not after.space:
        return gap < _WORD_GAP * size
    small_capitals = before.text[-1:].isupper() and after.text[:1].isupper() and before.size != after.size
    return small_capitals and gap < _NO_GAP * size


def _main(runs: Sequence[Run], value: Callable[[Run], float]) -> float:
    """The value that most characters of the runs have."""
    weights: dict[float, int] = {}
    for run in runs:
        key = value(run)
        weights[key] = weights.get(key, 0) + len(run.text)
    return max(weights, key=weights.__getitem__)


def _is_mark(run: Run, size: float, base: float) -> bool:
    raised = run.size < 0.85 * size and run.y > base + 0.15 * size
    return (raised or run.text in {"∗", "*", "†", "‡"}) and bool(_MARKS.fullmatch(run.text))


def _text(runs: Sequence[Run]) -> str:
    parts = [runs[0].text]
    for before, after in pairwise(runs):
        parts.append(after.text if joined_words(before, after) else " " + after.text)
    inner = "".join(parts)
    return inner[:-1].replace(HYPHEN, "-") + inner[-1:]


def _cells(runs: Sequence[Run], size: float) -> tuple[str, ...]:
    groups = [[runs[0]]]
    for before, after in pairwise(runs):
        if after.x0 - before.x1 > _CELL_GAP * size:
            groups.append([])
        groups[-1].append(after)
    return tuple(_text(group) for group in groups)
