"""What has come of a reply so far, so that a reply which breaks off is not lost without a word."""

from codecs import BOM_UTF8
from typing import Final

from pydantic import JsonValue

from planner.openai_chat.decoding import EventDecoder, decoded, encoded, is_events, whole
from planner.openai_chat.replies import Assembly, read, usage

LARGEST: Final = 64 * 1024 * 1024  # bytes of a reply; an endpoint may send without end
_TELLING: Final = 8  # bytes that show whether a body is a stream of events
_BEFORE: Final = b" \t\r\n" + BOM_UTF8  # bytes that may stand before a body and say nothing
_DONE: Final = b"[DONE]"


class Arrival:
    """The bytes of one body as they come: JSON, or server-sent events that are put together to the same JSON.

    `complete` tells that nothing more is of interest: the stream said that it is done, sent what is no JSON
    (`garbled`), or the body passed the limit (`oversized`).
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
        """Whether the body is larger than any reply."""
        return self._size > LARGEST

    @property
    def complete(self) -> bool:
        """Whether reading on is of no use."""
        return self.done or bool(self.garbled) or self.oversized

    @property
    def finished(self) -> bool:
        """Whether the model said why it stopped, so that a stream which breaks after that has lost no text."""
        return self._assembly.finished and not self.garbled

    @property
    def broken_off(self) -> bool:
        """Whether this was a stream that neither said that it is done nor why the model stopped."""
        return self._events is not None and not (self.done or self._assembly.finished)

    @property
    def body(self) -> JsonValue:
        """The JSON of the reply, None when it is none."""
        return whole(self._assembly.body if self._events else decoded(bytes(self._content)))

    @property
    def text(self) -> str:
        """What arrived, as text."""
        if self._events:
            return encoded(self.body) + self.garbled.decode("utf-8", "replace")
        return self._content.decode("utf-8", "replace")

    def take(self, content: bytes) -> None:
        """Take further bytes."""
        self._size += len(content)
        if self._events:
            self._take_events(content)
            return
        self._content += content if self._content else content.lstrip(_BEFORE)
        if len(self._content) >= _TELLING:
            self._decide()

    def end(self) -> None:
        """The body has ended."""
        self._decide()
        if self._events:
            self._take_events(b"\n\n")

    def said(self) -> str:
        """What arrived, in words for an error message: a reply that was paid for may be among it."""
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
