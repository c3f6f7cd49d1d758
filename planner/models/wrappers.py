"""Models that wrap other models: they store replies, share requests among replicas, or retry failed requests."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from planner.chat import REUSED_NOTE, Completion, Model, ModelInfo, Prompt
from planner.details import format_count
from planner.errors import ModelError

# Seconds for which a failed replica gets no requests; they double after each further failure.
_FIRST_REST: Final = 1.0
_LONGEST_REST: Final = 60.0
_SHORTEST_WAIT: Final = 0.001  # seconds; a shorter wait counts as this long, so that retrying ends
_T = TypeVar("_T")
log = logging.getLogger(__name__)


class ReplyStore(Protocol):
    """A store of requests and replies; the `identity` of a request is its hash."""

    def reuse_reply(self, identity: str) -> Completion | None:
        """Return the stored reply to a request, or None."""

    def record_request(self, identity: str, prompt: Prompt) -> None:
        """Record durably that a request is about to be sent."""

    def record_reply(self, identity: str, completion: Completion) -> None:
        """Record the reply durably."""

    def record_failure(self, identity: str, error: ModelError) -> None:
        """Record that a request got no reply."""


@dataclass(slots=True)
class ModelWrapper:
    """A model that passes prompts to another model."""

    model: Model

    @property
    def info(self) -> ModelInfo:
        """The name, endpoint and parameters of the wrapped model."""
        return self.model.info


@dataclass(slots=True)
class CachedModel(ModelWrapper):
    """A model that stores each reply, and does not send a request again if its reply is stored."""

    store: ReplyStore

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the stored reply, or send the prompt and store its reply.

        Raises:
            ModelError: if the model returns no completion; the failure is recorded.
        """
        identity = self.info.identify_request(prompt)
        if (kept := self.store.reuse_reply(identity)) is not None:
            return replace(kept, notes=(*kept.notes, REUSED_NOTE))
        self.store.record_request(identity, prompt)
        try:
            completion = await self.model.complete(prompt)
        except ModelError as error:
            self.store.record_failure(identity, error)
            raise
        self.store.record_reply(identity, completion)
        return completion


@dataclass(slots=True)
class _Replica:
    """A replica of a model; it gets no requests before `rests_until`.

    `last_turn` is the number of its last request, counted over the requests to all replicas.
    """

    model: Model
    in_flight: int = 0
    failures: int = 0
    rests_until: float = float("-inf")
    last_turn: int = 0


class ReplicatedModel:
    """A model that spreads its requests over several replicas, which are servers with the same model.

    Request hashes contain the address of the first replica only, so further replicas can come and go. A replica that
    was unreachable or had a server error rests: it gets no requests for a while, and a retry goes to another replica.
    If all replicas rest, the one whose rest ends first is used. `clock` returns seconds.
    """

    def __init__(self, replicas: Sequence[Model], clock: Callable[[], float] = time.monotonic) -> None:
        self.info = replicas[0].info
        self._replicas = [_Replica(model) for model in replicas]
        self._clock = clock
        self._turns = 0

    async def complete(self, prompt: Prompt) -> Completion:
        """Send the prompt to one replica, once.

        Raises:
            ModelError: if the replica returns no completion.
        """
        replica = self._choose_replica()
        replica.in_flight += 1
        try:
            completion = await replica.model.complete(prompt)
        except ModelError as error:
            if error.status is None or error.status >= 500:  # no connection, or an error of the server
                replica.rests_until = self._clock() + min(_LONGEST_REST, _FIRST_REST * 2.0**replica.failures)
                replica.failures = min(replica.failures + 1, 10)
            raise
        finally:
            replica.in_flight -= 1
        replica.failures = 0
        return completion

    def _choose_replica(self) -> _Replica:
        """Return the replica with the fewest requests in flight; if possible, choose one that does not rest."""
        now = self._clock()
        available = [replica for replica in self._replicas if replica.rests_until <= now]
        candidates = available or [min(self._replicas, key=lambda replica: replica.rests_until)]
        chosen = min(candidates, key=lambda replica: (replica.in_flight, replica.last_turn))
        self._turns += 1
        chosen.last_turn = self._turns
        return chosen


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits for retries of one prompt; times are in seconds.

    The prompt is given up after `max_failures` failed requests; responses with status 429 do not count. `max_wait`
    limits the sum of all waits, including the pauses that a rate limit causes. If the endpoint asks for no wait, the
    first wait is `first_wait`, and each further wait is twice as long, up to `longest_wait`.
    """

    max_failures: int = 5
    max_wait: float = 600.0
    first_wait: float = 1.0
    longest_wait: float = 60.0


@dataclass(frozen=True, slots=True)
class RetryWait:
    """A wait before the next request: its length in seconds, and the last error."""

    seconds: float
    error: ModelError


def log_wait(wait: RetryWait, *, level: int = logging.WARNING) -> None:
    """Log a wait before it begins."""
    log.log(level, "waiting %.1f s: %s", wait.seconds, wait.error)


@dataclass(slots=True)
class RetryingModel(ModelWrapper):
    """A model that retries the failed requests of another model if a retry may help.

    `on_wait` is called before each wait. Tests replace `sleep` and `jitter`; `jitter` returns a random number from 0
    to 1.
    """

    policy: RetryPolicy = RetryPolicy()
    on_wait: Callable[[RetryWait], None] = log_wait
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    async def complete(self, prompt: Prompt) -> Completion:
        """Send the prompt until there is a completion, and report the waits in the completion's `notes`.

        Raises:
            ModelError: if a retry cannot help, or if a limit of the policy is reached.
        """
        waits: list[RetryWait] = []

        def report(wait: RetryWait) -> None:
            waits.append(wait)
            self.on_wait(wait)

        completion = await call_with_retry(
            partial(self.model.complete, prompt), self.policy, on_wait=report, sleep=self.sleep, jitter=self.jitter
        )
        if not waits:
            return completion
        waited = sum(wait.seconds + wait.error.paused for wait in waits)
        note = f"sent {len(waits) + 1} requests, waited {waited:.1f} s in total; last failure: {waits[-1].error}"
        return replace(completion, notes=(*completion.notes, note))


async def call_with_retry(
    call: Callable[[], Awaitable[_T]],
    policy: RetryPolicy,
    *,
    on_wait: Callable[[RetryWait], None] = log_wait,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> _T:
    """Call a function until it succeeds, and report each wait with `on_wait` before it begins.

    Raises:
        ModelError: if a retry cannot help, or if a limit of the policy is reached.
    """
    failures, waited = 0, 0.0

    def choose_wait(state: RetryCallState) -> float:
        nonlocal failures, waited
        failed, sent = state.outcome and state.outcome.exception(), state.attempt_number
        assert isinstance(failed, ModelError), "only a ModelError is retried"
        failures += failed.status != 429
        waited += failed.paused
        seconds = _choose_wait(failed.retry_after, policy, sent, policy.max_wait - waited, jitter())
        gave_up = f"{failed}; gave up after {format_count(sent, 'request')}"
        if failures >= policy.max_failures:
            raise failed.with_message(gave_up)
        if waited + max(seconds, _SHORTEST_WAIT) > policy.max_wait:
            raise failed.with_message(
                f"{gave_up}: with the next wait of {seconds:.0f} s, all waits would take over "
                f"{policy.max_wait:.0f} s (--max-wait)"
            )
        on_wait(RetryWait(seconds, failed))
        waited += seconds
        return seconds

    retry = AsyncRetrying(retry=retry_if_exception(_is_retryable), wait=choose_wait, sleep=sleep, reraise=True)
    result: _T = await retry(call)
    return result


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, ModelError) and error.retryable and not error.exhausted


def _choose_wait(retry_after: float | None, policy: RetryPolicy, sent: int, left: float, chance: float) -> float:
    """Return the seconds until the next request: at least `retry_after`, the wait that the endpoint asks for.

    The wait grows with the number of requests sent. `chance`, a random number from 0 to 1, makes it longer or shorter,
    because otherwise many clients might send at the same moment. It never pushes a wait over the `left` seconds.
    """
    backoff = min(policy.longest_wait, policy.first_wait * 2.0 ** min(sent - 1, 30))
    if retry_after is None:
        return backoff * (1 + chance) / 2
    extra = backoff * chance / 4
    return retry_after + (min(extra, left - retry_after) if left >= retry_after else extra)
