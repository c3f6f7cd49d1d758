"""No key and no password is in anything that a request leaves behind."""

import asyncio
import base64
import json
import logging
import traceback
from collections.abc import Callable
from urllib.parse import quote

import pytest

from planner.errors import ModelError
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.models.wrappers import RetryingModel, RetryPolicy
from tests.openai_chat.asking import PROMPT
from tests.server.http import Request, Response
from tests.server.replies import as_asked, body, error, events, reply, stream
from tests.server.server import Server

pytestmark = pytest.mark.usefixtures("transport")
KEY = 'sk-marker/"+0123456789'
PASSWORD = "marker pass:wörd"
USER = "someone"


def echoed(request: Request) -> str:
    """Return everything that a careless server may repeat of a request, and of a key that it knows."""
    authorization = request.headers.get("authorization", "")
    spellings = [KEY, quote(KEY, safe=""), authorization]
    if authorization.startswith("Basic "):
        spellings += [f"{USER}:{PASSWORD}", PASSWORD, quote(PASSWORD), authorization.removeprefix("Basic ")]
    return " ".join(spellings)


def nothing_is_left(text: str) -> None:
    assert "marker" not in text
    assert "wörd" not in text
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()[:12] not in text


def escaped(text: str) -> bytes:
    """JSON in which every character is an escape."""
    return ('{"error": {"message": "' + "".join(f"\\u{ord(c):04x}" for c in text) + '"}}').encode()


ANSWERS: dict[str, Callable[[Request], Response]] = {
    "error": lambda r: error(401, f"wrong key {echoed(r)}", headers={"x-request-id": KEY}),
    "far in the message": lambda r: error(400, "x" * 490 + echoed(r)),
    "not JSON": lambda r: Response(500, (echoed(r).encode(),), "text/html"),
    "far in a body": lambda r: Response(500, (b"x" * 3990 + echoed(r).encode(),), "text/html"),
    "escaped": lambda r: Response(400, (escaped(echoed(r)),)),
    "redirect": lambda r: error(302, "").saying({"Location": f"http://x/?k={quote(KEY)}"}),
    "too long": lambda r: error(400, f"maximum context length is 5 {echoed(r)}"),
    "refused parameter": lambda r: error(400, f"unsupported parameter: seed {echoed(r)}", code=KEY),
    "filtered": lambda r: error(400, echoed(r), code="content_filter"),
    "error with 200": lambda r: body({"error": echoed(r)}),
    "error in a stream": lambda r: events({"choices": [{"delta": {"content": echoed(r)}}]}, {"error": echoed(r)}),
    "no completion": lambda r: Response(parts=(echoed(r).encode(),), content_type=KEY),
    "at the cut": lambda r: Response(parts=(b"x" * 90 + echoed(r).encode(),)),
    "bad chunk": lambda r: Response(parts=(b"data: " + echoed(r).encode() + b"\n\n",)),
    "cut": lambda r: reply(echoed(r)).cut(-5),
    "cut stream": lambda r: stream(echoed(r), pieces=40).cut(-40),
    "reply": lambda r: as_asked(r, echoed(r), reasoning=echoed(r), model=KEY, pieces=40).saying({"x-request-id": KEY}),
    "whole reply": lambda r: reply(echoed(r), **{KEY: KEY}),
    "refusal": lambda r: reply("", refusal=echoed(r)),
}


@pytest.mark.parametrize("base", ["http://", f"http://{USER}:{quote(PASSWORD)}@"], ids=["key", "basic"])
@pytest.mark.parametrize("name", ANSWERS)
def test_nothing_is_left_behind(server: Server, name: str, base: str, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Response:
        return ANSWERS[name](request)

    async def asking() -> list[str]:
        endpoint = resolve_endpoint("m", server.base_url.replace("http://", base), {"OPENAI_API_KEY": KEY})
        async with OpenAIChat(endpoint, RequestOptions(seed=1)) as chat:
            try:
                completion = await RetryingModel(chat, RetryPolicy(max_failures=1)).complete(PROMPT)
            except ModelError as caught:
                whole = "".join(traceback.format_exception(caught))
                return [whole, str(vars(caught)), repr(caught), repr(chat), repr(chat.info), repr(caught.__context__)]
            return [repr(completion), json.dumps(completion.raw, ensure_ascii=False), repr(chat)]

    caplog.set_level(logging.INFO)  # below that, the HTTP library logs the headers of answers
    server.answer = answer
    for text in asyncio.run(asking()):
        nothing_is_left(text)
    nothing_is_left(caplog.text)
    assert server.journal


@pytest.mark.parametrize("address", ["http://no-such-host.invalid", "http://127.0.0.1:1"])
def test_nor_by_a_connection_that_fails(address: str) -> None:
    async def asking() -> None:
        endpoint = resolve_endpoint(
            "m", address.replace("//", f"//{USER}:{quote(PASSWORD)}@") + "/v1", {"OPENAI_API_KEY": KEY}
        )
        async with OpenAIChat(endpoint) as chat:
            await chat.complete(PROMPT)

    with pytest.raises(ModelError) as caught:
        asyncio.run(asking())
    nothing_is_left("".join(traceback.format_exception(caught.value)))
