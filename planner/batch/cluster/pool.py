"""Share work among workers on many machines that read papers and ask models, and may be lost at any moment.

The rate limit is shared request by request. The engine sends a request when the whole run may send one, and the pool
gives it to the least busy worker. So the limit holds as workers come and go, a 429 that one of them meets pauses all,
and a lost worker takes no share of the limit with it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol, Self

from planner.chat import Completion, ModelInfo, Prompt
from planner.errors import ModelError, PaperError, RunError
from planner.reading.request import ReadRequest, ReadResultOrError

# After so many lost workers, the paper that they read is taken for the reason.
_MAX_LOST_WORKERS: Final = 3
# Seconds without any worker until a run stops; a cluster that is short of machines may get more.
_NO_WORKER_SECONDS: Final = 300.0

_WorkKind = Literal["read", "ask"]
# The most that a worker has at once: a paper and the next one on its way; the engine limits the requests.
_MAX_LOAD: Final[Mapping[_WorkKind, float]] = {"read": 2, "ask": float("inf")}


class WorkerLostError(Exception):
    """A worker or its machine is gone; its work may or may not have been done."""


class Worker(Protocol):
    """A process on some machine that reads papers and asks models; errors of both are returned, not raised."""

    machine: str

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        """Read a paper.

        Raises:
            WorkerLostError: if the worker is gone.
        """

    async def complete(self, model_key: str, prompt: Prompt) -> Completion | ModelError:
        """Send a request once to a model, named as in the ledger.

        Raises:
            WorkerLostError: if the worker is gone; the request may have been sent.
        """


class WorkerPool:
    """The current workers, which together are one reader of papers.

    `max_seconds_without_worker` is how long a run may be without any, in seconds.
    """

    def __init__(self, max_seconds_without_worker: float = _NO_WORKER_SECONDS) -> None:
        self._max_seconds_without_worker = max_seconds_without_worker
        self._workers: list[Worker] = []
        self._load: dict[_WorkKind, Counter[Worker]] = {"read": Counter(), "ask": Counter()}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def workers_by_machine(self) -> Counter[str]:
        """The number of workers on each machine."""
        return Counter(worker.machine for worker in self._workers)

    async def add_worker(self, worker: Worker) -> None:
        """Add a worker, which gets its share of the work from now on."""
        async with self._changed:
            self._workers.append(worker)
            self._changed.notify_all()

    def remove_worker(self, worker: Worker) -> None:
        """Remove a worker, which gets no further work."""
        if worker in self._workers:
            self._workers.remove(worker)

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        """Read a paper, with another worker when one is lost.

        Raises:
            RunError: if there has been no worker for too long.
        """
        for _ in range(_MAX_LOST_WORKERS):
            try:
                async with self._borrow_worker("read") as worker:
                    return await worker.read_paper(request)
            except WorkerLostError:
                continue
        source = request.source
        return PaperError(f"{source}: {_MAX_LOST_WORKERS} workers were lost while they read this paper; leave it out")

    async def complete(self, model_key: str, prompt: Prompt) -> Completion:
        """Send a request once; if it is lost with its worker it may have been billed, as with any broken connection.

        Raises:
            ModelError: if there is no completion.
            RunError: if there has been no worker for too long.
        """
        try:
            async with self._borrow_worker("ask") as worker:
                answer = await worker.complete(model_key, prompt)
        except WorkerLostError as error:
            message = f"the worker on {worker.machine} was lost during the request: {error}"
            raise ModelError(message, retryable=True) from None
        if isinstance(answer, ModelError):
            raise answer
        return answer

    @asynccontextmanager
    async def _borrow_worker(self, kind: _WorkKind) -> AsyncIterator[Worker]:
        """Wait for a worker that has room, and yield the least busy one."""
        load = self._load[kind]
        async with self._changed:
            while not (free := [worker for worker in self._workers if load[worker] < _MAX_LOAD[kind]]):
                await self._wait_for_change()
            worker = min(free, key=lambda worker: load[worker])
            load[worker] += 1
            # Put it last, so that among equals the one that has waited longest is next.
            self._workers.remove(worker)
            self._workers.append(worker)
        try:
            yield worker
        except WorkerLostError:
            self.remove_worker(worker)
            raise
        finally:
            load[worker] -= 1
            async with self._changed:
                self._changed.notify_all()

    async def _wait_for_change(self) -> None:
        try:
            async with asyncio.timeout(None if self._workers else self._max_seconds_without_worker):
                await self._changed.wait()
        except TimeoutError:
            raise RunError(
                f"the cluster has had no worker for {self._max_seconds_without_worker:.0f} s; "
                "once it has one, run the same command again"
            ) from None


@dataclass(frozen=True, slots=True)
class PooledModel:
    """A model whose requests are sent by the workers of a pool."""

    pool: WorkerPool
    info: ModelInfo
    model_key: str

    async def complete(self, prompt: Prompt) -> Completion:
        """Send a request from any worker of the pool.

        Raises:
            ModelError: if there is no completion.
        """
        return await self.pool.complete(self.model_key, prompt)
