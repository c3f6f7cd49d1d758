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
from functools import partial, wraps
from itertools import product
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from planner.cli.command import GroupedOption, format_stderr_message
from planner.cli.settings import get_settings
from planner.errors import UsageError
from planner.models.openai_chat.endpoint import build_secret_mask
from planner.sanitize import make_json_printable, make_printable

if TYPE_CHECKING:
    from planner.papers.paper import Omission

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SIGNAL_EXIT: Final = 128  # the exit code after a signal is this plus the signal's number

log: Final = logging.getLogger("planner")
_DETAILED_FORMAT: Final = "%(asctime)s %(name)s: %(message)s"


class _FileFormatter(logging.Formatter):
    """A formatter that masks keys, and removes characters that could control a terminal."""

    def __init__(self, form: str | None = None) -> None:
        super().__init__(form)
        self._context = click.get_current_context(silent=True)  # kept, since other threads have no click context

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        text = super().formatMessage(record)  # a line break in a file's name must not fake a line
        return text.replace("\n", " ") if record.levelno >= logging.WARNING else text

    def format(self, record: logging.LogRecord) -> str:
        # The mask comes last, so that it sees the text as it is shown.
        mask = build_secret_mask(os.environ, get_settings(self._context).key_variables)
        return mask.mask_text(make_printable(super().format(record)))


class _StderrFormatter(_FileFormatter):
    """A formatter that wraps messages to the terminal, and puts a coloured label before warnings and errors."""

    def __init__(self, form: str | None) -> None:
        super().__init__(form)
        chosen = self._context.color if self._context else None
        self._is_coloured = sys.stderr.isatty() if chosen is None else chosen

    def format(self, record: logging.LogRecord) -> str:
        label = record.levelname.lower() if record.levelno >= logging.WARNING else ""
        text = format_stderr_message(super().format(record), label)
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


_message_option = partial(click.option, cls=GroupedOption, group="Messages")


def add_log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for log messages to a command. While it runs, messages go to stderr and to the log file.

    A new log file is removed if the command is used wrongly.
    """

    @_message_option("-v", "--verbose", count=True, help="Also print debug messages; -vv adds the time and the module.")
    @_message_option("-q", "--quiet", is_flag=True, help="Print only errors.")
    @_message_option(
        "--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Also write all messages to a file."
    )
    @wraps(command)
    def with_log(*args: Any, verbose: int, quiet: bool, log_file: Path | None, **kwargs: Any) -> Any:
        is_new = log_file is not None and not log_file.exists()
        try:
            with _send_log_messages(verbose, quiet, log_file):
                return command(*args, **kwargs)
        except UsageError:
            if log_file and is_new:
                log_file.unlink(missing_ok=True)
            raise

    return with_log


def is_quiet() -> bool:
    """Return whether the running command has the option --quiet."""
    return bool(click.get_current_context().params["quiet"])


@contextmanager
def _send_log_messages(verbose: int, quiet: bool, log_file: Path | None) -> Iterator[None]:
    """Send log messages to stderr and to the log file during the block."""
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)
    stderr.setFormatter(_StderrFormatter(_DETAILED_FORMAT if verbose > 1 else None))
    handlers: list[logging.Handler] = [stderr, *([_create_file_handler(log_file)] if log_file else [])]
    log.setLevel(logging.DEBUG)
    log.propagate = False
    # Libraries log to the root logger; without a handler there, Python would print their warnings unmasked.
    loggers = (log, logging.getLogger())
    for logger, handler in product(loggers, handlers):
        logger.addHandler(handler)
    if notice := get_settings().project_notice:
        log.info("%s", notice)
    try:
        yield
    finally:
        for logger, handler in product(loggers, handlers):
            logger.removeHandler(handler)
        for handler in handlers:
            handler.close()


def log_omission_summary(omissions: "Sequence[Omission]", line_prefix: str = "") -> None:
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


def _create_file_handler(path: Path) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_fifo():  # raises an error if nobody reads the pipe, instead of waiting for a reader
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    handler = _LogFileHandler(path, encoding="utf-8")
    handler.setLevel(logging.DEBUG)
    handler.setFormatter(_FileFormatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


def run_for_exit_code(work: Coroutine[Any, Any, int], *, exits_at_first_signal: bool = False) -> int:
    """Run the work and return its exit code, or 130 after Ctrl-C, or 143 after SIGTERM.

    The first signal cancels the work, which may still finish a step such as writing a file. The second signal ends the
    work at once. If `exits_at_first_signal` is true, even the first signal ends the work at once. Set it only for work
    that handles signals itself while it sends requests.
    """
    received: list[int] = []

    async def run() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def stop(sign: int, _: FrameType | None) -> None:
            received.append(sign)
            if exits_at_first_signal or len(received) > 1:
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
        return _SIGNAL_EXIT + (received[0] if received else signal.SIGINT)
    finally:
        for sign, handler in before:
            signal.signal(sign, handler)


class InterruptHandler:
    """A handler of Ctrl-C and SIGTERM until it is closed. The first signal calls `stop`.

    The second signal cancels the task that created the handler. If `is_sending` returns true, the message about the
    first signal mentions requests in flight.
    """

    def __init__(self, stop: Callable[[str], None], is_sending: Callable[[], bool] = lambda: True) -> None:
        self._stop = stop
        self._is_sending = is_sending
        self._received: list[signal.Signals] = []
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for sign in _SIGNALS:
            self._loop.add_signal_handler(sign, self._receive, sign)

    @property
    def exit_code(self) -> int:
        """The exit code for the first signal, or 0 if there was no signal."""
        return _SIGNAL_EXIT + self._received[0] if self._received else 0

    def close(self) -> None:
        """Stop handling signals."""
        for sign in _SIGNALS:
            self._loop.remove_signal_handler(sign)

    def _receive(self, sign: signal.Signals) -> None:
        self._received.append(sign)
        if len(self._received) == 1:
            wait = " when the requests in flight have ended; interrupt again to stop now"
            log.warning("stopping%s", wait if self._is_sending() else "")
            self._stop("interrupted")
        elif self._task:
            self._task.cancel()
