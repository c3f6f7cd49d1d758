"""Workers on many machines, as the one engine uses them: they read and ask, and may be lost at any moment.

The allowance of the endpoint is shared out a request at a time: the engine's limits let a request go when the whole run
may send one, and the pool gives it to the worker with the least to do. So the sum holds whatever workers come and go,
a 429 that one of them meets pauses all, and a worker that is lost takes no part of the allowance with it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, Protocol, Self

from planner.batch.entry import Entry
from planner.chat import Completion, ModelCard, Prompt
from planner.errors import ModelError, PaperError, RunError
from planner.papers.paper import Paper

# A paper that took so many workers with it is taken for the reason.
_LOSSES: Final = 3
# Seconds without any worker until a run stops; a cluster that is short of machines may get others.
_PATIENCE: Final = 300.0

_Kind = Literal["read", "ask"]


class WorkerLostError(Exception):
    """A worker, or the machine that it was on, is gone; what it was doing may or may not have been done."""


class Worker(Protocol):
    """A process somewhere that reads and asks; failures of papers and models are answers."""

    place: str

    async def read(self, entry: Entry) -> Paper | PaperError:
        """Read a paper.

        Raises:
            WorkerLostError: the worker is gone.
        """

    async def complete(self, model: str, prompt: Prompt) -> Completion | ModelError:
        """Ask a model, named as the ledger names it, once.

        Raises:
            WorkerLostError: the worker is gone; the request may have been sent.
        """


class Pool:
    """The workers that there are by now. `patience` is how long a run may be without any, in seconds."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._workers: list[Worker] = []
        self._load: dict[_Kind, Counter[Worker]] = {"read": Counter(), "ask": Counter()}
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def places(self) -> Counter[str]:
        """How many workers are where."""
        return Counter(worker.place for worker in self._workers)

    async def join(self, worker: Worker) -> None:
        """Give a worker its share from now on."""
        async with self._changed:
            self._workers.append(worker)
            self._changed.notify_all()

    def leave(self, worker: Worker) -> None:
        """Give a worker nothing more."""
        if worker in self._workers:
            self._workers.remove(worker)

    async def read(self, entry: Entry) -> Paper | PaperError:
        """Read a paper, with another worker when one is lost.

        Raises:
            RunError: there has been no worker for too long.
        """
        for _ in range(_LOSSES):
            worker = await self._least_busy("read")
            try:
                with self._busy("read", worker):
                    return await worker.read(entry)
            except WorkerLostError:
                self.leave(worker)
        return PaperError(f"{entry.source}: {_LOSSES} workers were lost while they read this paper; leave it out")

    async def complete(self, model: str, prompt: Prompt) -> Completion:
        """Ask a model once; a request that is lost with its worker may have been billed, as with any broken connection.

        Raises:
            ModelError: no completion could be had.
            RunError: there has been no worker for too long.
        """
        worker = await self._least_busy("ask")
        try:
            with self._busy("ask", worker):
                answer = await worker.complete(model, prompt)
        except WorkerLostError as error:
            self.leave(worker)
            raise ModelError(f"the worker on {worker.place} that asked was lost: {error}", retryable=True) from None
        if isinstance(answer, ModelError):
            raise answer
        return answer

    async def _least_busy(self, kind: _Kind) -> Worker:
        try:
            async with asyncio.timeout(self._patience), self._changed:
                await self._changed.wait_for(lambda: bool(self._workers))
        except TimeoutError:
            raise RunError(
                f"the cluster has had no worker for {self._patience:.0f} s; once it has one, the same command goes on"
            ) from None
        return min(self._workers, key=lambda worker: self._load[kind][worker])

    @contextmanager
    def _busy(self, kind: _Kind, worker: Worker) -> Iterator[None]:
        self._load[kind][worker] += 1
        try:
            yield
        finally:
            self._load[kind][worker] -= 1
            if not self._load[kind][worker]:
                del self._load[kind][worker]


class PooledReader:
    """A reader of the engine that has a pool read."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, entry: Entry) -> Paper | PaperError:
        """Read a paper somewhere."""
        return await self._pool.read(entry)


class PooledModel:
    """A `ChatModel` that a pool asks."""

    def __init__(self, pool: Pool, card: ModelCard, key: str) -> None:
        self._pool = pool
        self._card = card
        self._key = key

    @property
    def card(self) -> ModelCard:
        """Which model is asked and how."""
        return self._card

    async def complete(self, prompt: Prompt) -> Completion:
        """Ask from somewhere.

        Raises:
            ModelError: no completion could be had.
        """
        return await self._pool.complete(self._key, prompt)
