"""Run workers on a Ray cluster, one for each CPU; machines may join later.

A worker uses the API keys in the environment of its machine.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from planner import __version__
from planner.batch.cluster.pool import WorkerLostError, WorkerPool
from planner.batch.spec import LOCAL_CLUSTER
from planner.chat import Completion, Model, Prompt
from planner.errors import ModelError, PaperError, RunError, TooLongError, UsageError
from planner.models.connect import WorkerModelSpec
from planner.models.openai_chat.chat import OpenAIChat
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.models.wrappers import ReplicatedModel
from planner.papers.arxiv import ArxivClient
from planner.reading.process import IsolatedReader
from planner.reading.request import ReadRequest, ReadResultOrError

# The share of a CPU that a worker claims: half, so that the workers of another run fit on the machine too.
_CPUS_PER_WORKER: Final = 0.5
_MAX_REQUESTS_PER_WORKER: Final = 4096  # requests in flight from one worker
_OBJECT_STORE_BYTES: Final = 200_000_000  # bytes of a local object store; papers only pass through it
_START_SECONDS: Final = 120.0
_CHECK_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.1
_CONNECT_SECONDS: Final = 10.0
_T = TypeVar("_T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The configuration of a worker; paths are relative to `start_folder`, the folder in which the run was started."""

    models: Mapping[str, WorkerModelSpec]
    arxiv_client: ArxivClient
    start_folder: str
    version: str = __version__


class RayWorkerActor:
    """A worker in a Ray actor; it reads one paper at a time, and sends any number of requests at once."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._models: dict[str, Model] = {}
        folder = Path(config.start_folder)
        self._reader = IsolatedReader(config.arxiv_client, folder=folder if folder.is_dir() else None)

    async def find_problem(self) -> str | None:
        """Return the reason why this worker cannot do its work, None if it can."""
        if self._config.version != __version__:
            return f"it has version {__version__} of ablation-planner, but the run has version {self._config.version}"
        try:
            for key in self._config.models:
                self._open_model(key)
        except UsageError as error:
            return str(error)
        return None

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        """Read a paper; an error is returned, not raised."""
        try:
            return await self._reader.read_paper_with_prompts(request)
        except PaperError as error:
            return type(error)(str(error))
        except RunError as error:
            return PaperError(f"{request.source}: {error}")

    async def complete(self, model_key: str, prompt: Prompt) -> Completion | ModelError:
        """Send a prompt to a model without retries; an error is returned, not raised."""
        try:
            return await self._open_model(model_key).complete(prompt)
        except ModelError as error:
            return make_error_picklable(error)

    def _open_model(self, key: str) -> Model:
        if key not in self._models:
            wanted = self._config.models[key]
            endpoints = [
                resolve_endpoint(wanted.model, url, os.environ, key_variable=wanted.key_variable)
                for url in wanted.base_urls
            ]
            chat = ReplicatedModel([OpenAIChat(endpoint, wanted.options) for endpoint in endpoints])
            if chat.info != wanted.info:
                raise UsageError(
                    f"its environment variables lead to model {chat.info.asked!r} at {chat.info.endpoint}, "
                    f"but the run needs model {wanted.info.asked!r} at {wanted.info.endpoint}"
                )
            self._models[key] = chat
        return self._models[key]


def make_error_picklable(error: ModelError) -> ModelError:
    """Return the error as a `ModelError` or `TooLongError`, since other subclasses cannot be pickled."""
    return error if isinstance(error, TooLongError) else error.with_message(str(error))


@asynccontextmanager
async def open_ray_pool(config: WorkerConfig, address: str) -> AsyncIterator[WorkerPool]:
    """Yield a pool of workers on the Ray cluster at `address`; "local" starts a cluster on this machine.

    Raises:
        UsageError: if Ray is not installed, or if `address` is an address of Ray Client (ray://).
        RunError: if there is no such cluster, or no worker could be started.
    """
    ray = await asyncio.to_thread(_connect_to_cluster, address)
    pool = WorkerPool()
    supervisor = _WorkerSupervisor(ray, config, pool)
    task = asyncio.create_task(supervisor.run_forever())
    try:
        await supervisor.wait_for_first_worker(task)
        yield pool
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(ray.shutdown)


def _connect_to_cluster(address: str) -> Any:
    """Connect this process to a cluster, and return the module `ray`."""
    # "local" starts a cluster even if a file or RAY_ADDRESS names another, which may have ended long ago.
    options: dict[str, Any] = {"object_store_memory": _OBJECT_STORE_BYTES, "include_dashboard": False}
    if address != LOCAL_CLUSTER:
        _check_address(address)
        options = {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends usage statistics unless told not to
    try:
        import ray

        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except ImportError:
        raise UsageError("--engine ray needs Ray: pip install 'ablation-planner[ray]', on every machine") from None
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RunError(f"no Ray cluster at {address}: {error}") from error
    return ray


def _check_address(address: str) -> None:
    """Raise an error at once if nothing listens at the address; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "://" in host:
        raise UsageError(
            f"--ray-address {address!r}: run the command on a machine of the cluster, and give the HOST:PORT of the "
            f"cluster's head, or {LOCAL_CLUSTER}"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RunError(f"no Ray cluster at {address}: {error}; is its head running?") from error


class _WorkerSupervisor:
    """A supervisor that starts one worker for each CPU of the cluster."""

    def __init__(self, ray: Any, config: WorkerConfig, pool: WorkerPool) -> None:
        self._ray = ray
        self._config = config
        self._pool = pool
        self._starting: set[asyncio.Task[None]] = set()
        self._problems: dict[str, str] = {}

    async def run_forever(self) -> None:
        """Start missing workers until the task is cancelled."""
        try:
            while True:
                for node, count in (await asyncio.to_thread(self._list_machines)).items():
                    self._start_missing_workers(node, count)
                await asyncio.sleep(_CHECK_SECONDS)
        finally:
            for task in self._starting:
                task.cancel()

    async def wait_for_first_worker(self, supervision: "asyncio.Task[None]") -> None:
        """Wait for the first worker; `supervision` is the task that runs `run_forever`.

        Raises:
            RunError: if no worker could be started.
        """
        end = time.monotonic() + _START_SECONDS
        while not self._pool:
            await asyncio.wait({supervision}, timeout=_POLL_SECONDS)
            if supervision.done():
                supervision.result()
            if not (self._pool or self._starting) and (self._problems or time.monotonic() > end):
                reasons = "; ".join(f"{node}: {problem}" for node, problem in self._problems.items())
                raise RunError(f"no worker could be started on the cluster: {reasons or 'it has no free CPU'}")

    def _list_machines(self) -> dict[str, int]:
        """Return the number of workers that each machine should have, by the id of the machine."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        return {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in alive}

    def _start_missing_workers(self, node: str, count: int) -> None:
        here = self._pool.worker_counts_by_machine[node] + sum(task.get_name() == node for task in self._starting)
        for _ in range(count - here):
            task = asyncio.create_task(self._start_worker(node), name=node)
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start_worker(self, node: str) -> None:
        """Start a worker on the machine `node`, and add it to the pool if it reports no problem."""
        where = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        actor = self._ray.remote(RayWorkerActor).options(
            num_cpus=_CPUS_PER_WORKER,
            max_restarts=0,
            max_concurrency=_MAX_REQUESTS_PER_WORKER,
            scheduling_strategy=where,
        )
        worker = _RayWorker(self._ray, actor.remote(self._config), node)
        try:
            async with asyncio.timeout(_START_SECONDS):
                problem = await worker.find_problem()
        except WorkerLostError as error:
            problem = str(error)
        except TimeoutError:
            problem = f"its worker did not start within {_START_SECONDS:.0f} s; are its CPUs all in use?"
        if not problem:
            await self._pool.add_worker(worker)
            return
        if self._problems.get(node) != problem:
            self._problems[node] = problem
            log.warning("machine %s of the cluster: %s", node[:8], problem)
        self._ray.kill(worker.handle)


class _RayWorker:
    """A worker of the pool, whose work is done by the actor `handle`, a `RayWorkerActor` on the machine `machine`.

    Raises:
        WorkerLostError: in each method, if the worker is lost.
    """

    def __init__(self, ray: Any, handle: Any, machine: str) -> None:
        self.machine = machine
        self.handle = handle
        self._ray = ray

    async def find_problem(self) -> str | None:
        return await self._await_result(self.handle.find_problem.remote())

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        return await self._await_result(self.handle.read_paper.remote(request))

    async def complete(self, model_key: str, prompt: Prompt) -> Completion | ModelError:
        return await self._await_result(self.handle.complete.remote(model_key, prompt))

    async def _await_result(self, result: Awaitable[_T]) -> _T:
        errors = self._ray.exceptions
        try:
            return await result
        except errors.RayTaskError:
            raise  # a bug of this program, which every other worker has too
        except errors.RayError as error:
            raise WorkerLostError(str(error).strip().partition("\n")[0]) from None
