"""How long a text is to a particular model: the estimate, corrected by what the endpoint counted."""

from math import ceil
from typing import Final

from planner.chat import Completion, Prompt
from planner.tokens import estimate_tokens

_PLAUSIBLE: Final = (0.5, 3.0)  # outside, the endpoint cut the prompt or counts something else
_A_MESSAGE: Final = 4  # tokens that the chat format itself puts around each


class Gauge:
    """Measures texts in tokens; learns from each reply how the model's tokens compare with the estimate."""

    def __init__(self) -> None:
        self._ratio = 1.0

    def measure(self, text: str) -> int:
        """Tokens of a text, rounded up."""
        return ceil(estimate_tokens(text) * self._ratio)

    def measure_prompt(self, prompt: Prompt) -> int:
        """Tokens of a whole prompt."""
        return sum(self.measure(message.content) + _A_MESSAGE for message in prompt.messages)

    def learn(self, prompt: Prompt, completion: Completion) -> None:
        """Take the endpoint's own count of a prompt into account; the highest ratio seen is the one that counts."""
        counted = completion.usage.prompt_tokens
        estimated = sum(estimate_tokens(message.content) + _A_MESSAGE for message in prompt.messages)
        if counted and estimated and _PLAUSIBLE[0] <= counted / estimated <= _PLAUSIBLE[1]:
            self._ratio = max(self._ratio, counted / estimated)


class FixedGauge(Gauge):
    """A gauge that keeps to the estimate: prompts then depend on no reply, so that a run repeats them exactly."""

    def learn(self, prompt: Prompt, completion: Completion) -> None:
        """Learn nothing."""
