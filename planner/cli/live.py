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
from planner.cli.talk import through
from planner.cli.wording import batches, cost, duration, pause, stopping
from planner.controls import printable

_EVERY: Final = 0.25  # seconds


@contextmanager
def live(progress: Progress) -> Iterator[Coroutine[None, None, None]]:
    """Show a run on the terminal at stderr; yield a coroutine that refreshes the view until it is cancelled."""
    console = Console(stderr=True, highlight=False)
    with Live(_picture(progress), console=console, auto_refresh=False, redirect_stdout=False) as view, through(console):
        yield _refreshing(view, progress)
        view.update(_picture(progress), refresh=True)


async def _refreshing(view: Live, progress: Progress) -> None:
    while True:
        view.update(_picture(progress), refresh=True)
        await asyncio.sleep(_EVERY)


def _picture(progress: Progress) -> RenderableType:
    ended = progress.done + progress.failed
    papers, tokens = progress.per_minute()
    left = progress.seconds_left
    facts = Table.grid(padding=(0, 2))
    facts.add_row("", ProgressBar(total=max(1, progress.total), completed=ended, width=60))
    for name, value in (
        ("papers", f"{progress.done:,} planned, {progress.failed:,} failed, {progress.left:,} left"),
        ("requests", f"{progress.in_flight} in flight, {progress.waiting} waiting for the limit"),
        ("speed", f"{papers:.0f} papers/min, {tokens:,.0f} tokens/min"),
        ("cost", cost(progress)),
        ("to go", "?" if left is None else duration(left)),
    ):
        facts.add_row(Text(name, style="dim"), Text(value))
    notes = [Text(note, style="yellow") for note in (batches(progress), pause(progress), stopping(progress)) if note]
    problems = [
        Text(printable(problem), style="red", no_wrap=True, overflow="ellipsis") for problem in progress.problems
    ]
    return Group(facts, *notes, *problems)
