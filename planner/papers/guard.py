"""Read papers in a separate process with time and memory limits, so that a hostile file fails only one paper."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

import planner
from planner.errors import PaperError
from planner.papers.formats import SourceKind, detect_kind
from planner.papers.load import PaperSource, ParsedSource, SourceReader, read_source

# -P and the package's folder: a file in the user's folder that is named like a module is never imported.
_CHILD_CODE: Final = "import sys; sys.path.insert(0, sys.argv[1]); from planner.papers.guard import serve_read_request; serve_read_request()"
_MAX_SMALL_TEXT: Final = 300_000  # bytes of plain text or Markdown that are read without a separate process


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The limits for reading one paper: `seconds` of wall time and bytes of `memory`."""

    seconds: float = 8.0
    memory: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _ReadRequest:
    name: str
    has_data: bool
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class _ReadResult:
    source: ParsedSource | None = None
    error: str = ""


def build_isolated_reader(limits: ReadLimits = ReadLimits()) -> SourceReader:
    """Return a reader that calls `read` in a separate process with limits, or directly for short plain text."""

    def guard(source: PaperSource) -> ParsedSource:
        return read_source(source) if _is_small_text(source) else _read_in_process(source, limits)

    return guard


def _read_in_process(source: PaperSource, limits: ReadLimits) -> ParsedSource:
    order = _ReadRequest(source.name, source.data is not None, limits.seconds, limits.memory)
    root = str(Path(planner.__file__).parents[1])
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD_CODE, root],
            input=TypeAdapter(_ReadRequest).dump_json(order) + b"\n" + (source.data or b""),
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PaperError(f"{source.name!r} took over {limits.seconds:g} seconds to read and was stopped") from None
    return _parse_result(done, source.name, limits)


def _parse_result(process: "subprocess.CompletedProcess[bytes]", name: str, limits: ReadLimits) -> ParsedSource:
    try:
        answer = TypeAdapter(_ReadResult).validate_json(process.stdout)
    except ValidationError:
        said = process.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1][:200]
        if "MemoryError" in said or "bad_alloc" in said:
            raise PaperError(_describe_memory_limit(name, limits.memory)) from None
        raise PaperError(
            f"{name!r} made its reader fail (exit {process.returncode}: {said}); it may be damaged"
        ) from None
    if answer.source is None:
        raise PaperError(answer.error)
    return answer.source


def serve_read_request() -> None:
    """Read one request from standard input, read its source, and write the result to standard output."""
    line, data = sys.stdin.buffer.readline(), sys.stdin.buffer.read()
    order = TypeAdapter(_ReadRequest).validate_python(json.loads(line))
    _limit_process(order)
    try:
        answer = _ReadResult(read_source(PaperSource(order.name, data if order.has_data else None)))
    except PaperError as error:
        answer = _ReadResult(error=str(error))
    except (MemoryError, RecursionError) as error:
        answer = _ReadResult(
            error=_describe_memory_limit(order.name, order.memory)
            if isinstance(error, MemoryError)
            else f"{order.name!r} is nested too deeply"
        )
    sys.stdout.buffer.write(TypeAdapter(_ReadResult).dump_json(answer))


def _limit_process(request: _ReadRequest) -> None:
    """Set the limits of this process, if the system supports them."""
    if sys.platform == "win32":
        return
    import resource

    seconds = int(request.seconds) + 1
    for kind, value in (
        (resource.RLIMIT_AS, request.memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            continue  # macOS has no limit of the address space; the time limit still holds


def _describe_memory_limit(name: str, memory: int) -> str:
    return f"{name!r} needs over {memory / 1e9:.1f} GB of memory to read and was stopped"


def _is_small_text(source: PaperSource) -> bool:
    head = source.data
    if head is None:
        path = Path(source.name)
        try:
            if not path.is_file() or path.stat().st_size > _MAX_SMALL_TEXT:
                return False
            head = path.read_bytes()
        except (OSError, ValueError):
            return True  # `read` raises the error
    return len(head) <= _MAX_SMALL_TEXT and detect_kind(head, source.name) in (
        SourceKind.TEXT,
        SourceKind.MARKDOWN,
        SourceKind.EMPTY,
        SourceKind.OTHER,
    )
