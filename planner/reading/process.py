"""Read papers in separate processes with limits; a harmful or huge file cannot stop the program."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final, Protocol, Self

import planner
from planner.errors import PaperError, RunError
from planner.files import describe_os_error
from planner.papers.arxiv import ArxivClient
from planner.papers.paper import Paper
from planner.reading.request import (
    DOWNLOAD_BEGINS,
    DOWNLOAD_ENDS,
    MAX_RESULT_BYTES,
    READ_LIMITS,
    RESULT_SIZE,
    ReadLimits,
    ReadRequest,
    ReadResult,
    decode_result,
    encode_request,
)

# The module is named, not imported, since only the new process needs the code that reads papers.
# -P: do not import modules from the current folder, since they may have the same names as ours.
WORKER_COMMAND: Final = (sys.executable, "-P", "-m", "planner.reading")
_START_SECONDS: Final = 120.0
_EXIT_SECONDS: Final = 2.0
_DOWNLOAD_SECONDS: Final = 600.0  # long, since a download from arXiv may have to wait for others
_BUFFER_BYTES: Final = 1_000_000  # bytes that a process can send before it waits; nearly every result fits
_MEMORY_ERRORS: Final = ("MemoryError", "bad_alloc", "memory allocation")  # at the end of the process's stderr


class PaperReader(Protocol):
    """A reader of papers; use it within `async with`."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def read_paper_with_prompts(self, request: ReadRequest) -> ReadResult:
        """Read a paper and build its prompts.

        Raises:
            PaperError: if the paper cannot be read.
            RunError: if the reader itself cannot work.
        """


# A function that gets the number of papers, and returns the readers for them.
ReaderFactory = Callable[[int], Sequence[PaperReader]]


class IsolatedReader:
    """A reader that reads papers in another process, and replaces the process if it fails.

    `arxiv` says how to download papers. During a download, only the limit on memory applies. `folder` is the working
    folder of the process, and `command` starts the process.
    """

    def __init__(
        self,
        arxiv: ArxivClient,
        limits: ReadLimits = READ_LIMITS,
        *,
        folder: Path | None = None,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        access = {"base_url": arxiv.base_url, "offline": arxiv.offline, "pause": arxiv.pause}
        cache = "" if arxiv.cache is None else str(arxiv.cache)
        self._command = (*command, json.dumps(access), cache, json.dumps(asdict(limits)))
        self._limits = limits
        self._folder = folder
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end_process()

    async def load_paper(self, request: ReadRequest) -> Paper:
        """Return the paper that a request names; the errors are those of `read_paper_with_prompts`."""
        paper = (await self.read_paper_with_prompts(replace(request, keep_paper=True))).paper
        assert paper is not None, "a request with `keep_paper` gets the paper"
        return paper

    async def read_paper_with_prompts(self, request: ReadRequest) -> ReadResult:
        """Read a paper and build its prompts; the errors are those of `PaperReader`."""
        async with self._turn:
            process, name = self._process or await self._start_process(), request.source_name
            try:
                return await self._exchange(process, request)
            except TimeoutError:
                reason = self._limits.describe_timeout(name)
            except (asyncio.IncompleteReadError, ConnectionError, ValueError, RecursionError):
                reason = await self._describe_crash(process, name)
            except PaperError as error:
                reason = str(error)
                if reason != self._limits.describe_memory_excess(name):
                    raise
            await self._end_process()  # the next paper gets a new process, with all of its memory
            raise PaperError(reason)

    async def _exchange(self, process: Process, request: ReadRequest) -> ReadResult:
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.timeout(self._limits.seconds) as clock:
            process.stdin.write(encode_request(request))
            await process.stdin.drain()
            while (size := await _receive_size(process)) in (DOWNLOAD_BEGINS, DOWNLOAD_ENDS):
                seconds = _DOWNLOAD_SECONDS if size == DOWNLOAD_BEGINS else self._limits.seconds
                clock.reschedule(asyncio.get_running_loop().time() + seconds)
            if size > MAX_RESULT_BYTES:
                raise ValueError("the result is too large")
            return decode_result(await process.stdout.readexactly(size))

    async def _describe_crash(self, process: Process, source: str) -> str:
        assert process.stderr is not None
        with contextlib.suppress(TimeoutError):  # stdout is closed a moment before the exit code is known
            async with asyncio.timeout(_EXIT_SECONDS):
                await process.wait()
        await self._end_process()
        code = process.returncode or 0
        last_line = (await process.stderr.read()).decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        if any(words in last_line for words in _MEMORY_ERRORS):
            return self._limits.describe_memory_excess(source)
        if code == -getattr(signal, "SIGXCPU", 0) != 0:
            return self._limits.describe_timeout(source)
        # If a signal ended the process, its last line is about something else.
        detail = f"exit code {code}: {last_line}" if code > 0 and last_line else f"exit code {code}"
        return f"{source!r} crashed the process that read it ({detail}); convert it to another format"

    async def _start_process(self) -> Process:
        root = str(Path(planner.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": path}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=environment,
                cwd=self._folder,
                limit=_BUFFER_BYTES,
            )
            async with asyncio.timeout(_START_SECONDS):
                await _receive_size(self._process)
        except (OSError, asyncio.IncompleteReadError) as error:
            await self._end_process()
            raise RunError(
                f"cannot start a process that reads papers: {describe_os_error(error)}; close some other programs"
            ) from error
        return self._process

    async def _end_process(self) -> None:
        if (process := self._process) is not None:
            self._process = None
            if process.returncode is None:
                process.kill()
            await process.wait()


def create_isolated_readers(arxiv: ArxivClient, paper_count: int) -> list[IsolatedReader]:
    """Return the readers for so many papers: one for every four, but at most 8, and at most one per CPU core."""
    return [IsolatedReader(arxiv) for _ in range(max(1, min(os.cpu_count() or 1, 8, paper_count // 4)))]


async def _receive_size(process: Process) -> int:
    assert process.stdout is not None
    size: int = RESULT_SIZE.unpack(await process.stdout.readexactly(RESULT_SIZE.size))[0]
    return size
