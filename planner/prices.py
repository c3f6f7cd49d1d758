"""What tokens cost and how large a model's window is, from data that ships with `genai-prices`; no network.

What is not known is None, never 0 and never an error.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from planner.chat import ModelCard, Usage
from planner.errors import UsageError

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

MILLION: Final = 1_000_000
CLOSED_MAKERS: Final = ("openai", "anthropic", "google", "x-ai")
"""Makers whose models nobody else can run: behind an unknown address there is still their price list."""

_OPEN_WEIGHTS: Final = re.compile(r"gpt-oss|gemma|grok-1", re.IGNORECASE)  # of these makers, yet anyone can run them


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens in and out."""

    input: Decimal
    output: Decimal

    def of(self, usage: Usage) -> Decimal | None:
        """What a request cost, None where the tokens were not counted."""
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        return (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / MILLION


def parse_price(text: str) -> Price:
    """A price written as `IN,OUT`.

    Raises:
        UsageError: it is not two numbers from 0 up.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(re.fullmatch(r"\d{1,9}(\.\d{1,9})?|\.\d{1,9}", part, re.ASCII) for part in parts):
        raise UsageError(f"a price is IN,OUT in US dollars for a million tokens, as in 0.15,0.60; not {text!r}")
    return Price(Decimal(parts[0]), Decimal(parts[1]))


def cost(card: ModelCard, usage: Usage, price: Price | None = None) -> Decimal | None:
    """US dollars of one completion; `price` stands above what is known, None is unknown.

    Cached tokens are counted at their own price where that is known, reasoning tokens as completion tokens.
    """
    if price is not None:
        return price.of(usage)
    found = _found(card.asked, card.endpoint)
    if found is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    counted = Counted(
        input_tokens=usage.prompt_tokens,
        cache_read_tokens=min(usage.cached_tokens or 0, usage.prompt_tokens),
        output_tokens=usage.completion_tokens,
    )
    provider, model = found
    try:
        return calc_price(counted, model.id, provider_id=provider.id).total_price
    except (LookupError, ValueError, InvalidOperation):
        return None


def is_priced(card: ModelCard) -> bool:
    """Whether a cost limit can be held without a price of the user's own."""
    return cost(card, Usage(prompt_tokens=1, completion_tokens=1)) is not None


def window(card: ModelCard) -> int | None:
    """The model's context in tokens, None where the data has none."""
    found = _found(card.asked, card.endpoint)
    return found[1].context_window if found else None


@lru_cache(maxsize=256)
def _found(model: str, endpoint: str) -> "tuple[Provider, ModelInfo] | None":
    """The provider and model in the data: by the address, else by the name where its maker is one of the closed."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    try:
        provider = snapshot.find_provider(model, None, endpoint)
    except LookupError:
        return _by_maker(model)
    try:
        return snapshot.find_provider_model(model, provider, None, None)
    except LookupError:
        return None


def _by_maker(model: str) -> "tuple[Provider, ModelInfo] | None":
    from genai_prices.data_snapshot import get_snapshot

    name = model.rpartition("/")[2]
    if _OPEN_WEIGHTS.match(name):
        return None
    try:
        provider, info = get_snapshot().find_provider_model(name, None, None, None)
    except LookupError:
        return None
    return (provider, info) if provider.id in CLOSED_MAKERS else None
