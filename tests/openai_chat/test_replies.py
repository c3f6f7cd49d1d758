"""A reply is read alike, streamed or not."""

import asyncio
import json
import threading
from typing import Any

import pytest

from planner.chat import Message, Prompt, RateLimits, Usage
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint
from tests.openai_chat.asking import PROMPT, ask, ask_often, failure
from tests.server.http import Request, Response
from tests.server.replies import as_asked, body, completion, error, events, reply, stream
from tests.server.server import Server

BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])


@BOTH
def test_a_plain_reply(server: Server, streamed: bool) -> None:
    server.answer = lambda request: as_asked(request, "Grüße 🎉 \u2028 end").saying({"x-request-id": "req-7"})
    got = ask(server.base_url, stream=streamed)
    assert got.text == "Grüße 🎉 \u2028 end"
    assert (got.reasoning, got.refusal, got.finish_reason, got.model) == ("", "", "stop", "test-model-2026")
    assert got.usage == Usage(prompt_tokens=1000, completion_tokens=20)
    assert got.request_id == "req-7"
    assert got.raw["choices"][0]["message"]["content"] == got.text  # type: ignore[index, call-overload]
    assert 0 < got.seconds < 20
    assert got.notes == ()
    assert got.limits is None


@BOTH
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_in_its_own_field(server: Server, streamed: bool, field: str) -> None:
    server.answer = lambda request: as_asked(request, "", **{field: "First this, then that."})
    got = ask(server.base_url, stream=streamed)
    assert (got.text, got.reasoning) == ("", "First this, then that.")


def test_reasoning_details_are_items(server: Server) -> None:
    details = [{"type": "reasoning.text", "text": "one"}, {"type": "reasoning.summary", "summary": "two"}]
    more = {"type": "reasoning.encrypted", "data": "xyz"}
    server.script(reply("", reasoning_details=[*details, more, None, "stray"]))
    assert ask(server.base_url, stream=False).reasoning == "one\n\ntwo"


def test_reasoning_details_come_in_fragments(server: Server) -> None:
    def chunk(index: int, text: str) -> dict[str, Any]:
        item = {"type": "reasoning.text", "index": index, "text": text, "signature": None}
        return {"choices": [{"index": 0, "delta": {"reasoning_details": [item]}}]}

    last = {"choices": [{"index": 0, "delta": {"content": "done"}, "finish_reason": "stop"}]}
    server.script(events(chunk(0, "al"), chunk(0, "pha"), chunk(1, "beta"), last))
    got = ask(server.base_url)
    assert (got.reasoning, got.text) == ("alpha\n\nbeta", "done")


def test_the_same_reasoning_under_two_names_is_read_once(server: Server) -> None:
    server.script(stream("x", reasoning="why", reasoning_details=[{"type": "reasoning.text", "text": "why"}]))
    assert ask(server.base_url).reasoning == "why"


@BOTH
def test_content_as_a_list_of_parts(server: Server, streamed: bool) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "one "},
        {"type": "text", "text": "two"},
        {"type": "refusal", "refusal": "not three"},
    ]
    deltas = [{"choices": [{"index": 0, "delta": {"content": [part]}}]} for part in parts]
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    server.script(events(*deltas, finish) if streamed else body(completion(parts)))  # type: ignore[arg-type]
    got = ask(server.base_url, stream=streamed)
    assert (got.text, got.reasoning, got.refusal) == ("one two", "hm", "not three")


@BOTH
@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_the_finish_reason_is_passed_on(server: Server, streamed: bool, reason: str) -> None:
    server.answer = lambda request: as_asked(request, "half", finish_reason=reason)
    assert ask(server.base_url, stream=streamed).finish_reason == reason


@BOTH
def test_a_refusal_is_passed_on(server: Server, streamed: bool) -> None:
    server.answer = lambda request: as_asked(request, "", refusal="I cannot help with that.")
    got = ask(server.base_url, stream=streamed)
    assert (got.text, got.refusal) == ("", "I cannot help with that.")


def test_a_prompt_that_a_filter_refuses_is_a_refusal_not_an_error(server: Server) -> None:
    server.script(error(400, "The prompt was filtered.", code="content_filter"))
    got = ask(server.base_url)
    assert got.finish_reason == "content_filter"
    assert "The prompt was filtered." in got.refusal
    assert len(server.journal) == 1


@BOTH
def test_null_content_is_empty(server: Server, streamed: bool) -> None:
    finish = {"choices": [{"index": 0, "delta": {"content": None}, "finish_reason": "stop"}]}
    server.script(events(finish) if streamed else reply(None, finish_reason="stop"))
    assert ask(server.base_url, stream=streamed).text == ""


def test_usage_in_full_and_usage_that_is_nonsense(server: Server) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 4}}
    server.script(
        reply("x", usage={"prompt_tokens": 10, "completion_tokens": 5, **details}),
        reply("x", usage={"prompt_tokens": -1, "completion_tokens": "5", "prompt_tokens_details": []}),
        reply("x", usage=None),
        body(completion("x", usage={"prompt_tokens": True, "completion_tokens": 1.5})),
        body(completion("x", usage={"prompt_tokens": 10**30, "completion_tokens": 10**13})),
    )
    full, *nonsense = ask_often(server.base_url, *[PROMPT] * 5, stream=False)
    assert full.usage == Usage(10, 5, 4, 3)
    assert [got.usage for got in nonsense] == [Usage()] * 4


def test_a_stream_answered_whole_and_the_other_way_round(server: Server) -> None:
    server.script(reply("whole"), stream("in pieces"))
    assert ask(server.base_url, stream=True).text == "whole"
    assert ask(server.base_url, stream=False).text == "in pieces"


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "text/event-stream", ""])
def test_a_wrong_content_type_does_not_matter(server: Server, kind: str) -> None:
    whole, pieces = reply("whole"), stream("in pieces")
    server.script(
        Response(parts=whole.parts, content_type=kind), Response(parts=pieces.parts, content_type=kind, chunked=True)
    )
    first, second = ask_often(server.base_url, PROMPT, PROMPT)
    assert (first.text, second.text) == ("whole", "in pieces")


@pytest.mark.parametrize("size", [1, 2, 7])
def test_bytes_may_come_in_any_pieces(server: Server, size: int) -> None:
    server.script(stream("naïve 🎉 text", reasoning="größer").dripping(size, 0.0))
    got = ask(server.base_url)
    assert (got.text, got.reasoning) == ("naïve 🎉 text", "größer")


def test_comments_crlf_and_fields_of_no_interest_are_passed_over(server: Server) -> None:
    chunk = b'{"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}'
    text = (
        b": OPENROUTER PROCESSING\r\n\r\nevent: m\r\nid: 1\r\nretry: 5\r\ndata:"
        + chunk
        + b"\r\n\r\ndata: [DONE]\r\n\r\n"
    )
    server.script(Response(parts=(text,), content_type="text/event-stream", chunked=True))
    assert ask(server.base_url).text == "x"


def test_other_choices_are_not_mixed_in(server: Server) -> None:
    def chunk(index: int, text: str) -> dict[str, Any]:
        return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": "stop" if text else None}]}

    server.script(events(chunk(0, "a"), chunk(1, "b"), chunk(0, "c")))
    assert ask(server.base_url).text == "ac"


def test_a_character_split_over_two_chunks_is_joined_and_half_of_one_is_replaced(server: Server) -> None:
    deltas = [{"choices": [{"index": 0, "delta": {"content": half}}]} for half in ("a\ud83c", "\udf89b", "\ud83c.")]
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    server.script(events(*deltas, finish))
    got = ask(server.base_url)
    assert got.text == "a🎉b\ufffd."
    json.dumps(got.raw, ensure_ascii=False).encode("utf-8")


def test_a_stream_that_says_why_it_stopped_need_not_say_that_it_is_done(server: Server) -> None:
    server.script(stream("x", done=False), stream("y", finish_reason=None))
    first, second = ask_often(server.base_url, PROMPT, PROMPT)
    assert (first.text, first.finish_reason) == ("x", "stop")
    assert (second.text, second.finish_reason) == ("y", "")


def test_a_connection_that_breaks_after_the_reply_has_lost_no_text(server: Server) -> None:
    whole = stream("every word", usage={"prompt_tokens": 5, "completion_tokens": 2})
    server.script(whole.cut(-len(b"data: [DONE]\n\n") - 10))
    got = ask(server.base_url)
    assert (got.text, got.usage) == ("every word", Usage())
    assert "broke" in got.notes[0]
    assert len(server.journal) == 1


def test_what_follows_the_end_of_a_stream_is_not_waited_for(server: Server) -> None:
    whole = stream("x")
    server.script(whole.hanging(len(whole.body)))
    assert ask(server.base_url).text == "x"


def test_rate_limits_are_told(server: Server) -> None:
    headers = {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "599",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-tokens": "40000",
        "x-ratelimit-remaining-tokens": "39000",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    server.script(stream("x").saying(headers))
    assert ask(server.base_url).limits == RateLimits(600, 599, 0.1, 40000, 39000, 360.0)


def test_a_prompt_that_was_cut_silently_is_warned_of(server: Server) -> None:
    server.answer = lambda request: as_asked(request, "x", usage={"prompt_tokens": 4096, "completion_tokens": 1})
    long = Prompt.from_messages((Message("user", "some words " * 5000),), "0" * 64)
    short = Prompt.from_messages((Message("user", "some words " * 2000),), "0" * 64)
    chinese = Prompt.from_messages((Message("user", "消融实验" * 5000),), "0" * 64)
    warned, silent, wide = ask_often(server.base_url, long, short, chinese)
    assert "4,096" in warned.notes[0]
    assert "truncated" in warned.notes[0]
    assert silent.notes == ()
    assert wide.notes != ()


def test_tokens_counted_apart_as_cached_are_no_cut(server: Server) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 12000}}
    server.script(reply("x", usage=usage))
    assert ask(server.base_url, Prompt.from_messages((Message("user", "some words " * 5000),), "0" * 64)).notes == ()


def test_an_idle_stream_ends_and_a_slow_one_does_not(server: Server) -> None:
    server.script(stream("slow but sure").dripping(50, 0.02), stream("x").hanging(30))
    assert ask(server.base_url, timeout=0.3).text == "slow but sure"
    assert "0.3 s" in str(failure(server.base_url, timeout=0.3))


def test_without_a_stream_the_timeout_is_the_total(server: Server) -> None:
    server.script(reply("slow").dripping(5, 0.05))
    failed = failure(server.base_url, stream=False, timeout=0.3)
    assert failed.retryable
    assert "0.3 s" in str(failed)


def test_cancelling_gives_the_connection_back(server: Server) -> None:
    asked = threading.Event()

    def answer(_: Request) -> Response:
        first = not asked.is_set()
        asked.set()
        return stream("x").hanging() if first else stream("after")

    async def asking() -> str:
        async with OpenAIChat(resolve_endpoint("m", server.base_url, {}), RequestOptions(max_connections=1)) as chat:
            first = asyncio.create_task(chat.complete(PROMPT))
            await asyncio.to_thread(asked.wait)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return (await chat.complete(PROMPT)).text

    server.answer = answer
    assert asyncio.run(asking()) == "after"


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n \n", b" \xef\xbb\xbf\n"])
def test_what_says_nothing_may_stand_before_a_stream(server: Server, before: bytes) -> None:
    server.script(Response(parts=(before, stream("hello").body), content_type="text/event-stream", chunked=True))
    assert ask(server.base_url).text == "hello"
