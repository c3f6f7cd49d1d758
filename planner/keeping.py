"""Replies are kept before anyone reads them, and a kept reply is never asked for again."""

from dataclasses import replace
from typing import Protocol

from planner.chat import ChatModel, Completion, ModelCard, Prompt
from planner.errors import ModelError

REUSED = "a kept reply was used; nothing was sent"


class Store(Protocol):
    """Where requests and their replies are kept, by identity."""

    def find(self, identity: str) -> Completion | None:
        """The reply to this request, if it was ever had."""

    def begin(self, identity: str, prompt: Prompt) -> None:
        """Record durably that this request is about to be sent."""

    def commit(self, identity: str, completion: Completion) -> None:
        """Record the reply durably."""

    def fail(self, identity: str, error: ModelError) -> None:
        """Record that the request brought no reply."""


class Keeping:
    """A model whose replies are durable before they are returned."""

    def __init__(self, model: ChatModel, store: Store) -> None:
        self._model = model
        self._store = store

    @property
    def card(self) -> ModelCard:
        """The card of the model behind."""
        return self._model.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Answer from the store, else ask and store."""
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
