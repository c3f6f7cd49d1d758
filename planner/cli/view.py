"""The progress of a run: a live view on a terminal, plain lines elsewhere."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Final

from planner.batch.progress import Progress
from planner.cli.talk import log
from planner.cli.wording import in_words

_FIRST_LINE: Final = 2.0  # seconds
_LINE_EVERY: Final = 15.0


@asynccontextmanager
async def showing(progress: Progress, *, quiet: bool) -> AsyncIterator[None]:
    """Show the progress of a run on stderr while it works."""
    if quiet:
        yield
    elif sys.stderr.isatty():
        from planner.cli.live import live

        with live(progress) as refreshing:
            async with _beside(refreshing):
                yield
    else:
        async with _beside(_say_lines(progress)):
            yield


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
