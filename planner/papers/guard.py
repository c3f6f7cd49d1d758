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
from planner.papers.read import Found, Reader, Source, read
from planner.papers.sniff import Kind, kind_of

# -P and the package's folder: a file in the user's folder that is named like a module is never imported.
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from planner.papers.guard import serve; serve()"
_LIGHT: Final = 300_000  # bytes of plain text or Markdown that are read without a separate process


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits for reading one paper: `seconds` of wall time and bytes of `memory`."""

    seconds: float = 8.0
    memory: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Order:
    name: str
    has_data: bool
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class _Answer:
    found: Found | None = None
    error: str = ""


def guarded(limits: Limits = Limits()) -> Reader:
    """Return a reader that calls `read` in a separate process with limits, or directly for short plain text."""

    def guard(source: Source) -> Found:
        return read(source) if _is_light(source) else _in_process(source, limits)

    return guard


def _in_process(source: Source, limits: Limits) -> Found:
    order = _Order(source.name, source.data is not None, limits.seconds, limits.memory)
    root = str(Path(planner.__file__).parents[1])
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _START, root],
            input=TypeAdapter(_Order).dump_json(order) + b"\n" + (source.data or b""),
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PaperError(f"{source.name!r} took over {limits.seconds:g} seconds to read and was stopped") from None
    return _found(done, source.name, limits)


def _found(done: "subprocess.CompletedProcess[bytes]", name: str, limits: Limits) -> Found:
    try:
        answer = TypeAdapter(_Answer).validate_json(done.stdout)
    except ValidationError:
        said = done.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1][:200]
        if "MemoryError" in said or "bad_alloc" in said:
            raise PaperError(_too_much(name, limits.memory)) from None
        raise PaperError(f"{name!r} made its reader fail (exit {done.returncode}: {said}); it may be damaged") from None
    if answer.found is None:
        raise PaperError(answer.error)
    return answer.found


def serve() -> None:
    """Read one request from standard input, read its source, and write the result to standard output."""
    line, data = sys.stdin.buffer.readline(), sys.stdin.buffer.read()
    order = TypeAdapter(_Order).validate_python(json.loads(line))
    _limit(order)
    try:
        answer = _Answer(read(Source(order.name, data if order.has_data else None)))
    except PaperError as error:
        answer = _Answer(error=str(error))
    except (MemoryError, RecursionError) as error:
        answer = _Answer(
            error=_too_much(order.name, order.memory)
            if isinstance(error, MemoryError)
            else f"{order.name!r} is nested too deeply"
        )
    sys.stdout.buffer.write(TypeAdapter(_Answer).dump_json(answer))


def _limit(order: _Order) -> None:
    """Set the limits of this process, if the system supports them."""
    if sys.platform == "win32":
        return
    import resource

    seconds = int(order.seconds) + 1
    for kind, value in (
        (resource.RLIMIT_AS, order.memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            continue  # macOS has no limit of the address space; the time limit still holds


def _too_much(name: str, memory: int) -> str:
    return f"{name!r} needs over {memory / 1e9:.1f} GB of memory to read and was stopped"


def _is_light(source: Source) -> bool:
    head = source.data
    if head is None:
        path = Path(source.name)
        try:
            if not path.is_file() or path.stat().st_size > _LIGHT:
                return False
            head = path.read_bytes()
        except (OSError, ValueError):
            return True  # `read` raises the error
    return len(head) <= _LIGHT and kind_of(head, source.name) in (Kind.TEXT, Kind.MARKDOWN, Kind.EMPTY, Kind.OTHER)
