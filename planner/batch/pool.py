"""Share work among workers on many machines that read papers and ask models, and may be lost at any moment.

The rate limit is shared request by request. The engine lets a request go when the whole run may send one, and the pool
gives it to the least busy worker. So the limit holds as workers come and go, a 429 that one of them meets pauses all,
and a lost worker takes no share of the limit with it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal, Protocol, Self

from planner.batch.errand import Answer, Errand
from planner.chat import Completion, ModelCard, Prompt
from planner.errors import ModelError, PaperError, RunError

# After so many lost workers, the paper that they read is taken for the reason.
_LOSSES: Final = 3
# Seconds without any worker until a run stops; a cluster that is short of machines may get more.
_PATIENCE: Final = 300.0

_Kind = Literal["read", "ask"]
# The most that a worker has at once: a paper and the next one on its way; the engine limits the requests.
_MOST: Final[Mapping[_Kind, float]] = {"read": 2, "ask": float("inf")}


class WorkerLostError(Exception):
    """A worker or its machine is gone; its work may or may not have been done."""


class Worker(Protocol):
    """A process on some machine that reads papers and asks models; errors of both are returned, not raised."""

    place: str

    async def read(self, errand: Errand) -> Answer:
        """Read a paper.

        Raises:
            WorkerLostError: if the worker is gone.
        """

    async def complete(self, model: str, prompt: Prompt) -> Completion | ModelError:
        """Send a request once to a model, named as in the ledger.

        Raises:
            WorkerLostError: if the worker is gone; the request may have been sent.
        """


class Pool:
    """The current workers; `patience` is how long a run may be without any, in seconds."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._workers: list[Worker] = []
        self._load: dict[_Kind, Counter[Worker]] = {"read": Counter(), "ask": Counter()}
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def places(self) -> Counter[str]:
        """The number of workers on each machine."""
        return Counter(worker.place for worker in self._workers)

    async def join(self, worker: Worker) -> None:
        """Add a worker, which gets its share of the work from now on."""
        async with self._changed:
            self._workers.append(worker)
            self._changed.notify_all()

    def leave(self, worker: Worker) -> None:
        """Remove a worker, which gets no further work."""
        if worker in self._workers:
            self._workers.remove(worker)

    async def read(self, errand: Errand) -> Answer:
        """Read a paper, with another worker when one is lost.

        Raises:
            RunError: if there has been no worker for too long.
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
        """Send a request once; if it is lost with its worker it may have been billed, as with any broken connection.

        Raises:
            ModelError: if there is no completion.
            RunError: if there has been no worker for too long.
        """
        try:
            async with self._share("ask") as worker:
                answer = await worker.complete(model, prompt)
        except WorkerLostError as error:
            raise ModelError(f"the worker on {worker.place} was lost as it asked: {error}", retryable=True) from None
        if isinstance(answer, ModelError):
            raise answer
        return answer

    @asynccontextmanager
    async def _share(self, kind: _Kind) -> AsyncIterator[Worker]:
        """Wait for a worker that has room, and yield the least busy one."""
        load = self._load[kind]
        async with self._changed:
            while not (free := [worker for worker in self._workers if load[worker] < _MOST[kind]]):
                await self._wait()
            worker = min(free, key=lambda worker: load[worker])
            load[worker] += 1
            # Put it last, so that among equals the one that has waited longest is next.
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
                f"the cluster has had no worker for {self._patience:.0f} s; once it has one, run the same command again"
            ) from None


class PooledReader:
    """A reader of the engine that passes its work to a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, errand: Errand) -> Answer:
        """Read a paper with any worker of the pool."""
        return await self._pool.read(errand)


class PooledModel:
    """A model whose requests are sent by the workers of a pool."""

    def __init__(self, pool: Pool, card: ModelCard, key: str) -> None:
        self._pool = pool
        self._card = card
        self._key = key

    @property
    def card(self) -> ModelCard:
        """The description of the model."""
        return self._card

    async def complete(self, prompt: Prompt) -> Completion:
        """Send a request from any worker of the pool.

        Raises:
            ModelError: if there is no completion.
        """
        return await self._pool.complete(self._key, prompt)
