"""Compute means over papers with their intervals, test differences of two systems, and format numbers for people.

All random draws are seeded, so the same numbers give the same intervals. An unknown number is "?" or a dash, never 0.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isnan, nan
from statistics import fmean, stdev
from typing import Final

RESAMPLES: Final = 2000
PERMUTATIONS: Final = 10_000
_MAX_EXACT: Final = 12
_SEED: Final = 20250708
UNKNOWN_NUMBER: Final = "–"
MEAN_PARTS: Final = ("mean", "sd", "low", "high")


@dataclass(frozen=True, slots=True)
class Mean:
    """A macro mean over `n` papers, the sample deviation (None for fewer than two), and a 95 % bootstrap interval.

    Without papers, the mean and the interval are NaN.
    """

    n: int
    mean: float
    deviation: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean of paired differences over `n` papers, its 95 % bootstrap interval, and a two-sided p-value."""

    n: int
    mean: float
    low: float
    high: float
    p: float


def compute_mean(values: Sequence[float]) -> Mean:
    """Return the macro mean of values, one for each paper."""
    if not values:
        return Mean(0, nan, None, nan, nan)
    low, high = compute_bootstrap_interval(values)
    return Mean(len(values), fmean(values), stdev(values) if len(values) > 1 else None, low, high)


def compute_difference(a: Mapping[str, float], b: Mapping[str, float]) -> PairedDifference:
    """Return the difference a minus b on the papers that have both, with the sign-flip permutation test.

    Under the null hypothesis the two values of a paper can be exchanged. If at most 12 papers differ, all exchanges are
    tried, else 10,000 random ones (Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005).
    """
    differences = [a[paper] - b[paper] for paper in sorted(a.keys() & b.keys())]
    mean = compute_mean(differences)
    return PairedDifference(mean.n, mean.mean, mean.low, mean.high, compute_sign_flip_p(differences))


def compute_bootstrap_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean over papers (Efron and Tibshirani, 1993)."""
    if len(set(values)) == 1:
        return values[0], values[0]
    draw = random.Random(_SEED)  # noqa: S311 - statistics, not secrets
    means = sorted(fmean(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[round(0.025 * (RESAMPLES - 1))], means[round(0.975 * (RESAMPLES - 1))]


def compute_sign_flip_p(differences: Sequence[float]) -> float:
    """Return the share of exchanges with a mean difference at least as far from 0 as the observed one; NaN if empty."""
    sizes = [abs(value) for value in differences if value]
    if not differences:
        return nan
    observed = abs(sum(differences)) - 1e-12
    if len(sizes) <= _MAX_EXACT:
        signs = product((1, -1), repeat=len(sizes))
        sums = [abs(sum(s * v for s, v in zip(row, sizes, strict=True))) for row in signs]
        return sum(total >= observed for total in sums) / len(sums)
    draw = random.Random(_SEED)  # noqa: S311 - statistics, not secrets
    total = sum(sizes)
    extreme_count = sum(abs(total - 2 * _random_subset_sum(sizes, draw)) >= observed for _ in range(PERMUTATIONS))
    return (extreme_count + 1) / (PERMUTATIONS + 1)


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple tests, in the same order (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    adjusted = [nan] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted


def _random_subset_sum(sizes: Sequence[float], draw: random.Random) -> float:
    """Return the sum of a random subset."""
    bits = draw.getrandbits(len(sizes))
    return sum(size for number, size in enumerate(sizes) if bits >> number & 1)


def format_number(value: float | None) -> str:
    """Return a number with two decimals."""
    return UNKNOWN_NUMBER if value is None or isnan(value) else f"{value:z.2f}"


def format_mean(mean: Mean | None) -> str:
    """Return a mean without its interval."""
    return format_number(None if mean is None else mean.mean)


def format_mean_with_deviation(mean: Mean) -> str:
    """Return a mean with its sample deviation."""
    return format_number(mean.mean) + ("" if mean.deviation is None or not mean.n else f" ± {mean.deviation:.2f}")


def format_interval(mean: Mean) -> str:
    """Return the 95 % interval of a mean."""
    return f"{mean.low:z.2f} to {mean.high:z.2f}" if mean.n else UNKNOWN_NUMBER


def format_percent(share: float | None) -> str:
    """Return a share from 0 to 1 in percent."""
    return UNKNOWN_NUMBER if share is None or isnan(share) else f"{100 * share:.0f} %"


def format_usd(cost: float | None) -> str:
    """Return a cost in USD, "?" if it is unknown."""
    return "?" if cost is None else f"{cost:.4f}"


def format_p_value(p: float) -> str:
    """Return a p-value with three decimals, or "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_difference(difference: PairedDifference, adjusted_p: float) -> tuple[str, str, str, str, str]:
    """Return the number of papers, the mean, its 95 % interval, p and the adjusted p."""
    interval = f"{difference.low:+z.3f} to {difference.high:+z.3f}"
    p_values = format_p_value(difference.p), format_p_value(adjusted_p)
    return str(difference.n), f"{difference.mean:+z.3f}", interval, *p_values


def format_exact(value: float | None) -> str:
    """Return a number in full precision, "" if it is unknown."""
    return "" if value is None or isnan(value) else repr(value)


def format_exact_mean(mean: Mean | None) -> tuple[str, ...]:
    """Return the parts of a mean in full precision, named by `MEAN_PARTS`."""
    parts = (mean.mean, mean.deviation, mean.low, mean.high) if mean else (None,) * len(MEAN_PARTS)
    return tuple(map(format_exact, parts))


def format_exact_difference(difference: PairedDifference, adjusted_p: float) -> tuple[str, ...]:
    """Return the number of papers, the mean, its 95 % interval, p and the adjusted p in full precision."""
    numbers = (difference.mean, difference.low, difference.high, difference.p, adjusted_p)
    return (str(difference.n), *map(format_exact, numbers))
