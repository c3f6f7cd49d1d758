"""Waits and limits as endpoints write them."""

import pytest

from planner.chat import RateLimits
from planner.models.openai_chat.errors import parse_rate_limits, parse_retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("12ms", 0.012),
        ("1m12ms", 60.012),
        ("2d", 172800.0),
        ("2m", 120.0),
        ("17", 17.0),
        ("0.5", 0.5),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1x", None),
        ("nan", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    limits = parse_rate_limits({"x-ratelimit-reset-tokens": text, "x-ratelimit-limit-tokens": "1"})
    assert limits is not None
    assert limits.reset_tokens == (None if seconds is None else pytest.approx(seconds))


def test_limits_that_cannot_be_read_are_none() -> None:
    assert parse_rate_limits({"x-ratelimit-limit-requests": "many"}) is None
    assert parse_rate_limits({}) is None
    assert parse_rate_limits({"x-ratelimit-limit-requests": "3"}) == RateLimits(requests=3)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000", "date": "Wed, 21 Oct 2015 07:27:00 GMT"}, 60.0),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after-ms": "x", "retry-after": "2"}, 2.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers) == seconds
