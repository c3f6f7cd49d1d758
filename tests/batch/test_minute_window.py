"""The pace keeps to a limit in every minute, and uses nearly all of it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.batch.rate_limit import MINUTE_SECONDS, USED_SHARE, MinuteWindow


def send_all(window: MinuteWindow, amounts: list[float], start: float = 0.0) -> list[tuple[float, float]]:
    """Return the time at which each amount flows if everything flows as soon as it may."""
    now, past = start, []
    for amount in amounts:
        now = window.find_earliest_time(now, amount)
        window.record_amount(now, amount)
        past.append((now, amount))
    return past


def most_in_a_minute(past: list[tuple[float, float]]) -> float:
    return max(sum(a for t, a in past if begin <= t < begin + MINUTE_SECONDS) for begin, _ in past)


@given(st.lists(st.floats(1, 100), min_size=1, max_size=200), st.floats(100, 5000))
def test_no_minute_holds_more_than_the_limit(amounts: list[float], limit: float) -> None:
    past = send_all(MinuteWindow(limit), amounts)
    assert most_in_a_minute(past) <= max(limit, *amounts) + 1e-6
    assert all(before[0] <= after[0] for before, after in pairwise(past))


@pytest.mark.parametrize("size", [1.0, 20.0])
def test_nearly_all_of_the_limit_is_used(size: float) -> None:
    past = send_all(MinuteWindow(600.0), [size] * 2000)
    used = 1999 * size / (past[-1][0] - past[0][0]) * MINUTE_SECONDS
    assert 0.95 * 600 <= used <= 600


def test_it_is_even_from_the_first_on() -> None:
    past = send_all(MinuteWindow(600.0), [1.0] * 20)
    assert past[-1][0] == pytest.approx(19 * 60 / (600 * USED_SHARE), abs=0.2)


def test_a_limit_heard_of_later_counts_what_has_flowed() -> None:
    window = MinuteWindow(None)
    send_all(window, [1.0] * 64)
    window.limit = 100.0
    past = [(0.0, 64.0), *send_all(window, [1.0] * 100, start=1.0)]
    assert most_in_a_minute(past) <= 100


def test_what_did_not_flow_is_given_back() -> None:
    window = MinuteWindow(100.0)
    window.record_amount(0.0, 90.0)
    window.record_amount(1.0, -80.0)
    assert window.find_earliest_time(1.0, 50.0) <= 10.0


def test_one_amount_over_the_limit_may_flow_after_an_idle_minute() -> None:
    window = MinuteWindow(100.0)
    window.record_amount(0.0, 500.0)
    assert 60.0 <= window.find_earliest_time(0.0, 500.0) < float("inf")
