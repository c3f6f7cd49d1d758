"""Match the ablations of two plans one to one, so that the pairs have the greatest sum of similarities."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from planner.matching import compute_ablation_similarity
from planner.schema import Ablation

MATCH_THRESHOLD: Final = 0.4
"""The least similarity of a match, from 0 to 1; it was chosen on half of the silver pairs (tests/matching)."""


@dataclass(frozen=True, slots=True)
class Match:
    """Two ablations that match, by their indices in the two lists, and their similarity from 0 to 1."""

    index_a: int
    index_b: int
    similarity: float


def match_ablations(ablations_a: Sequence[Ablation], ablations_b: Sequence[Ablation]) -> tuple[Match, ...]:
    """Match ablations one to one so that the total similarity is greatest; each pair has at least `MATCH_THRESHOLD`."""
    similarities = [[compute_ablation_similarity(a, b) for b in ablations_b] for a in ablations_a]
    scores = [[score if score >= MATCH_THRESHOLD else 0.0 for score in row] for row in similarities]
    return tuple(Match(i, j, scores[i][j]) for i, j in find_best_assignment(scores))


def find_best_assignment(scores: Sequence[Sequence[float]]) -> tuple[tuple[int, int], ...]:
    """Find pairs (row, column) with the greatest sum of scores, each row and column at most once, in row order.

    Scores are at least 0, and a score of 0 is never paired. This is the Hungarian method with shortest paths, O(n²m)
    for n rows (Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
    problems", Computing 38, 1987).
    """
    rows, columns = len(scores), len(scores[0]) if scores else 0
    if rows > columns:
        transposed = find_best_assignment([[scores[r][c] for r in range(rows)] for c in range(columns)])
        return tuple(sorted((r, c) for c, r in transposed))
    state = _Assignment([[-score for score in row] for row in scores], columns)
    for row in range(rows):
        state.assign_row(row)
    return tuple(sorted((r, c) for c, r in enumerate(state.row_by_column) if r is not None and scores[r][c] > 0))


class _Assignment:
    """A cheapest assignment of the rows placed so far, with the prices (dual variables) that prove it."""

    def __init__(self, cost: list[list[float]], columns: int) -> None:
        self.cost = cost
        self.row_by_column: list[int | None] = [None] * columns
        self.row_price = [0.0] * len(cost)
        self.column_price = [0.0] * columns

    def assign_row(self, new_row: int) -> None:
        """Assign a column to the row `new_row`, and move other rows along the cheapest path to a free column."""
        slack = [inf] * len(self.row_by_column)
        came_from: list[int | None] = [None] * len(self.row_by_column)
        reached: list[int] = []
        row: int | None = new_row
        while row is not None:
            unreached = [c for c in range(len(self.row_by_column)) if c not in reached]
            for column in unreached:
                reduced = self.cost[row][column] - self.row_price[row] - self.column_price[column]
                if reduced < slack[column]:
                    slack[column], came_from[column] = reduced, reached[-1] if reached else None
            nearest = min(unreached, key=lambda c: slack[c])
            self._update_prices(slack[nearest], new_row, reached)
            for column in unreached:
                slack[column] -= slack[nearest] if column != nearest else 0.0
            reached.append(nearest)
            row = self.row_by_column[nearest]
        self._shift_rows(reached[-1], came_from, new_row)

    def _update_prices(self, delta: float, new_row: int, reached: list[int]) -> None:
        self.row_price[new_row] += delta
        for column in reached:
            owner = self.row_by_column[column]
            assert owner is not None, "only the last column of a path is free"
            self.row_price[owner] += delta
            self.column_price[column] -= delta

    def _shift_rows(self, free_column: int, came_from: list[int | None], new_row: int) -> None:
        column = free_column
        while (before := came_from[column]) is not None:
            self.row_by_column[column] = self.row_by_column[before]
            column = before
        self.row_by_column[column] = new_row
