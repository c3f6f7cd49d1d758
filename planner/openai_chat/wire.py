"""Send one request over HTTP with the SDK's address, headers and transport, and read its response.

The SDK's own request function is not used: it takes half of the 1.15 ms of CPU for a prompt of 80 KB. Nor are its
objects: for a streamed reply of 1,000 chunks it builds as many Pydantic models, which takes 80 ms of CPU, whereas
reading the bytes takes 14 ms (`python -m tests.openai_chat.bench`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final

import httpx2
import openai

from planner.chat import Completion
from planner.errors import ModelError
from planner.openai_chat import failures
from planner.openai_chat.arrival import Arrival
from planner.openai_chat.client import client_of, fast_http, headers_of
from planner.openai_chat.complaints import complaint
from planner.openai_chat.decoding import encoded
from planner.openai_chat.endpoint import Endpoint
from planner.openai_chat.headers import rate_limits
from planner.openai_chat.replies import error_in_choice, read

_BROKE_LATE: Final = "the connection broke after the reply was complete; the token counts may be missing"
_LAST_BYTES_SECONDS: Final = 0.5
_SHOWN: Final = 100  # characters of an unreadable response that are shown


class Wire:
    """A client of one endpoint with a limited number of connections.

    `timeout` is in seconds: of silence for a streaming request, in total for any other. Proxies are taken from the
    environment, as httpx does. Redirects are not followed.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float, connections: int) -> None:
        self._endpoint = endpoint
        self._mask = endpoint.mask
        self._timeout = timeout
        self._http = fast_http(timeout=timeout, connections=connections)
        sdk = client_of(endpoint, self._http)
        self._url = sdk.base_url.join("chat/completions")
        self._headers = _strings({**sdk.default_headers, **headers_of(endpoint)})

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def post(self, body: bytes, *, streams: bool) -> Completion:
        """Send one request and return its completion, masked; `streams` says whether the request asks for a stream.

        Raises:
            ModelError: for every failure of the network, the endpoint or its response.
        """
        outcome = await self._exchange(body, None if streams else self._timeout)
        if isinstance(outcome, ModelError):  # raised here, so that no chained exception can show a key
            raise outcome
        return outcome

    async def _exchange(self, body: bytes, total: float | None) -> Completion | ModelError:
        arrival, response = Arrival(), None
        try:
            async with asyncio.timeout(total):
                response = await self._send(body)
                try:
                    if not response.is_success:
                        return failures.from_answer(
                            self._endpoint, response.status_code, response.headers, await response.aread()
                        )
                    await _receive(response, arrival)
                finally:
                    await response.aclose()
        except failures.FAILURES as error:
            if response is not None and arrival.finished:
                return self._judged(arrival, response, _BROKE_LATE)
            return failures.from_exception(
                error, self._endpoint, timeout=self._timeout, received=arrival.said(), body=arrival.text
            )
        return self._judged(arrival, response)

    async def _send(self, body: bytes) -> httpx2.Response:
        """Return the response with its body unread, whether it is a stream of events or not."""
        asked = self._http.build_request("POST", self._url, content=body, headers=self._headers)
        return await self._http.send(asked, stream=True)

    def _judged(self, arrival: Arrival, response: httpx2.Response, *notes: str) -> Completion | ModelError:
        """Return the completion in a response with status 200, or the error in it."""
        body, mask, headers = arrival.body, self._mask, response.headers
        if not isinstance(body, dict) or arrival.garbled or arrival.oversized:
            return self._broken(_unreadable(arrival, mask.text(headers.get("content-type", "something"))), arrival)
        failed = mask.json(body if complaint(body) else error_in_choice(body))
        if said := complaint(failed):
            status, text = response.status_code, encoded(mask.json(body))
            return failures.from_complaint(said, self._endpoint, status, headers, text, arrival.said())
        if arrival.broken_off:
            return self._broken("broke off the stream before its end", arrival)
        completion = read(mask.content(body))
        if completion is None:
            return self._broken("sent a reply without choices", arrival)
        request_id = mask.text(headers.get("x-request-id", "")) or completion.request_id
        return replace(completion, request_id=request_id, limits=rate_limits(headers), notes=notes)

    def _broken(self, what: str, arrival: Arrival) -> ModelError:
        text = self._mask.text(arrival.text)  # masked before cutting, since half a key would not be recognised
        shown = f": {failures.one_line(text[:_SHOWN])!r}" if text and not arrival.broken_off else ""
        return ModelError(
            f"{self._endpoint.host} {what}{shown}{arrival.said()}", retryable=not arrival.oversized, body=text
        )


def _strings(headers: Mapping[str, str | openai.Omit]) -> httpx2.Headers:
    """Return the headers without those marked as omitted."""
    return httpx2.Headers({name: value for name, value in headers.items() if isinstance(value, str)})


async def _receive(response: httpx2.Response, arrival: Arrival) -> None:
    """Read a body to its end, or to the end of the reply."""
    content = response.aiter_bytes()
    async for piece in content:
        arrival.take(piece)
        if arrival.complete:
            break
    arrival.end()
    if arrival.done:
        await _exhaust(content)


async def _exhaust(content: AsyncIterator[bytes]) -> None:
    """Read any bytes after the end of a stream, so that the connection can be reused."""
    try:
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            async for _ in content:
                pass
    except (TimeoutError, httpx2.HTTPError):
        return


def _unreadable(arrival: Arrival, kind: str) -> str:
    if arrival.oversized:
        return "sent more than any reply contains"
    if arrival.garbled:
        return "sent a chunk that is not JSON"
    if "html" in kind:
        return "sent a web page, not a chat completion (is it the address of an API? It usually ends in /v1)"
    return f"sent {kind!r}, not a chat completion" if arrival.text else "sent an empty body"
