"""Group the runs (pieces of text) of a page into lines, and put the lines into reading order.

Most PDFs paint a page in reading order, so the painting order is kept. Lines are sorted by their places only if the
painting often jumps between two columns or back up the page.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final

from planner.papers.pdf.lines import Line, build_line
from planner.papers.pdf.runs import TextRun

_MAX_PIECE_GAP: Final = 1.2  # type sizes; less than any gutter between columns
_MAX_BASELINE_SHIFT: Final = 0.6
_MAX_OVERLAP: Final = 0.35
_ROW_CLUSTER: Final = 0.4
_COLUMN_SHARE: Final = 0.25  # of the page's width; a line of a column is at least as wide
_MIN_LINES: Final = 5
_SHORT_SHARE: Final = 0.6
_DISORDER_SHARE: Final = 0.3


class _LinePiece:
    """A piece of a line, or a whole line: runs on one baseline in reading order.

    `left` and `right` are the ends of the piece in points. Of the runs in the largest type size, `largest` is the first
    and `main` the longest.
    """

    __slots__ = ("largest", "left", "main", "right", "runs")

    def __init__(self, run: TextRun) -> None:
        self.runs = [run]
        self.left, self.right = run.x0, run.x1
        self.largest = self.main = run

    @property
    def width(self) -> float:
        """The width of the piece in points."""
        return self.right - self.left

    def add_run(self, run: TextRun) -> None:
        """Add a run to the right end."""
        self.runs.append(run)
        self.right = run.x1
        if run.size > self.largest.size:
            self.largest = self.main = run
        elif run.size == self.largest.size and len(run.text) > len(self.main.text):
            self.main = run

    def add_piece(self, piece: "_LinePiece") -> None:
        """Add the runs of another piece to the right end."""
        for run in piece.runs:
            self.add_run(run)

    def is_continued_by(self, run: TextRun, gap: float) -> bool:
        """Return whether a run follows on the same baseline, at most `gap` times the type size to the right."""
        size = max(self.largest.size, run.size)
        is_level = abs(run.y - self.largest.y) <= _MAX_BASELINE_SHIFT * size
        return is_level and -_MAX_OVERLAP * size <= run.x0 - self.right <= gap * size

    def is_across(self, x: float) -> bool:
        """Return whether `x` is between the left and the right end of the piece."""
        return self.left < x < self.right


def arrange_lines(page_number: int, runs: Sequence[TextRun]) -> list[Line]:
    """Return the lines of a page (counted from 1) in reading order."""
    pieces = _group_runs([run for run in runs if not run.is_rotated])
    left = min((piece.left for piece in pieces), default=0.0)
    width = max((piece.right for piece in pieces), default=0.0) - left
    gutter = _find_gutter(pieces, left, width)
    if _is_disordered(pieces, gutter, width):
        rows = _order_by_place(pieces, gutter, width)
    else:
        rows = _regroup_tables(_join_cells(pieces, gutter, width), gutter)
    rotated = [build_line(page_number, [run]) for run in runs if run.is_rotated]
    return [build_line(page_number, row.runs) for row in rows] + rotated


def _group_runs(runs: Iterable[TextRun]) -> list[_LinePiece]:
    pieces: list[_LinePiece] = []
    for run in runs:
        if pieces and pieces[-1].is_continued_by(run, _MAX_PIECE_GAP):
            pieces[-1].add_run(run)
        else:
            pieces.append(_LinePiece(run))
    return pieces


def _join_pieces(pieces: Sequence[_LinePiece]) -> _LinePiece:
    for piece in pieces[1:]:
        pieces[0].add_piece(piece)
    return pieces[0]


def _find_gutter(pieces: Iterable[_LinePiece], start: float, width: float) -> float | None:
    """Return the x of the gap (the gutter) between two columns, or None if the page has one column."""
    long = [piece for piece in pieces if piece.width >= _COLUMN_SHARE * width]
    starts, ends = sorted(piece.left for piece in long), sorted(piece.right for piece in long)
    best: tuple[int, float] | None = None
    for step in range(36, 65):
        x = start + width * step / 100
        left, right = bisect_right(ends, x), len(starts) - bisect_left(starts, x)
        crossing = len(long) - left - right
        if min(left, right) >= _MIN_LINES and crossing < 0.5 * (left + right):
            best = min(best or (crossing, x), (crossing, x))
    if best is None:
        return None
    return (ends[bisect_right(ends, best[1]) - 1] + starts[bisect_left(starts, best[1])]) / 2


def _is_disordered(pieces: Sequence[_LinePiece], gutter: float | None, width: float) -> bool:
    """Return whether the order in which the page is painted cannot be the reading order."""
    long = [piece for piece in pieces if piece.width >= _COLUMN_SHARE * width]
    sides = [piece.left >= gutter for piece in long if not piece.is_across(gutter)] if gutter else []
    crossings = sum(before != after for before, after in pairwise(sides))
    jumps = max(_count_climbs(long), crossings)
    return jumps > max(3.0, _DISORDER_SHARE * len(long))


def _count_climbs(pieces: Iterable[_LinePiece]) -> int:
    """Return the number of pieces that are higher on the page than the piece before them."""
    return sum(after.main.y > before.main.y + 1 for before, after in pairwise(pieces))


def _join_cells(pieces: Iterable[_LinePiece], gutter: float | None, width: float) -> list[_LinePiece]:
    """Return the pieces; those that follow each other on one baseline, such as cells of a table row, are joined."""
    rows: list[_LinePiece] = []
    for piece in pieces:
        is_same_row = rows and rows[-1].is_continued_by(piece.runs[0], width)
        if is_same_row and not _is_across_columns(rows[-1], piece, gutter, width):
            rows[-1].add_piece(piece)
        else:
            rows.append(piece)
    return rows


def _is_across_columns(before: _LinePiece, after: _LinePiece, gutter: float | None, width: float) -> bool:
    """Return whether two pieces are lines of different columns, and not cells of one row."""
    if gutter is None or not before.right <= gutter <= after.left:
        return False
    return min(before.width, after.width) >= _COLUMN_SHARE * width


def _regroup_tables(rows: Sequence[_LinePiece], gutter: float | None) -> list[_LinePiece]:
    """Return the rows; if a table was painted column by column, its cells are joined to rows."""
    max_short_width = _SHORT_SHARE * max((row.width for row in rows), default=0.0)

    def find_place(row: _LinePiece) -> tuple[bool, bool]:
        return row.width < max_short_width, gutter is not None and row.left >= gutter

    regrouped: list[_LinePiece] = []
    for (is_short, _), group in groupby(rows, key=find_place):
        neighbours = list(group)
        is_table = is_short and len(neighbours) >= 4 and _count_climbs(neighbours) >= 2
        regrouped += _join_rows(neighbours) if is_table else neighbours
    return regrouped


def _join_rows(pieces: Iterable[_LinePiece]) -> list[_LinePiece]:
    """Return the rows from the top down, in which pieces at the same height are joined from left to right."""
    return [_join_pieces(row) for row in _group_rows(pieces)]


def _order_by_place(pieces: Sequence[_LinePiece], gutter: float | None, width: float) -> list[_LinePiece]:
    """Return the rows from the top down; where rows are in two columns, the left column comes first."""
    if gutter is None:
        return _join_rows(pieces)
    ordered: list[_LinePiece] = []
    rows = _join_crossing_rows(pieces, gutter, width)
    for is_across, group in groupby(rows, key=lambda row: row.is_across(gutter)):
        band = list(group)
        ordered += band if is_across else _order_columns(band, gutter)
    return ordered


def _join_crossing_rows(pieces: Sequence[_LinePiece], gutter: float, width: float) -> list[_LinePiece]:
    """Return the pieces from the top down; narrow cells at the same height in both columns are joined to a row."""
    rows: list[_LinePiece] = []
    for row in _group_rows(pieces):
        is_narrow = all(piece.width < _COLUMN_SHARE * width for piece in row)
        sides = {piece.left >= gutter for piece in row}
        if is_narrow and len(row) > 2 and len(sides) > 1:
            rows.append(_join_pieces(row))
        else:
            rows.extend(row)
    return rows


def _group_rows(pieces: Iterable[_LinePiece]) -> list[list[_LinePiece]]:
    rows: list[list[_LinePiece]] = []
    for piece in sorted(pieces, key=attrgetter("main.y"), reverse=True):
        if rows and abs(rows[-1][0].main.y - piece.main.y) <= _ROW_CLUSTER * piece.runs[0].size:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=attrgetter("left", "right")) for row in rows]


def _order_columns(band: Sequence[_LinePiece], gutter: float) -> list[_LinePiece]:
    left = [piece for piece in band if piece.left < gutter]
    right = [piece for piece in band if piece.left >= gutter]
    return _join_rows(left) + _join_rows(right)
