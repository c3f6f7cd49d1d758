"""Write to a ledger in one thread, which commits waiting changes together, so that they share one disk sync."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.batch.ledger.schema import convert_ledger_error, is_damage
from planner.errors import RunError
from planner.files import describe_free_space

_MAX_CHANGES_PER_COMMIT: Final = 1000
_PAGE_BYTES: Final = 4096  # the least that a commit writes

# A change of the ledger, made inside a transaction.
LedgerChange = Callable[[sqlite3.Connection], None]
# Work to be done before a change is recorded; it raises `RunError` if it fails.
Preparation = Callable[[], None]


def skip_preparation() -> None:
    """Do nothing, as most changes need no preparation."""


@dataclass(frozen=True, slots=True)
class _QueuedChange:
    change: LedgerChange
    prepare: Preparation
    size: int  # bytes
    loop: asyncio.AbstractEventLoop  # the same for all changes of a run
    durable: "asyncio.Future[None]"


class LedgerWriter:
    """The thread that makes changes durable, in the order of the calls; a failure of the ledger ends it for good."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._queued: queue.SimpleQueue[_QueuedChange | None] = queue.SimpleQueue()
        self._failure: RunError | None = None
        # A signal may come before anything can close the ledger, and must not wait for a thread that has nothing to do.
        self._thread = threading.Thread(target=self._run_thread, name="ledger writer", daemon=True)
        self._thread.start()

    async def write_change(
        self, change: LedgerChange, prepare: Preparation = skip_preparation, size: int = _PAGE_BYTES
    ) -> None:
        """Make one change of about `size` bytes, durable when this returns; `prepare` runs before its transaction.

        Raises:
            RunError: if it cannot be prepared and is not made, or if the ledger cannot be written, which makes no later
                change either.
        """
        if self._failure:
            raise self._failure
        loop = asyncio.get_running_loop()
        durable = loop.create_future()
        self._queued.put(_QueuedChange(change, prepare, size, loop, durable))
        await durable

    def close(self) -> None:
        """Finish the waiting changes, and end the thread."""
        self._queued.put(None)
        self._thread.join()

    def _run_thread(self) -> None:
        try:
            with closing(self._connect()) as connection:
                while (first := self._queued.get()) is not None:
                    changes, is_last = self._collect_waiting(first)
                    self._commit_changes(connection, changes)
                    if is_last:
                        break
        except RunError as error:
            self._failure = error
        finally:
            # Whatever ended this thread, no task may wait for it for ever.
            self._failure = self._failure or RunError("the ledger is closed")
            while not self._queued.empty():
                if change := self._queued.get_nowait():
                    _resolve_changes([change], self._failure)

    def _collect_waiting(self, first_change: _QueuedChange) -> tuple[list[_QueuedChange], bool]:
        """Return all changes that wait by now, and whether the end was among them."""
        changes = [first_change]
        while len(changes) < _MAX_CHANGES_PER_COMMIT:
            try:
                change = self._queued.get_nowait()
            except queue.Empty:
                break
            if change is None:
                return changes, True
            changes.append(change)
        return changes, False

    def _commit_changes(self, connection: sqlite3.Connection, changes: list[_QueuedChange]) -> None:
        """Prepare and make the changes; one that cannot be prepared is left out."""
        ready = list[_QueuedChange]()
        for queued in changes:
            try:
                queued.prepare()
                ready.append(queued)
            except (RunError, ValueError) as error:
                _resolve_changes([queued], error if isinstance(error, RunError) else RunError(str(error)))
        if ready:
            failure = self._make_changes(connection, ready)
            self._failure = self._failure or failure
            _resolve_changes(ready, failure)

    def _make_changes(self, connection: sqlite3.Connection, changes: list[_QueuedChange]) -> RunError | None:
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for queued in changes:
                    queued.change(connection)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            if is_damage(error):
                return convert_ledger_error(self._path, error)
            size = sum(queued.size for queued in changes)
            return RunError(f"{self._path} cannot be written: {error}; {_suggest_fix(error, self._path, size)}")
        return None


def _resolve_changes(changes: list[_QueuedChange], error: RunError | None) -> None:
    def resolve() -> None:
        for queued in changes:
            if queued.durable.cancelled():
                continue
            if error:
                queued.durable.set_exception(error)
            else:
                queued.durable.set_result(None)

    loop = changes[0].loop
    # A closed loop has no task left that waits.
    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)


def _suggest_fix(error: Exception, path: Path, size: int) -> str:
    message = str(error)
    if "full" in message or "disk I/O" in message:
        return f"{describe_free_space(path, size)}; free some space, then run the same command again to continue"
    if "readonly" in message or "unable to open" in message:
        return "restore the permission to write, then run the same command again to continue"
    if "locked" in message:
        return "another program has locked it; once that has ended, run the same command again to continue"
    return "run the same command again to continue from what it holds"
