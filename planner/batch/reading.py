"""Papers are read by worker processes, ahead of the requests; one that crashes its worker is one failed paper."""

import asyncio
import os
import pickle
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

import planner
from planner.batch.corpus import ARXIV
from planner.batch.entry import Entry, Work
from planner.batch.worker import LENGTH
from planner.errors import PaperError, RunError
from planner.papers.paper import Paper

# Seconds that a paper may take; one of arXiv is fetched, and waits for its turn there.
PATIENCE: Final = 60.0
_PATIENCE_WITH_ARXIV: Final = 600.0


@dataclass(frozen=True, slots=True)
class Read:
    """A paper that was read, or why it could not be, and what is to be done with it."""

    work: Work
    paper: Paper | PaperError


class Reader(Protocol):
    """Something that reads papers one after the other, while it is entered."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def read(self, entry: Entry) -> Paper | PaperError:
        """Read a paper, or say why it cannot be read.

        Raises:
            RunError: nothing can be read.
        """


# As many readers as so many papers are worth.
Readers = Callable[[int], Sequence[Reader]]


def workers_for(papers: int) -> int:
    """How many processes read so many papers: one a core, and no more than have something to do."""
    return max(1, min(os.cpu_count() or 1, 8, papers // 4))


def processes(command: Sequence[str]) -> Readers:
    """Readers on this machine, each with a process started by `command`."""
    return lambda papers: [ProcessReader(command) for _ in range(workers_for(papers))]


@asynccontextmanager
async def reading(
    work: Iterator[Work],
    *,
    readers: Sequence[Reader],
    ahead: int,
) -> AsyncIterator[AsyncIterator[Read]]:
    """Read the papers of `work`, about `ahead` papers ahead at most.

    The result may be taken from by many tasks. What one paper is wanted for by several models is read once.
    """
    shelf = _Shelf(work, ahead, len(readers))
    tasks = [asyncio.create_task(shelf.fill(reader)) for reader in readers]
    try:
        yield shelf
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Shelf:
    """Where read papers wait to be taken."""

    def __init__(self, work: Iterator[Work], ahead: int, fillers: int) -> None:
        self._work = _grouped(work)
        self._shelf: asyncio.Queue[Read | RunError | None] = asyncio.Queue(ahead)
        self._fillers = fillers

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
            async with reader:
                for wanted in self._work:
                    paper = await reader.read(wanted[0].entry)
                    for work in wanted:
                        await self._shelf.put(Read(work, paper))
        except RunError as error:
            failure = error
        self._fillers -= 1
        if not self._fillers or failure:
            await self._shelf.put(failure)


class ProcessReader:
    """One worker process at a time; a new one takes the place of one that died.

    `folder` is where it runs, as seen from which paths are relative; `patience` is in seconds, a paper.
    """

    def __init__(self, command: Sequence[str], patience: float = PATIENCE, folder: Path | None = None) -> None:
        self._command = command
        self._patience = patience
        self._folder = folder
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def read(self, entry: Entry) -> Paper | PaperError:
        """Read a paper, or say why it cannot be read.

        Raises:
            RunError: no process could be started.
        """
        process = self._process = self._process or await self._start()
        patience = max(self._patience, _PATIENCE_WITH_ARXIV) if entry.kind == ARXIV else self._patience
        try:
            async with asyncio.timeout(patience):
                return await _exchange(process, entry)
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
                *self._command, stdin=PIPE, stdout=PIPE, env=environment, cwd=self._folder
            )
        except OSError as error:
            raise RunError(f"no process to read papers could be started: {error}; free some resources") from error

    async def _end(self) -> None:
        if (process := self._process) is not None:
            self._process = None
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _exchange(process: Process, entry: Entry) -> Paper | PaperError:
    assert process.stdin is not None
    assert process.stdout is not None
    pickled = pickle.dumps(entry)
    process.stdin.write(LENGTH.pack(len(pickled)) + pickled)
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    answer: Paper | PaperError = pickle.loads(await process.stdout.readexactly(length))  # noqa: S301 - our own worker's
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
