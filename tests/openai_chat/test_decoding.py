"""Bytes in, JSON and events out, whatever the bytes are and however they are split."""

import json
import tracemalloc
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planner.models.openai_chat.stream as responses
from planner.masking import SecretMask
from planner.models.openai_chat.errors import parse_rate_limits, parse_retry_after
from planner.models.openai_chat.replies import parse_and_mask_error, parse_completion, parse_error_body
from planner.models.openai_chat.stream import (
    ChunkMerger,
    EventDecoder,
    ResponseBody,
    decode_json_or_none,
    format_json,
)
from planner.sanitize import repair_json_surrogates
from tests.server.replies import completion, stream

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "choices",
        "message",
        "delta",
        "content",
        "error",
        "usage",
        "reasoning",
        "reasoning_details",
        "text",
        "type",
        "finish_reason",
        "index",
        "code",
        "param",
        "metadata",
        "raw",
        "detail",
        "object",
        "refusal",
        "prompt_tokens",
    ]
)
BODIES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["error", "stop", "refusal", "thinking"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=20,
)
SURROGATES = st.text(st.characters(codec=None, categories=["Cs", "L"]))


def in_pieces(data: st.DataObject, content: bytes) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5)))
    return [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]


@given(st.data(), st.text(st.sampled_from('data: id:{}"\r\nxé🎉\u2028\x85'), max_size=60))
def test_events_are_those_of_the_library_however_they_are_split(data: st.DataObject, text: str) -> None:
    text = text.replace("\r", "\r\n").replace("\r\n\n", "\r\n") + "\n\n"
    headers = {"content-type": "text/event-stream"}
    request = httpx2.Request("GET", "http://x/")
    response = httpx2.Response(200, headers=headers, content=text.encode(), request=request)
    expected = [event.data for event in httpx2.EventSource(response) if event.data]
    decoder = EventDecoder()
    got = [event for piece in in_pieces(data, text.encode()) for event in decoder.feed(piece)]
    assert [event.decode() for event in got if event] == expected


@given(st.data(), st.text(min_size=1), st.text())
def test_a_stream_in_any_pieces_is_the_whole_reply(data: st.DataObject, text: str, reasoning: str) -> None:
    body = ResponseBody()
    for piece in in_pieces(data, stream(text, reasoning=reasoning, pieces=4).body):
        body.feed(piece)
    body.finish()
    got, expected = parse_completion(body.json), parse_completion(completion(text, reasoning=reasoning))  # type: ignore[arg-type]
    assert got is not None
    assert expected is not None
    assert (got.text, got.reasoning, got.usage) == (expected.text, expected.reasoning, expected.usage)
    assert body.is_done


@given(st.data(), st.binary() | st.text().map(str.encode) | BODIES.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_raise_nothing(data: st.DataObject, content: bytes) -> None:
    for start in (b"", b"data: "):
        body = ResponseBody()
        for piece in in_pieces(data, start + content):
            body.feed(piece)
        body.finish()
        assert isinstance(body.text, str)
        assert isinstance(body.describe_progress(), str)
        decode_json_or_none(content)


@given(BODIES)
def test_arbitrary_json_raises_nothing(value: Any) -> None:
    error = parse_error_body(value)
    if error is not None:
        assert isinstance(error.rejected_parameter, str)
        assert error.is_prompt_too_long(400) in (True, False)
        assert isinstance(error.message, str)
    if isinstance(value, dict):
        parse_completion(value)
        parse_and_mask_error(value, SecretMask())
        merger = ChunkMerger()
        merger.add_chunk(value)
        merger.add_chunk(value)
        parse_completion(merger.body)


@given(JSON)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert decode_json_or_none(format_json(value).encode("utf-8", "surrogatepass")) == value or "\\ud" in json.dumps(
        value
    )


@given(SURROGATES)
def test_any_text_becomes_one_that_can_be_written(text: str) -> None:
    healed = repair_json_surrogates([text, {text: text}])
    assert json.dumps(healed, ensure_ascii=False).encode("utf-8")


@given(st.text())
def test_text_that_can_be_written_stays(text: str) -> None:
    assert repair_json_surrogates(text) == text


def test_numbers_that_are_none_are_unknown() -> None:
    assert decode_json_or_none(b"[NaN, Infinity, -Infinity]") == [None, None, None]


@given(
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "x-ratelimit-reset-tokens"]), st.text())
)
def test_arbitrary_headers_raise_nothing(headers: dict[str, str]) -> None:
    seconds = parse_retry_after(headers)
    assert seconds is None or seconds >= 0
    parse_rate_limits(headers)


def test_a_long_body_costs_time_in_proportion() -> None:
    piece, times = b" " * 4096, 4000  # 16 MB; much more if each piece looked at all before it again
    blank, line = ResponseBody(), EventDecoder()
    for _ in range(times):
        blank.feed(piece)
        assert list(line.feed(piece)) == []
    blank.feed(b"{}")
    blank.finish()
    assert blank.json == {}
    assert list(line.feed(b"\ndata: 1\n\n")) == [b"1"]


def test_the_bytes_of_an_event_are_kept_and_not_its_lines() -> None:
    line = EventDecoder()
    tracemalloc.start()
    for _ in range(100):
        assert list(line.feed(b"data:\n" * 2000)) == []
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
    assert list(line.feed(b"\n")) == [b"\n" * 199_999]


def feed_chunks(delta: dict[str, Any], count: int) -> ResponseBody:
    body = ResponseBody()
    for number in range(count):
        text = json.dumps({"choices": [{"index": 0, "delta": delta}]}).replace('"?"', str(number))
        body.feed(f"data: {text}\n\n".encode())
    return body


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": [{"index": "?", "function": {"name": "f"}}]},
        {"content": [1, 2, 3]},
        {"content": [{"summary": [1, 2]}]},
        {"content": [[]] * 2000},
    ],
)
def test_a_stream_that_adds_values_without_end_is_more_than_a_reply(
    delta: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MAX_JSON_VALUES", 1000)
    assert feed_chunks(delta, 500).is_oversized


@pytest.mark.parametrize(
    "delta",
    [{"content": "a, "}, {"content": [{"text": "a, "}]}, {"content": [{"type": "text", "index": 0, "text": "a, "}]}],
)
def test_a_stream_that_goes_on_with_a_text_is_a_reply(delta: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_JSON_VALUES", 1000)
    body = feed_chunks(delta, 2000)
    found = parse_completion(body.json)
    assert not body.is_oversized
    assert found is not None
    assert found.text == "a, " * 2000


def test_json_with_more_values_than_any_reply_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_JSON_VALUES", 1000)
    body = ResponseBody()
    body.feed(b'{"choices": [' + b"[]," * 1000 + b"1]}")
    body.finish()
    assert body.is_oversized
    assert body.json is None


def test_a_number_out_of_range_costs_no_reply() -> None:
    text = json.dumps({"choices": [{"message": {"content": "A plan."}}], "x": ["?", "?"]})
    body = ResponseBody()
    body.feed(text.replace('"?"', "9" * 5000, 1).replace('"?"', "-1e999").encode())
    body.finish()
    found = parse_completion(body.json)
    assert found is not None
    assert found.text == "A plan."
    assert found.raw["x"] == [None, None]
