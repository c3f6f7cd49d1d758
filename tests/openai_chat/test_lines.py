"""Lines of result files, as the description has them and as services really write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from planner.chat import Completion, Message, Prompt
from planner.errors import ModelError, TooLongError
from planner.models.openai_chat.batch_api import BatchService
from planner.models.openai_chat.chat import RequestOptions
from planner.models.openai_chat.endpoint import Endpoint
from tests.server.replies import completion

ENDPOINT = Endpoint("m", "http://nowhere/v1", SecretStr("sk-marker-0123456789"))
OK = {"status_code": 200, "request_id": "r", "body": completion("hello")}
PROMPT = Prompt.from_messages((Message("user", "hello \ud83d\ude00 \ud800"),), "")


def result(**line: Any) -> Completion | ModelError:
    service = BatchService(ENDPOINT, RequestOptions())
    answer = service.parse_result_line(json.dumps({"custom_id": "a", **line}).encode())
    assert answer is not None
    assert answer.custom_id == "a"
    return answer.result


@pytest.mark.parametrize(
    "line",
    [
        {"response": OK, "error": None},
        {"response": OK},
        {"response": {**OK, "body": json.dumps(completion("hello"))}, "error": None},
        {"response": {"body": completion("hello")}, "error": None},
        {"response": OK, "error": {}},
    ],
    ids=["plain", "no error", "body as a string", "no status", "empty error"],
)
def test_replies(line: dict[str, Any]) -> None:
    answer = result(**line)
    assert isinstance(answer, Completion)
    assert answer.text == "hello"
    assert answer.usage.prompt_tokens == 1000


def test_a_key_in_parts_of_a_reply_is_in_neither_its_text_nor_its_raw_form() -> None:
    key = ENDPOINT.key.get_secret_value()
    parts = [{"type": "text", "text": f"hello {key[:9]}"}, {"type": "text", "text": f"{key[9:]} bye"}]
    answer = result(response={**OK, "body": completion(None) | {"choices": [{"message": {"content": parts}}]}})
    assert isinstance(answer, Completion)
    assert answer.text == "hello *** bye"
    assert key[9:] not in json.dumps(answer.raw)


@pytest.mark.parametrize(
    ("line", "status", "again"),
    [
        ({"response": {"status_code": 429, "body": {"error": {"message": "slow down"}}}}, 429, True),
        ({"response": {"status_code": 500, "body": "boom"}}, 500, True),
        ({"response": {"status_code": 400, "body": {"error": {"message": "bad"}}}, "error": None}, 400, False),
        ({"response": None, "error": {"code": "batch_expired", "message": "too late"}}, None, True),
        ({"response": {"status_code": 200, "body": {}}, "error": None}, None, True),
        ({"response": {}, "error": {"message": "bad", "code": 400, "object": "error"}}, 400, False),
        ({"response": {"status_code": 0, "request_id": "", "body": {}}, "error": None}, None, True),
        ({"response": {"status_code": 404, "body": None}, "error": {"error": {"message": "bad"}}}, 404, False),
        ({}, None, True),
    ],
    ids=["429", "500", "400", "expired", "empty", "vLLM", "status 0", "vLLM, wrapped", "nothing"],
)
def test_failures(line: dict[str, Any], status: int | None, again: bool) -> None:
    answer = result(**line)
    assert isinstance(answer, ModelError)
    assert (answer.status, answer.retryable) == (status, again)
    assert "{" not in str(answer)


def test_a_prompt_that_is_too_long_says_the_window() -> None:
    error_body = {"error": {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}}
    answer = result(response={"status_code": 400, "body": error_body})
    assert isinstance(answer, TooLongError)
    assert answer.limit == 8192


def test_a_filtered_prompt_is_a_refusal_as_it_is_live() -> None:
    error_body = {"error": {"message": "filtered", "code": "content_filter"}}
    answer = result(response={"status_code": 400, "body": error_body})
    assert isinstance(answer, Completion)
    assert answer.refusal


def test_a_key_is_masked_wherever_it_is_echoed() -> None:
    echoed = completion("you are sk-marker-0123456789")
    failed = {"error": {"message": "wrong key sk-marker-0123456789"}}
    answer = [result(response={**OK, "body": echoed}), result(response={"status_code": 401, "body": failed})]
    assert "marker" not in repr(answer) + str(answer[1]) + getattr(answer[1], "body", "")


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'"x"', b"{}", b'{"custom_id": 1}', b"\xff"])
def test_what_names_no_request_is_no_answer(line: bytes) -> None:
    assert BatchService(ENDPOINT, RequestOptions()).parse_result_line(line) is None


def test_a_request_is_no_answer() -> None:
    request = BatchService(ENDPOINT, RequestOptions()).format_request_line("a", PROMPT)
    assert BatchService(ENDPOINT, RequestOptions()).parse_result_line(request) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "body", "choices", "message"]), inner),
)


@given(response=_json, error=_json, status=_json)
def test_any_json_is_an_answer_of_some_kind(response: Any, error: Any, status: Any) -> None:
    both = response | {"status_code": status} if isinstance(response, dict) else response
    assert isinstance(result(response=both, error=error), Completion | ModelError)


def test_a_request_is_written_without_streaming_and_in_the_endpoints_dialect() -> None:
    service = BatchService(ENDPOINT, RequestOptions(max_tokens=5, temperature=0.5))
    line = json.loads(service.format_request_line("a", PROMPT))
    assert line["body"] == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello \U0001f600 \ufffd"}],
        "max_tokens": 5,
        "temperature": 0.5,
    }
    error_body = {"error": {"message": "Unsupported parameter: use max_completion_tokens", "param": "max_tokens"}}
    refused = service.parse_result_line(
        json.dumps({"custom_id": "a", "response": {"status_code": 400, "body": error_body}}).encode()
    )
    assert refused is not None
    assert isinstance(refused.result, ModelError)
    assert refused.result.retryable
    assert json.loads(service.format_request_line("a", PROMPT))["body"]["max_completion_tokens"] == 5
