"""Models around models: one that stores each reply before it is used, and one that shares requests among replicas."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from planner.chat import Completion, Model, ModelInfo, Prompt
from planner.errors import ModelError

REUSED_NOTE = "used a stored reply; no request was sent"
_FIRST_SERVER_ERROR: Final = 500
# Seconds for which a failed replica gets no requests; doubled after each further failure.
_FIRST_REST: Final = 1.0
_LONGEST_REST: Final = 60.0


class ReplyStore(Protocol):
    """A store of requests and their replies, by identity."""

    def find_reply(self, identity: str) -> Completion | None:
        """Return the stored reply to a request, or None."""

    def record_request(self, identity: str, prompt: Prompt) -> None:
        """Record durably that a request is about to be sent."""

    def record_reply(self, identity: str, completion: Completion) -> None:
        """Record the reply durably."""

    def record_failure(self, identity: str, error: ModelError) -> None:
        """Record that a request got no reply."""


class CachedModel:
    """A model that stores each reply durably before it returns it."""

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
    """A replica and its state; `rests_until` is in seconds of the clock, `last_turn` the number of its last request."""

    model: Model
    in_flight: int = 0
    failures: int = 0
    rests_until: float = float("-inf")
    last_turn: int = 0


def balance_replicas(replicas: Sequence[Model]) -> Model:
    """Return one model over all replicas, or the only replica unchanged."""
    return replicas[0] if len(replicas) == 1 else LoadBalancedModel(replicas)


class LoadBalancedModel:
    """A model that spreads its requests over several replicas of the same model.

    It has the identity of the first replica, so further replicas can come and go without changing a request's identity.
    Errors are passed on. A replica that was unreachable or had a server error rests, so a retry goes to another one.
    When all replicas rest, the one whose rest ends first is used. `clock` returns seconds.
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
            ModelError: if that replica returns no completion.
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
        """Return the replica with the fewest requests in flight among those that do not rest."""
        now = self._clock()
        available = [replica for replica in self._replicas if replica.rests_until <= now]
        candidates = available or [min(self._replicas, key=lambda replica: replica.rests_until)]
        chosen = min(candidates, key=lambda replica: (replica.in_flight, replica.last_turn))
        self._turns += 1
        chosen.last_turn = self._turns
        return chosen

    def _record_failure(self, replica: _Replica, error: ModelError) -> None:
        """Let a replica rest after a fault of its own; an error about the request would come from any replica."""
        if error.status is None or error.status >= _FIRST_SERVER_ERROR:
            replica.rests_until = self._clock() + min(_LONGEST_REST, _FIRST_REST * 2.0**replica.failures)
            replica.failures = min(replica.failures + 1, 10)
