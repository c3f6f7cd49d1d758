"""Send requests over HTTP with the headers and the HTTP client of the SDK, and read the responses.

Two parts of the SDK are too slow to be used. Its function for requests takes half of the 1.15 ms of CPU for a prompt of
80 KB. Its objects for a streamed reply of 1,000 chunks take 80 ms of CPU; reading the bytes takes 14 ms. `python -m
tests.openai_chat.bench` measures these times.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

import httpx2
import openai
from pydantic import JsonValue

from planner.chat import Completion
from planner.errors import ModelError
from planner.models.openai_chat import errors
from planner.models.openai_chat.endpoint import OPENAI, Endpoint
from planner.models.openai_chat.errors import parse_rate_limits
from planner.models.openai_chat.replies import parse_and_mask_completion, parse_and_mask_error
from planner.models.openai_chat.stream import (
    MAX_REPLY_BYTES,
    PieceReporter,
    ResponseBody,
    decode_json_or_none,
    format_json,
)

MAX_REPLY_SECONDS: Final = 3600.0  # seconds for a whole reply, however slowly it arrives, unless --timeout is longer
MAX_ERROR_BYTES: Final = 1024 * 1024  # bytes of an error body; the rest is not read
MAX_HEADERS: Final = 128  # headers of a response; httpx2 reads 100 KB of them, aiohttp 128 of 8 KB
_CONNECT_SECONDS: Final = 30.0
_BROKE_AFTER_REPLY: Final = "the connection broke after the reply was complete; the token counts may be missing"
_LAST_BYTES_SECONDS: Final = 0.5
_MAX_SHOWN_CHARS: Final = 100  # characters of an unreadable response that are shown
_T = TypeVar("_T")


class Transport:
    """A client of one endpoint with a limited number of connections.

    `timeout` is in seconds. For a stream, it limits the time without a token; otherwise, it limits the total time.
    Proxies come from the environment, as in httpx. Redirects are not followed. `fast` allows the use of aiohttp, which
    is faster for many requests at once.

    Raises:
        ModelError: if a proxy in the environment cannot be used; the methods raise it if the network or the
            endpoint fails.
    """

    def __init__(self, endpoint: Endpoint, timeout: float, max_connections: int, *, fast: bool) -> None:
        self._endpoint = endpoint
        self._mask = endpoint.mask
        self._timeout = timeout
        self._http_client = _raise_or_return(_create_http_client(endpoint, timeout, max_connections, fast=fast))
        sdk = openai.AsyncOpenAI(
            api_key="sent in each request",
            admin_api_key="",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=self._http_client.timeout,
            http_client=self._http_client,
        )
        self._url = sdk.base_url
        self._completions_url = self._url.join("chat/completions")
        headers = {name: value for name, value in sdk.default_headers.items() if isinstance(value, str)}
        if endpoint.base_url != OPENAI.base_url:  # only OpenAI gets the organisation and project from the environment
            headers.pop("OpenAI-Organization", None)
            headers.pop("OpenAI-Project", None)
        headers.pop("Authorization", None)
        if authorization := endpoint.authorization:
            headers["Authorization"] = authorization.get_secret_value()
        self._headers = httpx2.Headers(headers)

    async def close(self) -> None:
        """Close all connections."""
        await self._http_client.aclose()

    async def fetch_completion(
        self, body: bytes, *, streams: bool, on_piece: PieceReporter | None = None
    ) -> Completion:
        """Send one chat request and return its completion, with secrets masked.

        `streams` is true if `body` asks for a stream. `on_piece` gets each piece of a stream: a field's name and its
        text, unmasked.
        """
        return _raise_or_return(await self._send_and_receive(body, ResponseBody(on_piece), streams=streams))

    async def request_json(self, method: str, path: str, **content: Any) -> JsonValue:
        """Send a request and return the JSON of the response, with secrets masked; None if it is not JSON.

        `path` is a path of the API. `content` are arguments of httpx2: `params`, `json`, `data` and `files`.
        """
        pieces = bytearray()
        async with self._open_response(method, path, **content) as response:
            _raise_or_return(await self._catch_failure(_read_bounded(response, pieces, MAX_REPLY_BYTES)))
        return self._mask.mask_json(decode_json_or_none(bytes(pieces)))

    async def download_lines(self, path: str) -> AsyncGenerator[bytes]:
        """Yield the lines of a file as they arrive; skip lines longer than any reply. The timeout is for each line."""
        async with self._open_response("GET", path) as response:
            lines = _split_lines(response.aiter_bytes())
            while (line := _raise_or_return(await self._catch_failure(anext(lines, None)))) is not None:
                yield line

    @asynccontextmanager
    async def _open_response(self, method: str, path: str, **content: Any) -> AsyncIterator[httpx2.Response]:
        """Yield a response with its body unread; raise ModelError if the response has an error status."""
        request = self._send(method, self._url.join(path), **content)
        response = _raise_or_return(await self._catch_failure(request, MAX_REPLY_SECONDS))
        try:
            if not response.is_success:
                error_content = bytearray()  # if it cannot be read to its end, its beginning is enough
                await self._catch_failure(_read_bounded(response, error_content, MAX_ERROR_BYTES))
                raise self._convert_response(response, error_content)
            yield response
        finally:
            with suppress(*errors.TRANSPORT_EXCEPTIONS):
                await response.aclose()

    async def _catch_failure(self, work: Awaitable[_T], seconds: float | None = None) -> _T | ModelError:
        """Return the result of `work`, or an error if the network fails or `seconds` (the timeout) have passed."""
        try:
            async with asyncio.timeout(self._timeout if seconds is None else seconds):
                return await work
        except errors.TRANSPORT_EXCEPTIONS as error:
            return errors.convert_transport_exception(error, self._endpoint, timeout=self._timeout)

    async def _send_and_receive(
        self, body: bytes, response_body: ResponseBody, *, streams: bool
    ) -> Completion | ModelError:
        error_content, response = bytearray(), None
        now = asyncio.get_running_loop().time
        ends_at = now() + max(MAX_REPLY_SECONDS, self._timeout)
        # Connecting has its own limit, which must be reached first, since its message is more precise.
        connect_seconds = min(self._timeout, _CONNECT_SECONDS) if streams else 0.0
        try:
            async with asyncio.timeout(self._timeout + connect_seconds) as limit:
                response = await self._send("POST", self._completions_url, content=body)
                try:
                    if response.is_success:
                        async for _ in _receive_tokens(response, response_body):
                            if streams:
                                limit.reschedule(min(now() + self._timeout, ends_at))
                    else:
                        await _read_bounded(response, error_content, MAX_ERROR_BYTES)
                finally:
                    await response.aclose()
        except errors.TRANSPORT_EXCEPTIONS as error:
            if response is not None and response_body.has_finish_reason:
                return self._interpret_response(response_body, response, _BROKE_AFTER_REPLY)
            if response is None or response.is_success:
                return errors.convert_transport_exception(
                    error,
                    self._endpoint,
                    timeout=self._timeout,
                    received_note=response_body.describe_progress(),
                    body_text=response_body.text,
                )
        if not response.is_success:
            return self._convert_response(response, error_content)
        return self._interpret_response(response_body, response)

    async def _send(self, method: str, url: httpx2.URL, **content: Any) -> httpx2.Response:
        """Send a request and return the response; its body is not read yet."""
        headers = self._headers.copy()
        if "files" in content:
            del headers["content-type"]  # the form's own names its boundary
        request = self._http_client.build_request(method, url, headers=headers, **content)
        response = await self._http_client.send(request, stream=True)
        if len(response.headers.raw) > MAX_HEADERS:
            await response.aclose()
            raise httpx2.RemoteProtocolError(f"the response has more than {MAX_HEADERS} headers")
        return response

    def _convert_response(self, response: httpx2.Response, content: bytearray) -> ModelError:
        return errors.convert_error_response(self._endpoint, response.status_code, response.headers, bytes(content))

    def _interpret_response(
        self, response_body: ResponseBody, response: httpx2.Response, *notes: str
    ) -> Completion | ModelError:
        """Return the completion in a response with status 200, or the error in it."""
        # The parsed JSON of an oversized body would need many times the memory of its bytes.
        body = None if response_body.is_oversized else response_body.json
        mask, headers = self._mask, response.headers
        if not isinstance(body, dict) or response_body.garbled_event:
            return self._make_error(
                _describe_unreadable(response_body, mask.mask_text(headers.get("content-type", "something"))),
                response_body,
            )
        if error := parse_and_mask_error(body, mask):
            status, text = response.status_code, format_json(mask.mask_json(body))
            progress = response_body.describe_progress()
            return errors.convert_error_body(error, self._endpoint, status, headers, text, progress)
        if response_body.is_broken_off:
            return self._make_error("ended the stream before the reply was complete", response_body)
        completion = parse_and_mask_completion(body, mask)
        if completion is None:
            return self._make_error("sent a reply without choices", response_body)
        request_id = mask.mask_text(headers.get("x-request-id", "")) or completion.request_id
        return replace(completion, request_id=request_id, limits=parse_rate_limits(headers), notes=notes)

    def _make_error(self, problem: str, response_body: ResponseBody) -> ModelError:
        # Mask before shortening, since half a key would not be recognised.
        text = self._mask.mask_text(response_body.text)
        is_shown = text and not response_body.is_broken_off
        beginning = f": {errors.shorten_to_one_line(text[:_MAX_SHOWN_CHARS])!r}" if is_shown else ""
        return ModelError(
            f"{self._endpoint.host} {problem}{beginning}{response_body.describe_progress()}",
            retryable=not response_body.is_oversized,
            body=text,
        )


def _create_http_client(
    endpoint: Endpoint, timeout: float, max_connections: int, *, fast: bool
) -> httpx2.AsyncClient | ModelError:
    """Return an HTTP client, or the error if there is none; `fast` chooses aiohttp if it is installed.

    With aiohttp, whose parser is in C, each of 64 parallel requests of 80 KB takes 0.3 ms of CPU instead of 1.2 ms.
    """
    options: dict[str, Any] = {
        "limits": httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        "timeout": httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS), pool=None),
        "follow_redirects": False,
    }
    try:
        with suppress(RuntimeError):  # the SDK raises this if the extra `fast` is not installed
            if fast:
                return openai.DefaultAioHttpClient(**options)
        return openai.DefaultAsyncHttpxClient(**options)
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        reason = errors.shorten_to_one_line(endpoint.mask.mask_text(str(error)))
        return ModelError(f"the proxy in the environment is unusable: {reason}; check HTTP_PROXY and HTTPS_PROXY")


def _raise_or_return(result: _T | ModelError) -> _T:
    """Raise an error here, outside of any `except`, so that no chained exception can show a key or password."""
    if isinstance(result, ModelError):
        raise result
    return result


async def _receive_tokens(response: httpx2.Response, response_body: ResponseBody) -> AsyncIterator[None]:
    """Read a body until it ends or the model's reply in it is complete; yield after each piece with a token."""
    content = response.aiter_bytes()
    async for piece in content:
        token_count = response_body.token_count
        response_body.feed(piece)
        if response_body.needs_no_more_bytes:
            break
        if response_body.token_count > token_count:
            yield
    response_body.finish()
    if response_body.is_done:  # read the rest, so that the connection can be reused
        with suppress(*errors.TRANSPORT_EXCEPTIONS):
            async with asyncio.timeout(_LAST_BYTES_SECONDS):
                async for _ in content:
                    pass


async def _read_bounded(response: httpx2.Response, content: bytearray, max_bytes: int) -> None:
    """Read at most `max_bytes` bytes of a response's body into `content`."""
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > max_bytes:
            del content[max_bytes:]
            return


async def _split_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines in `pieces`, except blank lines and lines that are longer than any reply."""
    rest, oversized = bytearray(), False
    async for piece in pieces:
        *line_ends, line_start = piece.split(b"\n")
        for line_end in line_ends:
            if not oversized and (rest.strip() or line_end.strip()):
                yield bytes(rest) + line_end
            rest, oversized = bytearray(), False
        rest += line_start
        if oversized := oversized or len(rest) > MAX_REPLY_BYTES:
            rest.clear()
    if rest.strip():
        yield bytes(rest)


def _describe_unreadable(response_body: ResponseBody, content_type: str) -> str:
    if response_body.is_oversized:
        return "sent a body that is larger than any reply"
    if response_body.garbled_event:
        return "sent a chunk that is not JSON"
    if "html" in content_type:
        return "sent a web page, not a chat completion (is it the address of an API? It usually ends in /v1)"
    return f"sent {content_type!r}, not a chat completion" if response_body.text else "sent an empty body"
