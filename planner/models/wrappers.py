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

_FIRST_SERVER_ERROR: Final = 500
# Seconds for which a failed replica gets no requests; they double after each further failure.
_FIRST_REST: Final = 1.0
_LONGEST_REST: Final = 60.0
_TOO_MANY_REQUESTS: Final = 429
_SHORTEST_WAIT: Final = 0.001  # seconds; a shorter wait counts as this long, so that retrying ends
_T = TypeVar("_T")
log = logging.getLogger(__name__)


class ReplyStore(Protocol):
    """A store of requests and replies; the `identity` of a request is its hash."""

    def find_reply(self, identity: str) -> Completion | None:
        """Return the stored reply to a request, or None."""

    def record_request(self, identity: str, prompt: Prompt) -> None:
        """Record durably that a request is about to be sent."""

    def record_reply(self, identity: str, completion: Completion) -> None:
        """Record the reply durably."""

    def record_failure(self, identity: str, error: ModelError) -> None:
        """Record that a request got no reply."""


class CachedModel:
    """A model that stores each reply, and does not send a request again if its reply is stored."""

    def __init__(self, model: Model, store: ReplyStore) -> None:
        self._model = model
        self._store = store

    @property
    def info(self) -> ModelInfo:
        """The name, endpoint and parameters of the wrapped model."""
        return self._model.info

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the stored reply, or send the prompt and store its reply.

        Raises:
            ModelError: if the model returns no completion; the failure is recorded.
        """
        identity = self.info.identify_request(prompt)
        if (kept := self._store.find_reply(identity)) is not None:
            return replace(kept, notes=(*kept.notes, REUSED_NOTE))
        self._store.record_request(identity, prompt)
        try:
            completion = await self._model.complete(prompt)
        except ModelError as error:
            self._store.record_failure(identity, error)
            raise
        self._store.record_reply(identity, completion)
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


def balance_replicas(replicas: Sequence[Model]) -> Model:
    """Return a model that spreads its requests over all replicas; a single replica is returned unchanged."""
    return replicas[0] if len(replicas) == 1 else ReplicatedModel(replicas)


class ReplicatedModel:
    """A model that spreads its requests over several replicas, which are servers with the same model.

    Request hashes contain the address of the first replica only, so further replicas can come and go. A replica that
    was unreachable or had a server error rests: it gets no requests for a while, and a retry goes to another replica.
    If all replicas rest, the one whose rest ends first is used. `clock` returns seconds.
    """

    def __init__(self, replicas: Sequence[Model], clock: Callable[[], float] = time.monotonic) -> None:
        self._replicas = [_Replica(model) for model in replicas]
        self._clock = clock
        self._turns = 0

    @property
    def info(self) -> ModelInfo:
        """The name, endpoint and parameters of the first replica."""
        return self._replicas[0].model.info

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
            self._record_failure(replica, error)
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

    def _record_failure(self, replica: _Replica, error: ModelError) -> None:
        """Let a replica rest after a server error or a broken connection, but not after other errors."""
        if error.status is None or error.status >= _FIRST_SERVER_ERROR:
            replica.rests_until = self._clock() + min(_LONGEST_REST, _FIRST_REST * 2.0**replica.failures)
            replica.failures = min(replica.failures + 1, 10)


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
    """A wait before the next request: its length in seconds, the last error, and the number of failures so far.

    `RetryingModel` passes the wait to its `on_wait`. This function may delay other requests to the endpoint as well,
    because a rate limit holds for all of them.
    """

    seconds: float
    error: ModelError
    failures: int


def log_wait(wait: RetryWait, *, level: int = logging.WARNING) -> None:
    """Log a wait before it begins."""
    log.log(level, "waiting %.1f s: %s", wait.seconds, wait.error)


class RetryingModel:
    """A model that retries the failed requests of another model if a retry may help.

    A wait is at least as long as the endpoint's Retry-After. It has a random part, because otherwise many clients might
    send at the same moment. `on_wait` is called before each wait. `jitter` returns a random number from 0 to 1; tests
    replace `jitter` and `sleep`.
    """

    def __init__(
        self,
        model: Model,
        policy: RetryPolicy | None = None,
        *,
        on_wait: Callable[[RetryWait], None] = log_wait,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.model = model
        self.policy = policy or RetryPolicy()
        self._on_wait = on_wait
        self._sleep = sleep
        self._jitter = jitter

    @property
    def info(self) -> ModelInfo:
        """The name, endpoint and parameters of the wrapped model."""
        return self.model.info

    async def complete(self, prompt: Prompt) -> Completion:
        """Send the prompt until there is a completion, and report the waits in the completion's `notes`.

        Raises:
            ModelError: if a retry cannot help, or if a limit of the policy is reached.
        """
        state = _RetryState(self.policy, self._jitter, self._on_wait)
        completion = await state.call_until_success(partial(self.model.complete, prompt), self._sleep)
        return replace(completion, notes=(*completion.notes, *state.notes))


async def call_with_retry(call: Callable[[], Awaitable[_T]], policy: RetryPolicy) -> _T:
    """Call a function until it succeeds, and log each wait.

    Raises:
        ModelError: if a retry cannot help, or if a limit of the policy is reached.
    """
    return await _RetryState(policy, random.random, log_wait).call_until_success(call, asyncio.sleep)


class _RetryState:
    """The failures and waits of one prompt so far; tenacity calls `compute_wait`, `is_over` and `report_wait`."""

    def __init__(self, policy: RetryPolicy, jitter: Callable[[], float], on_wait: Callable[[RetryWait], None]) -> None:
        self.stop_reason = ""
        self._policy, self._jitter, self._on_wait = policy, jitter, on_wait
        self._failures = 0
        self._paused = 0.0
        self._waits: list[RetryWait] = []

    async def call_until_success(
        self, call: Callable[[], Awaitable[_T]], sleep: Callable[[float], Awaitable[None]]
    ) -> _T:
        """Call the function until it succeeds or a limit of the policy is reached."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_retryable),
            wait=self.compute_wait,
            stop=self.is_over,
            before_sleep=self.report_wait,
            sleep=sleep,
            reraise=True,
        )
        try:
            result: _T = await retrying(call)
        except ModelError as error:
            if self.stop_reason:
                raise error.with_message(f"{error}; {self.stop_reason}") from None
            raise
        return result

    @property
    def notes(self) -> tuple[str, ...]:
        """A tuple with one sentence about the waits, empty if there were no waits."""
        if not self._waits:
            return ()
        last = self._waits[-1]
        return (f"sent {last.failures + 1} requests, waited {self._waited:.1f} s in total; last failure: {last.error}",)

    @property
    def _waited(self) -> float:
        return self._paused + sum(wait.seconds for wait in self._waits)

    def compute_wait(self, state: RetryCallState) -> float:
        """Return the seconds until the next request, with a random part.

        The random part does not push the sum of the waits over `max_wait`.
        """
        self._paused += _get_error(state).paused
        backoff = min(self._policy.longest_wait, self._policy.first_wait * 2.0 ** min(state.attempt_number - 1, 30))
        retry_after = _get_error(state).retry_after
        if retry_after is None:
            return backoff * (1 + self._jitter()) / 2
        left = self._policy.max_wait - self._waited - retry_after
        extra = backoff * self._jitter() / 4
        return retry_after + (min(extra, left) if left >= 0 else extra)

    def is_over(self, state: RetryCallState) -> bool:
        """Return whether to give up now; if so, store the reason in `stop_reason`."""
        self._failures += _get_error(state).status != _TOO_MANY_REQUESTS
        gave_up = f"gave up after {format_count(state.attempt_number, 'request')}"
        if self._failures >= self._policy.max_failures:
            self.stop_reason = gave_up
        elif self._waited + max(state.upcoming_sleep, _SHORTEST_WAIT) > self._policy.max_wait:
            self.stop_reason = (
                f"{gave_up}: the next wait of {state.upcoming_sleep:.0f} s would exceed the limit of "
                f"{self._policy.max_wait:.0f} s in total (--max-wait)"
            )
        return bool(self.stop_reason)

    def report_wait(self, state: RetryCallState) -> None:
        """Report a wait before it begins."""
        wait = RetryWait(state.upcoming_sleep, _get_error(state), state.attempt_number)
        self._waits.append(wait)
        self._on_wait(wait)


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, ModelError) and error.retryable and not error.exhausted


def _get_error(state: RetryCallState) -> ModelError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelError), "only a ModelError is retried"
    return error
