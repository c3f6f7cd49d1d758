"""The transport retry: the same prompt again, after a wait that is seen. The only place that repeats a request."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from planner.chat import ChatModel, Completion, ModelCard, Prompt
from planner.errors import ModelError

_TOO_MANY_REQUESTS: Final = 429
_INSTANT: Final = 0.001  # seconds that even a wait of nothing counts, so that patience ends

_T = TypeVar("_T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient to be with one prompt.

    `attempts` counts those that failed, a 429 not among them: it is a pause. `max_wait` bounds all waits of one
    prompt together; `first` is the first wait where the endpoint asked for none, doubled each time up to `longest`.
    All in seconds.
    """

    attempts: int = 5
    max_wait: float = 600.0
    first: float = 1.0
    longest: float = 60.0


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that begins now: its length in seconds, the error that it follows, and which failure this is.

    `pause` marks a rate limit, which stands for everyone who asks the same endpoint: whoever asks in parallel takes
    it up in `on_wait` and holds the others back.
    """

    seconds: float
    error: ModelError
    failures: int

    @property
    def pause(self) -> bool:
        """Whether the endpoint limits the rate of requests."""
        return _is_pause(self.error)

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return str(self.error)


def _log(wait: Wait) -> None:
    log.warning("waiting %.1f s: %s", wait.seconds, wait.reason)


class Retrying:
    """A `ChatModel` that asks another again where that may help.

    A stated Retry-After is the least wait, and a little chance is added to each, so that many do not come back at
    once. `sleep` and `chance` (a number from 0 to 1) can be given, for tests and for engines with a clock of their own.
    """

    def __init__(
        self,
        model: ChatModel,
        policy: RetryPolicy | None = None,
        *,
        on_wait: Callable[[Wait], None] = _log,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.model = model
        self.policy = policy or RetryPolicy()
        self._on_wait = on_wait
        self._sleep = sleep
        self._chance = chance

    @property
    def card(self) -> ModelCard:
        """The card of the model that is asked."""
        return self.model.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Ask until there is a completion; a note on it tells of the waits.

        Raises:
            ModelError: trying again does not help, or patience is at its end, which the text then says.
        """
        patience = _Patience(self.policy, self._chance, self._on_wait)
        completion = await patience.through(partial(self.model.complete, prompt), self._sleep)
        return replace(completion, notes=(*completion.notes, *patience.notes))


async def patiently(call: Callable[[], Awaitable[_T]], policy: RetryPolicy) -> _T:
    """Call until it succeeds; each wait is logged.

    Raises:
        ModelError: trying again does not help, or patience is at its end, which the text then says.
    """
    return await _Patience(policy, random.random, _log).through(call, asyncio.sleep)


class _Patience:
    """What one prompt has cost in waits and failures so far; its methods are tenacity's callbacks."""

    def __init__(self, policy: RetryPolicy, chance: Callable[[], float], on_wait: Callable[[Wait], None]) -> None:
        self.ended = ""
        self._policy, self._chance, self._on_wait = policy, chance, on_wait
        self._failed = 0
        self._waits: list[Wait] = []

    async def through(self, call: Callable[[], Awaitable[_T]], sleep: Callable[[float], Awaitable[None]]) -> _T:
        """Call until it succeeds or patience is at its end."""
        calling = AsyncRetrying(
            retry=retry_if_exception(_may_succeed_later),
            wait=self.wait,
            stop=self.is_over,
            before_sleep=self.announce,
            sleep=sleep,
            reraise=True,
        )
        try:
            result: _T = await calling(call)
        except ModelError as error:
            if self.ended:
                raise _ended(error, self.ended) from None
            raise
        return result

    @property
    def notes(self) -> tuple[str, ...]:
        if not self._waits:
            return ()
        last = self._waits[-1]
        return (
            f"asked {last.failures + 1} times, waited {self._waited:.1f} s in all; the last time since {last.reason}",
        )

    @property
    def _waited(self) -> float:
        return sum(wait.seconds for wait in self._waits)

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt; the chance that is added to a stated wait never spends more than is left."""
        backoff = min(self._policy.longest, self._policy.first * 2.0 ** min(state.attempt_number - 1, 30))
        floor = _error(state).retry_after
        if floor is None:
            return backoff * (1 + self._chance()) / 2
        left = self._policy.max_wait - self._waited - floor
        extra = backoff * self._chance() / 4
        return floor + (min(extra, left) if left >= 0 else extra)

    def is_over(self, state: RetryCallState) -> bool:
        """Whether to give up now; `ended` then says why."""
        self._failed += not _is_pause(_error(state))
        if self._failed >= self._policy.attempts:
            self.ended = f"gave up after {state.attempt_number} requests"
        elif self._waited + max(state.upcoming_sleep, _INSTANT) > self._policy.max_wait:
            self.ended = (
                f"gave up after {state.attempt_number} requests: the next wait of {state.upcoming_sleep:.0f} s would "
                f"pass the limit of {self._policy.max_wait:.0f} s in all (--max-wait)"
            )
        return bool(self.ended)

    def announce(self, state: RetryCallState) -> None:
        """Tell of the wait before it begins."""
        wait = Wait(state.upcoming_sleep, _error(state), state.attempt_number)
        self._waits.append(wait)
        self._on_wait(wait)


def _may_succeed_later(error: BaseException) -> bool:
    return isinstance(error, ModelError) and error.retryable and not error.exhausted


def _is_pause(error: ModelError) -> bool:
    return error.status == _TOO_MANY_REQUESTS


def _error(state: RetryCallState) -> ModelError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelError), "nothing else is retried"
    return error


def _ended(error: ModelError, why: str) -> ModelError:
    return ModelError(
        f"{error}; {why}",
        retryable=error.retryable,
        status=error.status,
        retry_after=error.retry_after,
        request_id=error.request_id,
        exhausted=error.exhausted,
        body=error.body,
    )
