"""Read the body of a response in pieces; the body is JSON or a stream of server-sent events.

If the connection breaks, the part of the reply that arrived can be reported.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Final

from pydantic import JsonValue

from planner.models.openai_chat.replies import (
    REASONING_FIELDS,
    JsonObject,
    get_object_or_empty,
    list_object_items,
    parse_completion,
    read_field_text,
)
from planner.sanitize import repair_json_surrogates

MAX_REPLY_BYTES: Final = 64 * 1024 * 1024  # bytes of a reply; an endpoint could send without end
MAX_JSON_VALUES: Final = 2_000_000  # values in a response; as objects they take many times their bytes
MAX_JSON_DEPTH: Final = 64  # levels of JSON in a response; no chat API nests deeper than ten
_LEADING_BYTES: Final = b" \t\r\n\v\f" + BOM_UTF8  # bytes before a body that are ignored
# The text up to the next bracket outside of strings, or up to the end.
_NEXT_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"?)*+([\[\]{}]|\Z)', re.DOTALL)
# The beginning tells a stream of events from JSON, since the content type may be wrong.
_EVENT_STARTS: Final = (b"data:", b":", b"event:", b"id:", b"retry:")
_TOKEN_FIELDS: Final = frozenset({"content", "refusal", *REASONING_FIELDS})
_ITEM_TEXTS: Final = ("text", "summary", "thinking", "refusal")

# A function that gets the name of a message's field and the text that a chunk adds to this field.
PieceReporter = Callable[[str, str], None]


def decode_json_or_none(content: bytes) -> JsonValue:
    """Return the value of JSON bytes, None if they are not JSON or have more than `MAX_JSON_VALUES` values.

    Content deeper than `MAX_JSON_DEPTH` is left out; the rest is kept, because it may hold a paid reply. A number that
    is too large, such as 1e999, becomes None. All texts are valid Unicode, see `repair_surrogates`.
    """
    return repair_json_surrogates(_decode_json(content))


def _decode_json(content: bytes) -> JsonValue:
    """Decode JSON as `decode_json_or_none` does, but leave the halves of characters in its texts."""
    if estimate_json_value_count(content) > MAX_JSON_VALUES:
        return None
    try:
        value: JsonValue = json.loads(
            _cut_deep_levels(content), parse_constant=lambda _: None, parse_float=_parse_float, parse_int=_parse_int
        )
    except (ValueError, RecursionError):
        return None
    return value


def estimate_json_value_count(content: bytes | bytearray) -> int:
    """Return a quick estimate of the number of values in JSON; it counts opening brackets and commas."""
    return sum(map(content.count, (b"[", b"{", b",")))


def _parse_float(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) else None


def _parse_int(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:  # Python reads no more than 4,300 digits
        return None


def _cut_deep_levels(content: bytes) -> bytes:
    """Return the JSON text, in which the lists and objects at level `MAX_JSON_DEPTH` are made empty."""
    if content.count(b"[") + content.count(b"{") <= MAX_JSON_DEPTH:
        return content
    kept, depth, start = bytearray(), 0, 0
    for bracket in _NEXT_BRACKET.finditer(content):
        if bracket[1] in (b"[", b"{"):
            depth += 1
            if depth == MAX_JSON_DEPTH:
                kept += content[start : bracket.end()]
        elif bracket[1]:
            if depth == MAX_JSON_DEPTH:
                start = bracket.start(1)
            depth -= 1
    return bytes(kept if depth >= MAX_JSON_DEPTH else kept + content[start:])


def format_json(value: JsonValue) -> str:
    """Return the value as JSON text."""
    return json.dumps(value, ensure_ascii=False)


class EventDecoder:
    """A decoder of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    It returns only the `data` of events; lines end in LF or CRLF.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # pieces of an unfinished line; joined only once, since it may be long
        self._data = bytearray()

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Add received bytes, and yield the data of each event that is now complete."""
        *lines, rest = content.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest.clear()
        self._rest.append(rest)
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data += line[5:].removeprefix(b" ") + b"\n"
            elif not line and self._data:
                yield bytes(self._data[:-1])
                self._data.clear()


class ChunkMerger:
    """A merger of the chunks of a stream; the result looks like a response without streaming.

    `on_piece` is called with the name of a field and the text that a chunk adds to the field.
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
        """The number of JSON fields and list items that have arrived so far."""
        fields = sum(len(part) for part in (self._top, self._message, self._pieces, self._item_pieces, self._choice))
        return fields + self._list_items

    @property
    def has_finish_reason(self) -> bool:
        """True if the model gave a finish reason."""
        return bool(self._choice.get("finish_reason"))

    @property
    def body(self) -> JsonObject:
        """The chat completion so far; `choices` is missing if no chunk had any."""
        message = self._message | {name: "".join(pieces) for name, pieces in self._pieces.items()}
        for (_, name), (item, pieces) in self._item_pieces.items():
            item[name] = "".join(pieces)
        if not self._choice:
            return dict(self._top)
        return self._top | {"choices": [self._choice | {"message": message}]}

    def add_chunk(self, chunk: JsonObject) -> None:
        """Add one chunk; choices after the first are ignored."""
        self._top |= {name: value for name, value in chunk.items() if name not in ("choices", "object") and value}
        for choice in list_object_items(chunk.get("choices")):
            if choice.get("index") in (0, None):
                self._choice |= {n: v for n, v in choice.items() if n not in ("delta", "message") and v is not None}
                for name, value in get_object_or_empty(choice.get("delta") or choice.get("message")).items():
                    self._add_field(name, value)

    def _add_field(self, name: str, value: JsonValue) -> None:
        if name in _TOKEN_FIELDS:
            text = read_field_text(value)
            is_encrypted = any(item.get("data") for item in list_object_items(value))
            self.token_count += bool(text) or is_encrypted
            if self._on_piece:
                self._on_piece(name, text)
        if isinstance(value, str) and name != "role":
            self._pieces.setdefault(name, []).append(value)
        elif isinstance(value, list):
            fragments = self._message.setdefault(name, [])
            if isinstance(fragments, list):
                self._add_items(fragments, value)
        elif value is not None:
            self._message[name] = value

    def _add_items(self, items: list[JsonValue], added: list[JsonValue]) -> None:
        """Append `added` to `items`, but merge an item into the last item if both have the same type and index."""
        for item in added:
            last = items[-1] if items else None
            if (
                isinstance(item, dict)
                and isinstance(last, dict)
                and all(item.get(name) == last.get(name) for name in ("type", "index"))
            ):
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


class ResponseBody:
    """The body of one response, which arrives in pieces; a stream of events becomes one JSON value.

    `is_done` is true after the stream's [DONE] event. `garbled_event` holds the first event that is not JSON, or b"".
    `on_piece` gets the name of the field and the text of each piece of a stream.
    """

    def __init__(self, on_piece: PieceReporter | None = None) -> None:
        self.is_done = False
        self.garbled_event = b""
        self._size = 0
        self._value_count = 0  # values that are kept, at most
        self._content = bytearray()
        self._is_stream = False
        self._decoder = EventDecoder()
        self._merger = ChunkMerger(on_piece)

    @property
    def token_count(self) -> int:
        """The number of pieces of text or reasoning so far; it grows while the model works."""
        return self._merger.token_count

    @property
    def is_oversized(self) -> bool:
        """True if the body is larger than a reply may be, in bytes or in JSON values."""
        return self._size > MAX_REPLY_BYTES or self._value_count > MAX_JSON_VALUES

    @property
    def needs_no_more_bytes(self) -> bool:
        """True if nothing further needs to be read: the stream is done, garbled or oversized."""
        return self.is_done or bool(self.garbled_event) or self.is_oversized

    @property
    def has_finish_reason(self) -> bool:
        """True if the model gave a finish reason; then the whole text has arrived."""
        return self._merger.has_finish_reason and not self.garbled_event

    @property
    def is_broken_off(self) -> bool:
        """True if the body is a stream without a [DONE] event and without a finish reason."""
        return self._is_stream and not (self.is_done or self._merger.has_finish_reason)

    @property
    def json(self) -> JsonValue:
        """The body as a JSON value, None if the body is not JSON."""
        return (
            repair_json_surrogates(self._merger.body) if self._is_stream else decode_json_or_none(bytes(self._content))
        )

    @property
    def text(self) -> str:
        """The received body as text."""
        if self._is_stream:
            return format_json(self.json) + self.garbled_event.decode("utf-8", "replace")
        return self._content.decode("utf-8", "replace")

    def feed(self, content: bytes) -> None:
        """Add received bytes."""
        self._size += len(content)
        if self._is_stream:
            self._take_events(content)
            return
        self._content += content if self._content else content.lstrip(_LEADING_BYTES)
        if self._content.startswith(_EVENT_STARTS):
            self._is_stream = True
            self._take_events(bytes(self._content))
            self._content.clear()

    def finish(self) -> None:
        """Mark the end of the body, and process the bytes that are left."""
        if self._is_stream:
            self._take_events(b"\n\n")
        else:
            self._value_count = estimate_json_value_count(self._content)

    def describe_progress(self) -> str:
        """Return a phrase that says how much of a reply arrived, "" if nothing arrived."""
        if not self._size:
            return ""
        completion = parse_completion(self._merger.body) if self._is_stream else None
        if completion is None:
            return f" after {self._size} bytes"
        characters = len(completion.text) + len(completion.reasoning)
        count = completion.usage.completion_tokens
        tokens = f" ({count} tokens)" if count is not None else ""
        return f" after {characters} characters of a reply{tokens}, which may be billed"

    def _take_events(self, content: bytes) -> None:
        for data in self._decoder.feed(content):
            if self.needs_no_more_bytes:
                return
            self._take_event(data)

    def _take_event(self, data: bytes) -> None:
        if data.startswith(b"[DONE]"):
            self.is_done = True
            return
        value_count, item_count = estimate_json_value_count(data), self._merger.item_count
        chunk = _decode_json(data)
        if isinstance(chunk, dict):
            self._merger.add_chunk(chunk)
            # A chunk that only continues texts leaves no value of its own.
            self._value_count += value_count if self._merger.item_count > item_count else 0
        elif value_count > MAX_JSON_VALUES:
            self._value_count = value_count
        else:
            self.garbled_event = data
