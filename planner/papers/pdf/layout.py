"""Group the runs of a page into lines, and put the lines into reading order.

Most producers paint a page in reading order, so that order is kept unless the page shows that it is wrong:
two columns painted across the gutter, or text that jumps back up the page again and again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final

from planner.papers.pdf.lines import Line, line_of
from planner.papers.pdf.pieces import Piece, joined, pieces_of
from planner.papers.pdf.runs import Run

_ROW_CLUSTER: Final = 0.4
_COLUMN_SHARE: Final = 0.25  # of the page's width: the least that a line of a column takes
_LEAST_LINES: Final = 5
_SHORT: Final = 0.6
_DISORDER: Final = 0.3


def lines_of(page: int, runs: Sequence[Run]) -> list[Line]:
    """Return the lines of a page (counted from 1) in reading order."""
    pieces = pieces_of([run for run in runs if not run.turned])
    left = min((piece.left for piece in pieces), default=0.0)
    width = max((piece.right for piece in pieces), default=0.0) - left
    gutter = _gutter(pieces, left, width)
    if _is_disordered(pieces, gutter, width):
        rows = _by_place(pieces, gutter, width)
    else:
        rows = _mended(_rows(pieces, gutter, width), gutter)
    turned = [line_of(page, [run]) for run in runs if run.turned]
    return [line_of(page, row.runs) for row in rows] + turned


def _gutter(pieces: Iterable[Piece], start: float, width: float) -> float | None:
    """Return the x of the gap between two columns, or None for a page of one column."""
    long = [piece for piece in pieces if piece.width >= _COLUMN_SHARE * width]
    starts, ends = sorted(piece.left for piece in long), sorted(piece.right for piece in long)
    best: tuple[int, float] | None = None
    for step in range(36, 65):
        x = start + width * step / 100
        left, right = bisect_right(ends, x), len(starts) - bisect_left(starts, x)
        crossing = len(long) - left - right
        if min(left, right) >= _LEAST_LINES and crossing < 0.5 * (left + right):
            best = min(best or (crossing, x), (crossing, x))
    if best is None:
        return None
    return (ends[bisect_right(ends, best[1]) - 1] + starts[bisect_left(starts, best[1])]) / 2


def _is_disordered(pieces: Sequence[Piece], gutter: float | None, width: float) -> bool:
    """Return whether the page's painting order cannot be the reading order."""
    long = [piece for piece in pieces if piece.width >= _COLUMN_SHARE * width]
    sides = [piece.left >= gutter for piece in long if not piece.crosses(gutter)] if gutter else []
    crossings = sum(before != after for before, after in pairwise(sides))
    jumps = max(_climbs(long), crossings)
    return jumps > max(3.0, _DISORDER * len(long))


def _climbs(pieces: Iterable[Piece]) -> int:
    """Return how often a piece stands higher on the page than the piece before it."""
    return sum(after.baseline > before.baseline + 1 for before, after in pairwise(pieces))


def _rows(pieces: Iterable[Piece], gutter: float | None, width: float) -> list[Piece]:
    """Return the pieces, with those joined that follow each other on one baseline, such as the cells of a row."""
    rows: list[Piece] = []
    for piece in pieces:
        if rows and rows[-1].is_continued_by(piece.runs[0], width) and not _across(rows[-1], piece, gutter, width):
            joined([rows[-1], piece])
        else:
            rows.append(piece)
    return rows


def _across(before: Piece, after: Piece, gutter: float | None, width: float) -> bool:
    """Return whether the pieces are lines of neighbouring columns rather than cells of one row."""
    if gutter is None or not before.right <= gutter <= after.left:
        return False
    return min(before.width, after.width) >= _COLUMN_SHARE * width


def _mended(rows: Sequence[Piece], gutter: float | None) -> list[Piece]:
    """Return the rows, with tables that were painted column by column regrouped into rows by place."""
    mended: list[Piece] = []
    stretch: list[Piece] = []
    short = _SHORT * max((row.width for row in rows), default=0.0)
    for row in rows:
        is_short = row.width < short
        if not is_short or (stretch and not _same_side(stretch[-1], row, gutter)):
            mended.extend(_straightened(stretch))
            stretch = []
        (stretch if is_short else mended).append(row)
    return mended + _straightened(stretch)


def _same_side(before: Piece, after: Piece, gutter: float | None) -> bool:
    return gutter is None or (before.left >= gutter) == (after.left >= gutter)


def _straightened(stretch: list[Piece]) -> list[Piece]:
    return stretch if len(stretch) < 4 or _climbs(stretch) < 2 else _clustered(stretch)


def _clustered(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces joined into rows from the top down, each from left to right."""
    return [joined(row) for row in _grouped(pieces)]


def _by_place(pieces: Sequence[Piece], gutter: float | None, width: float) -> list[Piece]:
    """Return rows in reading order by place alone: between rows that cross the gutter, the left column comes first."""
    if gutter is None:
        return _clustered(pieces)
    ordered: list[Piece] = []
    band: list[Piece] = []
    for row in _crossing_rows(pieces, gutter, width):
        if row.crosses(gutter):
            ordered += [*_columns(band, gutter), row]
            band = []
        else:
            band.append(row)
    return ordered + _columns(band, gutter)


def _crossing_rows(pieces: Sequence[Piece], gutter: float, width: float) -> list[Piece]:
    """Return the pieces from the top down, with rows of narrow cells on both sides of the gutter joined."""
    found: list[Piece] = []
    for row in _grouped(pieces):
        narrow = all(piece.width < _COLUMN_SHARE * width for piece in row)
        sides = {piece.left >= gutter for piece in row}
        if narrow and len(row) > 2 and len(sides) > 1:
            found.append(joined(row))
        else:
            found.extend(row)
    return found


def _grouped(pieces: Iterable[Piece]) -> list[list[Piece]]:
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=attrgetter("baseline"), reverse=True):
        if rows and abs(rows[-1][0].baseline - piece.baseline) <= _ROW_CLUSTER * piece.runs[0].size:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=attrgetter("left", "right")) for row in rows]


def _columns(band: Sequence[Piece], gutter: float) -> list[Piece]:
    left = [piece for piece in band if piece.left < gutter]
    right = [piece for piece in band if piece.left >= gutter]
    return _clustered(left) + _clustered(right)
