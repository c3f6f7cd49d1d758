"""Parse the responses of endpoints: JSON as a `Completion`, headers as waits and rate limits, a stream as one body."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import astuple, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from pydantic import JsonValue

from planner.chat import Completion, RateLimits, Usage
from planner.masking import SecretMask

JsonObject = dict[str, JsonValue]

# Gets the field of a message and the text that a chunk adds to it.
PieceReporter = Callable[[str, str], None]

REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details")
_TOKEN_FIELDS: Final = frozenset({"content", "refusal", *REASONING_FIELDS})
_ITEM_TEXTS: Final = ("text", "summary", "thinking", "refusal")
_THOUGHTS: Final = frozenset({"thinking", "reasoning"})
_MOST_TOKENS: Final = 10**12  # more than any reply has; a larger count is an error of the endpoint
_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII
)
_UNITS: Final = (86400.0, 3600.0, 60.0, 1.0, 0.001)


class ChunkMerger:
    """A response body merged from the chunks of a stream, the same as without streaming; it grows with each chunk.

    `on_piece` gets the field and the text of each piece of a reply or of reasoning.
    """

    def __init__(self, on_piece: PieceReporter | None = None) -> None:
        self._on_piece = on_piece
        self.token_count = 0  # pieces of text or reasoning, none of them empty
        self._top: JsonObject = {}
        self._message: JsonObject = {}
        self._pieces: dict[str, list[str]] = {}
        self._item_pieces: dict[tuple[int, str], tuple[JsonObject, list[str]]] = {}
        self._list_items = 0
        self._choice: JsonObject = {}

    @property
    def item_count(self) -> int:
        """The number of fields and list items so far."""
        fields = sum(len(part) for part in (self._top, self._message, self._pieces, self._item_pieces, self._choice))
        return fields + self._list_items

    @property
    def has_finish_reason(self) -> bool:
        """True if the model gave a finish reason."""
        return bool(self._choice.get("finish_reason"))

    @property
    def body(self) -> JsonObject:
        """The chat completion so far; it has no `choices` if no chunk had any."""
        message = self._message | {name: "".join(pieces) for name, pieces in self._pieces.items()}
        for (_, name), (item, pieces) in self._item_pieces.items():
            item[name] = "".join(pieces)
        if not self._choice:
            return dict(self._top)
        return self._top | {"choices": [self._choice | {"message": message}]}

    def add_chunk(self, chunk: JsonObject) -> None:
        """Add one chunk; only the first choice is read, since only one was requested."""
        self._top |= {name: value for name, value in chunk.items() if name not in ("choices", "object") and value}
        for choice in list_objects(chunk.get("choices")):
            if choice.get("index") in (0, None):
                self._choice |= {n: v for n, v in choice.items() if n not in ("delta", "message") and v is not None}
                for name, value in as_object(choice.get("delta") or choice.get("message")).items():
                    self.token_count += name in _TOKEN_FIELDS and _has_text(value)
                    self._add_field(name, value)
                    if self._on_piece and name in _TOKEN_FIELDS:
                        self._on_piece(name, value if isinstance(value, str) else _join_texts(value, _is_any, ""))

    def _add_field(self, name: str, value: JsonValue) -> None:
        if isinstance(value, str) and name != "role":
            self._pieces.setdefault(name, []).append(value)
        elif isinstance(value, list):
            fragments = self._message.setdefault(name, [])
            if isinstance(fragments, list):
                self._add_items(fragments, value)
        elif value is not None:
            self._message[name] = value

    def _add_items(self, items: list[JsonValue], added: list[JsonValue]) -> None:
        """Add items to a list; one with the type and index of the last one continues it."""
        for item in added:
            last = items[-1] if items else None
            if isinstance(item, dict) and isinstance(last, dict) and _is_same_item(last, item):
                self._continue_item(last, item)
            else:
                items.append(item)
                self._list_items += 1

    def _continue_item(self, item: JsonObject, further: JsonObject) -> None:
        for name, after in further.items():
            before = item.get(name)
            if name in _ITEM_TEXTS and isinstance(before, str) and isinstance(after, str):
                self._item_pieces.setdefault((id(item), name), (item, [before]))[1].append(after)
            elif name in _ITEM_TEXTS and isinstance(before, list) and isinstance(after, list):
                before.extend(after)
                self._list_items += len(after)
            elif after is not None:
                self._list_items += name not in item
                self._item_pieces.pop((id(item), name), None)
                item[name] = after


def find_completion(value: JsonValue) -> Completion | None:
    """Parse the completion in a body; return None if it has no choices."""
    body = as_object(value)
    choice = next(iter(list_objects(body.get("choices"))), None)
    if choice is None:
        return None
    message = as_object(choice.get("message"))
    content = message.get("content")
    return Completion(
        text=content if isinstance(content, str) else _join_texts(content, _is_text, ""),
        reasoning=_read_reasoning(message),
        refusal=as_string(message.get("refusal")) or _join_texts(content, _is_refusal, ""),
        finish_reason=as_string(choice.get("finish_reason")),
        usage=parse_usage(body.get("usage")),
        model=as_string(body.get("model")),
        request_id=as_string(body.get("id")),
        raw=body,
    )


def find_masked_completion(value: JsonValue, mask: SecretMask) -> Completion | None:
    """Parse the completion in a body, with all secrets masked; return None if the body has no choices.

    The body's strings are masked one by one and the completion's texts again, for a secret may be split over several
    parts of the content. Such parts do not stay in `raw`: the joined texts take their place.
    """
    completion = find_completion(mask.mask_reply(value))
    if completion is None:
        return None
    joined = (completion.text, completion.reasoning, completion.refusal)
    masked = tuple(map(mask.mask_reply_text, joined))
    if masked == joined:
        return completion
    text, reasoning, refusal = masked
    message: JsonObject = {"role": "assistant", "content": text, "reasoning": reasoning, "refusal": refusal}
    choices: list[JsonValue] = [{"message": message, "finish_reason": completion.finish_reason}]
    raw = {**completion.raw, "choices": choices}
    return replace(completion, text=text, reasoning=reasoning, refusal=refusal, raw=raw)


def parse_usage(value: JsonValue) -> Usage:
    """Parse token counts; a count that is missing, negative, absurdly large or not a number is None."""
    counts = as_object(value)
    return Usage(
        prompt_tokens=_to_count(counts.get("prompt_tokens")),
        completion_tokens=_to_count(counts.get("completion_tokens")),
        reasoning_tokens=_to_count(as_object(counts.get("completion_tokens_details")).get("reasoning_tokens")),
        cached_tokens=_to_count(as_object(counts.get("prompt_tokens_details")).get("cached_tokens")),
    )


def find_choice_error(body: JsonObject) -> JsonObject | None:
    """Return the error in the first choice, given as `error` or as the finish reason "error", or None."""
    choice = next(iter(list_objects(body.get("choices"))), None)
    if choice is None:
        return None
    if choice.get("error"):
        return {"error": choice["error"]}
    return {"error": "the provider stopped with an error"} if choice.get("finish_reason") == "error" else None


def list_objects(value: JsonValue) -> list[JsonObject]:
    """Return the objects in a list; no objects if the value is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_object(value: JsonValue) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_string(value: JsonValue) -> str:
    """Return the value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def _read_reasoning(message: Mapping[str, JsonValue]) -> str:
    """Return the provider's reasoning, from the first field that has any: gateways send it under two names."""
    for name in REASONING_FIELDS:
        value = message.get(name)
        if text := value if isinstance(value, str) else _join_texts(value, _is_any, "\n\n"):
            return text
    return _join_texts(message.get("content"), _is_thought, "\n\n")


def _join_texts(value: JsonValue, is_joined: Callable[[JsonObject], bool], separator: str) -> str:
    """Join the texts of the items for which `is_joined` is true."""
    return separator.join(text for item in list_objects(value) if is_joined(item) and (text := _read_item_text(item)))


def _has_text(value: JsonValue) -> bool:
    """Return whether an item of a reply holds text; encrypted reasoning has `data` instead."""
    return bool(
        value if isinstance(value, str) else any(_read_item_text(i) or i.get("data") for i in list_objects(value))
    )


def _read_item_text(item: JsonObject) -> str:
    for name in ("text", "summary", "thinking", "refusal", "content"):
        value = item.get(name)
        if text := value if isinstance(value, str) else _join_texts(value, _is_any, ""):
            return text
    return ""


def _is_any(_: JsonObject) -> bool:
    return True


def _is_text(item: JsonObject) -> bool:
    return not _is_thought(item) and not _is_refusal(item)


def _is_thought(item: JsonObject) -> bool:
    return item.get("type") in _THOUGHTS


def _is_refusal(item: JsonObject) -> bool:
    return item.get("type") == "refusal"


def _is_same_item(last: JsonObject, item: JsonObject) -> bool:
    return (last.get("type"), last.get("index")) == (item.get("type"), item.get("index"))


def _to_count(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, from `retry-after-ms` or from `Retry-After` in seconds or as an HTTP date.

    A date is compared with the response's own Date header, so that a wrong local clock does no harm.
    """
    if (milliseconds := _parse_number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None or (seconds := _parse_number(value)) is not None:
        return None if value is None else seconds
    until = _parse_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_parse_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def parse_rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """Return the rate limits in the `x-ratelimit-*` headers, or None if none can be read."""
    if not any(name.startswith("x-ratelimit") for name in headers):
        return None
    limits = RateLimits(
        requests=_parse_count(headers.get("x-ratelimit-limit-requests")),
        remaining_requests=_parse_count(headers.get("x-ratelimit-remaining-requests")),
        reset_requests=_parse_duration(headers.get("x-ratelimit-reset-requests")),
        tokens=_parse_count(headers.get("x-ratelimit-limit-tokens")),
        remaining_tokens=_parse_count(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens=_parse_duration(headers.get("x-ratelimit-reset-tokens")),
    )
    return limits if any(value is not None for value in astuple(limits)) else None


def _parse_number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _parse_count(text: str | None) -> int | None:
    number = _parse_number(text)
    return None if number is None else int(number)


def _parse_duration(text: str | None) -> float | None:
    """Return the seconds in "6m0s", "1h2m3.5s", "12ms" or a plain number, or None."""
    if (seconds := _parse_number(text)) is not None:
        return seconds
    match = _DURATION.fullmatch((text or "").strip())
    if not match or not any(match.groups()):
        return None
    return sum(unit * float(part) for unit, part in zip(_UNITS, match.groups(), strict=True) if part)


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
