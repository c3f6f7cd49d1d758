"""How politely an endpoint is asked: a pace, a shared pause, and as many requests at once as it bears.

Concurrency goes up by one a round and halves on a 429, never below one. A 429 pauses everybody until the time that the
endpoint named. A limiter that only counts, such as `aiolimiter`, can neither be paused, nor corrected once the true
number of tokens is known, nor told a limit that a header brings, and lets a whole minute's allowance go at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from planner.batch.pace import Pace
from planner.chat import RateLimits, Usage

# What a 429 without a Retry-After pauses for at first, in seconds; doubled while 429s go on.
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
# How fast the estimate of a request's tokens follows what requests took.
_LEARNING: Final = 0.1


class Closed(Exception):  # noqa: N818 - it is a stop, not a fault
    """No further request may be sent in this run."""


@dataclass(slots=True)
class Slot:
    """The right to send one request; `tokens` is what it was taken to need."""

    sent: float
    tokens: float
    guess: float


class Limits:
    """The limits of one model; `concurrency` is the most requests at once, `rpm` and `tpm` are a minute's allowance.

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
        """How many requests may be in flight at once by now."""
        return int(self._allowed)

    @property
    def paused_for(self) -> float:
        """Seconds that everybody still waits because the endpoint said so."""
        return max(0.0, self._paused_until - time.monotonic())

    @property
    def rpm(self) -> float | None:
        """Requests a minute, as given or as heard."""
        return self._requests.limit

    @property
    def tpm(self) -> float | None:
        """Tokens a minute, as given or as heard."""
        return self._tokens.limit

    @asynccontextmanager
    async def slot(self, guess: float) -> AsyncIterator[Slot]:
        """Wait for the right to send one request of about `guess` tokens, and hold it while it is in flight.

        Raises:
            Closed: nothing more may be sent.
        """
        slot = await self._enter(guess)
        try:
            yield slot
        finally:
            self.in_flight -= 1
            self._changed.set()

    def succeeded(self, slot: Slot, usage: Usage, heard: RateLimits | None) -> None:
        """Learn from a reply: the room that there is, the tokens that it took, the limits that its headers name."""
        self._pauses_in_a_row = 0
        self._allowed = min(self._most, self._allowed + 1 / self._allowed)
        if heard is not None:
            self._hear(heard)
        if usage.prompt_tokens is not None:
            took = usage.prompt_tokens + (usage.completion_tokens or 0)
            self._tokens.take(time.monotonic(), took - slot.tokens)
            self._ratio += _LEARNING * (took / slot.guess - self._ratio)

    def refused(self, slot: Slot, retry_after: float | None) -> None:
        """Learn from a 429: pause everybody, and ask less at once."""
        self._pauses_in_a_row += 1
        pause = min(_LONGEST_PAUSE, _PAUSE * 2 ** (self._pauses_in_a_row - 1)) if retry_after is None else retry_after
        now = time.monotonic()
        self._paused_until = max(self._paused_until, now + pause)
        # Requests that were in flight together are refused together; that is one refusal.
        if slot.sent > self._last_cut:
            self._last_cut = now
            self._allowed = max(1.0, self._allowed / 2)

    def close(self) -> None:
        """Let nothing more be sent; whoever waits is told."""
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
        """Take over the limits of the headers, as limits of a minute.

        Where a service means an hour or a day, that is never too slow, and its 429s say the rest.
        """
        requests_given, tokens_given = self._given
        if heard.requests and not requests_given:
            self._requests.limit = heard.requests
        if heard.tokens and not tokens_given:
            self._tokens.limit = heard.tokens
