"""Write to a ledger in one thread, which commits waiting changes together, so that they share one disk sync."""

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
# Work to be done before a change is recorded; it raises `RunError` if it fails.
Preparation = Callable[[], None]


def nothing() -> None:
    """Do nothing, as most changes need no preparation."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    change: Change
    first: Preparation
    loop: asyncio.AbstractEventLoop  # the same for all changes of a run
    durable: "asyncio.Future[None]"


class Writer:
    """The thread that makes changes durable, in the order of the calls; the first failure ends it for good."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._wanted: queue.SimpleQueue[_Wanted | None] = queue.SimpleQueue()
        self._broken: RunError | None = None
        self._thread = threading.Thread(target=self._work, name="ledger writer")
        self._thread.start()

    async def write(self, change: Change, first: Preparation = nothing) -> None:
        """Make one change, durable when this returns; `first` runs before it, outside of the transaction.

        Raises:
            RunError: if the ledger cannot be written; this change and each later one are not made.
        """
        if self._broken:
            raise self._broken
        loop = asyncio.get_running_loop()
        durable = loop.create_future()
        self._wanted.put(_Wanted(change, first, loop, durable))
        await durable

    def close(self) -> None:
        """Finish the waiting changes, and end the thread."""
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
            # Whatever ended this thread, no task may wait for it for ever.
            self._broken = self._broken or RunError("the ledger is closed")
            connection.close()

    def _gathered(self, first: _Wanted) -> tuple[list[_Wanted], bool]:
        """Return all changes that wait by now, and whether the end was among them."""
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
        """Prepare and make the changes; one that cannot be prepared is the last, but the others are still made."""
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
    # A closed loop has no task left that waits.
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _advice(error: Exception) -> str:
    what = str(error)
    if "full" in what or "disk I/O" in what:
        return "free some space, then run the same command again to continue"
    if "readonly" in what or "unable to open" in what:
        return "restore the permission to write, then run the same command again to continue"
    if "locked" in what:
        return "another program has locked it; once that has ended, run the same command again to continue"
    return "run the same command again to continue from what it holds"
