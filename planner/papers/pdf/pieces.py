"""Pieces of lines: runs that stand close together on one baseline."""

from collections.abc import Iterable, Sequence
from typing import Final

from planner.papers.pdf.runs import Run

_CLOSE: Final = 1.2  # type sizes: less than any gutter between columns
_ROW_DRIFT: Final = 0.6
_OVERLAP: Final = 0.35


class Piece:
    """Runs on one baseline in the order in which they are read; a row, once all of a line is joined to it.

    Places in points: `left` and `right` are where the first run starts and the last one ends, `size` and `level` the
    size and the y of its largest run, and `baseline` the y of the longest of these.
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
        """How much of the line it takes, in points."""
        return self.right - self.left

    def add(self, run: Run) -> None:
        """Puts a run at its end."""
        self.runs.append(run)
        self.right = run.x1
        if run.size > self.size:
            self.size, self.level = run.size, run.y
            self.baseline, self._length = run.y, len(run.text)
        elif run.size == self.size and len(run.text) > self._length:
            self.baseline, self._length = run.y, len(run.text)

    def is_continued_by(self, run: Run, gap: float) -> bool:
        """Whether the run stands right of it on its baseline, at most `gap` type sizes away."""
        size = max(self.size, run.size)
        return abs(run.y - self.level) <= _ROW_DRIFT * size and -_OVERLAP * size <= run.x0 - self.right <= gap * size

    def crosses(self, x: float) -> bool:
        """Whether it stands on both sides of a place."""
        return self.left < x < self.right


def pieces_of(runs: Iterable[Run]) -> list[Piece]:
    """The pieces that runs make which follow each other."""
    pieces: list[Piece] = []
    for run in runs:
        if pieces and pieces[-1].is_continued_by(run, _CLOSE):
            pieces[-1].add(run)
        else:
            pieces.append(Piece(run))
    return pieces


def joined(pieces: Sequence[Piece]) -> Piece:
    """The pieces as one, which is the first of them."""
    first, *others = pieces
    for piece in others:
        for run in piece.runs:
            first.add(run)
    return first
