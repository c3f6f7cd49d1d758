"""Limit the requests to an endpoint: an even pace, a shared pause, and an adaptive number in flight.

A 429 halves the number of requests that may be in flight, and pauses all requests until the time that the endpoint
named. After that number of replies, the number rises by one. A library such as `aiolimiter` only counts: it cannot be
paused, it takes no corrections from true token counts or headers, and it allows all requests of a minute at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from planner.chat import Prompt, RateLimits, Usage
from planner.errors import ModelError

HTTP_TOO_MANY_REQUESTS: Final = 429
MINUTE_SECONDS: Final = 60.0
CHARS_PER_TOKEN: Final = 4  # on average, in English; only to pace requests, since a TokenCounter takes 20 ms a paper

# The share of a limit that is used, since clocks drift and requests overtake each other on the way.
USED_SHARE: Final = 0.98
# Seconds of delay that may be caught up, since a busy machine would otherwise fall behind its limit.
_GRACE_SECONDS: Final = 1.0
# Amounts within a tenth of a second are stored as one.
_GRAIN_SECONDS: Final = 0.1

# The first pause after a 429 without a Retry-After, in seconds; each 429 in a row doubles the pause.
_FIRST_PAUSE_SECONDS: Final = 1.0
_MAX_PAUSE_SECONDS: Final = 60.0
# The weight of the newest reply in the running estimate of a request's tokens.
_ESTIMATE_WEIGHT: Final = 0.1


class RunStopped(Exception):  # noqa: N818 - it is a stop, not a fault
    """The signal that the run is being stopped, so that no further request may be sent."""


def estimate_rough_tokens(prompt: Prompt) -> float:
    """Return a rough number of tokens in a prompt; the token counts of replies correct it later."""
    return len(prompt.messages_json) / CHARS_PER_TOKEN


class MinuteWindow:
    """The requests or tokens of the last minute; `limit` is the most that may be sent in any minute, None if unknown.

    The times of sending are spread evenly over the minute. Amounts are recorded even without a limit, since one may be
    set later. Times are in seconds of any clock.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._next_due: float | None = None
        self._past: deque[tuple[float, float]] = deque()
        self._past_amount = 0.0

    def find_earliest_time(self, now: float, amount: float) -> float:
        """Return the earliest time at which `amount` may be sent; after an idle minute, any `amount` may be sent."""
        self._drop_old(now)
        if self.limit is None:
            return now
        return max(now, now if self._next_due is None else self._next_due, self._find_time_with_room(amount))

    def record_amount(self, now: float, amount: float) -> None:
        """Record that `amount` is sent; a negative amount corrects an earlier one that was too large."""
        if self._past and now - self._past[-1][0] < _GRAIN_SECONDS and len(self._past) > 1:
            self._past.append((now, self._past.pop()[1] + amount))
        else:
            self._past.append((now, amount))
        self._past_amount += amount
        if self.limit is not None:
            due = now if self._next_due is None else max(self._next_due, now - _GRACE_SECONDS)
            self._next_due = due + amount * MINUTE_SECONDS / (self.limit * USED_SHARE)

    def _find_time_with_room(self, amount: float) -> float:
        """Return the earliest time at which `amount` fits the limit, when enough earlier amounts are a minute old."""
        assert self.limit is not None
        excess = self._past_amount + amount - self.limit * USED_SHARE
        earliest = float("-inf")
        for sent_at, sent_amount in self._past:
            if excess <= 0:
                break
            earliest, excess = sent_at + MINUTE_SECONDS, excess - sent_amount
        return earliest

    def _drop_old(self, now: float) -> None:
        while self._past and self._past[0][0] <= now - MINUTE_SECONDS:
            self._past_amount -= self._past.popleft()[1]


@dataclass(slots=True)
class RequestSlot:
    """The permission to send one request at the time `sent_at`; `expected_tokens` count towards the limit.

    `rough_tokens` is the caller's own estimate of the tokens. `paused` is the time in seconds that the request spent in
    pauses.
    """

    sent_at: float
    expected_tokens: float
    rough_tokens: float
    paused: float


class RateLimiter:
    """The limits of one model: `concurrency` requests at once, `rpm` requests and `tpm` tokens a minute.

    Limits that are not given are taken from the endpoint's headers. `max_pause` is the longest time in seconds that a
    request waits in pauses.
    """

    def __init__(
        self, concurrency: int, rpm: float | None = None, tpm: float | None = None, max_pause: float = float("inf")
    ) -> None:
        self.in_flight = 0
        self.waiting = 0
        self._max_concurrency = concurrency
        self._allowed = float(concurrency)
        self._requests, self._tokens = MinuteWindow(rpm), MinuteWindow(tpm)
        self._is_given = (rpm is not None, tpm is not None)
        self._ratio = 1.0
        self._max_pause = max_pause
        self._paused_until = float("-inf")
        self._all_pauses = 0.0
        self.has_endpoint_asked = False
        self._pauses_in_a_row = 0
        self._last_cut = float("-inf")
        self._closed = False
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def max_in_flight(self) -> int:
        """The current limit of requests in flight."""
        return int(self._allowed)

    @property
    def pause_seconds(self) -> float:
        """The seconds that are left of the pause after a 429."""
        return max(0.0, self._paused_until - time.monotonic())

    @asynccontextmanager
    async def acquire_slot(self, rough_tokens: float, waited: float = 0.0) -> AsyncIterator[RequestSlot]:
        """Wait until a request of about `rough_tokens` tokens may be sent, and hold its slot while it is in flight.

        `waited` is the time in seconds that the request has waited before.

        Raises:
            RunStopped: if the run is being stopped.
            ModelError: if the request would wait for longer than `max_pause` in total.
        """
        pauses_before = self._elapsed_pauses
        self.waiting += 1
        try:
            async with self._turn:
                slot = await self._wait_for_slot(rough_tokens, pauses_before, self._max_pause - waited)
        finally:
            self.waiting -= 1
        try:
            yield slot
        finally:
            self.in_flight -= 1
            self._changed.set()

    def record_success(self, slot: RequestSlot, usage: Usage, header_limits: RateLimits | None) -> None:
        """Adjust to a reply: allow more requests in flight, correct the token count, and use limits from headers."""
        self._pauses_in_a_row = 0
        self._allowed = min(self._max_concurrency, self._allowed + 1 / self._allowed)
        if header_limits is not None:
            self._adopt_limits(header_limits)
        if usage.prompt_tokens is not None:
            tokens = usage.prompt_tokens + (usage.completion_tokens or 0)
            self._tokens.record_amount(time.monotonic(), tokens - slot.expected_tokens)
            self._ratio += _ESTIMATE_WEIGHT * (tokens / slot.rough_tokens - self._ratio)

    def record_rate_limit_error(self, slot: RequestSlot, retry_after: float | None) -> None:
        """Adjust to a 429: pause all requests, and allow fewer requests in flight."""
        now = time.monotonic()
        # Requests that were in flight together are refused together, which counts as one refusal.
        if slot.sent_at > self._last_cut:
            self._last_cut = now
            self._allowed = max(1.0, self._allowed / 2)
            self._pauses_in_a_row += 1
            if retry_after is None:
                pause = min(_MAX_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._pauses_in_a_row - 1, 30))
                self._pause_until(now, now + min(pause, self._max_pause), has_endpoint_asked=False)
        if retry_after is not None:
            self._pause_until(now, now + retry_after, has_endpoint_asked=True)

    def close(self) -> None:
        """Refuse every further request, including those that wait."""
        self._closed = True
        self._changed.set()

    @property
    def _elapsed_pauses(self) -> float:
        return self._all_pauses - self.pause_seconds

    def _pause_until(self, now: float, end: float, *, has_endpoint_asked: bool) -> None:
        begin = max(now, self._paused_until)
        if end > begin:
            self._all_pauses += end - begin
            self._paused_until, self.has_endpoint_asked = end, has_endpoint_asked

    async def _wait_for_slot(self, rough_tokens: float, pauses_before: float, max_pause: float) -> RequestSlot:
        while True:
            if self._closed:
                raise RunStopped
            if self.pause_seconds and self._all_pauses - pauses_before > max_pause:
                raise ModelError(
                    f"gave up: the waits after HTTP 429 would exceed the limit of {self._max_pause:.0f} s in total "
                    "(--max-wait)",
                    status=HTTP_TOO_MANY_REQUESTS,
                )
            now, tokens = time.monotonic(), rough_tokens * self._ratio
            delay = self._find_next_time(now, tokens) - now
            if delay <= 0 and self.in_flight < self.max_in_flight:
                self.in_flight += 1
                self._requests.record_amount(now, 1)
                self._tokens.record_amount(now, tokens)
                return RequestSlot(now, tokens, rough_tokens, self._elapsed_pauses - pauses_before)
            await self._wait_for_change(delay if delay > 0 else None)

    def _find_next_time(self, now: float, tokens: float) -> float:
        return max(
            self._paused_until, self._requests.find_earliest_time(now, 1), self._tokens.find_earliest_time(now, tokens)
        )

    async def _wait_for_change(self, delay: float | None) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._changed.wait()

    def _adopt_limits(self, header_limits: RateLimits) -> None:
        """Use the limits in headers as limits a minute, unless the user set limits.

        Some services state limits for an hour or a day in these headers; then only their 429s slow the run down.
        """
        requests_given, tokens_given = self._is_given
        if header_limits.requests and not requests_given:
            self._requests.limit = header_limits.requests
        if header_limits.tokens and not tokens_given:
            self._tokens.limit = header_limits.tokens
