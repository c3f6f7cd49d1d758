"""One model served by several replicas, each at its own address; a request goes to the least busy one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from planner.chat import Completion, Model, ModelInfo, Prompt
from planner.errors import ModelError

_FIRST_SERVER_ERROR: Final = 500
# Seconds for which a failed replica gets no requests; doubled after each further failure.
_FIRST_REST: Final = 1.0
_LONGEST_REST: Final = 60.0


@dataclass(slots=True)
class _Replica:
    """A replica and its state; `rests_until` is in seconds of the clock, `last_turn` the number of its last request."""

    model: Model
    in_flight: int = 0
    failures: int = 0
    rests_until: float = float("-inf")
    last_turn: int = 0


def combine_replicas(replicas: Sequence[Model]) -> Model:
    """Return one model over all replicas, or the only replica unchanged."""
    return replicas[0] if len(replicas) == 1 else ReplicatedModel(replicas)


class ReplicatedModel:
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
