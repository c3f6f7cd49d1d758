"""Upload files to a provider's batch service, run batches and download the results.

The API is that of https://platform.openai.com/docs/api-reference/batch. Importing this module imports the SDK (0.4 s).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, Self

import openai

from planner.chat import ModelCard, Prompt
from planner.errors import ModelError
from planner.openai_chat import failures
from planner.openai_chat.arrival import LARGEST
from planner.openai_chat.client import client_of, headers_of, plain_http
from planner.openai_chat.complaints import RejectedParameterError
from planner.openai_chat.decoding import decoded, whole
from planner.openai_chat.endpoint import Endpoint
from planner.openai_chat.lines import Answer, read_line, request_line
from planner.openai_chat.model import PLANNER, ChatSettings, body_of, parameters_of
from planner.openai_chat.parameters import Dialect, Json
from planner.openai_chat.remote import Page, RemoteBatch, RemoteFile, batch_of, file_of, page_of, text_of

_PAGE: Final = 100
_CONNECTIONS: Final = 4


class _Raw(Protocol):
    @property
    def content(self) -> bytes: ...


class BatchService:
    """The batch service of one endpoint, for one model; an async context manager.

    Each call is sent once. A caller that repeats one must first check the effect of the last.
    """

    def __init__(self, endpoint: Endpoint, settings: ChatSettings) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._dialect = Dialect()
        self._client: openai.AsyncOpenAI | None = None

    @property
    def card(self) -> ModelCard:
        """The name, endpoint and parameters of the model, as for live requests, so that replies serve both."""
        endpoint = self._endpoint
        return ModelCard(PLANNER, endpoint.model, endpoint.model, endpoint.base_url, self._settings.parameters)

    @property
    def host(self) -> str:
        """The host and port of the service."""
        return self._endpoint.host

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()

    def line(self, custom_id: str, prompt: Prompt) -> bytes:
        """Return a prompt as a line of an input file, adapted to the endpoint."""
        return request_line(custom_id, body_of(self._dialect.spoken(self._parameters()), prompt))

    def read(self, content: bytes) -> Answer | None:
        """Return the result in a line of a result file, or None if the line is not a result.

        A rejected parameter is remembered, and its error is then retryable.
        """
        answer = read_line(content, self._endpoint)
        if answer and isinstance(refusal := answer.result, RejectedParameterError):
            refusal.retryable = self._dialect.learn(refusal.parameter, self._dialect.spoken(self._parameters()))
        return answer

    async def upload(self, path: Path, name: str) -> str:
        """Upload an input file and return its id.

        Raises:
            ModelError: if the service reports an error; all methods here do so.
        """
        raw, headers = self._open().files.with_raw_response, self._headers()
        with path.open("rb") as content:
            upload = (name, content, "application/jsonl")
            answer = await self._told(lambda: raw.create(file=upload, purpose="batch", extra_headers=headers))
        return text_of(answer.get("id"))

    async def files(self, after: str = "") -> Page[RemoteFile]:
        """Return a page of the service's input files: the first page, or the one after a file's id."""
        raw, headers = self._open().files.with_raw_response, self._headers()
        answer = await self._told(
            lambda: raw.list(purpose="batch", limit=_PAGE, after=after or openai.omit, extra_headers=headers)
        )
        return page_of(answer, file_of)

    async def create(self, file: str, metadata: dict[str, str]) -> RemoteBatch:
        """Create a batch from an input file; this costs money."""
        raw, headers = self._open().batches.with_raw_response, self._headers()
        return batch_of(
            await self._told(
                lambda: raw.create(
                    input_file_id=file,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata=metadata,
                    extra_headers=headers,
                )
            )
        )

    async def batches(self, after: str = "") -> Page[RemoteBatch]:
        """Return a page of the account's batches: the first page, or the one after a batch's id."""
        raw, headers = self._open().batches.with_raw_response, self._headers()
        answer = await self._told(lambda: raw.list(limit=_PAGE, after=after or openai.omit, extra_headers=headers))
        return page_of(answer, batch_of)

    async def batch(self, number: str) -> RemoteBatch:
        """Return the current state of a batch."""
        raw, headers = self._open().batches.with_raw_response, self._headers()
        return batch_of(await self._told(lambda: raw.retrieve(number, extra_headers=headers)))

    async def lines(self, file: str) -> AsyncGenerator[bytes]:
        """Yield the lines of a file as they arrive; a line above the size limit of a reply is left out."""
        async with self._content(file) as pieces:
            rest, oversized = bytearray(), False
            async for piece in pieces:
                *ends, begun = piece.split(b"\n")
                for end in ends:
                    if not oversized and (rest or end.strip()):
                        yield bytes(rest) + end
                    rest, oversized = bytearray(), False
                rest += begun
                if oversized := oversized or len(rest) > LARGEST:
                    rest.clear()
            if rest.strip():
                yield bytes(rest)

    @asynccontextmanager
    async def _content(self, file: str) -> AsyncIterator[AsyncIterator[bytes]]:
        streamed, failed = self._open().files.with_streaming_response, None
        try:
            async with streamed.content(file, extra_headers=self._headers()) as response:
                yield response.iter_bytes()
        except failures.FAILURES as error:
            failed = failures.from_exception(error, self._endpoint, timeout=self._settings.timeout)
        if failed is not None:  # raised here, so that no chained exception can show a key
            raise failed

    async def _told(self, call: Callable[[], Awaitable[_Raw]]) -> Json:
        """Call the service and return its response, which must be a JSON object."""
        try:
            content = (await call()).content
        except failures.FAILURES as error:
            failed = failures.from_exception(error, self._endpoint, timeout=self._settings.timeout)
        else:
            value = self._endpoint.mask.json(whole(decoded(content)))
            if isinstance(value, dict):
                return value
            failed = ModelError(f"{self.host} sent a response that is not from a batch service", retryable=True)
        raise failed  # raised here, so that no chained exception can show a key

    def _parameters(self) -> Json:
        parameters = parameters_of(self._endpoint.model, self._settings)
        return {name: value for name, value in parameters.items() if name not in ("stream", "stream_options")}

    def _headers(self) -> dict[str, str | openai.Omit]:
        return headers_of(self._endpoint)

    def _open(self) -> openai.AsyncOpenAI:
        if self._client is None:
            self._client = client_of(
                self._endpoint, plain_http(timeout=self._settings.timeout, connections=_CONNECTIONS)
            )
        return self._client
