"""A line of type, as the page shows it."""

import re
from collections.abc import Sequence
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
    return _line_of_one(page, runs[0]) if len(runs) == 1 else _line_of_many(page, runs)


def _line_of_one(page: int, run: Run) -> Line:
    text, size, base = _text([run]), round(run.size, 1), round(run.y, 1)
    return Line(page, text, text, (text,), run.x0, run.x1, base, size, run.bold, run.italic, False, run.turned)


def _line_of_many(page: int, runs: Sequence[Run]) -> Line:
    lengths = [len(run.text) for run in runs]
    size = _main([round(run.size, 1) for run in runs], lengths)
    level = [(round(run.y, 1), length) for run, length in zip(runs, lengths, strict=True) if abs(run.size - size) < 0.1]
    base = _main(*zip(*level, strict=True))
    half = sum(lengths) / 2
    kept = list(runs)
    while len(kept) > 1 and _is_mark(kept[-1], size, base):
        kept.pop()
    text = _text(runs)
    return Line(
        page=page,
        text=text,
        bare=text if len(kept) == len(runs) else _text(kept),
        cells=_cells(runs, size) or (text,),
        x0=min([run.x0 for run in runs]),
        x1=max([run.x1 for run in runs]),
        y=base,
        size=size,
        bold=sum([length for run, length in zip(runs, lengths, strict=True) if run.bold]) > half,
        italic=sum([length for run, length in zip(runs, lengths, strict=True) if run.italic]) > half,
        noted=_is_mark(runs[0], size, base),
        turned=runs[0].turned,
    )


def joined_words(before: Run, after: Run) -> bool:
    """Whether no space stands between two runs that follow each other on a line."""
    largest_gap = _NO_GAP if after.space else _WORD_GAP
    if after.x0 - before.x1 >= largest_gap * max(before.size, after.size):
        return False
    small_capitals = before.size != after.size and before.text[-1:].isupper() and after.text[:1].isupper()
    return not after.space or small_capitals


def _main(values: Sequence[float], lengths: Sequence[int]) -> float:
    """The value that most characters have, given those of runs of so many characters."""
    weights = dict.fromkeys(values, 0)
    for value, length in zip(values, lengths, strict=True):
        weights[value] += length
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
    """The texts between wide gaps; none where there is no such gap."""
    starts = [at for at, (before, after) in enumerate(pairwise(runs), 1) if after.x0 - before.x1 > _CELL_GAP * size]
    return tuple(_text(runs[start:end]) for start, end in pairwise([0, *starts, len(runs)])) if starts else ()
