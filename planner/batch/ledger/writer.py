"""Write to a ledger in a thread that commits several changes at once.

A reply that cannot be written is kept in a file. The next command that opens the ledger stores the reply.
"""

import asyncio
import hashlib
import logging
import os
import queue
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from planner.batch.ledger.schema import build_ledger_error, convert_ledger_errors, is_damage
from planner.errors import RunError
from planner.files import DRAFT_NAME, describe_disk_space, read_bounded_file, write_file_atomically

_MAX_CHANGES_PER_COMMIT: Final = 1000
_PAGE_BYTES: Final = 4096  # bytes that a commit writes at least
_MAX_FILE_BYTES: Final = 500_000_000  # a reply of the largest size, with every character escaped

log = logging.getLogger(__name__)

# A change of the ledger, made inside a transaction.
LedgerChange = Callable[[sqlite3.Connection], object]
# Work to be done before a change is recorded; it raises `RunError` if it fails.
Preparation = Callable[[], None]
_Integer = Annotated[int, Field(ge=0, lt=2**63)]  # the range that SQLite stores


@dataclass(frozen=True, slots=True)
class _QueuedChange:
    change: LedgerChange
    prepare: Preparation | None
    size: int  # bytes
    result: "asyncio.Future[Any]"  # there when the change is on the disk


class LedgerWriter:
    """A thread that writes changes to a ledger in order; after a failed write it refuses all changes."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._queued: queue.SimpleQueue[_QueuedChange | None] = queue.SimpleQueue()
        self._failure: RunError | None = None
        # A daemon, so that a program that a signal ends before the ledger is closed does not wait for this thread.
        self._thread = threading.Thread(target=self._run_thread, name="ledger writer", daemon=True)
        self._thread.start()

    async def write_change(
        self, change: LedgerChange, prepare: Preparation | None = None, size: int = _PAGE_BYTES
    ) -> Any:
        """Call `prepare` and make a change of about `size` bytes; return its result when the change is on the disk.

        Raises:
            RunError: if `prepare` fails or the ledger cannot be written; after a failed write, later changes fail too.
        """
        if self._failure:
            raise self._failure
        result = asyncio.get_running_loop().create_future()
        self._queued.put(_QueuedChange(change, prepare, size, result))
        return await result

    def close(self) -> None:
        """Make the changes that wait, then end the thread."""
        self._queued.put(None)
        self._thread.join()

    def _run_thread(self) -> None:
        try:
            with closing(self._connection):
                for first in iter(self._queued.get, None):
                    waiting = [self._queued.get() for _ in range(min(self._queued.qsize(), _MAX_CHANGES_PER_COMMIT))]
                    self._commit_changes([first, *filter(None, waiting)])
                    if None in waiting:
                        break
        finally:
            # Whatever ended this thread, no task may wait for it for ever.
            self._failure = self._failure or RunError("the ledger is closed")
            while not self._queued.empty():
                if queued := self._queued.get_nowait():
                    _set_results([queued], [self._failure])

    def _commit_changes(self, changes: list[_QueuedChange]) -> None:
        """Make the changes in one transaction; leave out those whose preparation fails."""
        ready: list[_QueuedChange] = []
        for queued in changes:
            try:
                if queued.prepare:
                    queued.prepare()
                ready.append(queued)
            except (RunError, ValueError) as error:
                _set_results([queued], [error if isinstance(error, RunError) else RunError(str(error))])
        if not ready:
            return
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                results = [queued.change(self._connection) for queued in ready]
        except (sqlite3.Error, ValueError, OverflowError) as error:
            failure = self._describe_failure(error, sum(queued.size for queued in ready))
            self._failure = self._failure or failure
            results = [failure] * len(ready)
        _set_results(ready, results)

    def _describe_failure(self, error: Exception, size: int) -> RunError:
        if is_damage(error):
            return build_ledger_error(self._path, error)
        return RunError(f"{self._path} cannot be written: {error}; {_suggest_fix(error, self._path, size)}")


def _set_results(changes: list[_QueuedChange], results: list[object]) -> None:
    """Give each change its result, or a `RunError`, at once for all; a call of the loop for each would take longer."""

    def set_results() -> None:
        for queued, result in zip(changes, results, strict=True):
            if queued.result.cancelled():
                continue
            if isinstance(result, RunError):
                queued.result.set_exception(result)
            else:
                queued.result.set_result(result)

    loop = changes[0].result.get_loop()  # the same for all changes of a run
    if not loop.is_closed():  # otherwise, no task is waiting any more
        loop.call_soon_threadsafe(set_results)


def _suggest_fix(error: Exception, path: Path, size: int) -> str:
    message = str(error)
    if "full" in message or "disk I/O" in message:
        return f"{describe_disk_space(path, size)}; free some space, then run the same command again to continue"
    if "readonly" in message or "unable to open" in message:
        return "restore the permission to write, then run the same command again to continue"
    if "locked" in message:
        return "another program has locked it; when that program has ended, run the same command again to continue"
    return "run the same command again to continue"


@dataclass(frozen=True, slots=True)
class LedgerReply:
    """A reply as it is stored; `replied` is a time in ISO 8601, `reply` is a completion as JSON, costs are in USD."""

    attempt_number: _Integer
    identity: str
    replied: str
    reply: str
    prompt_tokens: _Integer | None
    completion_tokens: _Integer | None
    cost: float | None
    charged: float | None


_REPLY: Final = TypeAdapter(LedgerReply)


def store_reply(db: sqlite3.Connection, reply: LedgerReply) -> None:
    """Mark the attempt as answered, and store the reply unless the request has a reply already."""
    values = asdict(reply)
    db.execute("UPDATE attempts SET state = 'replied' WHERE number = :attempt_number AND identity = :identity", values)
    db.execute(
        "UPDATE requests SET replied = :replied, reply = :reply, prompt_tokens = :prompt_tokens, completion_tokens ="
        " :completion_tokens, cost = :cost, charged = :charged WHERE identity = :identity AND reply IS NULL",
        values,
    )


def write_reply_file(ledger_path: Path, reply: LedgerReply) -> Path:
    """Write a reply to a file beside the ledger, or else in the temporary folder; return the path of the file.

    Raises:
        OSError: if neither file can be written.
    """
    content = _REPLY.dump_json(reply)
    beside, temporary = (folder / f"{reply.identity}.json" for folder in _list_folders(ledger_path))
    try:
        write_file_atomically(beside, content)
    except OSError:
        temporary.parent.mkdir(mode=0o700, exist_ok=True)
        _refuse_foreign_folder(temporary.parent)
        write_file_atomically(temporary, content)
        return temporary
    return beside


def store_kept_replies(db: sqlite3.Connection, ledger_path: Path) -> None:
    """Store the replies that an earlier command kept in files, and delete these files."""
    stored, query = [], "SELECT 1 FROM requests WHERE identity = ?"
    with convert_ledger_errors(ledger_path), db:
        db.execute("BEGIN IMMEDIATE")
        for path, reply in _read_kept_replies(ledger_path):
            if db.execute(query, (reply.identity,)).fetchone():
                store_reply(db, reply)
                stored.append(path)
    for path in stored:
        path.unlink()
    for folder in _list_folders(ledger_path):
        with suppress(OSError):  # the folder is missing, or not empty
            folder.rmdir()
    if stored:
        log.info("%s: stored %d replies that an earlier command had kept in files", ledger_path, len(stored))


def _read_kept_replies(ledger_path: Path) -> Iterator[tuple[Path, LedgerReply]]:
    beside, temporary = _list_folders(ledger_path)
    for path in (*sorted(beside.glob("*")), *sorted(temporary.glob("*"))):
        try:
            if path.parent == temporary:
                _refuse_foreign_folder(temporary)
            yield path, _REPLY.validate_json(read_bounded_file(path, _MAX_FILE_BYTES))
        except (OSError, ValidationError) as error:
            if isinstance(error, ValidationError) and DRAFT_NAME.fullmatch(path.name):
                path.unlink()  # a kill left it incomplete; a complete draft is stored like any other file
                continue
            log.warning("skipped the file %s, which is not a reply of this run: %s", path, str(error).splitlines()[0])


def _list_folders(ledger_path: Path) -> tuple[Path, Path]:
    """Return the two folders for kept replies: one beside the ledger, one in the temporary folder."""
    place = hashlib.sha256(os.fsencode(ledger_path.resolve())).hexdigest()[:16]
    temporary = Path(tempfile.gettempdir(), f"ablation-planner-{os.getuid()}-{place}")
    return ledger_path.parent / "kept-replies", temporary


def _refuse_foreign_folder(folder: Path) -> None:
    """Refuse a folder that is a link or belongs to another user.

    Raises:
        OSError: if the folder is refused.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user")
