"""Requests to read a paper, and their results, which the program and a reader process exchange as JSON.

The reader process never sends a pickle, since a pickle made from a harmful file could run code in the program.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticSerializationError

from planner.analysis.passages import PaperIndex
from planner.chat import Prompt, TokenCounter
from planner.errors import NotAPaperError, PaperError, PlannerError, PromptError, TooLongError
from planner.papers.paper import Omission, Paper, PaperInfo
from planner.planning.first_prompt import PaperPrompt, PlanSettings

# A request begins with the sizes of its JSON and of its data in bytes, a result with the size of its JSON.
REQUEST_SIZES: Final = struct.Struct(">II")
RESULT_SIZE: Final = struct.Struct(">I")
# Signals in the place of a size: a download begins, and a download has ended.
DOWNLOAD_BEGINS: Final = 0xFFFFFFFF
DOWNLOAD_ENDS: Final = 0xFFFFFFFE
MAX_RESULT_BYTES: Final = 200_000_000  # bytes of a result; a paper has at most 2,000,000 characters


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The limits for reading one paper; `file_bytes` is the size of a file that is written."""

    seconds: float = 10.0
    memory_bytes: int = 1_000_000_000
    cpu_seconds: int = 11
    file_bytes: int = 0

    def describe_timeout(self, source: str) -> str:
        """Return the error message for a paper that takes too long to read."""
        return f"{source!r} took over {self.seconds:g} seconds to read and was stopped; convert it to another format"

    def describe_memory_excess(self, source: str) -> str:
        """Return the error message for a paper that needs too much memory."""
        return (
            f"{source!r} needs over {self.memory_bytes / 1e9:.1f} GB of memory to read and was stopped; "
            "convert it to another format"
        )


READ_LIMITS: Final = ReadLimits()


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """The settings and the token counter for building one prompt about a paper."""

    settings: PlanSettings
    token_counter: TokenCounter


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request to read a paper and to build prompts about it.

    `source` is a path, an arXiv id or an arXiv address. If `data` holds the content, `source` only says where it came
    from: `-` for stdin, or an address. A `title` or `abstract` replaces the one in the paper. If `paper_id` is "", the
    id is made from the title or the file name. If `keep_paper` is true, the result holds the paper too.
    """

    source: str
    data: bytes | None = None
    title: str = ""
    abstract: str = ""
    paper_id: str = ""
    prompts: tuple[PromptRequest, ...] = ()
    keep_paper: bool = False

    @property
    def source_name(self) -> str:
        """The name of the source in error messages."""
        return "stdin" if self.source == "-" else self.source


@dataclass(frozen=True)
class _ErrorJson:
    error: Literal["PaperError", "NotAPaperError", "PromptError", "TooLongError"]
    reason: str
    limit: int | None


@dataclass(frozen=True)
class _PromptState:
    """The fields of a `Prompt` except its messages."""

    template_sha256: str
    sample: int
    sha256: str
    message_count: int
    min_tokens: int


@dataclass(frozen=True)
class _PaperPromptJson:
    prompt: _PromptState
    omissions: tuple[Omission, ...]
    warnings: tuple[str, ...]


def _prompt_to_json(value: PaperPrompt | PlannerError) -> dict[str, Any]:
    if isinstance(value, PlannerError):
        return _error_to_json(value)
    state = {name: field for name, field in value.prompt.__getstate__().items() if name != "messages_json"}
    return {"prompt": state, "omissions": value.omissions, "warnings": value.warnings}


def _prompt_from_json(value: Any, info: ValidationInfo) -> PaperPrompt | PlannerError:
    """Return the prompt or error that `value` holds. The iterator `info.context` yields its messages."""
    if isinstance(value, dict) and "error" in value:
        return _error_from_json(value)
    fields: _PaperPromptJson = _adapt(_PaperPromptJson).validate_python(value)
    messages: Iterator[bytes] = info.context or iter(())
    prompt = Prompt(next(messages, b""), fields.prompt.template_sha256)
    vars(prompt).update(vars(fields.prompt))
    return PaperPrompt(prompt, fields.omissions, fields.warnings)


def _error_to_json(error: PlannerError) -> dict[str, Any]:
    return {"error": type(error).__name__, "reason": str(error), "limit": getattr(error, "limit", None)}


def _error_from_json(value: Any) -> PlannerError:
    fields: _ErrorJson = _adapt(_ErrorJson).validate_python(value)
    if fields.error == "TooLongError":
        return TooLongError(fields.reason, limit=fields.limit)
    types = {each.__name__: each for each in (PaperError, NotAPaperError, PromptError)}
    return types[fields.error](fields.reason)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The result of reading a paper: a prompt or an error for each prompt request.

    `paper` is None unless the request asked for the paper. The index is used to check plans; it is None if no prompt
    was built. It lacks the text that is in the first prompt, and `restore_full_index` adds this text.
    """

    info: PaperInfo
    prompts: tuple[
        Annotated[PaperPrompt | PlannerError, PlainValidator(_prompt_from_json), PlainSerializer(_prompt_to_json)], ...
    ] = ()
    paper: Paper | None = None
    index_without_excerpt: PaperIndex | None = None

    def restore_full_index(self) -> PaperIndex | None:
        """Return the complete index, None if there is no index."""
        index, prompts = self.index_without_excerpt, (each for each in self.prompts if isinstance(each, PaperPrompt))
        first = next(prompts, None)
        return index.restore_excerpt(first.prompt.messages[-1].content) if index and first else None


# The result of a read request.
ReadResultOrError = ReadResult | PaperError


def encode_request(request: ReadRequest) -> bytes:
    """Return a request as the bytes that a reader process receives."""
    data = request.data or b""
    text = _dump_json(ReadRequest, request, exclude={"data"})
    return REQUEST_SIZES.pack(len(text), len(data)) + text + data


def decode_request(text: bytes, data: bytes) -> ReadRequest:
    """Return the request that `text` holds as JSON; `data` is the content of the paper."""
    request: ReadRequest = _adapt(ReadRequest).validate_python({**json.loads(text), "data": data})
    return request


def encode_result(result: ReadResult) -> bytes:
    """Return a result as bytes: their number, a line of JSON for the result, and one for each prompt's messages."""
    messages = (each.prompt.messages_json for each in result.prompts if isinstance(each, PaperPrompt))
    text = b"\n".join((_dump_json(ReadResult, result), *messages))
    return RESULT_SIZE.pack(len(text)) + text


def encode_error(error: PaperError) -> bytes:
    """Return the error of a paper as the bytes that are sent in place of a result: their number and a line of JSON."""
    text = json.dumps(_error_to_json(error)).encode()
    return RESULT_SIZE.pack(len(text)) + text


def decode_result(text: bytes) -> ReadResult:
    """Return the result that `text` holds.

    Raises:
        PaperError: if `text` holds this error.
        ValueError, RecursionError: if `text` is not a valid result.
    """
    head, _, lines = text.partition(b"\n")
    if head.startswith(b'{"error"'):
        error = _error_from_json(json.loads(head))
        raise error if isinstance(error, PaperError) else PaperError(str(error))
    try:
        result: ReadResult = _adapt(ReadResult).validate_json(head, context=_iterate_lines(lines))
    except ValidationError:  # the JSON may hold a lone surrogate
        result = _adapt(ReadResult).validate_python(json.loads(head), context=_iterate_lines(lines))
    index = result.index_without_excerpt
    if index and not (index.sections and all(each.has_valid_pages_and_indices for each in index.sections)):
        raise ValueError("the index has no sections, or refers to passages that it does not have")
    return result


def _iterate_lines(text: bytes) -> Iterator[bytes]:
    while text:  # splitting all lines at once would take ten times as long
        line, _, text = text.partition(b"\n")
        yield line


def _dump_json(kind: Any, value: object, **options: Any) -> bytes:
    try:
        return _adapt(kind).dump_json(value, **options)
    except PydanticSerializationError:  # a lone surrogate, as in a file's name that is not Unicode
        return json.dumps(_adapt(kind).dump_python(value, mode="json", **options)).encode()


@cache
def _adapt(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
