"""A process that reads papers: pickled entries in, pickled papers out, each after its length in four bytes.

Started by `planner.batch.reading`, with as few imports as it needs: a fork of the run would share its locks and sockets,
and `multiprocessing` would import the whole command line again in every worker.
"""

import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, Final

from planner.batch.entry import Entry
from planner.errors import PaperError
from planner.papers.load import load
from planner.papers.paper import Paper

LENGTH: Final = struct.Struct(">I")


def read_entry(entry: Entry) -> Paper:
    """Read one paper of a corpus."""
    paper = load(entry.source, title=entry.title, abstract=entry.abstract)
    return replace(paper, id=entry.id)


def serve(loader: Callable[[Entry], Paper]) -> None:
    """Answer every entry with its paper or its `PaperError`, until stdin ends."""
    # Ctrl-C reaches the whole group; the run decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while (entry := _next(sys.stdin.buffer)) is not None:
        pickled = pickle.dumps(_answer(loader, entry), pickle.HIGHEST_PROTOCOL)
        answers.write(LENGTH.pack(len(pickled)) + pickled)
        answers.flush()


def _next(stdin: BinaryIO) -> Entry | None:
    length = stdin.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    entry: Entry = pickle.loads(stdin.read(*LENGTH.unpack(length)))  # noqa: S301 - from our own parent process
    return entry


def _answer(loader: Callable[[Entry], Paper], entry: Entry) -> Paper | PaperError:
    try:
        return loader(entry)
    except PaperError as error:
        return PaperError(str(error))
    except (MemoryError, RecursionError) as error:
        return PaperError(f"{entry.source}: too large or too deeply nested to be read ({type(error).__name__})")


if __name__ == "__main__":
    serve(read_entry)
