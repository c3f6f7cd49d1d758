"""Retry failed requests after a wait that is reported; no other module repeats a request."""

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
_INSTANT: Final = 0.001  # seconds: the least that a wait counts, so that retrying ends

_T = TypeVar("_T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits for retrying one prompt; times are in seconds.

    `attempts` is the number of failed requests after which to give up, not counting responses with status 429.
    `max_wait` limits the sum of all waits. `first` is the first wait if the endpoint asks for none; it doubles each
    time up to `longest`.
    """

    attempts: int = 5
    max_wait: float = 600.0
    first: float = 1.0
    longest: float = 60.0


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait before the next request: its length in seconds, the error before it, and the number of failures so far.

    `pause` is true for a rate limit, which holds for all requests to the endpoint: a caller with parallel requests
    should hold them back in `on_wait`.
    """

    seconds: float
    error: ModelError
    failures: int

    @property
    def pause(self) -> bool:
        """True if the endpoint reported a rate limit (status 429)."""
        return _is_pause(self.error)

    @property
    def reason(self) -> str:
        """The reason for the wait, in one line."""
        return str(self.error)


def _log(wait: Wait) -> None:
    log.warning("waiting %.1f s: %s", wait.seconds, wait.reason)


class Retrying:
    """A model that repeats the failed requests of another model if that may help.

    The endpoint's Retry-After is the shortest wait. Each wait has a random part, so that many clients do not return at
    once. `sleep` and `chance` (a random number from 0 to 1) can be replaced, for tests and for another clock.
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
        """The name, endpoint and parameters of the wrapped model."""
        return self.model.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Send the prompt until there is a completion; a note on it reports the waits.

        Raises:
            ModelError: if retrying does not help or a limit of the policy is reached, which the text then says.
        """
        patience = _Patience(self.policy, self._chance, self._on_wait)
        completion = await patience.through(partial(self.model.complete, prompt), self._sleep)
        return replace(completion, notes=(*completion.notes, *patience.notes))


async def patiently(call: Callable[[], Awaitable[_T]], policy: RetryPolicy) -> _T:
    """Call a function until it succeeds, and log each wait.

    Raises:
        ModelError: if retrying does not help or a limit of the policy is reached, which the text then says.
    """
    return await _Patience(policy, random.random, _log).through(call, asyncio.sleep)


class _Patience:
    """The failures and waits of one prompt so far; `wait`, `is_over` and `announce` are callbacks of tenacity."""

    def __init__(self, policy: RetryPolicy, chance: Callable[[], float], on_wait: Callable[[Wait], None]) -> None:
        self.ended = ""
        self._policy, self._chance, self._on_wait = policy, chance, on_wait
        self._failed = 0
        self._waits: list[Wait] = []

    async def through(self, call: Callable[[], Awaitable[_T]], sleep: Callable[[float], Awaitable[None]]) -> _T:
        """Call until the function succeeds or a limit of the policy is reached."""
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
        """A note on the waits, or nothing if there were none."""
        if not self._waits:
            return ()
        last = self._waits[-1]
        return (
            f"sent {last.failures + 1} requests, waited {self._waited:.1f} s in total; last failure: {last.reason}",
        )

    @property
    def _waited(self) -> float:
        return sum(wait.seconds for wait in self._waits)

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds until the next request; the random part added to Retry-After stays within `max_wait`."""
        backoff = min(self._policy.longest, self._policy.first * 2.0 ** min(state.attempt_number - 1, 30))
        floor = _error(state).retry_after
        if floor is None:
            return backoff * (1 + self._chance()) / 2
        left = self._policy.max_wait - self._waited - floor
        extra = backoff * self._chance() / 4
        return floor + (min(extra, left) if left >= 0 else extra)

    def is_over(self, state: RetryCallState) -> bool:
        """Return whether to give up now; `ended` then holds the reason."""
        self._failed += not _is_pause(_error(state))
        if self._failed >= self._policy.attempts:
            self.ended = f"gave up after {state.attempt_number} requests"
        elif self._waited + max(state.upcoming_sleep, _INSTANT) > self._policy.max_wait:
            self.ended = (
                f"gave up after {state.attempt_number} requests: the next wait of {state.upcoming_sleep:.0f} s would "
                f"exceed the limit of {self._policy.max_wait:.0f} s in total (--max-wait)"
            )
        return bool(self.ended)

    def announce(self, state: RetryCallState) -> None:
        """Report a wait before it begins."""
        wait = Wait(state.upcoming_sleep, _error(state), state.attempt_number)
        self._waits.append(wait)
        self._on_wait(wait)


def _may_succeed_later(error: BaseException) -> bool:
    return isinstance(error, ModelError) and error.retryable and not error.exhausted


def _is_pause(error: ModelError) -> bool:
    return error.status == _TOO_MANY_REQUESTS


def _error(state: RetryCallState) -> ModelError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelError), "only a ModelError is retried"
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
