"""From bytes to JSON values, and from a stream of bytes to the events in it."""

import json
from collections.abc import Iterator

from pydantic import JsonValue

from planner.controls import whole_text


def decoded(content: bytes) -> JsonValue:
    """The JSON value in some bytes, None where there is none: not JSON, nested too deeply, or `null` itself."""
    try:
        value: JsonValue = json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return value


def encoded(value: JsonValue) -> str:
    """The value as JSON text."""
    return json.dumps(value, ensure_ascii=False)


def whole(value: JsonValue) -> JsonValue:
    """The value with the surrogate pairs of its texts joined, which a stream may split over two chunks.

    A lone half, which no encoding can write, becomes U+FFFD.
    """
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {whole_text(name): whole(item) for name, item in value.items()}
    return value


class EventDecoder:
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) in bytes as they arrive.

    Only the `data` of events is of interest here; lines end in LF or CRLF.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # pieces of a line that has not ended; joined once, since it may be long
        self._data: list[bytes] = []

    def feed(self, content: bytes) -> Iterator[bytes]:
        """The data of each event that is complete with this content."""
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
    """Whether a body is a stream of events, judged by how it begins: the content type is not always right."""
    return start.lstrip().startswith((b"data:", b":", b"event:", b"id:", b"retry:"))
