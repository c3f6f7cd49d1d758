"""Build lines of type from the runs of a page."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import Final

from planner.papers.pdf.runs import HYPHEN, Run

_CELL_GAP: Final = 0.95  # of the type size; wider than the spaces of justified prose
_WORD_GAP: Final = 0.2
_NO_GAP: Final = 0.12
_MARKS: Final = re.compile(r"[\s,∗*†‡§¶‖♯#♠♣♦\d]+$|^[a-z]$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of type on a page (counted from 1), with places in points and y upwards.

    `text` may end in a line-end hyphen, U+0002. `cells` are its parts between wide gaps, one for plain prose. The bare
    text lacks the footnote marks at its end. A noted line starts with such a mark; a turned one is not upright.
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
    """Return the line that the runs make; they must be in reading order."""
    return _line_of_one(page, runs[0]) if len(runs) == 1 else _line_of_many(page, runs)


def _line_of_one(page: int, run: Run) -> Line:
    text, size, base = _text([run]), round(run.size, 1), round(run.y, 1)
    return Line(page, text, text, (text,), run.x0, run.x1, base, size, run.bold, run.italic, False, run.turned)


def _line_of_many(page: int, runs: Sequence[Run]) -> Line:
    texts, starts, ends, baselines, sizes, bold, italic, *_ = zip(*runs, strict=True)
    lengths = [len(text) for text in texts]
    size = _main([round(one, 1) for one in sizes], lengths)
    level = [abs(one - size) < 0.1 for one in sizes]
    base = _main([round(one, 1) for one in compress(baselines, level)], compress(lengths, level))
    half = sum(lengths) / 2
    kept = len(runs)
    while kept > 1 and _is_mark(runs[kept - 1], size, base):
        kept -= 1
    text = _text(runs)
    return Line(
        page=page,
        text=text,
        bare=text if kept == len(runs) else _text(runs[:kept]),
        cells=_cells(runs, size) or (text,),
        x0=min(starts),
        x1=max(ends),
        y=base,
        size=size,
        bold=sum(compress(lengths, bold)) > half,
        italic=sum(compress(lengths, italic)) > half,
        noted=_is_mark(runs[0], size, base),
        turned=runs[0].turned,
    )


def joined_words(before: Run, after: Run) -> bool:
    """Return whether two neighbouring runs on a line have no space between them."""
    largest_gap = _NO_GAP if after.space else _WORD_GAP
    if after.x0 - before.x1 >= largest_gap * max(before.size, after.size):
        return False
    small_capitals = before.size != after.size and before.text[-1:].isupper() and after.text[:1].isupper()
    return not after.space or small_capitals


def _main(values: Sequence[float], lengths: Iterable[int]) -> float:
    """Return the value that most characters have, given each run's value and number of characters."""
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
    """Return the texts between wide gaps, or () if there is no such gap."""
    starts = [at for at, (before, after) in enumerate(pairwise(runs), 1) if after.x0 - before.x1 > _CELL_GAP * size]
    return tuple(_text(runs[start:end]) for start, end in pairwise([0, *starts, len(runs)])) if starts else ()
