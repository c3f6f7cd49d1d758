"""Read papers in processes of their own, ahead of the requests; a crash fails only that one paper."""

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol, Self

import planner
from planner.batch.corpus import ARXIV
from planner.batch.errand import LENGTH_PREFIX, PromptRequest, ReadRequest, ReadResultOrError
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.errors import PaperError, PlannerError, RunError
from planner.papers.arxiv import ArxivClient
from planner.papers.paper import Paper, PaperInfo
from planner.planning.question import PaperPrompt, PlanSettings
from planner.tokens import FixedTokenCounter, TokenCounter

# Seconds that a paper may take; one of arXiv is downloaded too, and waits for its turn there.
READ_SECONDS: Final = 60.0
_ARXIV_READ_SECONDS: Final = 600.0
# A fixed count, independent of replies, so that a run builds the same prompts again.
_TOKEN_COUNTER: Final = FixedTokenCounter()
# Bytes of a result that are buffered before its process has to wait; nearly every paper fits.
_BUFFER_BYTES: Final = 1_000_000


class PromptTarget(Protocol):
    """The needs of a model from the readers."""

    @property
    def settings(self) -> PlanSettings:
        """The settings of its prompts."""

    @property
    def needs_paper(self) -> bool:
        """True for a model that needs the paper itself besides the prompt."""


class PaperReader(Protocol):
    """A reader of papers, one after the other, inside its `async with` block."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        """Read a paper and build the prompts about it, or return the reason why it cannot be read.

        Raises:
            RunError: if nothing can be read.
        """


# A function from the number of papers to the readers that they need.
ReaderFactory = Callable[[int], Sequence[PaperReader]]


def choose_process_count(paper_count: int) -> int:
    """Return the number of processes to read so many papers: one a core, at most eight, and fewer for few papers."""
    return max(1, min(os.cpu_count() or 1, 8, paper_count // 4))


def build_reader_command(arxiv: ArxivClient) -> tuple[str, ...]:
    """Return the command that starts a process to read papers, those of arXiv through `arxiv`.

    It names the module and does not import it: only that process needs the code that reads papers.
    """
    cache = "" if arxiv.cache is None else str(arxiv.cache)
    # -P: do not import modules from the current folder, where one may have the name of one of ours.
    return (
        sys.executable,
        "-P",
        "-m",
        "planner.batch.worker",
        arxiv.base_url,
        cache,
        "offline" if arxiv.offline else "",
    )


def make_reader_factory(command: Sequence[str]) -> ReaderFactory:
    """Return a function that makes the readers on this machine, each with a process started by `build_reader_command`."""
    return lambda papers: [ReaderProcess(command) for _ in range(choose_process_count(papers))]


@dataclass(frozen=True, slots=True)
class RemotePaper:
    """A paper that another process read, and the prompt about it; for other settings it is read once more.

    `paper` is None unless the model needs it.
    """

    info: PaperInfo
    paper: Paper | None
    prompt_request: PromptRequest
    paper_prompt: PaperPrompt | PlannerError
    rebuild_prompt: Callable[[PromptRequest], Awaitable[PaperPrompt | PlannerError]]

    @property
    def id(self) -> str:
        """The id of the paper."""
        return self.info.id

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about how the paper was read."""
        return self.info.warnings

    async def build_prompt(self, settings: PlanSettings, token_counter: TokenCounter) -> PaperPrompt:
        """Return the first prompt about the paper, or raise the error that prevented it."""
        posing = PromptRequest(settings, token_counter)
        question = self.paper_prompt if posing == self.prompt_request else await self.rebuild_prompt(posing)
        if isinstance(question, PlannerError):
            raise question
        return question


@dataclass(frozen=True, slots=True)
class TaskWithPaper:
    """A task, with its paper or the error that prevented reading it."""

    plan_task: PlanTask
    paper: RemotePaper | PaperError


@asynccontextmanager
async def read_papers_ahead(
    plan_tasks: Iterator[PlanTask],
    targets: Mapping[str, PromptTarget],
    *,
    readers: Sequence[PaperReader],
    max_ahead: int,
) -> AsyncIterator[AsyncIterator[TaskWithPaper]]:
    """Read the papers of `work` for the models that it names, at most about `max_ahead` papers in advance.

    Many tasks may take papers from the result. A paper that several models need is read once.
    """
    async with AsyncExitStack() as stack:
        shelf = ReadAhead(
            plan_tasks, targets, [await stack.enter_async_context(reader) for reader in readers], max_ahead
        )
        tasks = [asyncio.create_task(shelf.fill_queue(reader)) for reader in readers]
        try:
            yield shelf
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class ReadAhead:
    """The queue of papers that were read and wait to be planned."""

    def __init__(
        self,
        plan_tasks: Iterator[PlanTask],
        targets: Mapping[str, PromptTarget],
        readers: Sequence[PaperReader],
        max_ahead: int,
    ) -> None:
        self._groups = _group_by_paper(plan_tasks)
        self._targets = targets
        self._queue: asyncio.Queue[TaskWithPaper | RunError | None] = asyncio.Queue(max_ahead)
        self._readers = readers
        self._active_readers = len(readers)

    def __aiter__(self) -> AsyncIterator[TaskWithPaper]:
        return self

    async def __anext__(self) -> TaskWithPaper:
        taken = await self._queue.get()
        if isinstance(taken, TaskWithPaper):
            return taken
        # The end comes last, and is put back for the other tasks that wait.
        self._queue.put_nowait(taken)
        if taken is None:
            raise StopAsyncIteration
        raise taken

    async def fill_queue(self, reader: PaperReader) -> None:
        failure: RunError | None = None
        try:
            for wanted in self._groups:
                errand = self._build_request(wanted)
                answer = await reader.read_paper(errand)
                for number, work in enumerate(wanted):
                    await self._queue.put(TaskWithPaper(work, self._build_paper(errand, answer, number)))
        except RunError as error:
            failure = error
        self._active_readers -= 1
        if not self._active_readers or failure:
            await self._queue.put(failure)

    def _build_request(self, plan_tasks: Sequence[PlanTask]) -> ReadRequest:
        asked = [self._targets[work.model] for work in plan_tasks]
        posings = tuple(PromptRequest(each.settings, _TOKEN_COUNTER) for each in asked)
        return ReadRequest(plan_tasks[0].entry, posings, keep_paper=any(each.needs_paper for each in asked))

    def _build_paper(self, request: ReadRequest, result: ReadResultOrError, number: int) -> RemotePaper | PaperError:
        if isinstance(result, PaperError):
            return result
        again = partial(self._rebuild_prompt, request.entry)
        return RemotePaper(result.info, result.paper, request.prompts[number], result.prompts[number], again)

    async def _rebuild_prompt(self, entry: CorpusEntry, prompt_request: PromptRequest) -> PaperPrompt | PlannerError:
        answer = await self._readers[0].read_paper(ReadRequest(entry, (prompt_request,)))
        return answer if isinstance(answer, PaperError) else answer.prompts[0]


class ReaderProcess:
    """A reader with one process at a time; a process that died is replaced.

    `folder` is its working folder, which paths are relative to; `max_seconds` is the time for a paper, in seconds.
    """

    def __init__(self, command: Sequence[str], max_seconds: float = READ_SECONDS, folder: Path | None = None) -> None:
        self._command = command
        self._max_seconds = max_seconds
        self._folder = folder
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end_process()

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        """Read a paper and build the prompts about it, or return the reason why it cannot be read.

        Raises:
            RunError: if no process could be started.
        """
        async with self._turn:
            return await self._read_with_process(request)

    async def _read_with_process(self, request: ReadRequest) -> ReadResultOrError:
        process = self._process = self._process or await self._start_process()
        entry = request.entry
        patience = max(self._max_seconds, _ARXIV_READ_SECONDS) if entry.kind == ARXIV else self._max_seconds
        try:
            async with asyncio.timeout(patience):
                return await _send_and_receive(process, request)
        except TimeoutError:
            what = f"took longer than {patience:g} s"
        except (asyncio.IncompleteReadError, ConnectionError):
            what = f"ended the process that read it (exit code {await process.wait()})"
        await self._end_process()
        return PaperError(f"{entry.source}: reading this paper {what}; convert it to another format, or leave it out")

    async def _start_process(self) -> Process:
        root = str(Path(planner.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": path}
        try:
            return await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, env=environment, cwd=self._folder, limit=_BUFFER_BYTES
            )
        except OSError as error:
            raise RunError(f"no process to read papers could be started: {error}; free some resources") from error

    async def _end_process(self) -> None:
        if (process := self._process) is not None:
            self._process = None
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _send_and_receive(process: Process, request: ReadRequest) -> ReadResultOrError:
    assert process.stdin is not None
    assert process.stdout is not None
    pickled = pickle.dumps(request)
    process.stdin.write(LENGTH_PREFIX.pack(len(pickled)) + pickled)
    (length,) = LENGTH_PREFIX.unpack(await process.stdout.readexactly(LENGTH_PREFIX.size))
    answer: ReadResultOrError = pickle.loads(await process.stdout.readexactly(length))  # noqa: S301 - from our own process
    return answer


def _group_by_paper(plan_tasks: Iterator[PlanTask]) -> Iterator[tuple[PlanTask, ...]]:
    """Group neighbouring tasks that are about the same paper."""
    together: list[PlanTask] = []
    for one in plan_tasks:
        if together and together[0].entry.id != one.entry.id:
            yield tuple(together)
            together = []
        together.append(one)
    if together:
        yield tuple(together)
