"""Format numbers for people; an unknown number is "?" or a dash, never 0."""

from math import isnan

from eval.statistics import Mean

NOTHING = "–"


def amount(value: float | None) -> str:
    """Return a number with two decimals."""
    return NOTHING if value is None or isnan(value) else f"{value:z.2f}"


def number(mean: Mean | None) -> str:
    """Return a mean without its interval."""
    return amount(None if mean is None else mean.mean)


def with_deviation(mean: Mean) -> str:
    """Return a mean with its sample deviation."""
    return amount(mean.mean) + ("" if mean.deviation is None or not mean.n else f" ± {mean.deviation:.2f}")


def interval(mean: Mean) -> str:
    """Return the 95 % interval of a mean."""
    return f"{mean.low:z.2f} to {mean.high:z.2f}" if mean.n else NOTHING


def percent(share: float | None) -> str:
    """Return a share from 0 to 1 in percent."""
    return NOTHING if share is None or isnan(share) else f"{100 * share:.0f} %"


def usd(cost: float | None) -> str:
    """Return a cost in USD, "?" if it is unknown."""
    return "?" if cost is None else f"{cost:.4f}"


def p_value(p: float) -> str:
    """Return a p-value with three decimals, or "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def exact(value: float | None) -> str:
    """Return a number in full precision, "" if it is unknown."""
    return "" if value is None or isnan(value) else repr(value)
