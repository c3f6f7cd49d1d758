"""Decode JSON values, and the server-sent events in a stream of bytes."""

import json
from collections.abc import Iterator

from pydantic import JsonValue

from planner.controls import whole_text


def decoded(content: bytes) -> JsonValue:
    """Return the JSON value in the bytes; None if they are not JSON, are nested too deeply, or are `null`."""
    try:
        value: JsonValue = json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return value


def encoded(value: JsonValue) -> str:
    """Return the value as JSON text."""
    return json.dumps(value, ensure_ascii=False)


def whole(value: JsonValue) -> JsonValue:
    """Return the value with surrogate pairs joined in all texts; a stream may split a pair over two chunks.

    A lone surrogate, which cannot be encoded, becomes U+FFFD.
    """
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {whole_text(name): whole(item) for name, item in value.items()}
    return value


class EventDecoder:
    """A decoder of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    It returns only the `data` of events; lines end in LF or CRLF.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # pieces of an unfinished line; joined only once, since it may be long
        self._data: list[bytes] = []

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Add bytes, and yield the data of each event that they complete."""
        *lines, rest = content.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest.clear()
        self._rest.append(rest)
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                yield b"\n".join(self._data)
                self._data = []


def is_events(start: bytes | bytearray) -> bool:
    """Return whether a body that begins so is a stream of events; the content type is not reliable."""
    return start.lstrip().startswith((b"data:", b":", b"event:", b"id:", b"retry:"))
