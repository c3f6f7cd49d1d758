"""Papers are read by worker processes, ahead of the requests; one that crashes its worker is one failed paper."""

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

# Seconds that a paper may take; one of arXiv is fetched, and waits for its turn there.
PATIENCE: Final = 60.0
_PATIENCE_WITH_ARXIV: Final = 600.0
# Prompts depend on no reply, so that a run repeats them exactly.
_GAUGE: Final = FixedGauge()
# Bytes of an answer that are taken in before its worker has to wait: nearly every paper whole.
_ANSWER: Final = 1_000_000


class Asks(Protocol):
    """What a model wants of papers."""

    @property
    def settings(self) -> Settings:
        """How questions to it are posed."""

    @property
    def reads_papers(self) -> bool:
        """Whether it wants the papers themselves, beside the questions."""


class Reader(Protocol):
    """Something that reads papers one after the other, while it is entered."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def read(self, errand: Errand) -> Answer:
        """Read a paper and pose the questions about it, or say why it cannot be read.

        Raises:
            RunError: nothing can be read.
        """


# As many readers as so many papers are worth.
Readers = Callable[[int], Sequence[Reader]]


def workers_for(papers: int) -> int:
    """How many processes read so many papers: one a core, and no more than have something to do."""
    return max(1, min(os.cpu_count() or 1, 8, papers // 4))


def command(arxiv: Arxiv) -> tuple[str, ...]:
    """What starts a worker that reads papers, those of arXiv through `arxiv`.

    The worker is named and not imported: all that reads papers is needed there alone.
    """
    cache = "" if arxiv.cache is None else str(arxiv.cache)
    # -P: a module of the user's that has the name of one of ours, in the folder of the call, is not run.
    return (sys.executable, "-P", "-m", "planner.batch.worker", arxiv.base, cache, "offline" if arxiv.offline else "")


def processes(command: Sequence[str]) -> Readers:
    """Readers on this machine, each with a process started by `command`."""
    return lambda papers: [ProcessReader(command) for _ in range(workers_for(papers))]


@dataclass(frozen=True, slots=True)
class ReadPaper:
    """A paper that was read elsewhere, as something to ask about; under other settings it is read once more.

    `paper` is there only where it was wanted.
    """

    head: PaperHead
    paper: Paper | None
    first: Posing
    question: Question | PlannerError
    again: Callable[[Posing], Awaitable[Question | PlannerError]]

    @property
    def id(self) -> str:
        """What names the paper."""
        return self.head.id

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the paper should distrust."""
        return self.head.warnings

    async def pose(self, settings: Settings, gauge: Gauge) -> Question:
        """The first question about the paper, as `planner.posing.pose`."""
        posing = Posing(settings, gauge)
        question = self.question if posing == self.first else await self.again(posing)
        if isinstance(question, PlannerError):
            raise question
        return question


@dataclass(frozen=True, slots=True)
class Read:
    """A paper that was read, or why it could not be, and what is to be done with it."""

    work: Work
    paper: ReadPaper | PaperError


@asynccontextmanager
async def reading(
    work: Iterator[Work], asked: Mapping[str, Asks], *, readers: Sequence[Reader], ahead: int
) -> AsyncIterator[AsyncIterator[Read]]:
    """Read the papers of `work` for the models that it names, about `ahead` papers ahead at most.

    The result may be taken from by many tasks. What one paper is wanted for by several models is read once.
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
    """Where read papers wait to be taken."""

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
        # The end is put after everything else, and back for whoever waits besides.
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
    """One worker process at a time; a new one takes the place of one that died.

    `folder` is where it runs, as seen from which paths are relative; `patience` is in seconds, a paper.
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
        """Read a paper and pose the questions about it, or say why it cannot be read.

        Raises:
            RunError: no process could be started.
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
    answer: Answer = pickle.loads(await process.stdout.readexactly(length))  # noqa: S301 - our own worker's
    return answer


def _grouped(work: Iterator[Work]) -> Iterator[tuple[Work, ...]]:
    """Neighbours that are about the same paper, together."""
    together: list[Work] = []
    for one in work:
        if together and together[0].entry.id != one.entry.id:
            yield tuple(together)
            together = []
        together.append(one)
    if together:
        yield tuple(together)
