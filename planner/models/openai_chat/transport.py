"""Send one request over HTTP with the SDK's address, headers and transport, and read its response.

The SDK's own request function is not used: it takes half of the 1.15 ms of CPU for a prompt of 80 KB. Nor are its
objects: for a streamed reply of 1,000 chunks it builds as many Pydantic models, which takes 80 ms of CPU, whereas
reading the bytes takes 14 ms (`python -m tests.openai_chat.bench`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final, TypedDict

import httpx2
import openai

from planner.chat import Completion
from planner.errors import ModelError
from planner.models.openai_chat import errors
from planner.models.openai_chat.endpoint import OPENAI, Endpoint
from planner.models.openai_chat.error_bodies import parse_error_body
from planner.models.openai_chat.headers import parse_rate_limits
from planner.models.openai_chat.replies import find_choice_error, parse_completion
from planner.models.openai_chat.stream import ResponseBody, encode_json

_CONNECT_SECONDS: Final = 30.0
_BROKE_AFTER_REPLY: Final = "the connection broke after the reply was complete; the token counts may be missing"
_LAST_BYTES_SECONDS: Final = 0.5
_MAX_SHOWN_CHARS: Final = 100  # characters of an unreadable response that are shown


class Transport:
    """A client of one endpoint with a limited number of connections.

    `timeout` is in seconds: of silence for a streaming request, in total for any other. Proxies are taken from the
    environment, as httpx does. Redirects are not followed.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float, max_connections: int) -> None:
        self._endpoint = endpoint
        self._mask = endpoint.mask
        self._timeout = timeout
        self._http_client = create_fast_http_client(timeout=timeout, max_connections=max_connections)
        sdk = create_client(endpoint, self._http_client)
        self._url = sdk.base_url.join("chat/completions")
        self._headers = _drop_omitted({**sdk.default_headers, **build_auth_headers(endpoint)})

    async def close(self) -> None:
        """Close all connections."""
        await self._http_client.aclose()

    async def post_request(self, body: bytes, *, streams: bool) -> Completion:
        """Send one request and return its completion, masked; `streams` says whether the request asks for a stream.

        Raises:
            ModelError: for every failure of the network, the endpoint or its response.
        """
        outcome = await self._send_and_receive(body, None if streams else self._timeout)
        if isinstance(outcome, ModelError):  # raised here, so that no chained exception can show a key
            raise outcome
        return outcome

    async def _send_and_receive(self, body: bytes, timeout: float | None) -> Completion | ModelError:
        response_body, response = ResponseBody(), None
        try:
            async with asyncio.timeout(timeout):
                response = await self._send(body)
                try:
                    if not response.is_success:
                        return errors.convert_response(
                            self._endpoint, response.status_code, response.headers, await response.aread()
                        )
                    await _receive(response, response_body)
                finally:
                    await response.aclose()
        except errors.TRANSPORT_EXCEPTIONS as error:
            if response is not None and response_body.has_finish_reason:
                return self._interpret_response(response_body, response, _BROKE_AFTER_REPLY)
            return errors.convert_exception(
                error,
                self._endpoint,
                timeout=self._timeout,
                received_note=response_body.describe_progress(),
                body=response_body.text,
            )
        return self._interpret_response(response_body, response)

    async def _send(self, body: bytes) -> httpx2.Response:
        """Return the response with its body unread, whether it is a stream of events or not."""
        request = self._http_client.build_request("POST", self._url, content=body, headers=self._headers)
        return await self._http_client.send(request, stream=True)

    def _interpret_response(
        self, response_body: ResponseBody, response: httpx2.Response, *notes: str
    ) -> Completion | ModelError:
        """Return the completion in a response with status 200, or the error in it."""
        body, mask, headers = response_body.json, self._mask, response.headers
        if not isinstance(body, dict) or response_body.garbled_event or response_body.is_oversized:
            return self._make_error(
                _describe_unreadable(response_body, mask.mask_text(headers.get("content-type", "something"))),
                response_body,
            )
        failed = mask.mask_json(body if parse_error_body(body) else find_choice_error(body))
        if error := parse_error_body(failed):
            status, text = response.status_code, encode_json(mask.mask_json(body))
            progress = response_body.describe_progress()
            return errors.convert_error_body(error, self._endpoint, status, headers, text, progress)
        if response_body.is_broken_off:
            return self._make_error("broke off the stream before its end", response_body)
        completion = parse_completion(mask.mask_reply(body))
        if completion is None:
            return self._make_error("sent a reply without choices", response_body)
        request_id = mask.mask_text(headers.get("x-request-id", "")) or completion.request_id
        return replace(completion, request_id=request_id, limits=parse_rate_limits(headers), notes=notes)

    def _make_error(self, problem: str, response_body: ResponseBody) -> ModelError:
        # Mask before cutting, since half a key would not be recognised.
        text = self._mask.mask_text(response_body.text)
        is_shown = text and not response_body.is_broken_off
        beginning = f": {errors.format_one_line(text[:_MAX_SHOWN_CHARS])!r}" if is_shown else ""
        return ModelError(
            f"{self._endpoint.host} {problem}{beginning}{response_body.describe_progress()}",
            retryable=not response_body.is_oversized,
            body=text,
        )


def create_client(endpoint: Endpoint, http_client: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    """Return a client for an endpoint; proxies are taken from the environment."""
    return openai.AsyncOpenAI(
        api_key="sent in each request",
        admin_api_key="",
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=http_client.timeout,
        http_client=http_client,
    )


def create_http_client(*, timeout: float, max_connections: int) -> httpx2.AsyncClient:
    """Return an HTTP client for a few requests; `timeout` is the longest silence in seconds."""
    return openai.DefaultAsyncHttpxClient(**_make_client_options(timeout, max_connections))


def create_fast_http_client(*, timeout: float, max_connections: int) -> httpx2.AsyncClient:
    """Return an HTTP client for many requests; it uses aiohttp if that is installed (the extra `fast`).

    With 64 parallel requests of 80 KB, each takes 0.3 ms of CPU with aiohttp, whose parser is in C, and 1.2 ms without.
    """
    try:
        return openai.DefaultAioHttpClient(**_make_client_options(timeout, max_connections))
    except RuntimeError:  # the SDK raises this if the extra is not installed
        return create_http_client(timeout=timeout, max_connections=max_connections)


def build_auth_headers(endpoint: Endpoint) -> dict[str, str | openai.Omit]:
    """Return the authentication headers; only OpenAI gets the organisation and project of the environment."""
    authorization = endpoint.authorization
    headers: dict[str, str | openai.Omit] = {
        "Authorization": authorization.get_secret_value() if authorization else openai.Omit()
    }
    if endpoint.base_url != OPENAI.base_url:
        headers |= {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
    return headers


class _ClientOptions(TypedDict):
    limits: httpx2.Limits
    timeout: httpx2.Timeout
    follow_redirects: bool


def _make_client_options(timeout: float, max_connections: int) -> _ClientOptions:
    return _ClientOptions(
        limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        timeout=httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS), pool=None),
        follow_redirects=False,
    )


def _drop_omitted(headers: Mapping[str, str | openai.Omit]) -> httpx2.Headers:
    """Return the headers without those marked as omitted."""
    return httpx2.Headers({name: value for name, value in headers.items() if isinstance(value, str)})


async def _receive(response: httpx2.Response, response_body: ResponseBody) -> None:
    """Read a body to its end, or to the end of the reply."""
    content = response.aiter_bytes()
    async for piece in content:
        response_body.feed(piece)
        if response_body.is_complete:
            break
    response_body.finish()
    if response_body.is_done:
        await _drain(content)


async def _drain(content: AsyncIterator[bytes]) -> None:
    """Read any bytes after the end of a stream, so that the connection can be reused."""
    try:
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            async for _ in content:
                pass
    except (TimeoutError, httpx2.HTTPError):
        return


def _describe_unreadable(response_body: ResponseBody, content_type: str) -> str:
    if response_body.is_oversized:
        return "sent more than any reply contains"
    if response_body.garbled_event:
        return "sent a chunk that is not JSON"
    if "html" in content_type:
        return "sent a web page, not a chat completion (is it the address of an API? It usually ends in /v1)"
    return f"sent {content_type!r}, not a chat completion" if response_body.text else "sent an empty body"
