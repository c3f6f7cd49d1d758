"""The one writer of a ledger: a thread that commits what has gathered, so that many share one sync of the disk."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from planner.errors import RunError

# A change of the ledger, made inside a transaction.
Change = Callable[[sqlite3.Connection], None]
# What must have happened before a change is on record; it raises `RunError` when it cannot.
Preparation = Callable[[], None]


def nothing() -> None:
    """What most changes need before them."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    change: Change
    first: Preparation
    loop: asyncio.AbstractEventLoop  # one for all that a run writes
    durable: "asyncio.Future[None]"


class Writer:
    """Makes changes durable in the order in which they were asked for; the first failure ends it for good."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._wanted: queue.SimpleQueue[_Wanted | None] = queue.SimpleQueue()
        self._broken: RunError | None = None
        self._thread = threading.Thread(target=self._work, name="ledger writer")
        self._thread.start()

    async def write(self, change: Change, first: Preparation = nothing) -> None:
        """Make one change; it is durable when this returns. `first` is done before, outside of the transaction.

        Raises:
            RunError: the ledger cannot be written; the change, and each later one, was not made.
        """
        if self._broken:
            raise self._broken
        loop = asyncio.get_running_loop()
        durable = loop.create_future()
        self._wanted.put(_Wanted(change, first, loop, durable))
        await durable

    def close(self) -> None:
        """Finish what was asked for, and end."""
        self._wanted.put(None)
        self._thread.join()

    def _work(self) -> None:
        connection = self._connect()
        try:
            while (first := self._wanted.get()) is not None:
                together, last = self._gathered(first)
                self._commit(connection, together)
                if last:
                    break
        finally:
            # Whatever ended this thread, nobody may wait for it for ever.
            self._broken = self._broken or RunError("the ledger is closed")
            connection.close()

    def _gathered(self, first: _Wanted) -> tuple[list[_Wanted], bool]:
        """Everything that waits by now, and whether the end was among it."""
        together = [first]
        while len(together) < _MOST_TOGETHER:
            try:
                more = self._wanted.get_nowait()
            except queue.Empty:
                break
            if more is None:
                return together, True
            together.append(more)
        return together, False

    def _commit(self, connection: sqlite3.Connection, together: list[_Wanted]) -> None:
        """Prepare and make the changes; one that cannot be prepared takes no other with it, but is the last."""
        ready, failed = list[_Wanted](), list[_Wanted]()
        for wanted in together:
            (ready if self._broken is None and self._prepared(wanted) else failed).append(wanted)
        why = self._broken
        if ready:
            error = self._made(connection, ready)
            self._broken = self._broken or error
            _settle(ready, error)
        if failed:
            _settle(failed, why)

    def _prepared(self, wanted: _Wanted) -> bool:
        try:
            wanted.first()
        except (RunError, ValueError) as error:
            self._broken = error if isinstance(error, RunError) else RunError(str(error))
            return False
        return True

    @staticmethod
    def _made(connection: sqlite3.Connection, together: list[_Wanted]) -> RunError | None:
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for wanted in together:
                    wanted.change(connection)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            return RunError(f"the ledger cannot be written: {error}; {_advice(error)}")
        return None


_MOST_TOGETHER: Final = 1000


def _settle(together: list[_Wanted], error: RunError | None) -> None:
    def settle() -> None:
        for wanted in together:
            if wanted.durable.cancelled():
                continue
            if error:
                wanted.durable.set_exception(error)
            else:
                wanted.durable.set_result(None)

    loop = together[0].loop
    # A loop that was stopped at once has nobody left who waits.
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _advice(error: Exception) -> str:
    what = str(error)
    if "full" in what or "disk I/O" in what:
        return "free some space, then the same command goes on from here"
    if "readonly" in what or "unable to open" in what:
        return "restore the permission to write, then the same command goes on from here"
    if "locked" in what:
        return "another program holds it; once that has ended, the same command goes on from here"
    return "the same command goes on from what it holds"
