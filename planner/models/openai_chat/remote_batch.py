"""Files and batches as a batch service describes them (https://platform.openai.com/docs/api-reference/batch)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from planner.models.openai_chat.replies import JsonObject, to_object, to_objects, to_string


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
    items = map(parse_item, to_objects(answer.get("data")))
    return Page(tuple(item for item in items if item.id), bool(answer.get("has_more")))


def parse_file(value: JsonObject) -> RemoteFile:
    """Parse a file in a response."""
    size = value.get("bytes")
    return RemoteFile(
        to_string(value.get("id")),
        to_string(value.get("filename")),
        size if isinstance(size, int) else None,
        value.get("status") == "error",
    )


def parse_batch(value: JsonObject) -> RemoteBatch:
    """Parse a batch in a response."""
    status = to_string(value.get("status"))
    errors = value.get("errors")
    problems = to_objects(errors.get("data") if isinstance(errors, dict) else errors)
    return RemoteBatch(
        id=to_string(value.get("id")),
        state=BatchState(status) if status in set(BatchState) else BatchState.UNKNOWN,
        state_name=status,
        input_file=to_string(value.get("input_file_id")),
        output_file=to_string(value.get("output_file_id")),
        error_file=to_string(value.get("error_file_id")),
        error_messages=tuple(to_string(item.get("message")) for item in problems),
        error_codes=frozenset(to_string(item.get("code")) for item in problems),
        metadata={name: to_string(text) for name, text in to_object(value.get("metadata")).items()},
        completed_requests=_read_count(value, "completed"),
        failed_requests=_read_count(value, "failed"),
    )


def _read_count(value: JsonObject, name: str) -> int:
    count = to_object(value.get("request_counts")).get(name)
    return count if isinstance(count, int) else 0
