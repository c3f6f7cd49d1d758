"""How fast may something flow: an even pace below a limit a minute, and never more than the limit in any minute."""

from collections import deque
from typing import Final

MINUTE: Final = 60.0

# The part of an allowance that is used: clocks drift, and requests overtake each other on the way.
SHARE: Final = 0.98
# A wait that ended late may be made up for by so many seconds, or a busy machine would fall behind its allowance.
_GRACE: Final = 1.0
# Amounts of the same tenth of a second are remembered as one.
_GRAIN: Final = 0.1


class Pace:
    """The flow of one thing, requests or tokens; `limit` is what may flow a minute, None when that is not known.

    What flows is remembered for a minute also while there is no limit, so that a limit heard of later counts it.
    Times are seconds of any one clock.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._due: float | None = None
        self._past: deque[tuple[float, float]] = deque()
        self._in_past = 0.0

    def ready(self, now: float, amount: float) -> float:
        """The earliest time at which so much may flow; a single amount over the limit may, after an idle minute."""
        self._forget(now)
        if self.limit is None:
            return now
        return max(now, now if self._due is None else self._due, self._room(amount))

    def take(self, now: float, amount: float) -> None:
        """Let so much flow; a negative amount gives back what did not."""
        if self._past and now - self._past[-1][0] < _GRAIN and len(self._past) > 1:
            amount_before = self._past.pop()[1]
            self._past.append((now, amount_before + amount))
        else:
            self._past.append((now, amount))
        self._in_past += amount
        if self.limit is not None:
            due = now if self._due is None else max(self._due, now - _GRACE)
            self._due = due + amount * MINUTE / (self.limit * SHARE)

    def _room(self, amount: float) -> float:
        """When enough of the last minute will be past for so much more to fit."""
        assert self.limit is not None
        over = self._in_past + amount - self.limit * SHARE
        ready = float("-inf")
        for at, flowed in self._past:
            if over <= 0:
                break
            ready, over = at + MINUTE, over - flowed
        return ready

    def _forget(self, now: float) -> None:
        while self._past and self._past[0][0] <= now - MINUTE:
            self._in_past -= self._past.popleft()[1]
