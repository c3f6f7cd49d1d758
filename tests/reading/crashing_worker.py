"""A reader process whose papers misbehave, by name; started by the tests of reading."""

import os
import signal
import sys

from planner.errors import PaperError
from planner.papers.arxiv import ArxivClient
from planner.papers.paper import Paper
from planner.reading.request import ReadRequest
from planner.reading.worker import serve_read_requests


def load(request: ReadRequest, _: ArxivClient) -> Paper:  # noqa: C901 - a table of faults
    match request.source:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            sys.exit(3)
        case "bug":
            raise KeyError("of the reader")
        case "hang":
            signal.pause()
        case "spin":
            while True:
                pass
        case "bad":
            raise PaperError("bad: no text")
        case "print":
            os.write(1, b"a library says hello\n" * 10_000)
        case "huge":
            bytearray(10**12)
        case "deep":
            raise RecursionError
        case "write":
            with open("written", "wb") as file:  # noqa: PTH123
                file.write(b"x")
        case "garbage":
            os.write(3, b"\0\0\0\x02{}")
    return Paper(request.paper_id, str(os.getpid()), "", (), "text", request.source)


if __name__ == "__main__":
    serve_read_requests(sys.argv[1:], load)
