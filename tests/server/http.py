"""The least of HTTP/1.1 that a test server needs: read one request, write one response."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from http import HTTPStatus
from itertools import cycle
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """A request that arrived; `number` counts from 1, `at` is in seconds of the loop, headers are in lower case."""

    number: int
    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def prompt(self) -> str:
        """The text of all messages."""
        return "\n".join(message["content"] for message in self.json["messages"])


class Ending(Enum):
    """The end of a response."""

    COMPLETE = "complete"
    CUT = "cut"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Response:
    """A response: `parts` one after the other with `pause` seconds between, `delay` seconds before the first byte.

    `chunked` chooses the framing; otherwise Content-Length is that of the whole body, also when the body is cut.
    `sent` is how many bytes of the body go out before a cut or a hang. `endless` repeats the parts until the client
    goes away. `raw` is sent in place of all the rest, and need not be HTTP.
    """

    status: int = 200
    parts: tuple[bytes, ...] = ()
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    pause: float = 0.0
    delay: float = 0.0
    ending: Ending = Ending.COMPLETE
    sent: int = 0
    endless: bool = False
    raw: bytes | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def cut(self, after: int) -> "Response":
        """The connection breaks after so many bytes of the body; a negative number counts from its end."""
        return replace(self, ending=Ending.CUT, sent=after % (len(self.body) + 1))

    def hanging(self, after: int = 0) -> "Response":
        """Nothing more comes after so many bytes of the body; with 0 there is not even a status line."""
        return replace(self, ending=Ending.HANG, sent=after)

    def dripping(self, size: int, pause: float) -> "Response":
        body = self.body
        return replace(self, parts=tuple(body[i : i + size] for i in range(0, len(body), size)), pause=pause)

    def late(self, seconds: float) -> "Response":
        return replace(self, delay=seconds)

    def saying(self, headers: Mapping[str, str]) -> "Response":
        return replace(self, headers={**self.headers, **headers})


class Aborted(Exception):  # noqa: N818 - it is an instruction to the connection, not a fault
    """The response was meant to break here."""


async def read_request(reader: asyncio.StreamReader, number: int) -> Request | None:
    """The next request of a connection, None when the client closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(number, asyncio.get_running_loop().time(), method, path, headers, body)


async def write_response(writer: asyncio.StreamWriter, response: Response, released: asyncio.Event) -> None:
    """Send a response as it is described.

    Raises:
        Aborted: the connection must be closed without another byte.
    """
    if response.delay:
        await asyncio.sleep(response.delay)
    if response.ending is Ending.HANG and not response.sent:
        await released.wait()
        raise Aborted
    if response.raw is not None:
        writer.write(response.raw)
        await writer.drain()
        return
    writer.write(_head(response))
    for number, part in enumerate(_outgoing(response)):
        if number and response.pause:
            await asyncio.sleep(response.pause)
        writer.write(_framed(response, part))
        await writer.drain()
    if response.ending is Ending.HANG:
        await released.wait()
    if response.ending is not Ending.COMPLETE:
        raise Aborted
    if response.chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _head(response: Response) -> bytes:
    framing = {"Transfer-Encoding": "chunked"} if response.chunked else {"Content-Length": str(len(response.body))}
    try:
        reason = HTTPStatus(response.status).phrase
    except ValueError:
        reason = "Unknown"
    headers = {"Content-Type": response.content_type, **framing, **response.headers}
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _outgoing(response: Response) -> Iterable[bytes]:
    if response.endless:
        return cycle(response.parts)
    if response.ending is Ending.COMPLETE:
        return response.parts
    return (response.body[: response.sent],)


def _framed(response: Response, part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part) if response.chunked and part else part
