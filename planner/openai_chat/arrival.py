"""Collect the bytes of a reply as they arrive, so that an error can report the part of an incomplete reply."""

from codecs import BOM_UTF8
from typing import Final

from pydantic import JsonValue

from planner.openai_chat.decoding import EventDecoder, decoded, encoded, is_events, whole
from planner.openai_chat.replies import Assembly, read, usage

LARGEST: Final = 64 * 1024 * 1024  # bytes of a reply; an endpoint could send without end
_TELLING: Final = 8  # bytes needed to tell a stream of events from JSON
_BEFORE: Final = b" \t\r\n" + BOM_UTF8  # bytes before a body that are ignored
_DONE: Final = b"[DONE]"


class Arrival:
    """The body of one response, read piece by piece: JSON, or server-sent events that are merged into the same JSON.

    `done` is true after the stream's [DONE] event; `garbled` holds the first event that is not JSON, or b"".
    """

    def __init__(self) -> None:
        self.done = False
        self.garbled = b""
        self._size = 0
        self._decided = False
        self._content = bytearray()
        self._events: EventDecoder | None = None
        self._assembly = Assembly()

    @property
    def oversized(self) -> bool:
        """True if the body is larger than the limit for a reply."""
        return self._size > LARGEST

    @property
    def complete(self) -> bool:
        """True if nothing further needs to be read: the stream is done, garbled or oversized."""
        return self.done or bool(self.garbled) or self.oversized

    @property
    def finished(self) -> bool:
        """True if the model gave a finish reason: if the connection breaks after that, no text is lost."""
        return self._assembly.finished and not self.garbled

    @property
    def broken_off(self) -> bool:
        """True if the body is a stream without a [DONE] event and without a finish reason."""
        return self._events is not None and not (self.done or self._assembly.finished)

    @property
    def body(self) -> JsonValue:
        """The JSON of the reply, or None if it is not JSON."""
        return whole(self._assembly.body if self._events else decoded(bytes(self._content)))

    @property
    def text(self) -> str:
        """The received body as text."""
        if self._events:
            return encoded(self.body) + self.garbled.decode("utf-8", "replace")
        return self._content.decode("utf-8", "replace")

    def take(self, content: bytes) -> None:
        """Add received bytes."""
        self._size += len(content)
        if self._events:
            self._take_events(content)
            return
        self._content += content if self._content else content.lstrip(_BEFORE)
        if len(self._content) >= _TELLING:
            self._decide()

    def end(self) -> None:
        """Mark the end of the body, and process the bytes that are left."""
        self._decide()
        if self._events:
            self._take_events(b"\n\n")

    def said(self) -> str:
        """Return a phrase for an error message that says how much of a reply arrived; "" if nothing did."""
        if not self._size:
            return ""
        completion = read(self._assembly.body) if self._events else None
        counted = usage(self._assembly.body.get("usage")).completion_tokens
        if completion is None:
            return f" after {self._size} bytes"
        characters = len(completion.text) + len(completion.reasoning)
        tokens = f" ({counted} tokens)" if counted is not None else ""
        return f" after {characters} characters of a reply{tokens}, which may be billed"

    def _decide(self) -> None:
        """Decide once whether the body is JSON or a stream of events."""
        if self._decided:
            return
        self._decided = True
        if is_events(self._content):
            self._events = EventDecoder()
            self._take_events(bytes(self._content))
            self._content.clear()

    def _take_events(self, content: bytes) -> None:
        assert self._events is not None
        for data in self._events.feed(content):
            if self.complete:
                return
            self._take_event(data)

    def _take_event(self, data: bytes) -> None:
        if data.startswith(_DONE):
            self.done = True
            return
        chunk = decoded(data)
        if isinstance(chunk, dict):
            self._assembly.add(chunk)
        else:
            self.garbled = data
