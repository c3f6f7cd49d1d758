"""Compare the chances that plans state with what came true: the share of ablations that a judge matched."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Final

from eval.runs import JudgedRun
from eval.verdicts import AuthorVerdict, Verdict

_Z95: Final = 1.959964
_WIDTH: Final = 10  # percent, of a row of the table


@dataclass(frozen=True, slots=True)
class StatedChance:
    """The chance in percent that a plan states for an ablation, and whether it came true."""

    chance: int
    came_true: bool


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """The ablations with stated chances from `low` to `high` percent: their number, and how many came true."""

    low: int
    high: int
    count: int
    true_count: int
    mean_chance: float

    @property
    def share(self) -> float:
        """The share that came true."""
        return self.true_count / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share (Wilson, 1927)."""
        n, p, z = self.count, self.share, _Z95
        middle, half = (p + z * z / (2 * n)), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibration table; `brier` is the mean squared error of the chances (Brier, 1950), `unstated` counts ablations
    without a chance.
    """

    rows: tuple[CalibrationRow, ...]
    brier: float
    count: int
    unstated: int


def measure_calibration(runs: Iterable[JudgedRun]) -> Calibration | None:
    """Return the calibration of all judged ablations of these runs, None if none of them has a chance."""
    chances: list[StatedChance] = []
    unstated = 0
    for run in runs:
        for paper in run.record.papers:
            if paper.id not in run.verdicts:
                continue
            true_names, items = set(_find_true_names(run.verdicts[paper.id])), paper.judged_items
            chances += [StatedChance(i.chance, i.name in true_names) for i in items if i.chance is not None]
            unstated += sum(item.chance is None for item in items)
    if not chances:
        return None
    brier = fmean((each.chance / 100 - each.came_true) ** 2 for each in chances)
    return Calibration(tuple(_build_rows(chances)), brier, len(chances), unstated)


def _find_true_names(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        if isinstance(verdict, AuthorVerdict):
            yield from verdict.name_in_plan
        elif verdict.appears_in_review:
            yield verdict.name_in_plan


def _build_rows(chances: Sequence[StatedChance]) -> Iterator[CalibrationRow]:
    for low in range(0, 100, _WIDTH):
        high = low + _WIDTH - 1 if low + _WIDTH < 100 else 100
        inside = [each for each in chances if low <= each.chance <= high]
        if inside:
            mean = fmean(each.chance for each in inside)
            yield CalibrationRow(low, high, len(inside), sum(each.came_true for each in inside), mean)
