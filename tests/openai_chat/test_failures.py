"""Every failure is a ModelError that says what to do; the number of requests is always one: nothing here retries."""

import inspect
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import openai
import pytest

from planner.errors import ModelError, TooLongError
from planner.models.openai_chat import errors
from planner.models.openai_chat.endpoint import resolve_endpoint
from tests.openai_chat.asking import ask, failure
from tests.server.http import Response
from tests.server.replies import body, completion, error, events, reply, stream
from tests.server.server import Server

pytestmark = pytest.mark.usefixtures("transport")
BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])


@BOTH
@pytest.mark.parametrize(
    ("status", "retryable", "words"),
    [
        (400, False, "broken"),
        (401, False, "OPENAI_API_KEY"),
        (403, False, "OPENAI_API_KEY"),
        (404, False, "some-model"),
        (405, False, "/v1"),
        (408, True, "broken"),
        (409, True, "broken"),
        (422, False, "broken"),
        (429, True, "broken"),
        (500, True, "broken"),
        (503, True, "broken"),
        (529, True, "broken"),
        (302, False, "redirect"),
    ],
)
def test_a_status_has_its_meaning(server: Server, streamed: bool, status: int, retryable: bool, words: str) -> None:
    server.script(error(status, "it is broken", headers={"x-request-id": "req-1"}))
    failed = failure(server.base_url, stream=streamed)
    assert (failed.status, failed.retryable, failed.request_id) == (status, retryable, "req-1")
    assert words in str(failed)
    assert f"{status}" in str(failed)
    assert str(server.port) in str(failed)
    assert not failed.exhausted
    assert "it is broken" in failed.body
    assert len(server.journal) == 1


@pytest.mark.parametrize(
    "answer",
    [
        error(429, "You exceeded your current quota", code="insufficient_quota", headers={"Retry-After": "5"}),
        error(429, "You exceeded your current quota", type="insufficient_quota"),
        error(402, "This request requires more credits, or fewer max_tokens."),
        error(400, "Your credit balance is too low to access the API."),
        body({"error": {"message": "Insufficient credits", "code": 402}}),
        error(402, "Payment Required"),
        error(429, "You exceeded your current quota, please check your plan.", code="429", type="throttling_error"),
        error(
            429,
            "litellm.RateLimitError: RateLimitError: OpenAIException - Error code: 429 - {'error': {'code': "
            "'insufficient_quota', 'type': 'insufficient_quota'}}",
            code="429",
            type="None",
        ),
        error(400, "CostBudget has been exceeded! Current cost: 1.02, Max budget: 1.0", type="budget_exceeded"),
        error(429, "Your account is suspended", type="exceeded_current_quota_error"),
        error(403, "Key limit exceeded (total limit). Manage it using the settings page."),
        error(403, "Out of call volume quota. Quota will be replenished in 12:00:00.", code="quotaExceeded"),
        error(429, "Your account is not active, please check your billing details on our website."),
        error(400, "Billing hard limit has been reached", type="invalid_request_error"),
        error(429, "Your team has either used all available credits or reached its monthly spending limit."),
        error(400, "You have exceeded your monthly included credits for Inference Providers."),
        error(403, "user quota is not enough, insufficient_user_quota", type="new_api_error"),
    ],
)
def test_a_spent_quota_is_mended_by_no_wait(server: Server, answer: Response) -> None:
    server.script(answer)
    failed = failure(server.base_url)
    assert failed.exhausted
    assert not failed.retryable
    assert "quota" in str(failed)


@pytest.mark.parametrize(
    "message",
    [
        "Requests have exceeded call rate limit of your current pricing tier. Please retry after 20 seconds.",
        "You exceeded your current quota, please check your plan and billing details. Please retry in 23.5s.",
        "Quota exceeded for requests per minute, limit: 15",
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000. Please try again in 1.2s. "
        "Visit the billing page to add a payment method.",
    ],
)
def test_a_limit_of_a_minute_is_no_spent_quota(server: Server, message: str) -> None:
    server.script(error(429, message))
    failed = failure(server.base_url)
    assert not failed.exhausted
    assert failed.retryable


def test_retry_after_in_seconds_milliseconds_and_as_a_date(server: Server) -> None:
    date = format_datetime(datetime(2020, 1, 1, 12, 0, 0, tzinfo=UTC), usegmt=True)
    later = format_datetime(datetime(2020, 1, 1, 12, 0, 9, tzinfo=UTC), usegmt=True)
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    stated = [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"Retry-After": later, "Date": date}, 9.0),
        ({"Retry-After": "nonsense"}, None),
        ({}, None),
    ]
    for headers, _ in stated:
        server.script(error(429, "slow down", headers=headers))
    assert [failure(server.base_url).retry_after for _ in stated] == [seconds for _, seconds in stated]
    server.script(error(503, "busy", headers={"Retry-After": soon}))
    waited = failure(server.base_url).retry_after
    assert waited is not None
    assert 90 < waited <= 100


@BOTH
@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        (
            error(
                400,
                "This model's maximum context length is 128000 tokens. However, your messages had 130000.",
                code="context_length_exceeded",
                param="messages",
            ),
            128000,
        ),
        (error(400, "Your input exceeds the context window of this model.", code="context_length_exceeded"), None),
        (
            body(
                {
                    "object": "error",
                    "message": "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens"
                    " (8000 in the messages, 1000 in the completion). Please reduce the length of the messages.",
                    "type": "BadRequestError",
                    "code": 400,
                },
                400,
            ),
            8192,
        ),
        (
            error(
                400,
                "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is"
                " 8192 tokens and your request has 500 input tokens",
            ),
            8192,
        ),
        (
            body(
                {
                    "error": {
                        "code": 400,
                        "message": "the request exceeds the available context size, try increasing it",
                        "type": "exceed_context_size_error",
                        "n_prompt_tokens": 9000,
                        "n_ctx": 4096,
                    }
                },
                400,
            ),
            4096,
        ),
        (error(400, "prompt is too long: 210000 tokens > 200000 maximum", type="invalid_request_error"), 200000),
        (
            error(400, "The input token count (2,000,000) exceeds the maximum number of tokens allowed (1,048,576)."),
            1048576,
        ),
        (error(400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."), 8192),
        (error(400, "The decoder prompt (length 9000) is longer than the maximum model length of 4096."), 4096),
        (error(400, "This model's maximum prompt length is 131072 but the request contains 200000 tokens."), 131072),
        (
            error(400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"),
            32768,
        ),
        (error(422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"), 4096),
        (error(422, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"), 4096),
        (error(400, "The model is loaded with context length of only 2048 tokens"), 2048),
        (body({"error": "prompt too long; exceeded max context length by 4 tokens"}, 400), None),
        (error(413, "Request body too large for gpt-4o model. Max size: 8000 tokens."), 8000),
        (error(413, "Payload Too Large"), None),
        (Response(413, (b"<html>413 Request Entity Too Large</html>",), "text/html"), None),
        (error(429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000."), None),
        (
            body(
                {
                    "error": {
                        "message": "Provider returned error",
                        "code": 400,
                        "metadata": {"raw": "context length exceeded"},
                    }
                }
            ),
            None,
        ),
    ],
)
def test_a_prompt_that_does_not_fit(server: Server, streamed: bool, answer: Response, limit: int | None) -> None:
    server.script(answer)
    failed = failure(server.base_url, stream=streamed, max_tokens=5)
    assert isinstance(failed, TooLongError)
    assert failed.limit == limit
    assert not failed.retryable
    assert "too long" in str(failed)
    assert len(server.journal) == 1


@pytest.mark.parametrize(
    ("message", "counted"),
    [
        ("maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.", 9000),
        ("maximum context length is 8192 tokens. However, you requested 9512 tokens (9000 in the messages, 512", 9000),
        ("maximum context length is 8192 tokens. However, you requested 9512 tokens (9000 in the prompt; 512", 9000),
        (
            "maximum context length is 8192 tokens. You requested a total of 9512 tokens: 9000 tokens from the input",
            9000,
        ),
        ("maximum context length is 8192 tokens and your request has 9000 input tokens", 9000),
        ("prompt is too long: 9,000 tokens > 8,192 maximum", 9000),
        ("The input token count (9000) exceeds the maximum number of tokens allowed (8192).", 9000),
        ("The decoder prompt (length 9000) is longer than the maximum model length of 8192.", 9000),
        ("Prompt contains 9000 tokens, too large for model with 8192 maximum context length", 9000),
        ("`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000 `inputs` tokens and 512", 9000),
        ("too many tokens: total number of tokens in the prompt cannot exceed 8192 - received 9000.", 9000),
        ("maximum context length is 8192 tokens. Please reduce the length of the messages.", None),
    ],
)
def test_what_the_endpoint_counted_is_kept(server: Server, message: str, counted: int | None) -> None:
    server.script(error(400, message))
    failed = failure(server.base_url, max_tokens=5)
    assert isinstance(failed, TooLongError)
    assert failed.prompt_tokens == counted


@pytest.mark.parametrize(
    "answer",
    [
        error(429, "Too many tokens per minute, please wait before trying again."),
        error(429, "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000"),
        error(400, "max_tokens is too large: 100000. This model supports at most 16384 completion tokens"),
        error(500, "internal error"),
    ],
)
def test_what_is_not_the_length_of_the_prompt(server: Server, answer: Response) -> None:
    server.script(answer)
    assert not isinstance(failure(server.base_url, max_tokens=100000), TooLongError)


@BOTH
def test_an_error_with_status_200(server: Server, streamed: bool) -> None:
    upstream_error = {"message": "upstream is busy", "type": "server_error", "code": None}
    for value, retryable, status in [
        ({"error": upstream_error}, True, 200),
        ({"error": {**upstream_error, "code": 429}}, True, 429),
        ({"error": {**upstream_error, "code": 401}}, False, 401),
        ({"error": "upstream is busy"}, True, 200),
        ({**completion("half"), "error": upstream_error}, True, 200),
        ({"choices": [{"index": 0, "error": {**upstream_error, "code": 502}, "finish_reason": "error"}]}, True, 502),
    ]:
        server.script(events(value) if streamed else body(value))
        failed = failure(server.base_url, stream=streamed)
        assert "upstream is busy" in str(failed)
        assert (failed.retryable, failed.status) == (retryable, status)


def test_an_error_in_the_middle_of_a_stream_tells_what_had_arrived(server: Server) -> None:
    start = {"choices": [{"index": 0, "delta": {"content": "12345"}}], "usage": {"completion_tokens": 3}}
    server.script(events(start, {"error": {"message": "overloaded", "code": 502}}))
    failed = failure(server.base_url)
    assert "overloaded" in str(failed)
    assert "5 characters" in str(failed)
    assert "3 tokens" in str(failed)
    assert "12345" in failed.body


@BOTH
def test_a_finish_reason_of_error_is_an_error(server: Server, streamed: bool) -> None:
    server.script(stream("x", finish_reason="error") if streamed else reply("x", finish_reason="error"))
    assert failure(server.base_url, stream=streamed).retryable


def test_a_body_cut_in_the_middle(server: Server) -> None:
    server.script(reply("a long reply").cut(40), stream("a long reply").cut(-450))
    whole, streamed = failure(server.base_url, stream=False), failure(server.base_url)
    assert whole.retryable
    assert streamed.retryable
    assert "40 bytes" in str(whole)
    assert "characters of a reply" in str(streamed)
    assert "billed" in str(streamed)
    assert "a lo" in streamed.body


def test_a_stream_that_just_ends_is_not_a_reply(server: Server) -> None:
    server.script(stream("half of", finish_reason=None, usage=None, done=False), stream("x").cut(0))
    failed = failure(server.base_url)
    assert failed.retryable
    assert "before the reply was complete" in str(failed)
    assert "half of" in failed.body
    assert failure(server.base_url).retryable


@BOTH
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b"<html>busy</html>",
        b"\xff\xfe\x00",
        b'{"a": 1',
        b'"text"',
        b"data",
        b"\x1b[2J",
    ],
    ids=repr,
)
def test_a_body_that_is_no_completion(server: Server, streamed: bool, content: bytes) -> None:
    server.script(Response(parts=(content,), content_type="text/html"))
    failed = failure(server.base_url, stream=streamed)
    assert failed.retryable
    assert str(failed).isprintable()
    assert len(str(failed)) < 1000


@BOTH
@pytest.mark.parametrize("choices", [[], None, "x", [None], {}])
def test_no_choices_is_no_reply(server: Server, streamed: bool, choices: object) -> None:
    server.script(events({"choices": choices}) if streamed else body({"choices": choices}))
    failed = failure(server.base_url, stream=streamed)
    assert "choices" in str(failed)
    assert failed.retryable


def test_a_chunk_that_is_no_json(server: Server) -> None:
    part = b'data: {"choices": [{"index": 0, "delta": {"content": "abc"}}]}\n\ndata: {"oops\n\n'
    server.script(Response(parts=(part,), content_type="text/event-stream", chunked=True))
    failed = failure(server.base_url)
    assert "not JSON" in str(failed)
    assert "3 characters" in str(failed)


def test_a_reply_without_end_is_ended(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.models.openai_chat.stream.MAX_REPLY_BYTES", 100_000)
    server.script(reply("x" * 200_000), stream("x" * 200_000, pieces=50))
    for streamed in (False, True):
        failed = failure(server.base_url, stream=streamed)
        assert "larger than any reply" in str(failed)
        assert not failed.retryable, "it may be billed, and would be no shorter"


@BOTH
def test_a_model_that_never_answers(server: Server, streamed: bool) -> None:
    server.script(reply("x").hanging())
    failed = failure(server.base_url, stream=streamed, timeout=0.2)
    assert failed.retryable
    assert "--timeout" in str(failed)
    assert len(server.journal) == 1


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        failed = failure(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
    assert failed.retryable
    assert not failed.is_sent
    assert "is the server running" in str(failed)


def test_a_handshake_that_is_cut_sends_nothing() -> None:
    failed = failure_after("https", lambda connection: connection.recv(1000))
    assert not failed.is_sent
    assert failed.retryable
    assert "is the server running" in str(failed)


def test_what_may_have_arrived_counts_as_sent(server: Server) -> None:
    assert failure_after("http", lambda connection: connection.recv(1000)).is_sent
    server.script(reply("x").cut(20), reply("x").hanging())
    assert failure(server.base_url).is_sent
    assert failure(server.base_url, timeout=0.2).is_sent


def failure_after(scheme: str, receive: Callable[[socket.socket], object]) -> ModelError:
    """The failure at a server that receives something and then closes the connection."""

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            receive(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=[listener])
        thread.start()
        failed = failure(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1")
        thread.join()
    return failed


def test_there_is_no_such_host() -> None:
    failed = failure("http://no-such-host.invalid/v1")
    assert not failed.retryable
    assert not failed.is_sent
    assert "no such endpoint" in str(failed)
    assert "no-such-host.invalid" in str(failed)


def test_a_server_without_tls() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 this is not TLS\r\n\r\n")

    failed = failure_after("https", refuse)
    assert "no secure connection" in str(failed)
    assert "https://" in str(failed)
    assert not failed.retryable
    assert not failed.is_sent


def test_a_handshake_that_hangs_is_no_fault_of_the_certificate(server: Server) -> None:
    failed = failure(server.base_url.replace("http:", "https:"), timeout=0.3)
    assert "timed out connecting" in str(failed)
    assert failed.retryable
    assert not failed.is_sent


def test_an_address_that_is_no_chat_api(server: Server) -> None:
    server.script(Response(404, (b"<h1>Not Found</h1>",), "text/html"))
    assert "/v1" in str(failure(server.base_url))


def sdk_errors() -> list[type[Exception]]:
    """Every exception class that the installed SDK exports."""
    exported = (getattr(openai, name) for name in dir(openai))
    return sorted(
        {value for value in exported if inspect.isclass(value) and issubclass(value, openai.OpenAIError)},
        key=lambda kind: kind.__name__,
    )


@pytest.mark.parametrize("kind", sdk_errors(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_sdk_has_a_meaning(kind: type[Exception]) -> None:
    request = httpx2.Request("POST", "http://gpu/v1")
    endpoint = resolve_endpoint("m", "http://gpu/v1", {})
    caught = kind.__new__(kind)
    Exception.__init__(caught, "it went wrong")
    vars(caught).update(request=request, response=httpx2.Response(418, request=request, text="teapot"))
    assert isinstance(caught, errors.TRANSPORT_EXCEPTIONS)
    failed = errors.convert_transport_exception(caught, endpoint, timeout=3)
    assert isinstance(failed, ModelError)
    assert "gpu" in str(failed)


def test_a_long_message_is_one_line_and_cut(server: Server) -> None:
    server.script(error(500, "first\nsecond\x1b[31m\u202e" + "x" * 5000))
    text = str(failure(server.base_url))
    assert text.isprintable()
    assert "first second" in text
    assert len(text) < 800


def test_a_reply_after_a_failure_is_whole(server: Server) -> None:
    server.script(stream("x").cut(50), stream("whole"))
    failure(server.base_url)
    assert ask(server.base_url).text == "whole"


def test_a_web_page_in_place_of_a_reply_makes_one_look_at_the_address(server: Server) -> None:
    server.script(Response(200, (b"<html>Sign in</html>",), "text/html; charset=utf-8"))
    error = failure(server.base_url)
    assert "web page" in str(error)
    assert "/v1" in str(error)


def test_nothing_of_an_escape_sequence_is_left_in_a_message(server: Server) -> None:
    server.script(error(400, "\x1b[31mred\x1b]0;title\x07 alert"))
    assert str(failure(server.base_url)).endswith("answered 400: red alert")
