"""Store each reply before it is used, and use a stored reply instead of sending its request again."""

from dataclasses import replace
from typing import Protocol

from planner.chat import Completion, Model, ModelInfo, Prompt
from planner.errors import ModelError

REUSED_NOTE = "used a stored reply; no request was sent"


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
