"""The log messages of a command, on stderr and in a file, and the handling of Ctrl-C and SIGTERM."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import product
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from planner.cli.command import SIGINT_EXIT, format_message
from planner.cli.options import LogOptions
from planner.cli.settings import get_settings
from planner.models.openai_chat.endpoint import build_secret_mask
from planner.sanitize import make_json_printable, make_printable

if TYPE_CHECKING:
    from rich.console import Console

    from planner.papers.paper import Omission

SIGTERM_EXIT: Final = 143
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

log: Final = logging.getLogger("planner")
_DETAILED_FORMAT: Final = "%(asctime)s %(name)s: %(message)s"


class _FileFormatter(logging.Formatter):
    """A formatter that masks keys, and removes characters that could control a terminal."""

    def __init__(self, form: str | None = None) -> None:
        super().__init__(form)
        self._key_variables = get_settings().key_variables  # read here, since other threads have no click context

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        text = super().formatMessage(record)  # a line break in a file's name must not fake a line
        return text.replace("\n", " ") if record.levelno >= logging.WARNING else text

    def format(self, record: logging.LogRecord) -> str:
        # The mask comes last, so that it sees the text as it is shown.
        mask = build_secret_mask(os.environ, self._key_variables)
        return mask.mask_text(make_printable(super().format(record)))


class _StderrFormatter(_FileFormatter):
    """A formatter that wraps messages to the terminal, and puts a coloured label before warnings and errors."""

    def __init__(self, form: str | None) -> None:
        super().__init__(form)
        context = click.get_current_context(silent=True)
        chosen = context.color if context else None
        self._is_coloured = sys.stderr.isatty() if chosen is None else chosen

    def format(self, record: logging.LogRecord) -> str:
        label = record.levelname.lower() if record.levelno >= logging.WARNING else ""
        text = format_message(super().format(record), label, "red" if record.levelno >= logging.ERROR else "yellow")
        return text if self._is_coloured else click.unstyle(text)


class _LogFileHandler(logging.FileHandler):
    """A handler of the log file. If it cannot write the file, it logs an error once and stops writing."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif self in log.handlers:
            log.removeHandler(self)
            reason = error.strerror or error
            log.error("%s: cannot be written: %s; no more messages are written to this file", self.baseFilename, reason)

    def close(self) -> None:
        with suppress(OSError):  # the last messages of a file that cannot be written
            super().close()


def print_json(value: object) -> None:
    """Print a value as JSON on stdout. The encoding is always UTF-8."""
    click.echo(make_json_printable(json.dumps(value, ensure_ascii=False, indent=1, default=str)).encode())


@contextmanager
def send_log_messages(options: LogOptions) -> Iterator[None]:
    """Send log messages to stderr and to the log file during the block."""
    handlers = [_create_stderr_handler(options)]
    if options.log_file:
        handlers.append(_create_file_handler(options))
    log.setLevel(logging.DEBUG)
    log.propagate = False
    # Libraries log to the root logger; without a handler there, Python would print their warnings unmasked.
    loggers = (log, logging.getLogger())
    for logger, handler in product(loggers, handlers):
        logger.addHandler(handler)
    if notice := get_settings().notice:
        log.info("%s", notice)
    try:
        yield
    finally:
        for logger, handler in product(loggers, handlers):
            logger.removeHandler(handler)
        for handler in handlers:
            handler.close()


def log_omissions(omissions: "Sequence[Omission]", line_prefix: str = "") -> None:
    """Log one line about the parts that are left out of a paper. For several parts, add a debug message about each."""
    if omissions:
        log.info("%s%s", line_prefix, _describe_omissions(omissions))
    for part in omissions if len(omissions) > 1 else ():
        log.debug("%s%s", line_prefix, _describe_omissions([part]))


def _describe_omissions(omissions: "Sequence[Omission]") -> str:
    """Return one line about the parts of a paper that are left out. There must be at least one."""
    first = omissions[0]
    if len(omissions) == 1:
        return f"left out {first.heading!r}, {first.chars:,} characters: {first.why}"
    counts = Counter(each.why.removeprefix("left out ") for each in omissions)
    reasons = (f"{why} ({count})" if len(counts) > 1 else why for why, count in counts.items())
    return f"{len(omissions)} parts left out: {'; '.join(reasons)}; -v lists them"


@contextmanager
def log_above_view(console: "Console") -> Iterator[None]:
    """Print log messages above the live view of a console during the block."""
    shown = [handler for handler in log.handlers if type(handler) is logging.StreamHandler]
    streams = [handler.setStream(_AboveViewStream(console)) for handler in shown]
    try:
        yield
    finally:
        for handler, stream in zip(shown, streams, strict=True):
            handler.setStream(stream)


class _AboveViewStream:
    """A stream that writes text above the live view of a console."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def write(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)

    def flush(self) -> None:
        """Do nothing, since every text is written at once."""


def _create_stderr_handler(options: LogOptions) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.ERROR if options.quiet else logging.DEBUG if options.verbose else logging.INFO)
    handler.setFormatter(_StderrFormatter(_DETAILED_FORMAT if options.verbose > 1 else None))
    return handler


def _create_file_handler(options: LogOptions) -> logging.Handler:
    assert options.log_file is not None
    options.log_file.parent.mkdir(parents=True, exist_ok=True)
    if options.log_file.is_fifo():  # raises an error if nobody reads the pipe, instead of waiting for a reader
        os.close(os.open(options.log_file, os.O_WRONLY | os.O_NONBLOCK))
    handler = _LogFileHandler(options.log_file, encoding="utf-8")
    handler.setLevel(logging.DEBUG)
    handler.setFormatter(_FileFormatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


def run_interruptible(work: Coroutine[Any, Any, int], *, at_once: bool = False) -> int:
    """Run the work and return its exit code, or 130 after Ctrl-C, or 143 after SIGTERM.

    The first signal cancels the work, which may still finish a step such as writing a file. The second signal ends the
    work at once. If `at_once` is true, even the first signal ends the work at once. Set it only for work that handles
    signals itself while it sends requests.
    """
    received: list[int] = []

    async def run() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def stop(sign: int, _: FrameType | None) -> None:
            received.append(sign)
            if at_once or len(received) > 1:
                # A KeyboardInterrupt within an import could end Python by the signal, whatever handles it.
                raise SystemExit
            loop.call_soon_threadsafe(task.cancel)

        for sign in _SIGNALS:
            signal.signal(sign, stop)
        return await task

    before = [(sign, signal.getsignal(sign)) for sign in _SIGNALS]
    try:
        return asyncio.run(run())
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
        log.error("interrupted; run the same command again to continue")
        return SIGTERM_EXIT if received and received[0] == signal.SIGTERM else SIGINT_EXIT
    finally:
        for sign, handler in before:
            signal.signal(sign, handler)


class InterruptHandler:
    """A handler of Ctrl-C and SIGTERM. The first signal calls `stop`, and the second cancels the current task.

    If `is_sending` returns true, the message about the first signal mentions requests in flight.
    """

    def __init__(self, stop: Callable[[str], None], is_sending: Callable[[], bool] = lambda: True) -> None:
        self._stop = stop
        self._is_sending = is_sending
        self._received: list[signal.Signals] = []

    @property
    def exit_code(self) -> int:
        """The exit code for the first signal, or 0 if there was no signal."""
        if not self._received:
            return 0
        return SIGTERM_EXIT if self._received[0] is signal.SIGTERM else SIGINT_EXIT

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Handle signals during the block. The block runs in the task that a second signal cancels."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def receive(sign: signal.Signals) -> None:
            self._received.append(sign)
            if len(self._received) == 1:
                wait = " when the requests in flight have ended; interrupt again to stop now"
                log.warning("stopping%s", wait if self._is_sending() else "")
                self._stop("interrupted")
            else:
                task.cancel()

        for sign in _SIGNALS:
            loop.add_signal_handler(sign, receive, sign)
        try:
            yield
        finally:
            for sign in _SIGNALS:
                loop.remove_signal_handler(sign)
