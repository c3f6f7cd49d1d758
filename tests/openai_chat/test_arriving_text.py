"""The text of a reply is reported while it arrives: all of it, in order, and without a key."""

import asyncio

import pytest

from planner.chat import Completion
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint
from tests.openai_chat.asking import KEY, PROMPT
from tests.server.replies import events, reply, stream
from tests.server.server import Server

pytestmark = pytest.mark.usefixtures("transport")
REPLY = "The router is never taken out, " * 40
THOUGHT = "What is missing here?"


def ask_live(server: Server) -> tuple[Completion, list[str]]:
    texts: list[str] = []

    async def asking() -> Completion:
        endpoint = resolve_endpoint("some-model", server.base_url, {"OPENAI_API_KEY": KEY})
        async with OpenAIChat(endpoint, RequestOptions(timeout=20.0), on_text=texts.append) as chat:
            return await chat.complete(PROMPT)

    return asyncio.run(asking()), texts


def test_reasoning_and_reply_are_reported_piece_by_piece(server: Server) -> None:
    server.script(stream(REPLY, reasoning=THOUGHT, pieces=20))
    completion, texts = ask_live(server)
    assert completion.text == REPLY
    assert "".join(texts) == f"{THOUGHT}\n\n{REPLY}"
    assert len(texts) > 10


def test_text_without_spaces_is_reported_too(server: Server) -> None:
    server.script(stream("消融" * 2000, pieces=30))
    _, texts = ask_live(server)
    assert "".join(texts) == "消融" * 2000
    assert len(texts) > 10


@pytest.mark.parametrize("key", [KEY, " ".join(KEY)])
def test_a_key_that_arrives_in_pieces_is_masked(server: Server, key: str) -> None:
    server.script(stream(f"You sent me {key} and more. " + REPLY, pieces=300))
    completion, texts = ask_live(server)
    assert "".join(texts) == completion.text
    assert "***" in completion.text
    assert KEY not in "".join(texts).replace(" ", "")


def test_reasoning_under_two_names_is_reported_once(server: Server) -> None:
    server.script(stream(REPLY, reasoning=THOUGHT, reasoning_content=THOUGHT))
    _, texts = ask_live(server)
    assert "".join(texts) == f"{THOUGHT}\n\n{REPLY}"


def test_a_list_of_parts_is_reported_as_text(server: Server) -> None:
    chunks = [{"choices": [{"delta": {"content": [{"type": "text", "text": part}]}}]} for part in ("No ", "gate.")]
    server.script(events(*chunks, {"choices": [{"delta": {}, "finish_reason": "stop"}]}))
    _, texts = ask_live(server)
    assert "".join(texts) == "No gate."


def test_a_reply_in_one_body_is_not_reported(server: Server) -> None:
    server.script(reply(REPLY))
    completion, texts = ask_live(server)
    assert completion.text == REPLY
    assert not texts
