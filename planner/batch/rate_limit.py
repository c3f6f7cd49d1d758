"""Limit the rate of requests to an endpoint, and the number of requests in flight.

The requests of a minute are spread evenly. After an HTTP 429 all requests pause, and only half as many may be in
flight; each reply increases this number a little. A library such as `aiolimiter` cannot pause, cannot correct estimated
token counts, and allows all requests of a minute at once.
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
    """The signal that the run is being stopped and no request may be sent."""


def estimate_rough_tokens(prompt: Prompt) -> float:
    """Return a rough estimate of the tokens in a prompt, from its length."""
    return len(prompt.messages_json) / CHARS_PER_TOKEN


class MinuteWindow:
    """The requests or tokens that were sent in the last minute, and the limit for a minute.

    `limit` is None while it is unknown; `is_given` is true if the user set it. Requests are spread evenly over the
    minute. Times are in seconds of any clock.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.is_given = limit is not None
        self._next_due: float | None = None
        self._past: deque[tuple[float, float]] = deque()
        self._past_amount = 0.0

    def find_earliest_time(self, now: float, amount: float) -> float:
        """Return the earliest time at which `amount` (requests or tokens) may be sent."""
        self._drop_old(now)
        if self.limit is None:
            return now
        return max(now, now if self._next_due is None else self._next_due, self._find_time_with_room(amount))

    def record_amount(self, now: float, amount: float) -> None:
        """Record that `amount` was sent at the time `now`; a negative amount corrects an earlier record."""
        if self._past and now - self._past[-1][0] < _GRAIN_SECONDS and len(self._past) > 1:
            self._past.append((now, self._past.pop()[1] + amount))
        else:
            self._past.append((now, amount))
        self._past_amount += amount
        if self.limit is not None:
            due = now if self._next_due is None else max(self._next_due, now - _GRACE_SECONDS)
            self._next_due = due + amount * MINUTE_SECONDS / (self.limit * USED_SHARE)

    def _find_time_with_room(self, amount: float) -> float:
        """Return the earliest time at which the minute before has room for `amount`."""
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
    """The permission to send one request, given at the time `sent_at`.

    `rough_tokens` is the caller's estimate of the tokens. `corrected_tokens` is this estimate, corrected by the token
    counts of earlier replies; it counts towards the token limit. `paused_seconds` is the time in seconds spent in
    pauses.
    """

    sent_at: float
    corrected_tokens: float
    rough_tokens: float
    paused_seconds: float


class RateLimiter:
    """The limits on requests to one model: `concurrency` requests at once, `rpm` requests and `tpm` tokens a minute.

    If `rpm` or `tpm` is None, the limit comes from the headers of replies. A request may spend up to `max_pause`
    seconds in pauses.
    """

    def __init__(
        self, concurrency: int, rpm: float | None = None, tpm: float | None = None, max_pause: float = float("inf")
    ) -> None:
        self.in_flight = 0
        self.waiting = 0
        self._max_concurrency = concurrency
        self._allowed = float(concurrency)
        self._requests, self._tokens = MinuteWindow(rpm), MinuteWindow(tpm)
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
        """The number of requests that may be in flight now."""
        return int(self._allowed)

    @property
    def pause_seconds(self) -> float:
        """The seconds until the current pause ends, 0 if there is no pause."""
        return max(0.0, self._paused_until - time.monotonic())

    @asynccontextmanager
    async def acquire_slot(self, rough_tokens: float, waited: float = 0.0) -> AsyncIterator[RequestSlot]:
        """Wait until a request of about `rough_tokens` tokens may be sent; the request is in flight within the block.

        `waited` is the time in seconds that the request has waited before this call.

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
        """Adjust the limits after a reply, by its true token count and by the limits in its headers."""
        self._pauses_in_a_row = 0
        self._allowed = min(self._max_concurrency, self._allowed + 1 / self._allowed)
        if header_limits is not None:
            self._adopt_limits(header_limits)
        if usage.prompt_tokens is not None:
            tokens = usage.prompt_tokens + (usage.completion_tokens or 0)
            self._tokens.record_amount(time.monotonic(), tokens - slot.corrected_tokens)
            self._ratio += _ESTIMATE_WEIGHT * (tokens / slot.rough_tokens - self._ratio)

    def record_rate_limit_error(self, slot: RequestSlot, retry_after: float | None) -> None:
        """Pause all requests after an HTTP 429, and allow fewer in flight; `retry_after` is in seconds."""
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

    def refuse_further_requests(self) -> None:
        """Refuse all further requests, and those that wait."""
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
            earliest = (self._requests.find_earliest_time(now, 1), self._tokens.find_earliest_time(now, tokens))
            delay = max(self._paused_until, *earliest) - now
            if delay <= 0 and self.in_flight < self.max_in_flight:
                self.in_flight += 1
                self._requests.record_amount(now, 1)
                self._tokens.record_amount(now, tokens)
                return RequestSlot(now, tokens, rough_tokens, self._elapsed_pauses - pauses_before)
            await self._wait_for_change(delay if delay > 0 else None)

    async def _wait_for_change(self, delay: float | None) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._changed.wait()

    def _adopt_limits(self, header_limits: RateLimits) -> None:
        """Use the limits in the headers of a reply, unless the user set limits.

        The headers do not say for which time a limit holds; a minute is assumed.
        """
        for window, limit in ((self._requests, header_limits.requests), (self._tokens, header_limits.tokens)):
            if limit and not window.is_given:
                window.limit = limit
