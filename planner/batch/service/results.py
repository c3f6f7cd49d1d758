"""Record the results of a batch service in the ledger, before anything uses them."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from planner.batch.job import UsagePrice
from planner.batch.ledger import Ledger
from planner.batch.parts import Part, Refusal, Submitted
from planner.batch.progress import Progress
from planner.batch.service.names import identity_in
from planner.chat import Completion, Usage
from planner.errors import ModelError
from planner.retrying import RetryPolicy, patiently

if TYPE_CHECKING:
    from planner.openai_chat.service import BatchService

log = logging.getLogger(__name__)

_TOGETHER: Final = 200  # results that are committed at once
_NO_ACCOUNT: Final = frozenset({401, 402})


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A batch service of one model with its price: a reply costs `share` of the price of a live request."""

    service: "BatchService"
    price: UsagePrice
    share: float

    def cost(self, usage: Usage) -> float | None:
        """Return the cost of one reply in USD, None if no price is known."""
        live = self.price(usage)
        return None if live is None else live * self.share


class Results:
    """A recorder of the results of submissions in the ledger.

    `hopeless` is the service's error message if no further submission can succeed: a wrong key, an empty account.
    """

    def __init__(
        self, ledger: Ledger, desks: Mapping[str, Counterpart], progress: Progress, patience: RetryPolicy
    ) -> None:
        self.hopeless = ""
        self._ledger = ledger
        self._desks = desks
        self._progress = progress
        self._patience = patience

    async def take(self, part: Part, file: str) -> None:
        """Record the results in a file of the service; if the download breaks, fetch the file again from its start.

        Raises:
            ModelError: if the file cannot be downloaded.
        """
        strange = await patiently(partial(self._take, part, file), self._patience)
        if strange:
            log.warning("%d lines of file %s answer none of its requests and were skipped", strange, file)

    async def give_up(self, part: Part, why: Refusal) -> None:
        """Record the given reason for every request of a submission that has no result yet."""
        together: list[tuple[int, Refusal]] = []
        count = 0
        for number in self._ledger.parts.unanswered(part):
            together.append((number, why))
            count += 1
            if len(together) >= _TOGETHER:
                await self._ledger.parts.refuse(together)
                together = []
        await self._ledger.parts.refuse(together)
        if count:
            named = f"batch {part.batch}" if part.batch else f"part {part.number}"
            log.warning("%s: %d of %d requests: %s", named, count, part.requests, why.message)

    async def _take(self, part: Part, file: str) -> int:
        """Record the results in a file once; return how many lines answer none of the submission's requests."""
        service, strange = self._desks[part.model].service, 0
        results: dict[Submitted, Completion | ModelError] = {}
        async with aclosing(service.lines(file)) as lines:
            async for line in lines:
                answer = service.read(line)
                beginning = identity_in(answer.custom_id) if answer else ""
                asked = self._ledger.parts.attempt(part, beginning) if beginning else None
                if answer is None or asked is None:
                    strange += 1
                elif not asked.replied and not isinstance(results.get(asked), Completion):
                    results[asked] = answer.result
                if len(results) >= _TOGETHER:
                    await self._keep(part, results)
        await self._keep(part, results)
        return strange

    async def _keep(self, part: Part, results: dict[Submitted, Completion | ModelError]) -> None:
        refusals = []
        kept = []
        for asked, result in results.items():
            if isinstance(result, Completion):
                kept.append(self._commit(part, asked, result))
            else:
                refusals.append((asked.number, self._refusal(result)))
        await asyncio.gather(*kept)
        await self._ledger.parts.refuse(refusals)
        results.clear()

    async def _commit(self, part: Part, asked: Submitted, completion: Completion) -> None:
        cost = self._desks[part.model].cost(completion.usage)
        charged = asked.upper if cost is None else cost
        await self._ledger.commit(asked.number, asked.identity, completion, cost, charged)
        self._progress.paid(completion.usage, cost)

    def _refusal(self, error: ModelError) -> Refusal:
        refusal = Refusal.of(error)
        if error.exhausted or error.status in _NO_ACCOUNT:
            self.hopeless = str(error)
            return replace(refusal, again=True)
        return refusal
