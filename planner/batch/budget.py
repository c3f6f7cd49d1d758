"""A cost limit that holds whatever is in flight: nothing is sent that could pass it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from planner.chat import Prompt
from planner.errors import BudgetExceeded

# What an endpoint may add to a prompt as a whole; what it puts around a message, the JSON of that has room for.
_PER_PROMPT: Final = 64


def most_tokens(prompt: Prompt) -> int:
    """More tokens than any tokeniser makes of a prompt: each token stands for at least one byte."""
    return len(prompt.encoded) + _PER_PROMPT


@dataclass(slots=True)
class Reservation:
    """What a request was charged in the end, in USD; the holder keeps it true at every moment."""

    charged: float | None = None


class Budget:
    """What may be spent in USD, None for no limit; `spent` begins with what the ledger says was charged before."""

    def __init__(self, limit: float | None, spent: float = 0.0) -> None:
        self._limit = limit
        self.spent = spent
        self._reserved = 0.0
        self._released = asyncio.Condition()

    @asynccontextmanager
    async def reserved(self, most: float | None) -> AsyncIterator[Reservation]:
        """Set aside the most that a request can cost, until what was charged is known.

        While it might fit once others have ended, it waits for them.

        Raises:
            BudgetExceeded: it does not fit.
        """
        await self._set_aside(most or 0.0)
        reservation = Reservation()
        try:
            yield reservation
        finally:
            self.spent += reservation.charged or 0.0
            async with self._released:
                self._reserved -= most or 0.0
                self._released.notify_all()

    async def _set_aside(self, most: float) -> None:
        async with self._released:
            await self._released.wait_for(lambda: self._fits(most) or not self._reserved or self._never_fits(most))
            if not self._fits(most):
                raise BudgetExceeded(
                    f"the next request can cost up to ${most:.4f}, and ${self.spent:.4f} of ${self._limit:g} are "
                    "spent; raise --max-cost to go on"
                )
            self._reserved += most

    def _fits(self, most: float) -> bool:
        return self._limit is None or self.spent + self._reserved + most <= self._limit

    def _never_fits(self, most: float) -> bool:
        return self._limit is not None and self.spent + most > self._limit
