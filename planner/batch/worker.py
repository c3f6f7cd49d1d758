"""Read papers in a process: pickled requests come in, pickled results go out, each after its length in four bytes.

Started by `planner.batch.reading`, with as few imports as it needs: a fork of the run would share its locks and
sockets, and `multiprocessing` would import the whole command line again in every process.
"""

import contextlib
import gc
import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from planner.batch.entry import Entry
from planner.batch.errand import LENGTH, Answer, Errand, posed
from planner.errors import PaperError
from planner.papers.arxiv import Arxiv
from planner.papers.load import load
from planner.papers.paper import Paper

MEMORY: Final = 2_000_000_000  # bytes that this process may use


def read_entry(entry: Entry, arxiv: Arxiv) -> Paper:
    """Read one paper of a corpus.

    Raises:
        PaperError: if it cannot be read.
    """
    return replace(load(entry.source, title=entry.title, abstract=entry.abstract, arxiv=arxiv), id=entry.id)


def serve(loader: Callable[[Entry], Paper]) -> None:
    """Answer every read request, until stdin ends."""
    _limit_memory()
    # Ctrl-C reaches the whole group; the run decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A paper is some ten thousand objects, hardly any of them in cycles; to search for these took a sixth of the time.
    gc.set_threshold(50_000, 20, 20)
    # Text that a library prints must not get between the results.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with contextlib.suppress(BrokenPipeError):  # the run was killed, and nothing reads the result
        while (errand := _next(sys.stdin.buffer)) is not None:
            pickled = pickle.dumps(_answer(loader, errand), pickle.HIGHEST_PROTOCOL)
            answers.write(LENGTH.pack(len(pickled)) + pickled)
            answers.flush()


def _limit_memory() -> None:
    """Limit the memory of this process, so that a huge paper ends it and not the machine."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _next(stdin: BinaryIO) -> Errand | None:
    length = stdin.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    errand: Errand = pickle.loads(stdin.read(*LENGTH.unpack(length)))  # noqa: S301 - from our own parent process
    return errand


def _answer(loader: Callable[[Entry], Paper], errand: Errand) -> Answer:
    try:
        return posed(errand, loader(errand.entry))
    except PaperError as error:
        return PaperError(str(error))
    except (MemoryError, RecursionError) as error:
        return PaperError(f"{errand.entry.source}: too large or too deeply nested to be read ({type(error).__name__})")


if __name__ == "__main__":
    _base, _cache, _offline = sys.argv[1:]
    serve(partial(read_entry, arxiv=Arxiv(base=_base, cache=Path(_cache) if _cache else None, offline=bool(_offline))))
