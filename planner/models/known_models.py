"""The models in the data of the `genai-prices` package that a prefix leads to, without the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from planner.models.openai_chat.endpoint import OLLAMA, OPENAI, OPENROUTER, find_provider_by_prefix

if TYPE_CHECKING:
    from genai_prices.types import TieredPrices

_LISTED_PROVIDERS: Final = (OPENAI, OPENROUTER)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model under the name that --model takes; window in tokens, prices in USD per million tokens, None if unknown.

    `key_variable` is the environment variable of its key.
    """

    name: str
    window: int | None
    input_price: Decimal | None
    output_price: Decimal | None
    key_variable: str


def list_known_models() -> list[KnownModel]:
    """Return the models of the known providers, sorted by name, without those that a provider has given up."""
    from genai_prices.data_snapshot import get_snapshot

    now, providers = datetime.now(UTC), {provider.id: provider for provider in get_snapshot().providers}
    found = []
    for provider in _LISTED_PROVIDERS:
        for model in providers[provider.prefix].models:
            prices = model.get_prices(now)
            name = model.id if provider is OPENAI else f"{provider.prefix}/{model.id}"
            known = KnownModel(
                name,
                model.context_window,
                _choose_base_price(prices.input_mtok),
                _choose_base_price(prices.output_mtok),
                provider.key_variable,
            )
            if known.output_price is not None and not model.deprecated:
                found.append(known)
    return sorted(found, key=lambda known: known.name)


def describe_assumed_provider(model: str, environment: Mapping[str, str]) -> str:
    """Return, as a sentence, that a model was taken for one of OpenAI, and its name elsewhere; "" if that is right.

    A name without a prefix goes to OPENAI_BASE_URL if that is set, so nothing is assumed then.
    """
    if not model.strip() or find_provider_by_prefix(model) or environment.get(OPENAI.address_variable, "").strip():
        return ""
    from genai_prices.data_snapshot import get_snapshot

    try:
        if get_snapshot().find_provider(model, None, None).id == OPENAI.prefix:
            return ""
    except LookupError:
        pass
    names = [known.name for known in list_known_models() if _simplify_name(known.name) == _simplify_name(model)]
    found = next((name for name in names if name.count("/") > 1), "")
    instead = found or f"{OPENROUTER.prefix}/MAKER/{model} or {OLLAMA.prefix}/{model}"
    return f"{model} has no prefix, so it was taken for a model of OpenAI; write {instead}, or add --base-url URL"


def _choose_base_price(price: "Decimal | TieredPrices | None") -> Decimal | None:
    """Return the price of a short prompt."""
    return price if price is None or isinstance(price, Decimal) else price.base


def _simplify_name(name: str) -> str:
    return name.rpartition("/")[2].lower().replace(".", "-")
