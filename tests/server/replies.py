"""Responses as chat endpoints write them."""

import json
from collections.abc import Mapping
from typing import Any

from tests.server.http import Request, Response

USAGE: Mapping[str, Any] = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}
MODEL = "test-model-2026"


def reply(text: str | None = "", **how: Any) -> Response:
    """A finished completion in one JSON body; see `completion` for what can be said."""
    return body(completion(text, **how))


def completion(
    text: str | None = "",
    *,
    finish_reason: str | None = "stop",
    usage: Mapping[str, Any] | None = USAGE,
    model: str = MODEL,
    **message: Any,
) -> dict[str, Any]:
    """The JSON of a completion; further keywords are fields of the message (reasoning, refusal, …)."""
    choice = {
        "index": 0,
        "finish_reason": finish_reason,
        "message": {"role": "assistant", "content": text, **message},
    }
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return {**whole, "usage": usage} if usage is not None else whole


def stream(
    text: str = "",
    *,
    finish_reason: str | None = "stop",
    usage: Mapping[str, Any] | None = USAGE,
    model: str = MODEL,
    done: bool = True,
    pieces: int = 3,
    **message: Any,
) -> Response:
    """The same as server-sent events: fields of the message first, then the text in so many pieces, then the usage."""
    deltas: list[Mapping[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{name: part} for name, value in message.items() for part in _pieces(value, pieces)]
    deltas += [{"content": part} for part in _pieces(text, pieces)]
    chunks = [_chunk(model, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    if finish_reason is not None:
        chunks.append(_chunk(model, [{"index": 0, "delta": {}, "finish_reason": finish_reason}]))
    if usage is not None:
        chunks.append({**_chunk(model, []), "usage": usage})
    return events(*chunks, done=done)


def events(*chunks: Any, done: bool = True) -> Response:
    """Any JSON values as server-sent events, one part each."""
    parts = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    if done:
        parts.append(b"data: [DONE]\n\n")
    return Response(parts=tuple(parts), content_type="text/event-stream", chunked=True)


def as_asked(request: Request, text: str = "", **how: Any) -> Response:
    """The reply in the form that the request asked for."""
    return stream(text, **how) if request.json.get("stream") else reply(text, **how)


def error(
    status: int,
    message: str,
    *,
    code: str | int | None = None,
    type: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error body as OpenAI writes it."""
    answer = body({"error": {"message": message, "type": type, "param": param, "code": code}}, status)
    return answer.saying(headers or {})


def body(value: Any, status: int = 200) -> Response:
    """Any JSON value."""
    return Response(status, (json.dumps(value).encode(),))


def _chunk(model: str, choices: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}


def _pieces(value: Any, count: int) -> list[Any]:
    if not isinstance(value, str):
        return [value]
    size = max(1, -(-len(value) // count))
    return [value[i : i + size] for i in range(0, len(value), size)]
