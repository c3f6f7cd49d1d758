"""How long a text is to a particular model: the estimate, corrected by what the endpoint counted."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from planner.chat import Prompt
from planner.tokens import estimate_tokens

_PLAUSIBLE: Final = (0.5, 3.0)  # outside, the endpoint cut the prompt or counts something else
_A_MESSAGE: Final = 4  # tokens that the chat format itself puts around each


@dataclass(slots=True)
class Gauge:
    """Measures texts in tokens; learns from each reply how the model's tokens compare with the estimate: `ratio`."""

    ratio: float = 1.0

    def measure(self, text: str) -> int:
        """Tokens of a text, rounded up."""
        return ceil(estimate_tokens(text) * self.ratio)

    def measure_prompt(self, prompt: Prompt) -> int:
        """Tokens of a whole prompt."""
        return sum(self.measure(message.content) + _A_MESSAGE for message in prompt.messages)

    def learn(self, prompt: Prompt, counted: int | None) -> None:
        """Take the endpoint's own count of a prompt into account; the highest ratio seen is the one that counts."""
        ratio = (counted or 0) / _estimate(prompt)
        if _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
            self.ratio = max(self.ratio, ratio)

    def corrected(self, prompt: Prompt, counted: int) -> "Gauge":
        """A gauge for one paper alone, by which this prompt measures at least so much, up to three times the estimate.

        It depends on nothing but its arguments and this gauge, so that a repeated run corrects alike.
        """
        return Gauge(max(self.ratio, min(counted / _estimate(prompt), _PLAUSIBLE[1])))


@dataclass(slots=True)
class FixedGauge(Gauge):
    """A gauge that keeps to the estimate: prompts then depend on no reply, so that a run repeats them exactly."""

    def learn(self, prompt: Prompt, counted: int | None) -> None:
        """Learn nothing."""


def _estimate(prompt: Prompt) -> int:
    return sum(estimate_tokens(message.content) + _A_MESSAGE for message in prompt.messages) or 1
