"""The server: an asyncio loop in a thread of its own."""

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.server.http import Aborted, Request, Response, read_request, write_response
from tests.server.replies import error

Answer = Callable[[Request], Response]


def unscripted(request: Request) -> Response:
    return error(400, f"nothing is scripted for request {request.number}")


class Server:
    """Answers requests from a script or a function and keeps a journal; a context manager.

    `connections` counts those that were opened; with `tls` they are encrypted.
    """

    def __init__(
        self,
        answer: Answer = unscripted,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answer = answer
        self.journal: list[Request] = []
        self.connections = 0
        self._host = host
        self._tls = tls
        self.port = port
        self._script: deque[Response] = deque()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="test server", daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://{self._host}:{self.port}/v1"

    def script(self, *responses: Response) -> None:
        """Queue responses, one a request."""
        self._script.extend(responses)

    def release(self) -> None:
        """End every response that hangs, now and later."""
        self._loop.call_soon_threadsafe(self._released.set)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the test server did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._released, self._stopped = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        listener = await asyncio.start_server(self._accept, self._host, self.port, backlog=1024, ssl=self._tls)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        listener.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (Aborted, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader, len(self.journal) + 1)) is not None:
            self.journal.append(request)
            response = self._script.popleft() if self._script else self.answer(request)
            await write_response(writer, response, self._released)
            if response.raw is not None:
                return
