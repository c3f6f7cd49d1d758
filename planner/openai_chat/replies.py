"""Parse an endpoint's JSON into a `Completion`, and merge the chunks of a stream into one body."""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue

from planner.chat import Completion, Usage

Json = dict[str, JsonValue]

REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details")
_THOUGHTS: Final = frozenset({"thinking", "reasoning"})
_MOST_TOKENS: Final = 10**12  # more than any reply has; a larger count is an error of the endpoint


class Assembly:
    """A response body merged from the chunks of a stream, the same as without streaming; it grows with each chunk."""

    def __init__(self) -> None:
        self.chunks = 0
        self._top: Json = {}
        self._message: Json = {}
        self._pieces: dict[str, list[str]] = {}
        self._choice: Json = {}

    @property
    def finished(self) -> bool:
        """True if the model gave a finish reason."""
        return bool(self._choice.get("finish_reason"))

    @property
    def body(self) -> Json:
        """The chat completion so far; it has no `choices` if no chunk had any."""
        message = self._message | {name: "".join(pieces) for name, pieces in self._pieces.items()}
        if not self._choice:
            return dict(self._top)
        return self._top | {"choices": [self._choice | {"message": message}]}

    def add(self, chunk: Json) -> None:
        """Add one chunk; only the first choice is read, since only one was requested."""
        self.chunks += 1
        self._top |= {name: value for name, value in chunk.items() if name not in ("choices", "object") and value}
        for choice in _objects(chunk.get("choices")):
            if choice.get("index") in (0, None):
                self._choice |= {n: v for n, v in choice.items() if n not in ("delta", "message") and v is not None}
                for name, value in _object(choice.get("delta") or choice.get("message")).items():
                    self._add_field(name, value)

    def _add_field(self, name: str, value: JsonValue) -> None:
        if isinstance(value, str) and name != "role":
            self._pieces.setdefault(name, []).append(value)
        elif isinstance(value, list):
            held = self._message.setdefault(name, [])
            if isinstance(held, list):
                _extend(held, value)
        elif value is not None:
            self._message[name] = value


def read(value: JsonValue) -> Completion | None:
    """Parse the completion in a body; return None if it has no choices."""
    body = _object(value)
    choice = next(iter(_objects(body.get("choices"))), None)
    if choice is None:
        return None
    message = _object(choice.get("message"))
    content = message.get("content")
    return Completion(
        text=content if isinstance(content, str) else _parts(content, _is_text, ""),
        reasoning=_reasoning(message),
        refusal=_string(message.get("refusal")) or _parts(content, _is_refusal, ""),
        finish_reason=_string(choice.get("finish_reason")),
        usage=usage(body.get("usage")),
        model=_string(body.get("model")),
        request_id=_string(body.get("id")),
        raw=body,
    )


def usage(value: JsonValue) -> Usage:
    """Parse token counts; a count that is missing, negative, absurdly large or not a number is None."""
    counts = _object(value)
    prompt, completion = _object(counts.get("prompt_tokens_details")), _object(counts.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
        reasoning_tokens=_count(completion.get("reasoning_tokens")),
        cached_tokens=_count(prompt.get("cached_tokens")),
    )


def error_in_choice(body: Json) -> Json | None:
    """Return the error in the first choice, given as `error` or as the finish reason "error", or None."""
    choice = next(iter(_objects(body.get("choices"))), None)
    if choice is None:
        return None
    if choice.get("error"):
        return {"error": choice["error"]}
    return {"error": "the provider stopped with an error"} if choice.get("finish_reason") == "error" else None


def _reasoning(message: Mapping[str, JsonValue]) -> str:
    """Return the provider's reasoning, from the first field that has any: gateways send it under two names."""
    for name in REASONING_FIELDS:
        value = message.get(name)
        if text := value if isinstance(value, str) else _parts(value, lambda _: True, "\n\n"):
            return text
    return _parts(message.get("content"), _is_thought, "\n\n")


def _parts(value: JsonValue, wanted: Callable[[Json], bool], between: str) -> str:
    """Join the texts of the items for which `wanted` is true."""
    return between.join(text for item in _objects(value) if wanted(item) and (text := _part_text(item)))


def _part_text(item: Json) -> str:
    for name in ("text", "summary", "thinking", "refusal", "content"):
        value = item.get(name)
        if text := value if isinstance(value, str) else _parts(value, lambda _: True, ""):
            return text
    return ""


def _is_text(item: Json) -> bool:
    return not _is_thought(item) and not _is_refusal(item)


def _is_thought(item: Json) -> bool:
    return item.get("type") in _THOUGHTS


def _is_refusal(item: Json) -> bool:
    return item.get("type") == "refusal"


def _extend(held: list[JsonValue], items: list[JsonValue]) -> None:
    """Add fragments to a list; a fragment with the type and index of the last one continues it."""
    for item in items:
        last = held[-1] if held else None
        if isinstance(item, dict) and isinstance(last, dict) and _same_item(last, item):
            held[-1] = _continued(last, item)
        else:
            held.append(item)


def _same_item(last: Json, item: Json) -> bool:
    return (last.get("type"), last.get("index")) == (item.get("type"), item.get("index"))


def _continued(last: Json, item: Json) -> Json:
    merged = last | {name: value for name, value in item.items() if value is not None}
    for name in ("text", "summary", "thinking", "refusal"):
        before, after = last.get(name), item.get(name)
        if isinstance(before, str) and isinstance(after, str):
            merged[name] = before + after
        elif isinstance(before, list) and isinstance(after, list):
            merged[name] = [*before, *after]
    return merged


def _objects(value: JsonValue) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: JsonValue) -> Json:
    return value if isinstance(value, dict) else {}


def _string(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _count(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None
