"""Limit the requests to an endpoint: an even pace, a shared pause, and an adaptive number in flight.

Concurrency grows by one a round and halves on a 429, never below one. A 429 pauses all requests until the time that the
endpoint named. A limiter that only counts, such as `aiolimiter`, cannot be paused, corrected once the true number of
tokens is known, or given a limit from a header, and it lets a whole minute's allowance go at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from planner.batch.pace import Pace
from planner.chat import RateLimits, Usage

# The first pause after a 429 without a Retry-After, in seconds; doubled while 429s go on.
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
# The weight of the newest reply in the running estimate of a request's tokens.
_LEARNING: Final = 0.1


class Closed(Exception):  # noqa: N818 - it is a stop, not a fault
    """The run is being stopped; no further request may be sent."""


@dataclass(slots=True)
class Slot:
    """The permission to send one request: the time in seconds, its expected tokens, and the caller's `guess`."""

    sent: float
    tokens: float
    guess: float


class Limits:
    """The limits of one model: `concurrency` requests at once, `rpm` requests and `tpm` tokens a minute.

    Limits that are not given are taken from the endpoint's headers.
    """

    def __init__(self, concurrency: int, rpm: float | None = None, tpm: float | None = None) -> None:
        self.in_flight = 0
        self.waiting = 0
        self._most = concurrency
        self._allowed = float(concurrency)
        self._requests, self._tokens = Pace(rpm), Pace(tpm)
        self._given = (rpm is not None, tpm is not None)
        self._ratio = 1.0
        self._paused_until = float("-inf")
        self._pauses_in_a_row = 0
        self._last_cut = float("-inf")
        self._closed = False
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def allowed(self) -> int:
        """The number of requests that may be in flight at once now."""
        return int(self._allowed)

    @property
    def paused_for(self) -> float:
        """The seconds that are left of the pause after a 429."""
        return max(0.0, self._paused_until - time.monotonic())

    @property
    def rpm(self) -> float | None:
        """The requests allowed a minute, as given or as named by a header; None if unknown."""
        return self._requests.limit

    @property
    def tpm(self) -> float | None:
        """The tokens allowed a minute, as given or as named by a header; None if unknown."""
        return self._tokens.limit

    @asynccontextmanager
    async def slot(self, guess: float) -> AsyncIterator[Slot]:
        """Wait for permission to send one request of about `guess` tokens, and hold it while the request is in flight.

        Raises:
            Closed: if the run is being stopped.
        """
        slot = await self._enter(guess)
        try:
            yield slot
        finally:
            self.in_flight -= 1
            self._changed.set()

    def succeeded(self, slot: Slot, usage: Usage, heard: RateLimits | None) -> None:
        """Adjust to a reply: allow more at once, correct the number of tokens, and take over limits from headers."""
        self._pauses_in_a_row = 0
        self._allowed = min(self._most, self._allowed + 1 / self._allowed)
        if heard is not None:
            self._hear(heard)
        if usage.prompt_tokens is not None:
            took = usage.prompt_tokens + (usage.completion_tokens or 0)
            self._tokens.take(time.monotonic(), took - slot.tokens)
            self._ratio += _LEARNING * (took / slot.guess - self._ratio)

    def refused(self, slot: Slot, retry_after: float | None) -> None:
        """Adjust to a 429: pause all requests, and allow fewer at once."""
        self._pauses_in_a_row += 1
        pause = min(_LONGEST_PAUSE, _PAUSE * 2 ** (self._pauses_in_a_row - 1)) if retry_after is None else retry_after
        now = time.monotonic()
        self._paused_until = max(self._paused_until, now + pause)
        # Requests that were in flight together are refused together; that is one refusal.
        if slot.sent > self._last_cut:
            self._last_cut = now
            self._allowed = max(1.0, self._allowed / 2)

    def close(self) -> None:
        """Refuse every further request, including those that wait."""
        self._closed = True
        self._changed.set()

    async def _enter(self, guess: float) -> Slot:
        self.waiting += 1
        try:
            async with self._turn:
                return await self._first_in_line(guess)
        finally:
            self.waiting -= 1

    async def _first_in_line(self, guess: float) -> Slot:
        while True:
            if self._closed:
                raise Closed
            now, tokens = time.monotonic(), guess * self._ratio
            delay = self._ready(now, tokens) - now
            if delay <= 0 and self.in_flight < self.allowed:
                self.in_flight += 1
                self._requests.take(now, 1)
                self._tokens.take(now, tokens)
                return Slot(now, tokens, guess)
            await self._wait_for_change(delay if delay > 0 else None)

    def _ready(self, now: float, tokens: float) -> float:
        return max(self._paused_until, self._requests.ready(now, 1), self._tokens.ready(now, tokens))

    async def _wait_for_change(self, delay: float | None) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _hear(self, heard: RateLimits) -> None:
        """Take over the limits of the headers, as limits a minute.

        A service may mean them for an hour or a day. They are then still an upper limit, and its 429s do the rest.
        """
        requests_given, tokens_given = self._given
        if heard.requests and not requests_given:
            self._requests.limit = heard.requests
        if heard.tokens and not tokens_given:
            self._tokens.limit = heard.tokens
