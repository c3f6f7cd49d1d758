"""Whatever an endpoint does to the wire is an error of its request, with either transport; every read has a bound."""

import asyncio
import gzip
import importlib
import inspect
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from planner.chat import Prompt
from planner.errors import ModelError
from planner.models.openai_chat import errors, transport
from planner.models.openai_chat.batch_api import BatchService
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.models.openai_chat.stream import MAX_JSON_DEPTH, decode_json_or_none
from tests.openai_chat.asking import KEY, PROMPT, ask, failure
from tests.server.http import Response
from tests.server.replies import completion, events, reply, stream
from tests.server.server import Server

# `transport` of the conftest chooses the transport; it is named in strings only, since a module has that name too.
pytestmark = pytest.mark.usefixtures("transport")
BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
BY_AIOHTTP = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # as the SDK calls it
OK = b"HTTP/1.1 200 OK\r\n"
BODY = json.dumps(completion("x")).encode()
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
REFUSED = {
    "bad chunk": CHUNKED + b"ZZZ\r\nabc",
    "chunk cut": CHUNKED + b"ffff\r\nabc",
    "negative length": OK + b"content-length: -5\r\n\r\n" + BODY,
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 7\r\n\r\n" + BODY,
    "length and chunks": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\nZ\r\n",
    "length that is no number": OK + b"content-length: many\r\n\r\n" + BODY,
    "body too short": OK + b"content-length: 5000\r\n\r\n" + BODY,
    "no status line": BODY,
    "status of letters": b"HTTP/1.1 " + KEY.encode() + b" OK\r\n\r\n",
    "status above all": b"HTTP/1.1 99999 OK\r\n\r\n",
    "not HTTP": b"\x16\x03\x01" * 100,
    "nothing": b"",
    "half a status line": b"HTTP/1.",
    "a header of 1 MB": OK + b"x-big: " + b"a" * 1024 * 1024 + b"\r\ncontent-length: 2\r\n\r\n{}",
    "200 headers": OK + b"".join(b"x-%d: a\r\n" % n for n in range(200)) + b"content-length: 2\r\n\r\n{}",
    "20,000 headers": OK + b"".join(b"x-%d: a\r\n" % n for n in range(20_000)) + b"content-length: 2\r\n\r\n{}",
    "header without a colon": OK + KEY.encode() + b"\r\n\r\n",
    "header with a NUL": OK + b"x: " + KEY.encode() + b"\x00\x01\r\n\r\n",
    "bad gzip": OK + b"content-encoding: gzip\r\ncontent-length: 9\r\n\r\nno gzip!!",
    "cut gzip": OK + b"content-encoding: gzip\r\ncontent-length: 20\r\n\r\n" + gzip.compress(BODY)[:20],
    "bad deflate": OK + b"content-encoding: deflate\r\ncontent-length: 9\r\n\r\nno gzip!!",
    "unknown encoding": OK + b"content-encoding: zoo\r\ncontent-length: 2\r\n\r\n\xff\xfe",
    "bad redirect": b"HTTP/1.1 302 Found\r\nlocation: http://[::\r\ncontent-length: 0\r\n\r\n",
    "redirect to a bad port": b"HTTP/1.1 302 Found\r\nlocation: http://x:99999999/\r\ncontent-length: 0\r\n\r\n",
    "bad cookie": OK + b"set-cookie: \xff=\x01; expires=never; domain=..\r\ncontent-length: 2\r\n\r\n{}",
    "bad content type": OK + b"content-type: \xff\xfe; charset=\xff\r\ncontent-length: 2\r\n\r\n{}",
}


@BOTH
@pytest.mark.parametrize("name", REFUSED)
def test_what_the_parser_refuses_is_an_error_of_that_request(server: Server, name: str, streamed: bool) -> None:
    server.script(Response(raw=REFUSED[name]))
    failed = failure(server.base_url, stream=streamed)
    assert str(server.port) in str(failed)
    assert str(failed).isprintable()
    assert len(str(failed)) < 800
    assert KEY not in "".join(traceback.format_exception(failed)) + repr(failed.__context__) + failed.body
    assert len(server.journal) == 1


@BOTH
@pytest.mark.parametrize("answer", [reply("a long reply").cut(40), stream("a long reply").cut(-450)])
def test_a_cut_reply_is_not_reported_as_a_status(server: Server, answer: Response, streamed: bool) -> None:
    server.script(answer)
    failed = failure(server.base_url, stream=streamed)
    assert "broke" in str(failed)
    assert "400" not in str(failed).replace(str(server.port), "")
    assert failed.status is None


def test_a_request_after_a_refused_response_is_answered(server: Server) -> None:
    server.script(Response(raw=REFUSED["bad chunk"]), reply("whole"))
    failure(server.base_url)
    assert ask(server.base_url).text == "whole"


@pytest.mark.parametrize("name", REFUSED)
def test_the_batch_service_has_the_same_errors(server: Server, name: str, tmp_path: Path) -> None:
    server.answer = lambda _: Response(raw=REFUSED[name])
    upload = tmp_path / "requests.jsonl"
    upload.write_bytes(b"{}\n")

    async def read_lines(service: BatchService) -> None:
        async for line in service.download_lines("file-1"):
            assert line == b"{}" or line == b"\xff\xfe", "a body that is fine is no error here"

    async def call_all() -> Iterator[object]:
        async with BatchService(resolve_endpoint("m", server.base_url, {"OPENAI_API_KEY": KEY}), RequestOptions()) as s:
            calls = (
                s.upload_file(upload, "a"),
                s.list_files(),
                s.create_batch("f", {}),
                s.fetch_batch("b"),
                read_lines(s),
            )
            return iter(await asyncio.gather(*calls, return_exceptions=True))

    for outcome in asyncio.run(call_all()):
        assert not isinstance(outcome, BaseException) or isinstance(outcome, ModelError), repr(outcome)
        assert KEY not in "".join(traceback.format_exception(outcome)) if isinstance(outcome, ModelError) else True


def list_exceptions(*names: str) -> list[type[Exception]]:
    """Every exception class that these modules define or export."""
    modules: list[ModuleType] = [importlib.import_module(name) for name in names]
    kinds = {value for module in modules for value in list(vars(module).values()) if inspect.isclass(value)}
    return sorted((k for k in kinds if issubclass(k, Exception) and not issubclass(k, Warning)), key=repr)


TREE = list_exceptions("openai", "httpx2", "httpcore2", "h11", "ssl", "socket", "zlib")
TREE += list_exceptions("aiohttp.client_exceptions", "aiohttp.http_exceptions")
OF_NO_REQUEST = {"WSMessageTypeError", "_GiveupOnSendfile"}  # of WebSockets and of sockets that send files


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_exception_of_a_transport_is_left_out(kind: type[Exception]) -> None:
    if kind.__name__ in OF_NO_REQUEST:
        return
    assert issubclass(kind, errors.TRANSPORT_EXCEPTIONS)
    caught = kind.__new__(kind)
    Exception.__init__(caught, f"it went wrong:\n\n  b'{KEY}'\n     ^")
    if issubclass(kind, OSError):
        caught = OSError(f"it went wrong: b'{KEY}'")
    endpoint = resolve_endpoint("m", "http://gpu/v1", {"OPENAI_API_KEY": KEY})
    try:
        failed = errors.convert_transport_exception(caught, endpoint, timeout=3)
    except AttributeError:  # an instance without the fields that its constructor sets
        return
    assert isinstance(failed, ModelError)
    assert KEY not in str(failed)


SILENT = {
    "comments": (b": keep\n\n",),
    "white space": (b" \n",),
    "roles": (b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n',),
    "empty texts": (b'data: {"choices":[{"index":0,"delta":{"content":"","reasoning":""}}]}\n\n',),
    "no choices": (b'data: {"choices":[]}\n\n',),
    "empty parts": (b'data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":""}]}}]}\n\n',),
    "unknown fields": (b'data: {"choices":[{"index":0,"delta":{"ping":"x"}}]}\n\n',),
    "usage": (b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',),
    "events without data": (b"event: ping\n\n",),
    "one endless line": (b"data:", *[b"     "] * 100),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_stream_without_a_token_ends_after_the_timeout(server: Server, name: str) -> None:
    server.script(
        Response(parts=SILENT[name], content_type="text/event-stream", chunked=True, endless=True, pause=0.02)
    )
    failed = failure(server.base_url, timeout=0.2)
    assert failed.retryable
    assert "--timeout" in str(failed)


@pytest.mark.parametrize("field", ["content", "reasoning", "reasoning_content", "refusal"])
def test_tokens_and_reasoning_keep_a_stream_alive(server: Server, field: str) -> None:
    deltas = [{"choices": [{"index": 0, "delta": {field: "x"}}]}] * 12
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    chunks = events(*deltas, end)
    server.script(Response(parts=chunks.parts, chunked=True, pause=0.1))
    found = ask(server.base_url, timeout=0.8)
    assert "x" * 12 in (found.text, found.reasoning, found.refusal)


def test_a_reply_that_drips_for_ever_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_REPLY_SECONDS", 0.5)
    token = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    server.script(Response(parts=(token,), chunked=True, endless=True, pause=0.02))
    failed = failure(server.base_url, timeout=0.3)
    assert "characters of a reply" in str(failed)


@BOTH
@pytest.mark.parametrize("status", [400, 500])
def test_an_error_body_that_drips_ends_and_keeps_its_status(server: Server, status: int, streamed: bool) -> None:
    server.script(Response(status, (b"x",), chunked=True, endless=True, pause=0.02))
    failed = failure(server.base_url, stream=streamed, timeout=0.3)
    assert failed.status == status
    assert failed.body.startswith("xx")


@BOTH
def test_an_error_body_without_end_is_cut(server: Server, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ERROR_BYTES", 100_000)
    server.script(Response(400, (b"x" * 50_000,), chunked=True, endless=True))
    failed = failure(server.base_url, stream=streamed)
    assert failed.status == 400
    assert len(failed.body) == 100_000


def test_an_error_body_of_gzip_is_cut_as_it_unpacks(server: Server) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    head = b"HTTP/1.1 400 Bad\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    server.script(Response(raw=head + bomb))
    assert len(failure(server.base_url).body) == transport.MAX_ERROR_BYTES


def test_a_response_of_the_batch_service_has_the_same_bounds(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 100_000)
    monkeypatch.setattr(transport, "MAX_ERROR_BYTES", 100_000)
    for answer in (
        Response(200, (b"x" * 50_000,), chunked=True, endless=True),
        Response(400, (b"x" * 50_000,), chunked=True, endless=True),
        Response(200, (b"x",), chunked=True, endless=True, pause=0.02),
        Response(400, (b"x",), chunked=True, endless=True, pause=0.02),
    ):
        server.script(answer)

        async def call() -> None:
            async with BatchService(resolve_endpoint("m", server.base_url, {}), RequestOptions(timeout=0.5)) as service:
                await service.list_batches()

        with pytest.raises(ModelError):
            asyncio.run(call())


def test_a_result_file_that_drips_without_a_line_ends(server: Server) -> None:
    server.script(Response(200, (b'{"a": 1}\n', *[b" "] * 1000), chunked=True, pause=0.02))
    lines: list[bytes] = []

    async def read() -> None:
        async with BatchService(resolve_endpoint("m", server.base_url, {}), RequestOptions(timeout=0.3)) as service:
            async for line in service.download_lines("f"):
                lines.append(line)  # noqa: PERF401 - those before the error count

    with pytest.raises(ModelError):
        asyncio.run(read())
    assert lines == [b'{"a": 1}']


@pytest.mark.parametrize("nest", [lambda depth: b"[" * depth + b"]" * depth, lambda d: b'{"a":' * d + b"1" + b"}" * d])
def test_json_is_read_to_a_stated_depth(nest: Callable[[int], bytes]) -> None:
    assert decode_json_or_none(nest(MAX_JSON_DEPTH - 1)) == json.loads(nest(MAX_JSON_DEPTH - 1))
    assert 0 < _depth(decode_json_or_none(nest(MAX_JSON_DEPTH + 100))) <= MAX_JSON_DEPTH + 1
    assert 0 < _depth(decode_json_or_none(nest(100_000))) <= MAX_JSON_DEPTH + 1
    assert decode_json_or_none(b'{"a": 1e999, "b": 1.5}') == {"a": None, "b": 1.5}


@BY_AIOHTTP
@pytest.mark.parametrize(
    "proxy", ["ftp://u:marker-pass@x", "socks9://u:marker-pass@x:1", "http://u:marker-pass@x:99999999"]
)
def test_a_proxy_that_cannot_be_used_is_an_error_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)

    async def call() -> None:
        endpoint = resolve_endpoint("m", "http://gpu.example/v1", {"HTTP_PROXY": proxy})
        async with OpenAIChat(endpoint, RequestOptions(timeout=2)) as chat:
            chat.warm_up()
            await chat.complete(PROMPT)

    with pytest.raises(ModelError) as caught:
        asyncio.run(call())
    assert "marker" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)


@BY_AIOHTTP
def test_a_proxy_that_repeats_its_password_is_masked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = server.base_url.replace("http://", "http://someone:marker-pass@").removesuffix("/v1")
    server.answer = lambda request: Response(407, (repr(dict(request.headers)).encode() + b" marker-pass",))
    monkeypatch.setenv("HTTP_PROXY", proxy)

    async def call() -> None:
        async with OpenAIChat(resolve_endpoint("m", "http://gpu.example/v1", {"HTTP_PROXY": proxy})) as chat:
            await chat.complete(Prompt.from_messages(PROMPT.messages))

    with pytest.raises(ModelError) as caught:
        asyncio.run(call())
    assert server.journal
    assert "marker" not in str(caught.value) + caught.value.body
    assert "c29tZW9uZTptYXJrZXItcGFzc" not in caught.value.body


def _depth(value: object) -> int:
    """Return the number of levels of lists and objects that hold the first value."""
    depth = 0
    while isinstance(value, list | dict) and value:
        value, depth = next(iter(value.values() if isinstance(value, dict) else value)), depth + 1
    return depth
