"""Read the headers of endpoints for the time to wait and the rate limits."""

import math
import re
from collections.abc import Mapping
from dataclasses import astuple
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from planner.chat import RateLimits

_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII
)
_UNITS: Final = (86400.0, 3600.0, 60.0, 1.0, 0.001)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, from `retry-after-ms` or from `Retry-After` in seconds or as an HTTP date.

    A date is compared with the response's own Date header, so that a wrong local clock does no harm.
    """
    if (milliseconds := _parse_number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None or (seconds := _parse_number(value)) is not None:
        return None if value is None else seconds
    until = _parse_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_parse_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def parse_rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """Return the rate limits in the `x-ratelimit-*` headers, or None if none can be read."""
    limits = RateLimits(
        requests=_parse_count(headers.get("x-ratelimit-limit-requests")),
        remaining_requests=_parse_count(headers.get("x-ratelimit-remaining-requests")),
        reset_requests=_parse_duration(headers.get("x-ratelimit-reset-requests")),
        tokens=_parse_count(headers.get("x-ratelimit-limit-tokens")),
        remaining_tokens=_parse_count(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens=_parse_duration(headers.get("x-ratelimit-reset-tokens")),
    )
    return limits if any(value is not None for value in astuple(limits)) else None


def _parse_number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _parse_count(text: str | None) -> int | None:
    number = _parse_number(text)
    return None if number is None else int(number)


def _parse_duration(text: str | None) -> float | None:
    """Return the seconds in "6m0s", "1h2m3.5s", "12ms" or a plain number, or None."""
    if (seconds := _parse_number(text)) is not None:
        return seconds
    match = _DURATION.fullmatch((text or "").strip())
    if not match or not any(match.groups()):
        return None
    return sum(unit * float(part) for unit, part in zip(_UNITS, match.groups(), strict=True) if part)


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
