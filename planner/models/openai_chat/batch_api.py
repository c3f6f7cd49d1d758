"""Upload files to a provider's batch service, run batches and download the results.

The API is that of https://platform.openai.com/docs/api-reference/batch.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from planner.chat import ModelInfo, Prompt
from planner.errors import ModelError
from planner.models.openai_chat.batch_files import BATCH_URL, BatchResult, format_request_line, parse_result_line
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

if TYPE_CHECKING:
    from planner.models.openai_chat.transport import Transport

_PAGE_SIZE: Final = 100
_MAX_CONNECTIONS: Final = 4


class BatchService:
    """The batch service of one endpoint, for one model; an async context manager.

    Each call is sent once. A caller that repeats one must first check the effect of the last.
    """

    def __init__(self, endpoint: Endpoint, options: RequestOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._adapter = ParameterAdapter()
        self._transport: Transport | None = None

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
        if self._transport is not None:
            await self._transport.close()

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
        with path.open("rb") as content:
            upload = (name, content, "application/jsonl")
            answer = await self._call_service("POST", "files", data={"purpose": "batch"}, files={"file": upload})
        return to_string(answer.get("id"))

    async def list_files(self, after: str = "") -> Page[RemoteFile]:
        """Return a page of the service's input files: the first page, or the one after a file's id."""
        query = {"purpose": "batch", **_build_page_query(after)}
        return parse_page(await self._call_service("GET", "files", params=query), parse_file)

    async def create_batch(self, file_id: str, metadata: dict[str, str]) -> RemoteBatch:
        """Create a batch from an input file; this costs money."""
        order = {"input_file_id": file_id, "endpoint": BATCH_URL, "completion_window": "24h", "metadata": metadata}
        return parse_batch(await self._call_service("POST", "batches", json=order))

    async def list_batches(self, after: str = "") -> Page[RemoteBatch]:
        """Return a page of the account's batches: the first page, or the one after a batch's id."""
        return parse_page(await self._call_service("GET", "batches", params=_build_page_query(after)), parse_batch)

    async def fetch_batch(self, batch_id: str) -> RemoteBatch:
        """Return the current state of a batch."""
        return parse_batch(await self._call_service("GET", f"batches/{quote(batch_id, safe='')}"))

    async def stream_lines(self, file_id: str) -> AsyncGenerator[bytes]:
        """Yield the lines of a file as they arrive; a line above the size limit of a reply is left out."""
        async with aclosing(self._open_transport().stream_lines(f"files/{quote(file_id, safe='')}/content")) as lines:
            async for line in lines:
                yield line

    async def _call_service(self, method: str, path: str, **content: Any) -> JsonObject:
        """Call the service and return its response, which must be a JSON object."""
        value = await self._open_transport().call_api(method, path, **content)
        if not isinstance(value, dict):
            raise ModelError(f"{self.host} sent a response that is not from a batch service", retryable=True)
        return value

    def _adapt_parameters(self) -> JsonObject:
        parameters = build_parameters(self._endpoint.model, replace(self._options, stream=False))
        return self._adapter.adapt_parameters(parameters)

    def _open_transport(self) -> "Transport":
        if self._transport is None:
            from planner.models.openai_chat.transport import Transport  # imports the SDK, which takes 0.4 s

            self._transport = Transport(
                self._endpoint, timeout=self._options.timeout, max_connections=_MAX_CONNECTIONS, fast=False
            )
        return self._transport


def _build_page_query(after: str) -> dict[str, str]:
    return {"limit": str(_PAGE_SIZE)} | ({"after": after} if after else {})
