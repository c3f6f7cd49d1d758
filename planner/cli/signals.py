"""Ctrl-C and SIGTERM: stop what is under way, and say so in the exit code."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Final

from planner.cli.talk import log

SIGINT_EXIT: Final = 130
SIGTERM_EXIT: Final = 143
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Run the work to its exit code; Ctrl-C ends it with 130 and SIGTERM with 143.

    The first signal waits for a step that cannot be interrupted, as the reading of a long paper; the second does not.
    A reply that has arrived is in the sidecar by then, so the same command goes on from there.
    """
    received: list[int] = []

    async def run() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def stop(sign: int, _: FrameType | None) -> None:
            received.append(sign)
            if len(received) > 1:
                raise KeyboardInterrupt
            loop.call_soon_threadsafe(task.cancel)

        for sign in _SIGNALS:
            signal.signal(sign, stop)
        return await task

    before = [(sign, signal.getsignal(sign)) for sign in _SIGNALS]
    try:
        return asyncio.run(run())
    except (asyncio.CancelledError, KeyboardInterrupt):
        log.error("interrupted; the same command goes on from here")
        return SIGTERM_EXIT if received and received[0] == signal.SIGTERM else SIGINT_EXIT
    finally:
        for sign, handler in before:
            signal.signal(sign, handler)
