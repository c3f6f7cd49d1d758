"""Puts the runs of a page into lines, and the lines into reading order.

Most producers paint a page in reading order, so that order is trusted until the page shows that it is not:
two columns painted across the gutter, or text that jumps back up the page again and again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final

from planner.papers.pdf.lines import Line, line_of
from planner.papers.pdf.runs import Run

Piece = list[Run]  # runs that stand close together on one baseline
_size: Final = attrgetter("size")

_PIECE_GAP: Final = 1.2  # of the type size: less than any gutter between columns
_ROW_DRIFT: Final = 0.6
_ROW_CLUSTER: Final = 0.4
_COLUMN_SHARE: Final = 0.25  # of the page's width: what a line of a column takes at least
_LEAST_LINES: Final = 5
_SHORT: Final = 0.6
_DISORDER: Final = 0.3


def lines_of(page: int, runs: Sequence[Run]) -> list[Line]:
    """The lines of a page in reading order."""
    pieces = _pieces([run for run in runs if not run.turned])
    left = min((_span(piece)[0] for piece in pieces), default=0.0)
    width = max((_span(piece)[1] for piece in pieces), default=0.0) - left
    gutter = _gutter(pieces, left, width)
    if _is_disordered(pieces, gutter, width):
        rows = _by_place(pieces, gutter, width)
    else:
        rows = _mended(_rows(pieces, gutter, width), gutter)
    turned = [line_of(page, [run]) for run in runs if run.turned]
    return [line_of(page, row) for row in rows] + turned


def _pieces(runs: Iterable[Run]) -> list[Piece]:
    pieces: list[Piece] = []
    for run in runs:
        if pieces and _continues(pieces[-1], run, _PIECE_GAP):
            pieces[-1].append(run)
        else:
            pieces.append([run])
    return pieces


def _continues(piece: Piece, run: Run, gap: float) -> bool:
    """Whether the run stands right of the piece on its baseline, at most `gap` type sizes away."""
    largest = max(piece, key=_size) if len(piece) > 1 else piece[0]
    size = max(largest.size, run.size)
    return abs(run.y - largest.y) <= _ROW_DRIFT * size and -0.35 * size <= run.x0 - piece[-1].x1 <= gap * size


def _span(piece: Piece) -> tuple[float, float]:
    return piece[0].x0, piece[-1].x1


def _baseline(piece: Piece) -> float:
    return piece[0].y if len(piece) == 1 else max(piece, key=lambda run: (run.size, len(run.text))).y


def _gutter(pieces: Iterable[Piece], start: float, width: float) -> float | None:
    """Where the gap between two columns lies, None on a page of one column."""
    spans = [span for span in map(_span, pieces) if span[1] - span[0] >= _COLUMN_SHARE * width]
    starts, ends = sorted(left for left, _ in spans), sorted(right for _, right in spans)
    best: tuple[int, float] | None = None
    for step in range(36, 65):
        x = start + width * step / 100
        left, right = bisect_right(ends, x), len(starts) - bisect_left(starts, x)
        crossing = len(spans) - left - right
        if min(left, right) >= _LEAST_LINES and crossing < 0.5 * (left + right):
            best = min(best or (crossing, x), (crossing, x))
    if best is None:
        return None
    return (ends[bisect_right(ends, best[1]) - 1] + starts[bisect_left(starts, best[1])]) / 2


def _is_disordered(pieces: Sequence[Piece], gutter: float | None, width: float) -> bool:
    """Whether the page's own order cannot be the reading order."""
    long = [piece for piece in pieces if _span(piece)[1] - _span(piece)[0] >= _COLUMN_SHARE * width]
    climbs = sum(_baseline(after) > _baseline(before) + 1 for before, after in pairwise(long))
    sides = [_span(piece)[0] >= gutter for piece in long if not _crosses(piece, gutter)] if gutter else []
    crossings = sum(before != after for before, after in pairwise(sides))
    jumps = max(climbs, crossings)
    return jumps > max(3.0, _DISORDER * len(long))


def _crosses(piece: Piece, x: float) -> bool:
    left, right = _span(piece)
    return left < x < right


def _rows(pieces: Iterable[Piece], gutter: float | None, width: float) -> list[Piece]:
    """Pieces that follow each other on one baseline, joined: the cells of a table's row."""
    rows: list[Piece] = []
    for piece in pieces:
        if rows and _continues(rows[-1], piece[0], width) and not _across(rows[-1], piece, gutter, width):
            rows[-1].extend(piece)
        else:
            rows.append(list(piece))
    return rows


def _across(before: Piece, after: Piece, gutter: float | None, width: float) -> bool:
    """Whether the two are lines of neighbouring columns rather than cells of one row."""
    if gutter is None or not _span(before)[1] <= gutter <= _span(after)[0]:
        return False
    return all(right - left >= _COLUMN_SHARE * width for left, right in map(_span, (before, after)))


def _mended(rows: Sequence[Piece], gutter: float | None) -> list[Piece]:
    """Stretches of short rows that jump back up the page, set in rows by their place: tables painted by column."""
    mended: list[Piece] = []
    stretch: list[Piece] = []
    widest = max((right - left for left, right in map(_span, rows)), default=0.0)
    for row in rows:
        left, right = _span(row)
        belongs = right - left < _SHORT * widest and (not stretch or _same_side(stretch[-1], row, gutter))
        if not belongs:
            mended.extend(_straightened(stretch))
            stretch = []
        if right - left < _SHORT * widest:
            stretch.append(row)
        else:
            mended.append(row)
    return mended + _straightened(stretch)


def _same_side(before: Piece, after: Piece, gutter: float | None) -> bool:
    if gutter is None:
        return True
    return (_span(before)[0] >= gutter) == (_span(after)[0] >= gutter)


def _straightened(stretch: list[Piece]) -> list[Piece]:
    jumps = sum(_baseline(after) > _baseline(before) + 1 for before, after in pairwise(stretch))
    if len(stretch) < 4 or jumps < 2:
        return stretch
    return _clustered(stretch)


def _clustered(pieces: Iterable[Piece]) -> list[Piece]:
    """Rows from the top down, each from left to right."""
    return [[run for piece in row for run in piece] for row in _grouped(pieces)]


def _by_place(pieces: Sequence[Piece], gutter: float | None, width: float) -> list[Piece]:
    """Reading order from places alone: bands between what crosses the gutter, and in each the left column first."""
    if gutter is None:
        return _clustered(pieces)
    ordered: list[Piece] = []
    band: list[Piece] = []
    for row in _crossing_rows(pieces, gutter, width):
        if _crosses(row, gutter):
            ordered += [*_columns(band, gutter), row]
            band = []
        else:
            band.append(row)
    return ordered + _columns(band, gutter)


def _crossing_rows(pieces: Sequence[Piece], gutter: float, width: float) -> list[Piece]:
    """The pieces from the top down, cells on both sides of the gutter joined where none is a column's line."""
    found: list[Piece] = []
    for row in _grouped(pieces):
        narrow = all(_span(piece)[1] - _span(piece)[0] < _COLUMN_SHARE * width for piece in row)
        sides = {_span(piece)[0] >= gutter for piece in row}
        if narrow and len(row) > 2 and len(sides) > 1:
            found.append([run for piece in row for run in piece])
        else:
            found.extend(row)
    return found


def _grouped(pieces: Iterable[Piece]) -> list[list[Piece]]:
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=_baseline, reverse=True):
        if rows and abs(_baseline(rows[-1][0]) - _baseline(piece)) <= _ROW_CLUSTER * piece[0].size:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=_span) for row in rows]


def _columns(band: Sequence[Piece], gutter: float) -> list[Piece]:
    left = [piece for piece in band if _span(piece)[0] < gutter]
    right = [piece for piece in band if _span(piece)[0] >= gutter]
    return _clustered(left) + _clustered(right)
