"""Enforce a cost limit that includes the requests in flight: none is sent that could exceed it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from planner.chat import Prompt
from planner.errors import BudgetExceeded

# Tokens that an endpoint may add to a prompt; those that it adds to a message are covered by the message's JSON.
_PER_PROMPT: Final = 64


def most_tokens(prompt: Prompt) -> int:
    """Return more tokens than any tokenizer makes of a prompt, since each token stands for at least one byte."""
    return len(prompt.encoded) + _PER_PROMPT


@dataclass(slots=True)
class Reservation:
    """The amount that a request is charged, in USD; its holder keeps it up to date."""

    charged: float | None = None


class Budget:
    """A cost limit in USD, None for no limit; `spent` starts with the charges of earlier calls in the ledger."""

    def __init__(self, limit: float | None, spent: float = 0.0) -> None:
        self._limit = limit
        self.spent = spent
        self._reserved = 0.0
        self._released = asyncio.Condition()

    @asynccontextmanager
    async def reserved(self, most: float | None) -> AsyncIterator[Reservation]:
        """Reserve the most that a request can cost, until its charge is known.

        If it would fit only after requests in flight have ended, it waits for them.

        Raises:
            BudgetExceeded: if it does not fit.
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
