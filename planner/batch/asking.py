"""A model as a run asks it: from the ledger first, then politely, within the budget, and nothing unrecorded."""

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

CHARS_PER_TOKEN: Final = 4  # on average, in English; only to guess with

# Tokens that hardly any reply passes; what is lost in a run without a cost limit counts so much under a later one.
LIKELY_COMPLETION: Final = 16_384

# Statuses that come from between here and the endpoint, which may have done and billed the work.
_PERHAPS_BILLED: Final = frozenset({408, 504, 522, 524})
# Statuses that the next paper would meet too: a wrong key, an account without money, a model that does not exist.
_HOPELESS: Final = frozenset({401, 402, 404})

_FIRST_ERROR: Final = 400
_TOO_MANY_REQUESTS: Final = 429

Wrapper = Callable[[ChatModel], ChatModel]


class Idlers:
    """Who only waits, so that stopping may end it at once; who has a request out is waited for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time in which the task only waits for its turn."""
        task = _this_task()
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The time within a wait in which a request is out."""
        task = _this_task()
        self._tasks.discard(task)
        try:
            yield
        finally:
            self._tasks.add(task)

    def dismiss(self) -> None:
        """End all that only waits."""
        for task in self._tasks:
            task.cancel()


@dataclass(slots=True)
class Desk:
    """Where the requests of one model pass: all that its papers share.

    `patience` wraps a model into one that tries again, `price` is of tokens used, `most_completion` the tokens that a
    reply is capped at where there is a cost limit, `longest_pause` the seconds for which the run holds still when it is
    told to. `halt` ends the run with a reason.
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
    """The model as one paper asks it: a reply on record is used, and the same request is never out twice."""

    def __init__(self, desk: Desk, model: ChatModel, work: Work) -> None:
        self._desk = desk
        self._sending = Sending(desk, model, work)
        self._ask = desk.patience(self._sending)
        self._only_sent = not work.begun

    @property
    def card(self) -> ModelCard:
        """The card of the model behind."""
        return self._desk.card

    @property
    def requests(self) -> tuple[AttemptFacts, ...] | None:
        """Every request that the paper needed, as the ledger has it; None where that holds more than was sent here."""
        return tuple(self._sending.sent.values()) if self._only_sent else None

    async def complete(self, prompt: Prompt) -> Completion:
        """Answer from the ledger, else ask.

        Raises:
            Closed: the run is being stopped.
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
    """One attempt: recorded before it leaves, its reply durable before anybody sees it; `sent` is all of them."""

    def __init__(self, desk: Desk, model: ChatModel, work: Work) -> None:
        self.sent: dict[str, AttemptFacts] = {}
        self._desk = desk
        self._model = model
        self._work = work

    @property
    def card(self) -> ModelCard:
        """The card of the model behind."""
        return self._desk.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Send the request when its turn has come."""
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
        """The most that an attempt can cost in USD, None where no price is known; without a cap it is an estimate."""
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
