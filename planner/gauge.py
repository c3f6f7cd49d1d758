"""Count the tokens of texts for one model: an estimate, corrected by the counts that the endpoint reports."""

from dataclasses import dataclass
from math import ceil
from typing import Final

from planner.chat import Prompt
from planner.tokens import estimate_tokens

_PLAUSIBLE: Final = (0.5, 3.0)  # outside, the endpoint truncated the prompt or counts something else
_A_MESSAGE: Final = 4  # tokens that the chat format adds to each message


@dataclass(slots=True)
class Gauge:
    """A token counter for one model; `ratio` is the model's count over the estimate, raised by the replies."""

    ratio: float = 1.0

    def measure(self, text: str) -> int:
        """Return the number of tokens in a text, rounded up."""
        return ceil(estimate_tokens(text) * self.ratio)

    def measure_prompt(self, prompt: Prompt) -> int:
        """Return the number of tokens in a prompt."""
        return sum(self.measure(message.content) + _A_MESSAGE for message in prompt.messages)

    def learn(self, prompt: Prompt, counted: int | None) -> None:
        """Raise the ratio if the endpoint counted more tokens in a prompt than expected; ignore implausible counts."""
        ratio = (counted or 0) / _estimate(prompt)
        if _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
            self.ratio = max(self.ratio, ratio)

    def corrected(self, prompt: Prompt, counted: int) -> "Gauge":
        """Return a counter for one paper that counts this prompt as at least `counted` tokens.

        The ratio is at most 3. It depends only on the arguments and this counter, so a repeated run gives the same.
        """
        return Gauge(max(self.ratio, min(counted / _estimate(prompt), _PLAUSIBLE[1])))


@dataclass(slots=True)
class FixedGauge(Gauge):
    """A token counter whose ratio never changes, so that prompts do not depend on replies and runs can be repeated."""

    def learn(self, prompt: Prompt, counted: int | None) -> None:
        """Ignore the count."""


def _estimate(prompt: Prompt) -> int:
    """Return the estimated number of tokens in a prompt, at least 1."""
    return sum(estimate_tokens(message.content) + _A_MESSAGE for message in prompt.messages) or 1
