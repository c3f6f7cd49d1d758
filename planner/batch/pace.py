"""Pace the flow of requests or tokens: evenly below a limit a minute, and never more than the limit in any minute."""

from collections import deque
from typing import Final

MINUTE: Final = 60.0

# The share of a limit that is used: clocks drift, and requests overtake each other on the way.
SHARE: Final = 0.98
# Seconds of a late wait that may be caught up, since a busy machine would otherwise fall behind its limit.
_GRACE: Final = 1.0
# Amounts within a tenth of a second are stored as one.
_GRAIN: Final = 0.1


class Pace:
    """The flow of requests or of tokens; `limit` is how much may flow a minute, None when that is not known.

    The flow of the last minute is remembered also without a limit, so that a limit set later counts it.
    Times are seconds of any one clock.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._due: float | None = None
        self._past: deque[tuple[float, float]] = deque()
        self._in_past = 0.0

    def ready(self, now: float, amount: float) -> float:
        """Return the earliest time at which `amount` may flow; more than the limit may flow after an idle minute."""
        self._forget(now)
        if self.limit is None:
            return now
        return max(now, now if self._due is None else self._due, self._room(amount))

    def take(self, now: float, amount: float) -> None:
        """Record that `amount` flows; a negative amount gives back what did not."""
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
        """Return the time at which enough of the last minute has passed for `amount` to fit."""
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
