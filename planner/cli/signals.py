"""Ctrl-C and SIGTERM: stop what is under way, and say so in the exit code."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final

from planner.cli.talk import log

SIGINT_EXIT: Final = 130
SIGTERM_EXIT: Final = 143


def interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Run the work to its exit code; Ctrl-C ends it with 130 and SIGTERM with 143.

    A reply that has arrived is in the sidecar by then, so the same command goes on from there.
    """
    received: list[signal.Signals] = []

    async def run() -> int:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def stop(sign: signal.Signals) -> None:
            received.append(sign)
            task.cancel()

        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, stop, sign)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        log.error("interrupted; the same command goes on from here")
        return SIGTERM_EXIT if received and received[0] is signal.SIGTERM else SIGINT_EXIT
