"""How a run looks while it goes on: one live view on a terminal, plain lines elsewhere."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from planner.batch.progress import Progress
from planner.cli.talk import log, through
from planner.controls import printable

_LIVE_EVERY: Final = 0.25  # seconds
_FIRST_LINE: Final = 2.0
_LINE_EVERY: Final = 15.0


@asynccontextmanager
async def showing(progress: Progress, *, quiet: bool) -> AsyncIterator[None]:
    """Show the progress of a run on stderr while it goes on."""
    if quiet:
        yield
    elif sys.stderr.isatty():
        async with _live(progress):
            yield
    else:
        async with _beside(_say_lines(progress)):
            yield


def in_words(progress: Progress) -> str:
    """The state of a run in one plain line."""
    papers, tokens = progress.per_minute()
    parts = [f"{progress.done:,} planned, {progress.failed:,} failed, {progress.left:,} left"]
    parts.append(f"{progress.in_flight} in flight, {progress.waiting} waiting")
    parts.append(f"{papers:.0f} papers/min, {tokens:,.0f} tokens/min, {_cost(progress)}")
    if progress.seconds_left is not None and progress.left:
        parts.append(f"{duration(progress.seconds_left)} to go")
    if pause := _pause(progress):
        parts.append(pause)
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """A length of time as people say it: 40 s, 12 min, 3 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


@asynccontextmanager
async def _live(progress: Progress) -> AsyncIterator[None]:
    console = Console(stderr=True, highlight=False)
    with Live(_picture(progress), console=console, auto_refresh=False, redirect_stdout=False) as live, through(console):

        async def refresh() -> None:
            while True:
                live.update(_picture(progress), refresh=True)
                await asyncio.sleep(_LIVE_EVERY)

        async with _beside(refresh()):
            yield
        live.update(_picture(progress), refresh=True)


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _say_lines(progress: Progress) -> None:
    await asyncio.sleep(_FIRST_LINE)
    while True:
        log.info("%s", in_words(progress))
        await asyncio.sleep(_LINE_EVERY)


def _picture(progress: Progress) -> RenderableType:
    ended = progress.done + progress.failed
    papers, tokens = progress.per_minute()
    left = progress.seconds_left
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("papers", f"{progress.done:,} planned, {progress.failed:,} failed, {progress.left:,} left"),
        ("requests", f"{progress.in_flight} in flight, {progress.waiting} waiting for the limit"),
        ("speed", f"{papers:.0f} papers/min, {tokens:,.0f} tokens/min"),
        ("cost", _cost(progress)),
        ("to go", "?" if left is None else duration(left)),
    ):
        facts.add_row(Text(name, style="dim"), Text(value))
    bar = ProgressBar(total=max(1, progress.total), completed=ended, width=60)
    notes = [Text(note, style="yellow") for note in (_pause(progress), _stopping(progress)) if note]
    problems = [
        Text(printable(problem), style="red", no_wrap=True, overflow="ellipsis") for problem in progress.problems
    ]
    return Group(bar, facts, *notes, *problems)


def _cost(progress: Progress) -> str:
    if progress.cost is None:
        return "$? (no price is known; --price IN,OUT sets one)"
    expected = progress.expected_cost
    return f"${progress.cost:.2f}" + (f" of about ${expected:.2f}" if expected and progress.left else "")


def _pause(progress: Progress) -> str:
    pause = max((limits.paused_for for limits in progress.limits), default=0.0)
    return f"the endpoint asked to wait: {duration(pause)} more" if pause else ""


def _stopping(progress: Progress) -> str:
    return f"stopping: {progress.stopping}; what is in flight is finished" if progress.stopping else ""
