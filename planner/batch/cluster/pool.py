"""Share papers and requests among workers on many machines.

A worker may be lost at any moment. The engine limits the rate of requests for the whole run, so the limit holds while
workers come and go, and an HTTP 429 for one worker pauses all workers.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol, Self

from planner.chat import Completion, Model, ModelInfo, Prompt
from planner.errors import ModelError, PaperError, RunError
from planner.reading.request import ReadRequest, ReadResult, ReadResultOrError

# After so many lost workers, the paper that they were reading is assumed to be the cause.
_MAX_LOST_WORKERS: Final = 3
# Seconds without any worker until a run stops; meanwhile the cluster may get more machines.
_NO_WORKER_SECONDS: Final = 300.0
# A worker reads one paper, and the next one waits at it; the engine limits the requests.
_MAX_PAPERS_PER_WORKER: Final = 2


class WorkerLostError(Exception):
    """The error that a worker or its machine was lost, perhaps after the work was done."""


class Worker(Protocol):
    """A process that reads papers and sends requests to models; it returns errors instead of raising them.

    Raises:
        WorkerLostError: in each method, if the worker is lost; a request may have been sent.
    """

    machine: str

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        """Read a paper."""

    async def complete(self, model_key: str, prompt: Prompt) -> Completion | ModelError:
        """Send a prompt to the model `model_key` (its name in the ledger) without retries."""


class WorkerPool:
    """A pool of workers, which is also a `PaperReader`.

    If the pool has no worker for `max_seconds_without_worker` seconds, waiting callers get an error.
    """

    def __init__(self, max_seconds_without_worker: float = _NO_WORKER_SECONDS) -> None:
        self._max_seconds_without_worker = max_seconds_without_worker
        self._workers: list[Worker] = []
        self._paper_counts, self._request_counts = Counter[Worker](), Counter[Worker]()
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def worker_counts_by_machine(self) -> Counter[str]:
        """The number of workers on each machine."""
        return Counter(worker.machine for worker in self._workers)

    async def add_worker(self, worker: Worker) -> None:
        """Add a worker to the pool."""
        async with self._changed:
            self._workers.append(worker)
            self._changed.notify_all()

    def remove_worker(self, worker: Worker) -> None:
        """Remove a worker from the pool."""
        if worker in self._workers:
            self._workers.remove(worker)

    async def read_paper_with_prompts(self, request: ReadRequest) -> ReadResult:
        """Read a paper and build its prompts; if the worker is lost, use another worker.

        Raises:
            PaperError: if the paper cannot be read.
            RunError: if there has been no worker for too long.
        """
        for _ in range(_MAX_LOST_WORKERS):
            try:
                async with self._borrow_worker(self._paper_counts, _MAX_PAPERS_PER_WORKER) as worker:
                    result = await worker.read_paper(request)
            except WorkerLostError:
                continue
            if isinstance(result, PaperError):
                raise result
            return result
        source = request.source
        raise PaperError(f"{source}: {_MAX_LOST_WORKERS} workers were lost while they read this paper; leave it out")

    def make_model(self, info: ModelInfo, model_key: str) -> Model:
        """Return a model whose requests are sent by the least busy worker, without retries.

        `model_key` is the model's name in the ledger. If there has been no worker for too long, a request ends with a
        RunError. If the worker is lost, a request ends with a ModelError and may have been billed.
        """
        return _PooledModel(self, info, model_key)

    @asynccontextmanager
    async def _borrow_worker(self, load: Counter[Worker], max_load: float = float("inf")) -> AsyncIterator[Worker]:
        """Wait until a worker's load is less than `max_load`, and yield the worker with the least load."""
        async with self._changed:
            while not (free := [worker for worker in self._workers if load[worker] < max_load]):
                await self._wait_for_change()
            worker = min(free, key=lambda worker: load[worker])
            load[worker] += 1
            # Move the worker to the end, so that of equally busy workers the one that has waited longest is next.
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
                "when it has a worker again, run the same command again"
            ) from None


@dataclass(frozen=True, slots=True)
class _PooledModel:
    pool: WorkerPool
    info: ModelInfo
    model_key: str

    async def complete(self, prompt: Prompt) -> Completion:
        try:
            async with self.pool._borrow_worker(self.pool._request_counts) as worker:
                answer = await worker.complete(self.model_key, prompt)
        except WorkerLostError as error:
            message = f"the worker on {worker.machine} was lost during the request: {error}"
            raise ModelError(message, retryable=True) from None
        if isinstance(answer, ModelError):
            raise answer
        return answer
