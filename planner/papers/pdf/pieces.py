"""Pieces of lines: runs that stand close together on one baseline."""

from collections.abc import Iterable, Sequence
from typing import Final

from planner.papers.pdf.runs import Run

_CLOSE: Final = 1.2  # type sizes; less than any gutter between columns
_ROW_DRIFT: Final = 0.6
_OVERLAP: Final = 0.35


class Piece:
    """Runs on one baseline in reading order; once all pieces of a line are joined, a whole row.

    Places are in points: `left` is the start of the first run, `right` the end of the last. `size` is that of the
    largest run and the level its y; `baseline` is the y of the longest run of that size.
    """

    __slots__ = ("_length", "baseline", "left", "level", "right", "runs", "size")

    def __init__(self, run: Run) -> None:
        self.runs = [run]
        self.left, self.right = run.x0, run.x1
        self.size = run.size
        self.level = self.baseline = run.y
        self._length = len(run.text)

    @property
    def width(self) -> float:
        """The width in points."""
        return self.right - self.left

    def add(self, run: Run) -> None:
        """Add a run at the end."""
        self.runs.append(run)
        self.right = run.x1
        if run.size > self.size:
            self.size, self.level = run.size, run.y
            self.baseline, self._length = run.y, len(run.text)
        elif run.size == self.size and len(run.text) > self._length:
            self.baseline, self._length = run.y, len(run.text)

    def is_continued_by(self, run: Run, gap: float) -> bool:
        """Return whether the run stands to the right on the same baseline, at most `gap` type sizes away."""
        size = max(self.size, run.size)
        return abs(run.y - self.level) <= _ROW_DRIFT * size and -_OVERLAP * size <= run.x0 - self.right <= gap * size

    def crosses(self, x: float) -> bool:
        """Return whether the piece reaches from left of `x` to right of it."""
        return self.left < x < self.right


def pieces_of(runs: Iterable[Run]) -> list[Piece]:
    """Return the pieces that runs in painting order make."""
    pieces: list[Piece] = []
    for run in runs:
        if pieces and pieces[-1].is_continued_by(run, _CLOSE):
            pieces[-1].add(run)
        else:
            pieces.append(Piece(run))
    return pieces


def joined(pieces: Sequence[Piece]) -> Piece:
    """Join the pieces into the first of them, and return it."""
    first, *others = pieces
    for piece in others:
        for run in piece.runs:
            first.add(run)
    return first
