"""Look up the prices and context windows of models in the package `genai-prices`, without the network.

An unknown price or window is None, never 0 and never an error.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from planner.chat import ModelInfo, Usage
from planner.errors import UsageError
from planner.models.openai_chat.endpoint import OLLAMA, OPENAI, OPENROUTER, find_provider_by_prefix

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo as PricedModel
    from genai_prices.types import Provider, TieredPrices

# A function that returns the cost in USD for the tokens of a request, None if no price is known.
UsagePrice = Callable[[Usage], float | None]

# Makers that do not publish their models, so that their prices are right even at an unknown address.
_CLOSED_MAKERS: Final = ("openai", "anthropic", "google", "x-ai")
_OPEN_WEIGHTS: Final = re.compile(r"gpt-oss|gemma|grok-1", re.IGNORECASE)  # models of these makers that anyone can run


@dataclass(frozen=True, slots=True)
class Price:
    """A price in US dollars per million input tokens and per million output tokens."""

    input: Decimal
    output: Decimal


def parse_price(text: str) -> Price:
    """Parse a price written as `IN,OUT`.

    Raises:
        UsageError: if the text is not two numbers of at least 0.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(re.fullmatch(r"\d{1,9}(\.\d{1,9})?|\.\d{1,9}", part, re.ASCII) for part in parts):
        raise UsageError(f"invalid price {text!r}: write IN,OUT in US dollars per million tokens, as in 0.15,0.60")
    return Price(Decimal(parts[0]), Decimal(parts[1]))


def compute_cost(model_info: ModelInfo, usage: Usage, price: Price | None = None) -> float | None:
    """Return the cost of one completion in USD, None if it is unknown.

    `price` replaces the known price of the model. Cached tokens have their own price if it is known. Reasoning tokens
    count as completion tokens.
    """
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    if price is not None:
        return float((usage.prompt_tokens * price.input + usage.completion_tokens * price.output) / 1_000_000)
    priced = _find_model(model_info.asked, model_info.endpoint)
    if priced is None:
        return None
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    priced_usage = PricedUsage(
        input_tokens=usage.prompt_tokens,
        cache_read_tokens=min(usage.cached_tokens or 0, usage.prompt_tokens),
        output_tokens=usage.completion_tokens,
    )
    provider, model = priced
    try:
        return float(calc_price(priced_usage, model.id, provider_id=provider.id).total_price)
    except (LookupError, ValueError, InvalidOperation):
        return None


def find_context_window(model_info: ModelInfo) -> int | None:
    """Return the model's context window in tokens, or None if it is unknown."""
    priced = _find_model(model_info.asked, model_info.endpoint)
    return priced[1].context_window if priced else None


@lru_cache(maxsize=256)
def _find_model(model: str, endpoint: str) -> "tuple[Provider, PricedModel] | None":
    """Return (provider, model) from the price list, None if it lacks the model; an unlisted `endpoint` is ignored."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    try:
        provider = snapshot.find_provider(model, None, endpoint)
    except LookupError:
        return _find_model_by_maker(model)
    try:
        return snapshot.find_provider_model(model, provider, None, None)
    except LookupError:
        return None


def _find_model_by_maker(model: str) -> "tuple[Provider, PricedModel] | None":
    """Return (maker, model) from the price list for a model that only its maker sells, None for any other model.

    A model with public weights has no single price, because each provider may offer it at another one.
    """
    from genai_prices.data_snapshot import get_snapshot

    name = model.rpartition("/")[2]
    if _OPEN_WEIGHTS.match(name):
        return None
    try:
        provider, info = get_snapshot().find_provider_model(name, None, None, None)
    except LookupError:
        return None
    return (provider, info) if provider.id in _CLOSED_MAKERS else None


def format_usd(cost: float | None) -> str:
    """Return the text of a cost in USD with at least two significant digits; "cost unknown" for None."""
    if cost is None:
        return "cost unknown"
    return f"${cost:,.2f}" if cost >= 0.1 or cost == 0 else f"${cost:.2g}" if cost >= 0.0001 else f"${cost:.1e}"


def describe_lost_requests(count: int) -> str:
    """Return a phrase about requests whose replies were lost, as when the program was killed; "" for no request."""
    if count == 1:
        return "the reply to 1 request was lost, so its cost is unknown"
    return f"the replies to {count:,} requests were lost, so their cost is unknown" if count else ""


def format_tokens(prompt_tokens: int | None, completion_tokens: int | None) -> str:
    """Return the token counts as text, such as "1,200 tokens in, 300 out"; "?" is an unknown count."""
    sent, received = ("?" if count is None else f"{count:,}" for count in (prompt_tokens, completion_tokens))
    return f"{sent} tokens in, {received} out"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of a known provider; `name` is the value for --model.

    The window is in tokens, prices are in USD per million tokens, and None stands for unknown. `key_variable` is the
    environment variable that holds the provider's key.
    """

    name: str
    window: int | None
    input_price: Decimal | None
    output_price: Decimal | None
    key_variable: str


def list_known_models() -> list[KnownModel]:
    """Return all models of the known providers except deprecated ones, sorted by name."""
    from genai_prices.data_snapshot import get_snapshot

    now, found = datetime.now(UTC), []
    providers = {provider.id: provider for provider in get_snapshot().providers}
    for provider in (OPENAI, OPENROUTER):
        for model in providers[provider.prefix].models:
            prices = model.get_prices(now)
            name = model.id if provider is OPENAI else f"{provider.prefix}/{model.id}"
            input_price, output_price = map(_choose_base_price, (prices.input_mtok, prices.output_mtok))
            if output_price is not None and not model.deprecated:
                found.append(KnownModel(name, model.context_window, input_price, output_price, provider.key_variable))
    return sorted(found, key=lambda known: known.name)


def find_missing_prefix_warning(model: str, environment: Mapping[str, str]) -> str | None:
    """Return a warning if a name without a prefix goes to OpenAI but is probably not one of its models, else None.

    The warning suggests a name with a prefix. There is no warning if OPENAI_BASE_URL is set.
    """
    if not model.strip() or find_provider_by_prefix(model) or environment.get(OPENAI.address_variable, "").strip():
        return None
    from genai_prices.data_snapshot import get_snapshot

    with suppress(LookupError):
        if get_snapshot().find_provider(model, None, None).id == OPENAI.prefix:
            return None
    names = [known.name for known in list_known_models() if _simplify_name(known.name) == _simplify_name(model)]
    found = next((name for name in names if name.count("/") > 1), "")
    instead = found or f"{OPENROUTER.prefix}/MAKER/{model} or {OLLAMA.prefix}/{model}"
    return f"{model} has no prefix, so it was taken for a model of OpenAI; write {instead}, or add --base-url URL"


def _choose_base_price(price: "Decimal | TieredPrices | None") -> Decimal | None:
    """Return the price for a short prompt in USD per million tokens, None if it is unknown."""
    return price if price is None or isinstance(price, Decimal) else price.base


def _simplify_name(name: str) -> str:
    return name.rpartition("/")[2].lower().replace(".", "-")
