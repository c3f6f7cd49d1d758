"""Files and batches as a batch service describes them (https://platform.openai.com/docs/api-reference/batch)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from pydantic import JsonValue

from planner.models.openai_chat.chat import (
    JsonObject,
)


class BatchState(StrEnum):
    """The state of a batch; any other name is UNKNOWN, and the batch counts as still running."""

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
    """An input file; `size` is in bytes or None, `is_broken` is true if the service reports an error in it."""

    id: str
    name: str
    size: int | None = None
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch at the service; `state_name` is the service's own name of the state, and a missing file is ""."""

    id: str
    state: BatchState
    state_name: str
    input_file: str = ""
    output_file: str = ""
    error_file: str = ""
    error_messages: tuple[str, ...] = ()
    error_codes: frozenset[str] = frozenset()
    metadata: dict[str, str] = field(default_factory=dict)
    completed_requests: int = 0
    failed_requests: int = 0


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_HasId)


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """A page of a list; `has_more` is true if further pages follow."""

    items: tuple[_Item, ...]
    has_more: bool


def parse_page(answer: JsonObject, parse_item: Callable[[JsonObject], _Item]) -> Page[_Item]:
    """Parse a page of a list with `parse_item`; items without an id are left out."""
    listed = answer.get("data")
    values = [parse_item(value) for value in listed if isinstance(value, dict)] if isinstance(listed, list) else []
    return Page(tuple(value for value in values if value.id), bool(answer.get("has_more")))


def parse_file(value: JsonObject) -> RemoteFile:
    """Parse a file in a response."""
    size = value.get("bytes")
    return RemoteFile(
        to_text(value.get("id")),
        to_text(value.get("filename")),
        size if isinstance(size, int) else None,
        value.get("status") == "error",
    )


def parse_batch(value: JsonObject) -> RemoteBatch:
    """Parse a batch in a response."""
    said = to_text(value.get("status"))
    errors = value.get("errors")
    listed = errors.get("data") if isinstance(errors, dict) else errors
    problems = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    metadata = value.get("metadata")
    return RemoteBatch(
        id=to_text(value.get("id")),
        state=BatchState(said) if said in set(BatchState) else BatchState.UNKNOWN,
        state_name=said,
        input_file=to_text(value.get("input_file_id")),
        output_file=to_text(value.get("output_file_id")),
        error_file=to_text(value.get("error_file_id")),
        error_messages=tuple(to_text(item.get("message")) for item in problems),
        error_codes=frozenset(to_text(item.get("code")) for item in problems),
        metadata={k: to_text(v) for k, v in metadata.items()} if isinstance(metadata, dict) else {},
        completed_requests=_read_count(value, "completed"),
        failed_requests=_read_count(value, "failed"),
    )


def to_text(value: JsonValue) -> str:
    """Return the value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def _read_count(value: JsonObject, name: str) -> int:
    counts = value.get("request_counts")
    count = counts.get(name) if isinstance(counts, dict) else None
    return count if isinstance(count, int) else 0
