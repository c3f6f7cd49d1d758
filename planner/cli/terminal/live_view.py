"""The live view of a run on a terminal."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from planner.batch.progress import Progress
from planner.cli.terminal.console import log_above_view
from planner.cli.terminal.progress import format_batches, format_cost, format_duration, format_stop_reason, format_wait
from planner.sanitize import make_printable

_REFRESH_SECONDS: Final = 0.25


@contextmanager
def show_live_view(progress: Progress) -> Iterator[Coroutine[None, None, None]]:
    """Show a run on the terminal at stderr; yield a coroutine that refreshes the view until it is cancelled."""
    console = Console(stderr=True, highlight=False)
    with (
        Live(_render_progress(progress), console=console, auto_refresh=False, redirect_stdout=False) as view,
        log_above_view(console),
    ):
        yield _refresh_view(view, progress)
        view.update(_render_progress(progress), refresh=True)


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
        ("papers", f"{progress.planned:,} planned, {progress.failed:,} failed, {progress.remaining:,} left"),
        ("requests", f"{progress.requests_in_flight} in flight, {progress.waiting_requests} waiting for the limit"),
        ("speed", f"{papers:.0f} papers/min, {tokens:,.0f} tokens/min"),
        ("cost", format_cost(progress)),
        ("to go", "?" if left is None else format_duration(left)),
    ):
        facts.add_row(Text(name, style="dim"), Text(value))
    notes = [
        Text(note, style="yellow")
        for note in (format_batches(progress), format_wait(progress), format_stop_reason(progress))
        if note
    ]
    problems = [
        Text(make_printable(problem), style="red", no_wrap=True, overflow="ellipsis") for problem in progress.problems
    ]
    return Group(facts, *notes, *problems)
