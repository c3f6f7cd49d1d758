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
from planner.batch.entry import Entry, Work
from planner.batch.errand import LENGTH, Answer, Errand, Posing
from planner.errors import PaperError, PlannerError, RunError
from planner.gauge import FixedGauge, Gauge
from planner.papers.arxiv import Arxiv
from planner.papers.paper import Paper, PaperHead
from planner.posing import Question, Settings

# Seconds that a paper may take; one of arXiv is downloaded too, and waits for its turn there.
PATIENCE: Final = 60.0
_PATIENCE_WITH_ARXIV: Final = 600.0
# A fixed count, independent of replies, so that a run builds the same prompts again.
_GAUGE: Final = FixedGauge()
# Bytes of a result that are buffered before its process has to wait; nearly every paper fits.
_ANSWER: Final = 1_000_000


class Asks(Protocol):
    """The needs of a model from the readers."""

    @property
    def settings(self) -> Settings:
        """The settings of its prompts."""

    @property
    def reads_papers(self) -> bool:
        """True for a model that needs the paper itself besides the prompt."""


class Reader(Protocol):
    """A reader of papers, one after the other, inside its `async with` block."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def read(self, errand: Errand) -> Answer:
        """Read a paper and build the prompts about it, or return the reason why it cannot be read.

        Raises:
            RunError: if nothing can be read.
        """


# A function from the number of papers to the readers that they need.
Readers = Callable[[int], Sequence[Reader]]


def workers_for(papers: int) -> int:
    """Return the number of processes to read so many papers: one a core, at most eight, and fewer for few papers."""
    return max(1, min(os.cpu_count() or 1, 8, papers // 4))


def command(arxiv: Arxiv) -> tuple[str, ...]:
    """Return the command that starts a process to read papers, those of arXiv through `arxiv`.

    It names the module and does not import it: only that process needs the code that reads papers.
    """
    cache = "" if arxiv.cache is None else str(arxiv.cache)
    # -P: do not import modules from the current folder, where one may have the name of one of ours.
    return (sys.executable, "-P", "-m", "planner.batch.worker", arxiv.base, cache, "offline" if arxiv.offline else "")


def processes(command: Sequence[str]) -> Readers:
    """Return a function that makes the readers on this machine, each with a process started by `command`."""
    return lambda papers: [ProcessReader(command) for _ in range(workers_for(papers))]


@dataclass(frozen=True, slots=True)
class ReadPaper:
    """A paper that another process read, and the prompt about it; for other settings it is read once more.

    `paper` is None unless the model needs it.
    """

    head: PaperHead
    paper: Paper | None
    first: Posing
    question: Question | PlannerError
    again: Callable[[Posing], Awaitable[Question | PlannerError]]

    @property
    def id(self) -> str:
        """The id of the paper."""
        return self.head.id

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about how the paper was read."""
        return self.head.warnings

    async def pose(self, settings: Settings, gauge: Gauge) -> Question:
        """Return the first prompt about the paper, or raise the error that prevented it."""
        posing = Posing(settings, gauge)
        question = self.question if posing == self.first else await self.again(posing)
        if isinstance(question, PlannerError):
            raise question
        return question


@dataclass(frozen=True, slots=True)
class Read:
    """A task, with its paper or the error that prevented reading it."""

    work: Work
    paper: ReadPaper | PaperError


@asynccontextmanager
async def reading(
    work: Iterator[Work], asked: Mapping[str, Asks], *, readers: Sequence[Reader], ahead: int
) -> AsyncIterator[AsyncIterator[Read]]:
    """Read the papers of `work` for the models that it names, at most about `ahead` papers in advance.

    Many tasks may take papers from the result. A paper that several models need is read once.
    """
    async with AsyncExitStack() as stack:
        shelf = _Shelf(work, asked, [await stack.enter_async_context(reader) for reader in readers], ahead)
        tasks = [asyncio.create_task(shelf.fill(reader)) for reader in readers]
        try:
            yield shelf
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Shelf:
    """The queue of papers that were read and wait to be planned."""

    def __init__(self, work: Iterator[Work], asked: Mapping[str, Asks], readers: Sequence[Reader], ahead: int) -> None:
        self._work = _grouped(work)
        self._asked = asked
        self._shelf: asyncio.Queue[Read | RunError | None] = asyncio.Queue(ahead)
        self._readers = readers
        self._fillers = len(readers)

    def __aiter__(self) -> AsyncIterator[Read]:
        return self

    async def __anext__(self) -> Read:
        taken = await self._shelf.get()
        if isinstance(taken, Read):
            return taken
        # The end comes last, and is put back for the other tasks that wait.
        self._shelf.put_nowait(taken)
        if taken is None:
            raise StopAsyncIteration
        raise taken

    async def fill(self, reader: Reader) -> None:
        failure: RunError | None = None
        try:
            for wanted in self._work:
                errand = self._errand(wanted)
                answer = await reader.read(errand)
                for number, work in enumerate(wanted):
                    await self._shelf.put(Read(work, self._read(errand, answer, number)))
        except RunError as error:
            failure = error
        self._fillers -= 1
        if not self._fillers or failure:
            await self._shelf.put(failure)

    def _errand(self, wanted: Sequence[Work]) -> Errand:
        asked = [self._asked[work.model] for work in wanted]
        posings = tuple(Posing(each.settings, _GAUGE) for each in asked)
        return Errand(wanted[0].entry, posings, whole=any(each.reads_papers for each in asked))

    def _read(self, errand: Errand, answer: Answer, number: int) -> ReadPaper | PaperError:
        if isinstance(answer, PaperError):
            return answer
        again = partial(self._again, errand.entry)
        return ReadPaper(answer.head, answer.paper, errand.posings[number], answer.questions[number], again)

    async def _again(self, entry: Entry, posing: Posing) -> Question | PlannerError:
        answer = await self._readers[0].read(Errand(entry, (posing,)))
        return answer if isinstance(answer, PaperError) else answer.questions[0]


class ProcessReader:
    """A reader with one process at a time; a process that died is replaced.

    `folder` is its working folder, which paths are relative to; `patience` is the time for a paper, in seconds.
    """

    def __init__(self, command: Sequence[str], patience: float = PATIENCE, folder: Path | None = None) -> None:
        self._command = command
        self._patience = patience
        self._folder = folder
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def read(self, errand: Errand) -> Answer:
        """Read a paper and build the prompts about it, or return the reason why it cannot be read.

        Raises:
            RunError: if no process could be started.
        """
        async with self._turn:
            return await self._read(errand)

    async def _read(self, errand: Errand) -> Answer:
        process = self._process = self._process or await self._start()
        entry = errand.entry
        patience = max(self._patience, _PATIENCE_WITH_ARXIV) if entry.kind == ARXIV else self._patience
        try:
            async with asyncio.timeout(patience):
                return await _exchange(process, errand)
        except TimeoutError:
            what = f"took longer than {patience:g} s"
        except (asyncio.IncompleteReadError, ConnectionError):
            what = f"ended the process that read it (exit code {await process.wait()})"
        await self._end()
        return PaperError(f"{entry.source}: reading this paper {what}; convert it to another format, or leave it out")

    async def _start(self) -> Process:
        root = str(Path(planner.__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        environment = {**os.environ, "PYTHONPATH": path}
        try:
            return await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, env=environment, cwd=self._folder, limit=_ANSWER
            )
        except OSError as error:
            raise RunError(f"no process to read papers could be started: {error}; free some resources") from error

    async def _end(self) -> None:
        if (process := self._process) is not None:
            self._process = None
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _exchange(process: Process, errand: Errand) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    pickled = pickle.dumps(errand)
    process.stdin.write(LENGTH.pack(len(pickled)) + pickled)
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    answer: Answer = pickle.loads(await process.stdout.readexactly(length))  # noqa: S301 - from our own process
    return answer


def _grouped(work: Iterator[Work]) -> Iterator[tuple[Work, ...]]:
    """Group neighbouring tasks that are about the same paper."""
    together: list[Work] = []
    for one in work:
        if together and together[0].entry.id != one.entry.id:
            yield tuple(together)
            together = []
        together.append(one)
    if together:
        yield tuple(together)
