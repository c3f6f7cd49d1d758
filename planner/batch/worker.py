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

from planner.batch.errand import LENGTH_PREFIX, ReadRequest, ReadResultOrError, build_read_result
from planner.batch.manifest import CorpusEntry
from planner.errors import PaperError
from planner.papers.arxiv import ArxivClient
from planner.papers.load import load_paper
from planner.papers.paper import Paper

MAX_MEMORY_BYTES: Final = 2_000_000_000  # bytes that this process may use


def read_entry(entry: CorpusEntry, arxiv: ArxivClient) -> Paper:
    """Read one paper of a corpus.

    Raises:
        PaperError: if it cannot be read.
    """
    return replace(load_paper(entry.source, title=entry.title, abstract=entry.abstract, arxiv=arxiv), id=entry.id)


def serve_requests(loader: Callable[[CorpusEntry], Paper]) -> None:
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
        while (errand := _read_request(sys.stdin.buffer)) is not None:
            pickled = pickle.dumps(_answer_request(loader, errand), pickle.HIGHEST_PROTOCOL)
            answers.write(LENGTH_PREFIX.pack(len(pickled)) + pickled)
            answers.flush()


def _limit_memory() -> None:
    """Limit the memory of this process, so that a huge paper ends it and not the machine."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))


def _read_request(stdin: BinaryIO) -> ReadRequest | None:
    length = stdin.read(LENGTH_PREFIX.size)
    if len(length) < LENGTH_PREFIX.size:
        return None
    errand: ReadRequest = pickle.loads(stdin.read(*LENGTH_PREFIX.unpack(length)))  # noqa: S301 - from our own parent process
    return errand


def _answer_request(loader: Callable[[CorpusEntry], Paper], request: ReadRequest) -> ReadResultOrError:
    try:
        return build_read_result(request, loader(request.entry))
    except PaperError as error:
        return PaperError(str(error))
    except (MemoryError, RecursionError) as error:
        return PaperError(f"{request.entry.source}: too large or too deeply nested to be read ({type(error).__name__})")


if __name__ == "__main__":
    _base, _cache, _offline = sys.argv[1:]
    serve_requests(
        partial(
            read_entry,
            arxiv=ArxivClient(base_url=_base, cache=Path(_cache) if _cache else None, offline=bool(_offline)),
        )
    )
