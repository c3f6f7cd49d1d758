"""One request over HTTP: the SDK's client sends it, and its answer is read here.

The SDK's own objects are left aside: for a streamed reply of 1,000 chunks it builds as many Pydantic models, which
takes 80 ms of CPU; reading the bytes takes 11 ms, and a reply without streaming 1 ms (`make bench`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import httpx2
import openai

from planner.errors import ModelError
from planner.openai_chat import failures
from planner.openai_chat.arrival import Arrival
from planner.openai_chat.complaints import complaint
from planner.openai_chat.decoding import encoded
from planner.openai_chat.endpoint import Endpoint
from planner.openai_chat.replies import Json, error_in_choice

_CONNECT_SECONDS: Final = 30.0
_LAST_BYTES_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """A body that holds a chat completion, masked, and the headers that came with it, names in lower case."""

    body: Json
    headers: Mapping[str, str]


class Wire:
    """A client of one endpoint with a bounded pool of connections.

    `timeout` is in seconds: of silence for a request that streams, in all for one that does not. Proxies are those
    of the environment, as httpx reads them. Redirects are refused.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float, connections: int) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        bound = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        silence = httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS), pool=None)
        self._client = openai.AsyncOpenAI(
            api_key="sent in each request",
            admin_api_key="",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=silence,
            http_client=openai.DefaultAsyncHttpxClient(limits=bound, timeout=silence, follow_redirects=False),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def post(self, request: Json) -> Answer:
        """Send one request and read its whole answer.

        Raises:
            ModelError: every failure, of the network, the endpoint or its answer.
        """
        outcome = await self._exchange(request)
        if isinstance(outcome, ModelError):  # raised here, where no exception hangs on it that may show a key
            raise outcome
        return outcome

    async def _exchange(self, request: Json) -> Answer | ModelError:
        arrival = Arrival()
        total = None if request.get("stream") else self._timeout
        try:
            async with asyncio.timeout(total):
                response = await self._send(request)
                try:
                    await _receive(response, arrival)
                finally:
                    await response.aclose()
        except failures.FAILURES as error:
            return failures.from_exception(
                error, self._endpoint, timeout=self._timeout, received=arrival.said(), body=arrival.text
            )
        return self._judged(arrival, response)

    async def _send(self, request: Json) -> httpx2.Response:
        authorization = self._endpoint.authorization
        header = authorization.get_secret_value() if authorization else openai.Omit()
        answer: object = await self._client.post(
            "/chat/completions",
            cast_to=httpx2.Response,
            body=request,
            options={"headers": {"Authorization": header}},
            stream=True,  # the body is read here also when it is no stream of events
            stream_cls=openai.AsyncStream[httpx2.Response],
        )
        assert isinstance(answer, httpx2.Response), "the SDK returns what cast_to names, unread"
        return answer

    def _judged(self, arrival: Arrival, response: httpx2.Response) -> Answer | ModelError:
        """The answer, or what is wrong with it although its status was 200."""
        body = self._endpoint.mask.json(arrival.body)
        headers = dict(response.headers.items())
        if not isinstance(body, dict) or arrival.garbled or arrival.oversized:
            return self._broken(_unreadable(arrival, headers), arrival)
        if said := complaint(body) or complaint(error_in_choice(body)):
            status, received = response.status_code, arrival.said()
            return failures.from_complaint(said, self._endpoint, status, headers, encoded(body), received)
        if arrival.broken_off:
            return self._broken("broke off its stream", arrival)
        if not body.get("choices"):
            return self._broken("sent a reply without choices", arrival)
        return Answer(body, headers)

    def _broken(self, what: str, arrival: Arrival) -> ModelError:
        mask = self._endpoint.mask
        message = f"{self._endpoint.host} {failures.one_line(mask.text(what))}{arrival.said()}"
        return ModelError(message, retryable=True, body=mask.text(arrival.text))


async def _receive(response: httpx2.Response, arrival: Arrival) -> None:
    """Read a body to its end, or to the end of the reply in it."""
    content = response.aiter_bytes()
    async for piece in content:
        arrival.take(piece)
        if arrival.complete:
            break
    arrival.end()
    if arrival.done:
        await _exhaust(content)


async def _exhaust(content: AsyncIterator[bytes]) -> None:
    """Read what follows the end of a stream, so that the connection can be used again; usually nothing."""
    try:
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            async for _ in content:
                pass
    except (TimeoutError, httpx2.HTTPError):
        return


def _unreadable(arrival: Arrival, headers: Mapping[str, str]) -> str:
    if arrival.oversized:
        return "sent more than any reply holds"
    if arrival.garbled:
        return f"sent a chunk that is no JSON: {arrival.garbled[:100].decode('utf-8', 'replace')!r}"
    kind = headers.get("content-type", "something")
    return f"sent {kind!r} that is no JSON: {arrival.text[:100]!r}" if arrival.text else "sent an empty body"
