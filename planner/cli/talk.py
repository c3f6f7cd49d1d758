"""What the program says while it works: progress and problems on stderr, everything in a log file if one is wanted."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from planner.cli.options import TalkOptions
from planner.controls import printable

log: Final = logging.getLogger("planner")


class _Plain(logging.Formatter):
    """Text of papers and endpoints ends up in messages, so nothing in them may steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable(super().format(record))
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text


class _Stamped(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def talking(options: TalkOptions) -> Iterator[None]:
    """Send what is logged to stderr and to the log file while the command runs."""
    handlers = [_to_stderr(options)]
    if options.log_file:
        handlers.append(_to_file(options))
    log.setLevel(logging.DEBUG)
    log.propagate = False
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def _to_stderr(options: TalkOptions) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.ERROR if options.quiet else logging.DEBUG if options.verbose else logging.INFO)
    handler.setFormatter(_Plain())
    return handler


def _to_file(options: TalkOptions) -> logging.Handler:
    assert options.log_file is not None
    options.log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(options.log_file, encoding="utf-8")
    handler.setLevel(logging.DEBUG)
    handler.setFormatter(_Stamped("%(asctime)s %(levelname)s %(message)s"))
    return handler
