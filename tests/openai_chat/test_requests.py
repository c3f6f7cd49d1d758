"""Requests have the fields that an endpoint takes, and a refusal teaches which it does not take."""

import asyncio
import subprocess
import sys

import pytest

from planner.chat import Message, Prompt
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint
from tests.openai_chat.asking import KEY, PROMPT, ask, ask_often, failure
from tests.server.http import Request, Response
from tests.server.replies import as_asked, error, reply, stream
from tests.server.server import Server

pytestmark = pytest.mark.usefixtures("transport")
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is missing?"}]


def test_nothing_is_sent_that_was_not_asked_for(server: Server) -> None:
    server.script(reply("yes"))
    ask(server.base_url, stream=False)
    (request,) = server.journal
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"model": "some-model", "messages": MESSAGES}


def test_a_stream_asks_for_its_usage(server: Server) -> None:
    server.script(stream("yes"))
    ask(server.base_url)
    assert server.journal[0].json == {
        "model": "some-model",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_what_was_asked_for_is_sent_and_is_on_the_card(server: Server) -> None:
    server.answer = as_asked
    asked = {"temperature": 0.2, "top_p": 0.9, "max_tokens": 50, "seed": 7, "reasoning_effort": "low"}
    ask(server.base_url, **asked)
    assert asked.items() <= server.journal[0].json.items()
    card = OpenAIChat(resolve_endpoint("x/m", "http://u:pw@gpu/v1", {}), RequestOptions(**asked)).info  # type: ignore[arg-type]
    assert (card.planner, card.name, card.endpoint) == ("lm-planner", "x/m", "http://gpu/v1")
    assert card.parameters == tuple(sorted(asked.items()))


def test_credentials_of_the_address_are_sent_as_basic_authentication(server: Server) -> None:
    server.answer = as_asked
    ask(server.base_url.replace("//", "//user:word@"))
    assert server.journal[0].headers["authorization"] == "Basic dXNlcjp3b3Jk"


def test_without_a_key_no_authorization_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the process")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "of the process")
    monkeypatch.setenv("OPENAI_ORG_ID", "of the process")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "of the process")
    server.answer = as_asked
    ask(server.base_url, model="ollama/m")
    assert "of the process" not in server.journal[0].headers.values()
    assert "authorization" not in server.journal[0].headers


def test_a_prompt_that_no_encoding_can_write_is_sent_with_replacements(server: Server) -> None:
    server.answer = as_asked
    ask(server.base_url, Prompt.from_messages((Message("user", "a\ud800b"),), "0" * 64))
    assert server.journal[0].prompt == "a\ufffdb"


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (
            "temperature",
            "unsupported_value",
            "Unsupported value: 'temperature' does not support 0.5.",
        ),
        ("temperature", None, "`temperature` and x cannot both be specified: temperature is not supported"),
        ("top_p", "unsupported_parameter", "Unsupported parameter: 'top_p' is not supported with this model."),
        (
            "seed",
            None,
            "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs'}]",
        ),
        ("reasoning_effort", "unknown_parameter", "Unknown parameter: 'reasoning_effort'."),
        ("reasoning_effort", None, "Unrecognized request argument supplied: reasoning_effort"),
    ],
)
def test_a_refused_parameter_is_left_out_once_and_for_the_run(
    server: Server, asked: str, code: str | None, message: str
) -> None:
    value = "low" if asked == "reasoning_effort" else 0.5
    server.script(error(400, message, code=code), reply("one"), reply("two"))
    one, two = ask_often(server.base_url, PROMPT, PROMPT, **{asked: value, "stream": False})
    assert [asked in request.json for request in server.journal] == [True, False, False]
    assert (one.text, two.text) == ("one", "two")
    assert one.notes == two.notes == (f"{asked} was not sent, as the endpoint does not accept it",)


def test_the_parameter_field_names_what_is_refused(server: Server) -> None:
    server.script(error(400, "not supported here", param="temperature", code="unsupported_parameter"), reply("x"))
    ask(server.base_url, temperature=0, top_p=1, stream=False)
    assert "temperature" not in server.journal[1].json
    assert server.journal[1].json["top_p"] == 1


def test_a_cap_on_tokens_is_renamed(server: Server) -> None:
    refusal = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    server.script(error(400, refusal, code="unsupported_parameter"), reply("x"), reply("y"))
    first, _ = ask_often(server.base_url, PROMPT, PROMPT, max_tokens=9, stream=False)
    assert [r.json.get("max_completion_tokens") for r in server.journal] == [None, 9, 9]
    assert [r.json.get("max_tokens") for r in server.journal] == [9, None, None]
    assert "max_completion_tokens" in first.notes[0]


def test_a_cap_on_tokens_is_never_left_out(server: Server) -> None:
    server.answer = lambda request: error(400, f"unknown parameter {'max_completion_tokens'}, not {'max_tokens'}")
    assert "unknown parameter" in str(failure(server.base_url, max_tokens=9))
    assert len(server.journal) == 1
    server.answer = lambda request: error(
        400, "unsupported", param=next(name for name in request.json if name.startswith("max_"))
    )
    failure(server.base_url, max_tokens=9)
    assert len(server.journal) == 3


def test_stream_options_and_stream_itself_can_be_refused(server: Server) -> None:
    server.script(
        error(400, "Unknown parameter: 'stream_options'"),
        error(400, "Unsupported value: 'stream' does not support true with this model.", param="stream"),
        reply("plain"),
    )
    completion = ask(server.base_url)
    assert [sorted(request.json) for request in server.journal] == [
        ["messages", "model", "stream", "stream_options"],
        ["messages", "model", "stream"],
        ["messages", "model"],
    ]
    assert completion.text == "plain"
    assert len(completion.notes) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "Invalid 'temperature': must be at most 2", param="temperature", code="decimal_above_max_value"),
        error(400, "Unknown parameter: 'messages'", param="messages"),
        error(400, "Unsupported value: 'top_p'", param="top_p"),
        error(400, "unexpected end"),
    ],
)
def test_a_wrong_value_or_a_parameter_not_sent_is_an_error(server: Server, refusal: Response) -> None:
    server.answer = lambda request: refusal
    assert failure(server.base_url, temperature=3).status == 400
    assert len(server.journal) == 1


def test_requests_in_flight_learn_from_each_other(server: Server) -> None:
    def answer(request: Request) -> Response:
        if "temperature" in request.json:
            return error(400, "Unsupported parameter: 'temperature'", code="unsupported_parameter")
        return as_asked(request, "fine")

    async def asking() -> None:
        async with OpenAIChat(resolve_endpoint("m", server.base_url, {}), RequestOptions(temperature=1.0)) as chat:
            completions = await asyncio.gather(*(chat.complete(PROMPT) for _ in range(20)))
            assert {completion.text for completion in completions} == {"fine"}
            await chat.complete(PROMPT)

    server.answer = answer
    asyncio.run(asking())
    assert "temperature" not in server.journal[-1].json
    assert 22 <= len(server.journal) <= 41


def test_connections_are_used_again_and_bounded(server: Server) -> None:
    async def asking() -> None:
        async with OpenAIChat(resolve_endpoint("m", server.base_url, {}), RequestOptions(max_connections=3)) as chat:
            await asyncio.gather(*(chat.complete(PROMPT) for _ in range(30)))

    server.answer = as_asked
    asyncio.run(asking())
    assert len(server.journal) == 30
    assert server.connections <= 3


def test_a_closed_client_opens_again(server: Server) -> None:
    async def asking() -> None:
        chat = OpenAIChat(resolve_endpoint("m", server.base_url, {}))
        for _ in range(2):
            await chat.complete(PROMPT)
            await chat.close()
        await chat.close()

    server.answer = as_asked
    asyncio.run(asking())
    assert len(server.journal) == 2


def test_the_sdk_is_imported_only_to_ask() -> None:
    code = (
        "import sys; from planner.models.openai_chat.chat import OpenAIChat;"
        "from planner.models.openai_chat.endpoint import resolve_endpoint;"
        "import planner.models.wrappers, planner.models.pricing;"
        "OpenAIChat(resolve_endpoint('m', 'http://x/v1', {})).info;"
        "assert not {'openai', 'httpx2', 'genai_prices'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_redirect_is_refused_and_carries_no_key(server: Server) -> None:
    with Server(as_asked) as other:
        server.script(reply("").saying({"Location": f"{other.base_url}/chat/completions"}))
        server.script(error(307, "").saying({"Location": f"{other.base_url}/chat/completions"}))
        assert isinstance(ask(server.base_url).text, str)
        failed = failure(server.base_url)
        assert not other.journal
    assert "--base-url" in str(failed)
    assert str(other.port) in str(failed)
    assert not failed.retryable
