"""Log messages of a command: progress and problems on stderr, everything in a log file if the user names one."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from planner.cli.options import TalkOptions
from planner.controls import printable

if TYPE_CHECKING:
    from rich.console import Console

log: Final = logging.getLogger("planner")


class _Plain(logging.Formatter):
    """A formatter without control characters: text of papers and endpoints must not steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable(super().format(record))
        return f"{record.levelname.lower()}: {text}" if record.levelno >= logging.WARNING else text


class _Stamped(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def talking(options: TalkOptions) -> Iterator[None]:
    """Send log messages to stderr and to the log file while the command runs."""
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


@contextmanager
def through(console: "Console") -> Iterator[None]:
    """Print log messages for stderr above the live view of a console, instead of into it."""
    shown = [handler for handler in log.handlers if type(handler) is logging.StreamHandler]
    streams = [handler.setStream(_Above(console)) for handler in shown]
    try:
        yield
    finally:
        for handler, stream in zip(shown, streams, strict=True):
            handler.setStream(stream)


class _Above:
    """A stream that writes above the live view."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def write(self, text: str) -> None:
        self._console.print(text, end="", markup=False, soft_wrap=True)

    def flush(self) -> None:
        """Do nothing, since every text is written at once."""


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
