"""The names that `planner` offers, and the model for other people's tests."""

import asyncio
import subprocess
import sys

import pytest

import planner
from planner.chat import Completion, Message, Prompt
from planner.errors import ModelError, UsageError
from planner.models.fake import FakeModel
from tests.conftest import ROOT

PROMPT = Prompt.from_messages([Message("user", "hello")])


def test_every_name_is_there_and_no_other() -> None:
    for name in planner.__all__:
        assert getattr(planner, name).__name__ == name
    with pytest.raises(AttributeError, match="'plan'"):
        planner.plan  # type: ignore[attr-defined]  # noqa: B018 - the look-up is what is tested


def test_opening_a_model_imports_no_sdk() -> None:
    code = (
        "import sys; from planner import *; OpenAIChat('ollama/llama3.1').info;"
        "assert not {'openai', 'httpx2', 'pypdfium2', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_model_without_its_key_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        planner.OpenAIChat("gpt-4o")


def test_a_fake_model_gives_its_answers_in_order_and_keeps_the_prompts() -> None:
    async def ask() -> None:
        async with FakeModel("a text", Completion("whole"), ModelError("gone"), name="m") as model:
            first = await model.complete(PROMPT)
            assert (first.text, first.finish_reason, first.model) == ("a text", "stop", "m")
            assert (await model.complete(PROMPT)).text == "whole"
            with pytest.raises(ModelError, match="gone"):
                await model.complete(PROMPT)
            with pytest.raises(AssertionError, match="the fake model has 3 answers, but got request 4"):
                await model.complete(PROMPT)
            assert model.prompts == [PROMPT] * 4

    asyncio.run(ask())
