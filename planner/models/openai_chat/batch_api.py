"""Upload files to a provider's batch service, create batches, and read the service's lists and result files.

The API is described at https://platform.openai.com/docs/api-reference/batch, the format of the files at
https://platform.openai.com/docs/guides/batch. vLLM's `run-batch` uses the same format.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

from pydantic_core import to_json

from planner.chat import Completion, Prompt
from planner.errors import ModelError
from planner.models.openai_chat.chat import (
    EndpointClient,
    RequestOptions,
    build_content_filter_completion,
    build_request_body,
)
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.openai_chat.replies import (
    ErrorBody,
    FilteredPromptError,
    JsonObject,
    RejectedParameterError,
    get_object_or_empty,
    get_string_or_empty,
    list_object_items,
    parse_and_mask_completion,
    parse_and_mask_error,
    parse_error_body,
)
from planner.models.openai_chat.stream import decode_json_or_none, format_json

_URL: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The completion or the error for one request of a batch; `custom_id` is the request's id in the input file."""

    custom_id: str
    result: Completion | ModelError


def _parse_result(line: JsonObject, endpoint: Endpoint) -> Completion | ModelError:
    from planner.models.openai_chat.errors import convert_error_body, shorten_to_one_line  # imports the SDK

    response, mask = get_object_or_empty(line.get("response")), endpoint.mask
    body, status = response.get("body"), response.get("status_code")
    if isinstance(body, str):  # some services send it as a string of JSON
        body = decode_json_or_none(body.encode())
    status = status if isinstance(status, int) else 0
    headers = {"x-request-id": mask.mask_text(get_string_or_empty(response.get("request_id")))}
    if error := parse_and_mask_error(body, mask):
        return convert_error_body(error, endpoint, status or 200, headers, format_json(mask.mask_json(body)))
    if status < 400 and (completion := parse_and_mask_completion(body, mask)):
        return completion
    failed = mask.mask_json(line.get("error"))
    # vLLM wraps the error once more, as it does in a live response.
    error = (
        parse_error_body(failed)
        or parse_error_body({"error": failed})
        or ErrorBody("it sent neither a reply nor an error message")
    )
    text = format_json(failed or mask.mask_json(response.get("body")))
    if error_status := error.status or (status if status >= 400 else None):
        return convert_error_body(error, endpoint, error_status, headers, text)
    # An error of the service itself: the request expired or was cancelled before a model saw it.
    code = f" ({shorten_to_one_line(error.code)})" if error.code else ""
    return ModelError(f"{endpoint.host}: {shorten_to_one_line(error.message)}{code}", retryable=True, body=text)


class BatchState(StrEnum):
    """The state of a batch; a state with an unlisted name becomes UNKNOWN, and counts as still running."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An input file at the service; `size` is in bytes. A file is broken if the service found an error in it."""

    id: str
    name: str
    size: int | None = None
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch at the service, with the ids of its files ("" for none); `state_name` is the state as it was received."""

    id: str
    state: BatchState
    state_name: str
    input_file_id: str = ""
    output_file_id: str = ""
    error_file_id: str = ""
    error_messages: tuple[str, ...] = ()
    error_codes: frozenset[str] = frozenset()
    metadata: dict[str, str] = field(default_factory=dict)
    completed_requests: int = 0
    failed_requests: int = 0


RemoteItem = TypeVar("RemoteItem", RemoteFile, RemoteBatch)


@dataclass(frozen=True, slots=True)
class Page(Generic[RemoteItem]):
    """One page of a list at the service; `has_more` is true if more pages follow."""

    items: tuple[RemoteItem, ...]
    has_more: bool


def _parse_page(answer: JsonObject, parse_item: Callable[[JsonObject], RemoteItem]) -> Page[RemoteItem]:
    """Parse a page of a list with `parse_item`; items without an id are left out."""
    items = map(parse_item, list_object_items(answer.get("data")))
    return Page(tuple(item for item in items if item.id), bool(answer.get("has_more")))


def _parse_file(value: JsonObject) -> RemoteFile:
    size = value.get("bytes")
    return RemoteFile(
        get_string_or_empty(value.get("id")),
        get_string_or_empty(value.get("filename")),
        size if isinstance(size, int) else None,
        value.get("status") == "error",
    )


def _parse_batch(value: JsonObject) -> RemoteBatch:
    status = get_string_or_empty(value.get("status"))
    errors = value.get("errors")
    problems = list_object_items(errors.get("data") if isinstance(errors, dict) else errors)
    return RemoteBatch(
        id=get_string_or_empty(value.get("id")),
        state=BatchState(status) if status in set(BatchState) else BatchState.UNKNOWN,
        state_name=status,
        input_file_id=get_string_or_empty(value.get("input_file_id")),
        output_file_id=get_string_or_empty(value.get("output_file_id")),
        error_file_id=get_string_or_empty(value.get("error_file_id")),
        error_messages=tuple(get_string_or_empty(item.get("message")) for item in problems),
        error_codes=frozenset(get_string_or_empty(item.get("code")) for item in problems),
        metadata={name: get_string_or_empty(text) for name, text in get_object_or_empty(value.get("metadata")).items()},
        completed_requests=_read_count(value, "completed"),
        failed_requests=_read_count(value, "failed"),
    )


def _read_count(value: JsonObject, name: str) -> int:
    count = get_object_or_empty(value.get("request_counts")).get(name)
    return count if isinstance(count, int) else 0


class BatchService(EndpointClient):
    """The batch service of one endpoint, for one model; an async context manager.

    No method sends its request again. A failed request may still have had an effect; check this before you try again.
    """

    def __init__(self, endpoint: Endpoint, options: RequestOptions) -> None:
        super().__init__(endpoint, replace(options, stream=False, max_connections=4))

    @property
    def host(self) -> str:
        """The host and port of the service."""
        return self.endpoint.host

    def format_request_line(self, custom_id: str, prompt: Prompt) -> bytes:
        """Return a line of an input file: a prompt with the parameters that the endpoint accepts."""
        body = build_request_body(self.build_parameters(), prompt)
        return to_json({"custom_id": custom_id, "method": "POST", "url": _URL})[:-1] + b',"body":' + body + b"}\n"

    def parse_result_line(self, content: bytes) -> BatchResult | None:
        """Return the result in a line of a result file, with secrets masked; None if the line is not a result.

        If a content filter refused the prompt, the result is a completion with a refusal, not an error. If the endpoint
        rejects a parameter, later requests leave it out or rename it; the error is retryable if this is possible.
        """
        line = get_object_or_empty(decode_json_or_none(content))
        custom_id = line.get("custom_id")
        if not isinstance(custom_id, str) or "method" in line:
            return None
        result = _parse_result(line, self.endpoint)
        if isinstance(result, FilteredPromptError):
            return BatchResult(custom_id, build_content_filter_completion(result))
        if isinstance(result, RejectedParameterError):
            result.retryable = self._adapter.observe_rejection(result.parameter, self.build_parameters())
        return BatchResult(custom_id, result)

    async def upload_file(self, path: Path, name: str) -> str:
        """Upload an input file and return its id.

        Raises:
            ModelError: if the request fails; this also holds for the other methods that send a request.
        """
        with path.open("rb") as content:
            upload = (name, content, "application/jsonl")
            answer = await self._call_service("POST", "files", data={"purpose": "batch"}, files={"file": upload})
        return get_string_or_empty(answer.get("id"))

    async def list_files(self, after: str = "") -> Page[RemoteFile]:
        """Return the first page of the input files, or the page that follows the file with the id `after`."""
        query = {"purpose": "batch", **_build_page_query(after)}
        return _parse_page(await self._call_service("GET", "files", params=query), _parse_file)

    async def create_batch(self, file_id: str, metadata: dict[str, str]) -> RemoteBatch:
        """Start a batch of the requests in an input file; this costs money."""
        order = {"input_file_id": file_id, "endpoint": _URL, "completion_window": "24h", "metadata": metadata}
        return _parse_batch(await self._call_service("POST", "batches", json=order))

    async def list_batches(self, after: str = "") -> Page[RemoteBatch]:
        """Return the first page of the account's batches, or the page that follows the batch `after`."""
        return _parse_page(await self._call_service("GET", "batches", params=_build_page_query(after)), _parse_batch)

    async def fetch_batch(self, batch_id: str) -> RemoteBatch:
        """Return the current state of a batch."""
        return _parse_batch(await self._call_service("GET", f"batches/{quote(batch_id, safe='')}"))

    def download_lines(self, file_id: str) -> AsyncGenerator[bytes]:
        """Yield the lines of a file as they arrive; skip lines that are longer than any reply."""
        return self.open_transport().download_lines(f"files/{quote(file_id, safe='')}/content")

    async def _call_service(self, method: str, path: str, **content: Any) -> JsonObject:
        """Call the service and return its response, which must be a JSON object."""
        value = await self.open_transport().request_json(method, path, **content)
        if not isinstance(value, dict):
            raise ModelError(f"{self.host} sent a response that is not from a batch service", retryable=True)
        return value


def _build_page_query(after: str) -> dict[str, str]:
    return {"limit": "100"} | ({"after": after} if after else {})
