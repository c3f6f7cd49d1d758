"""Upload files to a provider's batch service, run batches and download the results.

The API is that of https://platform.openai.com/docs/api-reference/batch. Importing this module imports the SDK (0.4 s).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, Self

import openai

from planner.chat import ModelInfo, Prompt
from planner.errors import ModelError
from planner.models.openai_chat import errors
from planner.models.openai_chat.batch_files import BatchResult, format_request_line, parse_result_line
from planner.models.openai_chat.chat import (
    ParameterAdapter,
    RequestOptions,
    build_parameters,
    build_request_body,
    describe_model,
)
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.openai_chat.error_bodies import RejectedParameterError
from planner.models.openai_chat.remote_batch import (
    Page,
    RemoteBatch,
    RemoteFile,
    parse_batch,
    parse_file,
    parse_page,
)
from planner.models.openai_chat.replies import JsonObject, to_string
from planner.models.openai_chat.stream import MAX_REPLY_BYTES, decode_json, repair_json_surrogates
from planner.models.openai_chat.transport import build_auth_headers, create_client, create_http_client

_PAGE_SIZE: Final = 100
_MAX_CONNECTIONS: Final = 4


class _RawResponse(Protocol):
    @property
    def content(self) -> bytes: ...


class BatchService:
    """The batch service of one endpoint, for one model; an async context manager.

    Each call is sent once. A caller that repeats one must first check the effect of the last.
    """

    def __init__(self, endpoint: Endpoint, options: RequestOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._headers = build_auth_headers(endpoint)
        self._adapter = ParameterAdapter()
        self._client: openai.AsyncOpenAI | None = None

    @property
    def info(self) -> ModelInfo:
        """The name, endpoint and parameters of the model, as for live requests, so that replies serve both."""
        return describe_model(self._endpoint, self._options)

    @property
    def host(self) -> str:
        """The host and port of the service."""
        return self._endpoint.host

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()

    def format_request_line(self, custom_id: str, prompt: Prompt) -> bytes:
        """Return a prompt as a line of an input file, adapted to the endpoint."""
        return format_request_line(custom_id, build_request_body(self._adapt_parameters(), prompt))

    def parse_result_line(self, content: bytes) -> BatchResult | None:
        """Return the result in a line of a result file, or None if the line is not a result.

        A rejected parameter is remembered, and its error is then retryable.
        """
        result = parse_result_line(content, self._endpoint)
        if result and isinstance(error := result.result, RejectedParameterError):
            error.retryable = self._adapter.observe_rejection(error.parameter, self._adapt_parameters())
        return result

    async def upload_file(self, path: Path, name: str) -> str:
        """Upload an input file and return its id.

        Raises:
            ModelError: if the service reports an error; all methods here do so.
        """
        raw, headers = self._open_client().files.with_raw_response, self._headers
        with path.open("rb") as content:
            upload = (name, content, "application/jsonl")
            answer = await self._call_service(lambda: raw.create(file=upload, purpose="batch", extra_headers=headers))
        return to_string(answer.get("id"))

    async def list_files(self, after: str = "") -> Page[RemoteFile]:
        """Return a page of the service's input files: the first page, or the one after a file's id."""
        raw, headers = self._open_client().files.with_raw_response, self._headers
        answer = await self._call_service(
            lambda: raw.list(purpose="batch", limit=_PAGE_SIZE, after=after or openai.omit, extra_headers=headers)
        )
        return parse_page(answer, parse_file)

    async def create_batch(self, file_id: str, metadata: dict[str, str]) -> RemoteBatch:
        """Create a batch from an input file; this costs money."""
        raw, headers = self._open_client().batches.with_raw_response, self._headers
        return parse_batch(
            await self._call_service(
                lambda: raw.create(
                    input_file_id=file_id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata=metadata,
                    extra_headers=headers,
                )
            )
        )

    async def list_batches(self, after: str = "") -> Page[RemoteBatch]:
        """Return a page of the account's batches: the first page, or the one after a batch's id."""
        raw, headers = self._open_client().batches.with_raw_response, self._headers
        answer = await self._call_service(
            lambda: raw.list(limit=_PAGE_SIZE, after=after or openai.omit, extra_headers=headers)
        )
        return parse_page(answer, parse_batch)

    async def fetch_batch(self, batch_id: str) -> RemoteBatch:
        """Return the current state of a batch."""
        raw, headers = self._open_client().batches.with_raw_response, self._headers
        return parse_batch(await self._call_service(lambda: raw.retrieve(batch_id, extra_headers=headers)))

    async def stream_lines(self, file_id: str) -> AsyncGenerator[bytes]:
        """Yield the lines of a file as they arrive; a line above the size limit of a reply is left out."""
        async with self._stream_content(file_id) as pieces:
            rest, oversized = bytearray(), False
            async for piece in pieces:
                *line_ends, line_start = piece.split(b"\n")
                for line_end in line_ends:
                    if not oversized and (rest or line_end.strip()):
                        yield bytes(rest) + line_end
                    rest, oversized = bytearray(), False
                rest += line_start
                if oversized := oversized or len(rest) > MAX_REPLY_BYTES:
                    rest.clear()
            if rest.strip():
                yield bytes(rest)

    @asynccontextmanager
    async def _stream_content(self, file_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        streamed, failed = self._open_client().files.with_streaming_response, None
        try:
            async with streamed.content(file_id, extra_headers=self._headers) as response:
                yield response.iter_bytes()
        except errors.TRANSPORT_EXCEPTIONS as error:
            failed = errors.convert_exception(error, self._endpoint, timeout=self._options.timeout)
        if failed is not None:  # raised here, so that no chained exception can show a key
            raise failed

    async def _call_service(self, call: Callable[[], Awaitable[_RawResponse]]) -> JsonObject:
        """Call the service and return its response, which must be a JSON object."""
        try:
            content = (await call()).content
        except errors.TRANSPORT_EXCEPTIONS as error:
            failed = errors.convert_exception(error, self._endpoint, timeout=self._options.timeout)
        else:
            value = self._endpoint.mask.mask_json(repair_json_surrogates(decode_json(content)))
            if isinstance(value, dict):
                return value
            failed = ModelError(f"{self.host} sent a response that is not from a batch service", retryable=True)
        raise failed  # raised here, so that no chained exception can show a key

    def _adapt_parameters(self) -> JsonObject:
        parameters = build_parameters(self._endpoint.model, replace(self._options, stream=False))
        return self._adapter.adapt_parameters(parameters)

    def _open_client(self) -> openai.AsyncOpenAI:
        if self._client is None:
            self._client = create_client(
                self._endpoint, create_http_client(timeout=self._options.timeout, max_connections=_MAX_CONNECTIONS)
            )
        return self._client
