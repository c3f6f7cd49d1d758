"""A worker whose papers misbehave, by name; started by the tests of reading."""

import os
import signal
import sys

from planner.batch.manifest import CorpusEntry
from planner.batch.worker import serve_requests
from planner.errors import PaperError
from planner.papers.paper import Paper


def read(entry: CorpusEntry) -> Paper:
    if entry.source == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if entry.source == "exit":
        sys.exit(3)
    if entry.source == "hang":
        signal.pause()
    if entry.source == "bad":
        raise PaperError("bad: no text")
    if entry.source == "print":
        os.write(1, b"a library says hello\n")
    if entry.source == "huge":
        bytearray(10**12)
    return Paper(entry.id, str(os.getpid()), "", (), "text", entry.source)


if __name__ == "__main__":
    serve_requests(read)
