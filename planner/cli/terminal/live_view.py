"""Live views on a terminal: the progress of a run, and the progress of one reply."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Final

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
    format_stop_reason,
)
from planner.sanitize import make_printable

_REFRESH_SECONDS: Final = 0.25
_CHARS_PER_TOKEN: Final = 4


@contextmanager
def show_run_progress(progress: Progress) -> Iterator[Coroutine[None, None, None]]:
    """Show the progress of a run on stderr during the block. Yield a coroutine that keeps the view up to date."""
    console = _create_console()
    with (
        Live(_render_progress(progress), console=console, auto_refresh=False, redirect_stdout=False) as view,
        _log_above_view(console),
    ):
        yield _refresh_view(view, progress)
        view.update(_render_progress(progress), refresh=True)


@contextmanager
def show_reply_progress(model_name: str, count_characters: Callable[[], int]) -> Iterator[None]:
    """Show a model's time and the estimated tokens of its reply on stderr during the block.

    `count_characters` returns the number of characters that have arrived.
    """
    spinner, started_at, console = Spinner("dots"), time.monotonic(), _create_console()

    def render() -> Spinner:
        words = f"{make_printable(model_name)} thinks: {format_duration(time.monotonic() - started_at)}"
        if count := count_characters():
            words += f", about {count // _CHARS_PER_TOKEN:,} tokens so far"
        spinner.update(text=Text(words, style="dim"))
        return spinner

    with Live(get_renderable=render, console=console, transient=True, redirect_stdout=False), _log_above_view(console):
        yield


@contextmanager
def _log_above_view(console: Console) -> Iterator[None]:
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

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> None:
        self._console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)

    def flush(self) -> None:
        """Do nothing, since every text is written at once."""


def _create_console() -> Console:
    context = click.get_current_context(silent=True)
    return Console(stderr=True, highlight=False, no_color=True if context and context.color is False else None)


async def _refresh_view(view: Live, progress: Progress) -> None:
    while True:
        view.update(_render_progress(progress), refresh=True)
        await asyncio.sleep(_REFRESH_SECONDS)


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
    notes = [
        Text(note, style="yellow")
        for note in (format_batch_requests(progress), format_rate_limit_pause(progress), format_stop_reason(progress))
        if note
    ]
    problems = [
        Text(make_printable(problem), style="red", no_wrap=True, overflow="ellipsis")
        for problem in progress.last_problems
    ]
    return Group(facts, *notes, *problems)
