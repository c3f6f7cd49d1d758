"""Workers on many machines, as the one engine uses them: they read and ask, and may be lost at any moment.

The allowance of the endpoint is shared out a request at a time: the engine's limits let a request go when the whole run
may send one, and the pool gives it to the worker with the least to do. So the sum holds whatever workers come and go,
a 429 that one of them meets pauses all, and a worker that is lost takes no part of the allowance with it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal, Protocol, Self

from planner.batch.errand import Answer, Errand
from planner.chat import Completion, ModelCard, Prompt
from planner.errors import ModelError, PaperError, RunError

# A paper that took so many workers with it is taken for the reason.
_LOSSES: Final = 3
# Seconds without any worker until a run stops; a cluster that is short of machines may get others.
_PATIENCE: Final = 300.0

_Kind = Literal["read", "ask"]
# What a worker has at once: a paper, and the next one on its way; requests are for the engine's limits to bound.
_MOST: Final[Mapping[_Kind, float]] = {"read": 2, "ask": float("inf")}


class WorkerLostError(Exception):
    """A worker, or the machine that it was on, is gone; what it was doing may or may not have been done."""


class Worker(Protocol):
    """A process somewhere that reads and asks; failures of papers and models are answers."""

    place: str

    async def read(self, errand: Errand) -> Answer:
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

    async def read(self, errand: Errand) -> Answer:
        """Read a paper, with another worker when one is lost.

        Raises:
            RunError: there has been no worker for too long.
        """
        for _ in range(_LOSSES):
            try:
                async with self._share("read") as worker:
                    return await worker.read(errand)
            except WorkerLostError:
                continue
        source = errand.entry.source
        return PaperError(f"{source}: {_LOSSES} workers were lost while they read this paper; leave it out")

    async def complete(self, model: str, prompt: Prompt) -> Completion:
        """Ask a model once; a request that is lost with its worker may have been billed, as with any broken connection.

        Raises:
            ModelError: no completion could be had.
            RunError: there has been no worker for too long.
        """
        try:
            async with self._share("ask") as worker:
                answer = await worker.complete(model, prompt)
        except WorkerLostError as error:
            raise ModelError(f"the worker on {worker.place} that asked was lost: {error}", retryable=True) from None
        if isinstance(answer, ModelError):
            raise answer
        return answer

    @asynccontextmanager
    async def _share(self, kind: _Kind) -> AsyncIterator[Worker]:
        """The worker with the least to do, once there is one that has room."""
        load = self._load[kind]
        async with self._changed:
            while not (free := [worker for worker in self._workers if load[worker] < _MOST[kind]]):
                await self._wait()
            worker = min(free, key=lambda worker: load[worker])
            load[worker] += 1
            # Among equals it is whoever has waited longest.
            self._workers.remove(worker)
            self._workers.append(worker)
        try:
            yield worker
        except WorkerLostError:
            self.leave(worker)
            raise
        finally:
            load[worker] -= 1
            async with self._changed:
                self._changed.notify_all()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(None if self._workers else self._patience):
                await self._changed.wait()
        except TimeoutError:
            raise RunError(
                f"the cluster has had no worker for {self._patience:.0f} s; once it has one, the same command goes on"
            ) from None


class PooledReader:
    """A reader of the engine that has a pool read."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, errand: Errand) -> Answer:
        """Read a paper somewhere."""
        return await self._pool.read(errand)


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
