"""Several copies of one model, each at an address of its own, asked as one: the least busy first."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from planner.chat import ChatModel, Completion, ModelCard, Prompt
from planner.errors import ModelError

_FIRST_SERVER_ERROR: Final = 500
# Seconds for which a copy that failed is passed over, doubled while it goes on failing.
_REST: Final = 1.0
_LONGEST_REST: Final = 60.0


@dataclass(slots=True)
class _Replica:
    model: ChatModel
    in_flight: int = 0
    failures: int = 0
    rests_until: float = float("-inf")
    last: int = 0


def balanced(replicas: Sequence[ChatModel]) -> ChatModel:
    """One model of several copies, or the only one as it is."""
    return replicas[0] if len(replicas) == 1 else Balanced(replicas)


class Balanced:
    """A `ChatModel` over copies of one; `card` is that of the first, so that one more or less after it changes no
    request's identity.

    A failure is told as it is; who asks again meets another copy, since one that could not be reached or had an error
    of its own rests. When all rest, the one that has rested longest is tried. `clock` gives seconds.
    """

    def __init__(self, replicas: Sequence[ChatModel], clock: Callable[[], float] = time.monotonic) -> None:
        self._replicas = [_Replica(model) for model in replicas]
        self._card = replicas[0].card
        self._clock = clock
        self._turns = 0

    @property
    def card(self) -> ModelCard:
        """The card of the first copy."""
        return self._card

    async def complete(self, prompt: Prompt) -> Completion:
        """Ask one copy, once.

        Raises:
            ModelError: that copy gave no completion.
        """
        replica = self._chosen()
        replica.in_flight += 1
        try:
            completion = await replica.model.complete(prompt)
        except ModelError as error:
            self._learn(replica, error)
            raise
        finally:
            replica.in_flight -= 1
        replica.failures = 0
        return completion

    def _chosen(self) -> _Replica:
        now = self._clock()
        awake = [replica for replica in self._replicas if replica.rests_until <= now]
        among = awake or [min(self._replicas, key=lambda replica: replica.rests_until)]
        chosen = min(among, key=lambda replica: (replica.in_flight, replica.last))
        self._turns += 1
        chosen.last = self._turns
        return chosen

    def _learn(self, replica: _Replica, error: ModelError) -> None:
        """Let a copy rest that is at fault itself; what it says of the request, any other would say too."""
        if error.status is None or error.status >= _FIRST_SERVER_ERROR:
            replica.rests_until = self._clock() + min(_LONGEST_REST, _REST * 2.0**replica.failures)
            replica.failures = min(replica.failures + 1, 10)
