"""Parse a batch service's files and batches (https://platform.openai.com/docs/api-reference/batch)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from pydantic import JsonValue

from planner.openai_chat.parameters import Json


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
    """An input file; `size` is in bytes or None, `broken` is true if the service reports an error in it."""

    id: str
    name: str
    size: int | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch at the service; `said` is the service's own name of the state, and a missing file is ""."""

    id: str
    state: BatchState
    said: str
    input_file: str = ""
    output_file: str = ""
    error_file: str = ""
    problems: tuple[str, ...] = ()
    codes: frozenset[str] = frozenset()
    metadata: dict[str, str] = field(default_factory=dict)
    completed: int = 0
    failed: int = 0


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """A page of a list; `more` is true if further pages follow."""

    items: tuple[_Item, ...]
    more: bool


def page_of(answer: Json, item: Callable[[Json], _Item]) -> Page[_Item]:
    """Parse a page of a list with `item`; items without an id are left out."""
    listed = answer.get("data")
    values = [item(value) for value in listed if isinstance(value, dict)] if isinstance(listed, list) else []
    return Page(tuple(value for value in values if value.id), bool(answer.get("has_more")))


def file_of(value: Json) -> RemoteFile:
    """Parse a file in a response."""
    size = value.get("bytes")
    return RemoteFile(
        text_of(value.get("id")),
        text_of(value.get("filename")),
        size if isinstance(size, int) else None,
        value.get("status") == "error",
    )


def batch_of(value: Json) -> RemoteBatch:
    """Parse a batch in a response."""
    said = text_of(value.get("status"))
    errors = value.get("errors")
    listed = errors.get("data") if isinstance(errors, dict) else errors
    problems = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    metadata = value.get("metadata")
    return RemoteBatch(
        id=text_of(value.get("id")),
        state=BatchState(said) if said in set(BatchState) else BatchState.UNKNOWN,
        said=said,
        input_file=text_of(value.get("input_file_id")),
        output_file=text_of(value.get("output_file_id")),
        error_file=text_of(value.get("error_file_id")),
        problems=tuple(text_of(item.get("message")) for item in problems),
        codes=frozenset(text_of(item.get("code")) for item in problems),
        metadata={k: text_of(v) for k, v in metadata.items()} if isinstance(metadata, dict) else {},
        completed=_count(value, "completed"),
        failed=_count(value, "failed"),
    )


def text_of(value: JsonValue) -> str:
    """Return the value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def _count(value: Json, what: str) -> int:
    counts = value.get("request_counts")
    count = counts.get(what) if isinstance(counts, dict) else None
    return count if isinstance(count, int) else 0
