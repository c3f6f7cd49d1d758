"""Send prompts with a fresh client to the suite's own server."""

import asyncio
from typing import Any

import pytest

from planner.chat import Completion, Message, Prompt
from planner.errors import ModelError
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint

KEY = "sk-marker-0123456789"
PROMPT = Prompt.from_messages((Message("system", "Be brief."), Message("user", "What is missing?")), "0" * 64)


def ask(base_url: str, prompt: Prompt = PROMPT, *, model: str = "some-model", **settings: Any) -> Completion:
    return ask_often(base_url, prompt, model=model, **settings)[0]


def ask_often(base_url: str, *prompts: Prompt, model: str = "some-model", **settings: Any) -> list[Completion]:
    """Several prompts, one after the other, to one client."""

    async def asking() -> list[Completion]:
        endpoint = resolve_endpoint(model, base_url, {"OPENAI_API_KEY": KEY})
        async with OpenAIChat(endpoint, RequestOptions(**{"timeout": 20.0, **settings})) as chat:
            return [await chat.complete(prompt) for prompt in prompts]

    return asyncio.run(asking())


def failure(base_url: str, **settings: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(base_url, **settings)
    return caught.value
