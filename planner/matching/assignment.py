"""Find the best assignment between two lists: the pairs with the greatest sum of scores."""

from collections.abc import Sequence

_INFINITE = float("inf")


def best_assignment(scores: Sequence[Sequence[float]]) -> tuple[tuple[int, int], ...]:
    """Find pairs (row, column) with the greatest sum of scores, each row and column at most once, in row order.

    Scores are at least 0, and a score of 0 is never paired. This is the Hungarian method with shortest paths, O(n²m)
    for n rows (Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
    problems", Computing 38, 1987).
    """
    rows, columns = len(scores), len(scores[0]) if scores else 0
    if rows > columns:
        flipped = best_assignment([[scores[r][c] for r in range(rows)] for c in range(columns)])
        return tuple(sorted((r, c) for c, r in flipped))
    state = _Assignment([[-score for score in row] for row in scores], columns)
    for row in range(rows):
        state.place(row)
    return tuple(sorted((r, c) for c, r in enumerate(state.row_of) if r is not None and scores[r][c] > 0))


class _Assignment:
    """A cheapest assignment of the rows placed so far, with the prices (dual variables) that prove it."""

    def __init__(self, cost: list[list[float]], columns: int) -> None:
        self.cost = cost
        self.row_of: list[int | None] = [None] * columns
        self.row_price = [0.0] * len(cost)
        self.column_price = [0.0] * columns

    def place(self, new: int) -> None:
        """Assign a column to the row `new`, and move other rows along the cheapest path to a free column."""
        slack = [_INFINITE] * len(self.row_of)
        came_from: list[int | None] = [None] * len(self.row_of)
        reached: list[int] = []
        row: int | None = new
        while row is not None:
            beyond = [c for c in range(len(self.row_of)) if c not in reached]
            for column in beyond:
                reduced = self.cost[row][column] - self.row_price[row] - self.column_price[column]
                if reduced < slack[column]:
                    slack[column], came_from[column] = reduced, reached[-1] if reached else None
            nearest = min(beyond, key=lambda c: slack[c])
            self._pay(slack[nearest], new, reached)
            for column in beyond:
                slack[column] -= slack[nearest] if column != nearest else 0.0
            reached.append(nearest)
            row = self.row_of[nearest]
        self._move(reached[-1], came_from, new)

    def _pay(self, delta: float, new: int, reached: list[int]) -> None:
        self.row_price[new] += delta
        for column in reached:
            owner = self.row_of[column]
            assert owner is not None, "only the last column of a path is free"
            self.row_price[owner] += delta
            self.column_price[column] -= delta

    def _move(self, free: int, came_from: list[int | None], new: int) -> None:
        column = free
        while (before := came_from[column]) is not None:
            self.row_of[column] = self.row_of[before]
            column = before
        self.row_of[column] = new
