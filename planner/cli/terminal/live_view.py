"""Live views on a terminal: the progress of a run, and the progress of one reply."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from planner.batch.status import Progress
from planner.cli.terminal.console import log
from planner.cli.terminal.progress import (
    format_actual_and_expected_cost,
    format_batch_requests,
    format_duration,
    format_rate_limit_pause,
)
from planner.sanitize import make_printable

_REFRESH_SECONDS: Final = 0.25
_CHARS_PER_TOKEN: Final = 4


async def show_progress_until_cancelled(progress: Progress) -> None:
    """Show the progress of a run on stderr until this task is cancelled."""
    with _LiveView(lambda: _render_progress(progress), auto_refresh=False) as view:
        while True:
            view.refresh()
            await asyncio.sleep(_REFRESH_SECONDS)


def create_reply_view(model_name: str, count_characters: Callable[[], int]) -> Live:
    """Return a live view of a model's time and the estimated tokens of its reply.

    `count_characters` returns the number of characters that have arrived.
    """
    spinner, started_at = Spinner("dots"), time.monotonic()

    def render() -> Spinner:
        words = f"{make_printable(model_name)} thinks: {format_duration(time.monotonic() - started_at)}"
        if count := count_characters():
            words += f", about {count // _CHARS_PER_TOKEN:,} tokens so far"
        spinner.update(text=Text(words, style="dim"))
        return spinner

    return _LiveView(render, transient=True)


class _LiveView(Live):
    """A live view on stderr. While it is shown, log messages are printed above it."""

    def __init__(self, render: Callable[[], RenderableType], *, auto_refresh: bool = True, transient: bool = False):
        context = click.get_current_context(silent=True)
        no_color = True if context and context.color is False else None
        super().__init__(
            console=Console(stderr=True, highlight=False, no_color=no_color),
            auto_refresh=auto_refresh,
            transient=transient,
            redirect_stdout=False,
            get_renderable=render,
        )
        self._streams: dict[logging.StreamHandler[Any], Any] = {}

    def start(self, refresh: bool = False) -> None:
        """Show the view, and print log messages above it."""
        super().start(refresh)
        shown = [handler for handler in log.handlers if type(handler) is logging.StreamHandler]
        self._streams = {handler: handler.setStream(_AboveViewStream(self.console)) for handler in shown}

    def stop(self) -> None:
        """Print log messages to stderr again, and end the view."""
        for handler, stream in self._streams.items():
            handler.setStream(stream)
        super().stop()


class _AboveViewStream:
    """A stream that writes text above the live view of a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> None:
        self._console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)

    def flush(self) -> None:
        """Do nothing, since every text is written at once."""


def _render_progress(progress: Progress) -> RenderableType:
    ended = progress.planned + progress.failed
    papers, tokens = progress.compute_rates()
    left = progress.seconds_left
    facts = Table.grid(padding=(0, 2))
    facts.add_row("", ProgressBar(total=max(1, progress.total_results), completed=ended, width=60))
    for name, value in (
        ("plans", f"{progress.planned:,} planned, {progress.failed:,} failed, {progress.remaining:,} left"),
        ("requests", f"{progress.requests_in_flight} in flight, {progress.waiting_requests} waiting for the limit"),
        ("speed", f"{papers:.0f} plans/min, {tokens:,.0f} tokens/min"),
        ("cost", format_actual_and_expected_cost(progress).removeprefix("cost ")),
        ("to go", "?" if left is None else format_duration(left)),
    ):
        facts.add_row(Text(name, style="dim"), Text(value))
    stop = f"stopping: {progress.stop_reason}; waiting for the requests in flight" if progress.stop_reason else ""
    notes = [
        Text(note, style="yellow")
        for note in (format_batch_requests(progress), format_rate_limit_pause(progress), stop)
        if note
    ]
    problems = [
        Text(make_printable(problem), style="red", no_wrap=True, overflow="ellipsis")
        for problem in progress.last_problems
    ]
    return Group(facts, *notes, *problems)
