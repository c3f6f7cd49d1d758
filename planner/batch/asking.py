"""Ask a model within a run: reuse stored replies, keep to the limits and the budget, and record every request."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from planner.batch.budget import Budget, Reservation, most_tokens
from planner.batch.entry import Work
from planner.batch.job import UsagePrice
from planner.batch.ledger import Ledger
from planner.batch.limits import Closed, Limits, Slot
from planner.batch.progress import Progress
from planner.chat import ChatModel, Completion, ModelCard, Prompt, Usage
from planner.errors import ModelError
from planner.keeping import REUSED
from planner.sidecar import AttemptFacts, begun

CHARS_PER_TOKEN: Final = 4  # on average, in English; only for estimates

# Tokens that hardly any reply exceeds: the assumed length of a reply that has no cap.
LIKELY_COMPLETION: Final = 16_384

# HTTP statuses of timeouts and proxies: the endpoint may still have done the work, and billed it.
_PERHAPS_BILLED: Final = frozenset({408, 504, 522, 524})
# HTTP statuses that every paper would meet: a wrong key, an account without money, a model that does not exist.
_HOPELESS: Final = frozenset({401, 402, 404})

_FIRST_ERROR: Final = 400
_TOO_MANY_REQUESTS: Final = 429

Wrapper = Callable[[ChatModel], ChatModel]


class Idlers:
    """The tasks that only wait. Stopping the run cancels them; a task with a request in flight is left to finish."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark the current task as waiting within the block."""
        task = _this_task()
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark the current task as busy within the block: it has a request in flight."""
        task = _this_task()
        self._tasks.discard(task)
        try:
            yield
        finally:
            self._tasks.add(task)

    def dismiss(self) -> None:
        """Cancel every waiting task."""
        for task in self._tasks:
            task.cancel()


@dataclass(slots=True)
class Desk:
    """Everything that the papers of one model share: its ledger, limits, budget and retry policy.

    `patience` wraps a model so that it retries. `price` gives the cost of a usage in USD. `most_completion` caps
    replies, in tokens, under a cost limit. `longest_pause` is the longest pause, in seconds, that the endpoint may ask
    for. `halt` stops the run with a reason.
    """

    card: ModelCard
    ledger: Ledger
    limits: Limits
    budget: Budget
    progress: Progress
    idlers: Idlers
    patience: Wrapper
    price: UsagePrice
    halt: Callable[[str], None]
    most_completion: int | None = None
    longest_pause: float = float("inf")
    under_way: dict[str, "asyncio.Future[None]"] = field(default_factory=dict)


class Asking:
    """A model client for one paper: it reuses replies in the ledger, and never has the same request in flight twice."""

    def __init__(self, desk: Desk, model: ChatModel, work: Work) -> None:
        self._desk = desk
        self._sending = Sending(desk, model, work)
        self._ask = desk.patience(self._sending)
        self._only_sent = not work.begun

    @property
    def card(self) -> ModelCard:
        """The description of the model."""
        return self._desk.card

    @property
    def requests(self) -> tuple[AttemptFacts, ...] | None:
        """The requests that the paper needed, oldest first; None if the ledger holds some that were not sent here."""
        return tuple(self._sending.sent.values()) if self._only_sent else None

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the reply from the ledger, else send the request.

        Raises:
            Closed: if the run is being stopped.
        """
        identity = self.card.identity(prompt)
        while True:
            if (kept := self._desk.ledger.reply(identity)) is not None:
                self._only_sent = False
                return replace(kept, notes=(*kept.notes, REUSED))
            if (other := self._desk.under_way.get(identity)) is None:
                break
            with self._desk.idlers.waiting():
                await asyncio.shield(other)
        mine = self._desk.under_way[identity] = asyncio.get_running_loop().create_future()
        try:
            with self._desk.idlers.waiting():
                return await self._ask.complete(prompt)
        finally:
            del self._desk.under_way[identity]
            mine.set_result(None)


class Sending:
    """A sender of requests: it records each in `sent` and the ledger first, and then stores the reply."""

    def __init__(self, desk: Desk, model: ChatModel, work: Work) -> None:
        self.sent: dict[str, AttemptFacts] = {}
        self._desk = desk
        self._model = model
        self._work = work

    @property
    def card(self) -> ModelCard:
        """The description of the model."""
        return self._desk.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Wait for the limits and the budget, then send the request."""
        desk, most = self._desk, self._most(prompt)
        guess = len(prompt.encoded) / CHARS_PER_TOKEN
        async with desk.budget.reserved(most) as share, desk.limits.slot(guess) as slot:
            with desk.idlers.busy():
                share.charged = most
                request = begun(self.card.identity(prompt), prompt)
                number = await desk.ledger.send(self._work, request, most)
                self.sent.setdefault(request.identity, request)
                return await self._send(prompt, number, request.identity, slot, share)

    async def _send(self, prompt: Prompt, number: int, identity: str, slot: Slot, share: Reservation) -> Completion:
        desk = self._desk
        try:
            completion = await self._model.complete(prompt)
        except ModelError as error:
            billed = _may_be_billed(error)
            share.charged = share.charged if billed else 0.0
            await desk.ledger.fail(number, str(error), billed=billed)
            self._learn(error, slot)
            raise
        desk.limits.succeeded(slot, completion.usage, completion.limits)
        cost = desk.price(completion.usage)
        share.charged = share.charged if cost is None else cost
        await desk.ledger.commit(number, identity, completion, cost, share.charged)
        paid = {"completion": completion, "cost": cost}
        self.sent[identity] = self.sent[identity].model_copy(update=paid)
        desk.progress.paid(completion.usage, cost)
        return completion

    def _most(self, prompt: Prompt) -> float | None:
        """Return the most that an attempt can cost in USD, None without a price; an estimate if replies have no cap."""
        return self._desk.price(Usage(most_tokens(prompt), self._desk.most_completion or LIKELY_COMPLETION))

    def _learn(self, error: ModelError, slot: Slot) -> None:
        desk = self._desk
        if error.exhausted or error.status in _HOPELESS:
            desk.halt(str(error))
            raise Closed from error
        if error.status == _TOO_MANY_REQUESTS:
            if (error.retry_after or 0.0) > desk.longest_pause:
                desk.halt(f"{error}; it asks for a pause of {error.retry_after:.0f} s, longer than --max-wait")
                raise Closed from error
            desk.limits.refused(slot, error.retry_after)


def _may_be_billed(error: ModelError) -> bool:
    return error.status is None or error.status < _FIRST_ERROR or error.status in _PERHAPS_BILLED


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task
