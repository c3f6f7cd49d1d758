"""Hold a judge's requests to the rate limits of a batch run: requests and tokens a minute, and a shared pause."""

from typing import Final

from planner.batch.asking import CHARS_PER_TOKEN
from planner.batch.limits import Limits
from planner.chat import ChatModel, Completion, ModelCard, Prompt
from planner.errors import ModelError

_TOO_MANY_REQUESTS: Final = 429


class Limited:
    """A model under rate limits; retries wrap it, so that each attempt waits for its turn."""

    def __init__(self, model: ChatModel, limits: Limits) -> None:
        self._model = model
        self._limits = limits

    @property
    def card(self) -> ModelCard:
        """The card of the wrapped model."""
        return self._model.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt when the limits allow; a 429 pauses all requests."""
        guess = len(prompt.encoded) / CHARS_PER_TOKEN
        async with self._limits.slot(guess) as slot:
            try:
                completion = await self._model.complete(prompt)
            except ModelError as error:
                if error.status == _TOO_MANY_REQUESTS and not error.exhausted:
                    self._limits.refused(slot, error.retry_after)
                raise
            self._limits.succeeded(slot, completion.usage, completion.limits)
            return completion
