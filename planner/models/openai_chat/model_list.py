"""Ask an endpoint which models it has, as in https://platform.openai.com/docs/api-reference/models/list."""

from dataclasses import dataclass
from typing import Final

from planner.errors import ModelError
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.openai_chat.replies import as_object, list_objects
from planner.sanitize import clean_text, shorten_name

_TIMEOUT: Final = 30.0  # seconds
_WINDOW_NAMES: Final = ("context_length", "max_model_len", "context_window")  # OpenRouter, vLLM, Groq


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as its endpoint lists it; the window is in tokens, None if the endpoint does not say."""

    name: str
    window: int | None


async def list_endpoint_models(endpoint: Endpoint) -> list[ListedModel]:
    """Return the models that an endpoint lists, sorted by name.

    Raises:
        ModelError: if it cannot be reached, refuses the request, or sends no list.
    """
    from planner.models.openai_chat.transport import Transport  # imports the SDK, which takes 0.4 s

    transport = Transport(endpoint, timeout=_TIMEOUT, max_connections=1, fast=False)
    try:
        reply = as_object(await transport.call_api("GET", "models"))
    finally:
        await transport.close()
    if not isinstance(reply.get("data"), list):
        raise ModelError(f"{endpoint.host} sent no list of models; is it the address of an API? It usually ends in /v1")
    listed = dict[str, ListedModel]()
    for model in list_objects(reply.get("data")):
        window = next((size for name in _WINDOW_NAMES if isinstance(size := model.get(name), int)), None)
        if isinstance(name := model.get("id"), str) and name.strip():
            listed.setdefault(name, ListedModel(shorten_name(clean_text(name).text), window))
    return sorted(listed.values(), key=lambda model: model.name)
