"""The server of the page. Only this machine can reach the page, and only with the token in the page's address."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = (_LOOPBACK, "localhost")
_LAST_SECONDS: Final = 2  # seconds for responses that are not complete when the program ends
_SAFE_METHODS: Final = ("GET", "HEAD")
# No inline script or style, nothing from elsewhere, no frame, and no text that becomes markup.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class RequestFilter:
    """A filter that passes on requests from the page, and refuses all other requests.

    Each path must begin with the token. A request that changes something must have an Origin header, as browsers send
    it.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = tuple(f"{name}:{port}" for name in _NAMES)
        self._origins = tuple(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        answer = _add_headers(send)
        if fault := self._find_fault(scope):
            await PlainTextResponse(f"Refused: {fault}.\n", 403)(scope, receive, answer)
        else:
            await self._app({**scope, "root_path": f"/{self._token}"}, receive, answer)

    def _find_fault(self, scope: Scope) -> str:
        """Return the reason to refuse a request, or "" if there is none."""
        headers = Headers(scope=scope)
        if not (scope.get("client") or ("",))[0].startswith("127."):
            return "the request comes from another machine"
        if headers.getlist("host") not in ([host] for host in self._hosts):
            return "the request names another host"
        origins = headers.getlist("origin")
        if origins not in ([origin] for origin in self._origins) and (origins or scope["method"] not in _SAFE_METHODS):
            return "the request comes from another page"
        token = scope["path"].partition("/")[2].partition("/")[0]  # a path may be "*"
        if not secrets.compare_digest(token.encode("utf-8", "surrogateescape"), self._token.encode()):
            return "the request lacks the token; open the address that the program printed when it was started"
        return ""


def _add_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return send_with_headers


def open_loopback_socket(port: int) -> socket.socket:
    """Return a socket that only this machine can reach. If the port is 0, the system chooses one.

    Raises:
        OSError: if the port is taken.
    """
    try:
        return socket.create_server((_LOOPBACK, port))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), f"port {port}") from None


class PageServer(uvicorn.Server):
    """A server for the page. `address` is the page's address with the token."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        port, token = listener.getsockname()[1], secrets.token_urlsafe(24)
        self.address = f"http://{_LOOPBACK}:{port}/{token}/"
        self._listener = listener
        super().__init__(
            uvicorn.Config(
                RequestFilter(app, token, port),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the handling of signals to the program, not to uvicorn."""
        yield

    async def run_until(self, wait_for_end: Callable[[], Awaitable[None]]) -> None:
        """Answer requests until `wait_for_end` returns."""
        serving = asyncio.create_task(self.serve([self._listener]))
        try:
            await wait_for_end()
        finally:
            self.should_exit = True
            await asyncio.wait((serving,), timeout=_LAST_SECONDS)
            for connection in tuple(self.server_state.connections):  # a cancelled response would leave a traceback
                connection.transport.abort()
            await serving
