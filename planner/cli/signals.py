"""Ctrl-C and SIGTERM: stop the current work, and return the matching exit code."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from planner.cli.talk import log

SIGINT_EXIT: Final = 130
SIGTERM_EXIT: Final = 143
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Run the work and return its exit code; Ctrl-C ends it with 130 and SIGTERM with 143.

    The first signal waits for a step that cannot be interrupted, such as reading a long paper; the second does not.
    A reply that has arrived is recorded by then, so the same command continues from there.
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
        log.error("interrupted; run the same command again to continue")
        return SIGTERM_EXIT if received and received[0] == signal.SIGTERM else SIGINT_EXIT
    finally:
        for sign, handler in before:
            signal.signal(sign, handler)


class Interrupt:
    """A handler of Ctrl-C and SIGTERM: the first signal asks to stop, the second ends the task at once."""

    def __init__(self, stop: Callable[[str], None]) -> None:
        self._stop = stop
        self._received: list[signal.Signals] = []

    @property
    def exit_code(self) -> int:
        """The exit code for the first signal, 0 if there was none."""
        if not self._received:
            return 0
        return SIGTERM_EXIT if self._received[0] is signal.SIGTERM else SIGINT_EXIT

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Handle the signals while the current task works."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def receive(sign: signal.Signals) -> None:
            self._received.append(sign)
            if len(self._received) == 1:
                log.warning("stopping when the requests in flight have ended; interrupt again to stop now")
                self._stop("interrupted")
            else:
                task.cancel()

        for sign in _SIGNALS:
            loop.add_signal_handler(sign, receive, sign)
        try:
            yield
        finally:
            for sign in _SIGNALS:
                loop.remove_signal_handler(sign)
