"""Ctrl-C and SIGTERM: stop what is under way, and say so in the exit code."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
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


class Interrupt:
    """Ctrl-C or SIGTERM once asks to stop, twice ends the task at once."""

    def __init__(self, stop: Callable[[str], None]) -> None:
        self._stop = stop
        self._received: list[signal.Signals] = []

    @property
    def exit_code(self) -> int:
        """What the first signal stands for, 0 if there was none."""
        if not self._received:
            return 0
        return SIGTERM_EXIT if self._received[0] is signal.SIGTERM else SIGINT_EXIT

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen while the work of the current task goes on."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def receive(sign: signal.Signals) -> None:
            self._received.append(sign)
            if len(self._received) == 1:
                log.warning("stopping when what is in flight has ended; once more stops now")
                self._stop("interrupted")
            else:
                task.cancel()

        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, receive, sign)
        try:
            yield
        finally:
            for sign in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(sign)
