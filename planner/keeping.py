"""Store each reply before it is used, and use a stored reply instead of sending its request again."""

from dataclasses import replace
from typing import Protocol

from planner.chat import ChatModel, Completion, ModelCard, Prompt
from planner.errors import ModelError

REUSED = "used a stored reply; no request was sent"


class Store(Protocol):
    """A store of requests and their replies, by identity."""

    def find(self, identity: str) -> Completion | None:
        """Return the stored reply to a request, or None."""

    def begin(self, identity: str, prompt: Prompt) -> None:
        """Record durably that a request is about to be sent."""

    def commit(self, identity: str, completion: Completion) -> None:
        """Record the reply durably."""

    def fail(self, identity: str, error: ModelError) -> None:
        """Record that a request got no reply."""


class Keeping:
    """A model that stores each reply durably before it returns it."""

    def __init__(self, model: ChatModel, store: Store) -> None:
        self._model = model
        self._store = store

    @property
    def card(self) -> ModelCard:
        """The name, endpoint and parameters of the wrapped model."""
        return self._model.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the stored reply, or send the prompt and store its reply.

        Raises:
            ModelError: if the model returns no completion; the failure is recorded.
        """
        identity = self.card.identity(prompt)
        if (kept := self._store.find(identity)) is not None:
            return replace(kept, notes=(*kept.notes, REUSED))
        self._store.begin(identity, prompt)
        try:
            completion = await self._model.complete(prompt)
        except ModelError as error:
            self._store.fail(identity, error)
            raise
        self._store.commit(identity, completion)
        return completion
