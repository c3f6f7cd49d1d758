"""Numbers as text for people; what is not known is "?" or a dash, never 0."""

from math import isnan

from eval.statistics import Mean

NOTHING = "–"


def amount(value: float | None) -> str:
    """Two digits."""
    return NOTHING if value is None or isnan(value) else f"{value:z.2f}"


def number(mean: Mean | None) -> str:
    """The mean alone."""
    return amount(None if mean is None else mean.mean)


def with_deviation(mean: Mean) -> str:
    """The mean and the sample deviation."""
    return amount(mean.mean) + ("" if mean.deviation is None or not mean.n else f" ± {mean.deviation:.2f}")


def interval(mean: Mean) -> str:
    """The interval alone."""
    return f"{mean.low:z.2f} to {mean.high:z.2f}" if mean.n else NOTHING


def percent(share: float | None) -> str:
    """A share from 0 to 1 in percent."""
    return NOTHING if share is None or isnan(share) else f"{100 * share:.0f} %"


def usd(cost: float | None) -> str:
    """A cost, "?" where it is not known."""
    return "?" if cost is None else f"{cost:.4f}"


def p_value(p: float) -> str:
    """Three digits; what is smaller is said to be."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def exact(value: float | None) -> str:
    """All digits, for programs; nothing where it is not known."""
    return "" if value is None or isnan(value) else repr(value)
