"""Run workers on a Ray cluster: one per CPU of every machine, started anew as machines come and go."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final

from planner.batch.errand import Answer, Errand
from planner.batch.outpost import Orders, Outpost
from planner.batch.pool import Pool, WorkerLostError
from planner.chat import Completion, Prompt
from planner.errors import ModelError, RunError, UsageError

LOCAL: Final = "local"

# The share of a CPU that a worker claims: half, so that the workers of another run fit on the machine too.
_CPUS: Final = 0.5
_REQUESTS: Final = 4096  # at once, of one worker
_OBJECTS: Final = 200_000_000  # bytes of a local object store; papers only pass through it
_START_SECONDS: Final = 120.0
_LOOK_EVERY: Final = 3.0
_LISTEN_SECONDS: Final = 10.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def workers_on_ray(orders: Orders, address: str) -> AsyncIterator[Pool]:
    """Connect to the cluster at `address`, or start one on this machine for "local", and keep workers on it.

    Raises:
        UsageError: if Ray is not installed, or the address is of Ray Client, which is not supported.
        RunError: if there is no such cluster, or no worker could be started.
    """
    if address.startswith("ray://"):
        raise UsageError(f"--ray-address {address!r}: start the run on a machine of the cluster, and give HOST:PORT")
    ray = _imported()
    await asyncio.to_thread(_connect, ray, address)
    pool = Pool()
    tending = _Tending(ray, orders, pool)
    task = asyncio.create_task(tending.forever())
    try:
        await tending.begun(task)
        yield pool
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(ray.shutdown)


def _imported() -> Any:
    # Ray sends usage statistics unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UsageError("--engine ray needs Ray: pip install 'ablation-planner[ray]', on every machine") from None
    return ray


def _connect(ray: Any, address: str) -> None:
    if address != LOCAL:
        _refuse_silence(address)
    # "local" starts a cluster even if a file or RAY_ADDRESS names another, which may have ended long ago.
    local = {"object_store_memory": _OBJECTS, "include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RunError(f"no Ray cluster at {address}: {error}") from error


def _refuse_silence(address: str) -> None:
    """Raise an error at once if nothing listens at the address; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--ray-address {address!r}: give the HOST:PORT of the cluster's head, or {LOCAL}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_LISTEN_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RunError(f"no Ray cluster at {address}: {error}; is its head running?") from error


class _Tending:
    """The supervisor that keeps one worker per CPU on every machine of the cluster."""

    def __init__(self, ray: Any, orders: Orders, pool: Pool) -> None:
        self._ray = ray
        self._orders = orders
        self._pool = pool
        self._starting: set[asyncio.Task[None]] = set()
        self._tried = asyncio.Event()
        self._problems: dict[str, str] = {}
        self._on: dict[str, list[RayWorker | None]] = {}

    async def forever(self) -> None:
        """Start missing workers again and again, until cancelled."""
        try:
            while True:
                for node, count in (await asyncio.to_thread(self._machines)).items():
                    self._top_up(node, count)
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            for task in self._starting:
                task.cancel()

    async def begun(self, tending: "asyncio.Task[None]") -> None:
        """Wait for the first worker.

        Raises:
            RunError: if none could be started.
        """
        while not self._pool:
            tried = asyncio.create_task(self._tried.wait())
            await asyncio.wait({tried, tending}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            tried.cancel()
            if tending.done():
                tending.result()
            if not self._pool and not self._starting:
                reasons = "; ".join(f"{node}: {problem}" for node, problem in self._problems.items())
                raise RunError(f"no worker could be started on the cluster: {reasons or 'it has no free CPU'}")
            self._tried.clear()

    def _machines(self) -> dict[str, int]:
        """Return the machines that are alive, with the number of workers that each should have."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        return {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in alive}

    def _top_up(self, node: str, count: int) -> None:
        here = self._pool.places[node] + sum(task.get_name() == node for task in self._starting)
        for _ in range(count - here):
            task = asyncio.create_task(self._start(node), name=node)
            self._starting.add(task)
            task.add_done_callback(self._has_tried)

    def _has_tried(self, task: "asyncio.Task[None]") -> None:
        self._starting.discard(task)
        self._tried.set()

    async def _start(self, node: str) -> None:
        """Start one worker on a machine; it joins the pool once it reports no problem."""
        where = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        actor = self._ray.remote(Outpost).options(
            num_cpus=_CPUS, max_restarts=0, max_concurrency=_REQUESTS, scheduling_strategy=where
        )
        handle = actor.remote(self._orders)
        worker = RayWorker(self._ray, handle, node)
        try:
            async with asyncio.timeout(_START_SECONDS):
                problem = await worker.problem()
        except WorkerLostError as error:
            problem = str(error)
        except TimeoutError:
            problem = f"its worker did not start within {_START_SECONDS:.0f} s; are its CPUs taken?"
        if problem:
            self._tell(node, problem)
            self._ray.kill(handle)
        else:
            await self._pool.join(worker)

    def _tell(self, node: str, problem: str) -> None:
        if self._problems.get(node) != problem:
            self._problems[node] = problem
            log.warning("machine %s of the cluster: %s", node[:8], problem)


class RayWorker:
    """A worker of the pool that runs in a Ray actor."""

    def __init__(self, ray: Any, handle: Any, node: str) -> None:
        self.place = node
        self._ray = ray
        self._handle = handle

    async def problem(self) -> str:
        """Return the reason why the worker cannot do its work, "" if it can.

        Raises:
            WorkerLostError: if the worker is gone.
        """
        answer: str = await self._heard(self._handle.problem.remote())
        return answer

    async def read(self, errand: Errand) -> Answer:
        """Read a paper on its machine.

        Raises:
            WorkerLostError: if the worker is gone.
        """
        answer: Answer = await self._heard(self._handle.read.remote(errand))
        return answer

    async def complete(self, model: str, prompt: Prompt) -> Completion | ModelError:
        """Send a request once from its machine.

        Raises:
            WorkerLostError: if the worker is gone.
        """
        answer: Completion | ModelError = await self._heard(self._handle.complete.remote(model, prompt))
        return answer

    async def _heard(self, answer: Awaitable[Any]) -> Any:
        errors = self._ray.exceptions
        try:
            return await answer
        except errors.RayTaskError:
            raise  # a bug of ours, which every other worker would meet too
        except errors.RayError as error:
            raise WorkerLostError(str(error).strip().partition("\n")[0]) from None
