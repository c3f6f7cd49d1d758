"""Define the tables of a ledger, and open ledgers."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from planner.errors import Outcome, RunError

_LEDGER_VERSION: Final = 1
log = logging.getLogger(__name__)
_APPLICATION_ID: Final = 0x41424C50  # "ABLP", marks the file as a ledger of this program

# Seconds that a reader or the writer waits for another program that holds the file.
_MAX_LOCK_SECONDS: Final = 30.0

_TABLES: Final = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE papers (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL,          -- as it was named
  place TEXT NOT NULL,           -- where it really lies
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  abstract TEXT NOT NULL,
  stamp TEXT NOT NULL,           -- changes when the paper does
  position INTEGER               -- in the corpus of the last call; NULL for papers that it does not name
) WITHOUT ROWID;
CREATE INDEX papers_in_order ON papers (position);
CREATE TABLE models (
  key TEXT PRIMARY KEY,          -- planner/model, as in headings
  card TEXT NOT NULL,
  asked TEXT NOT NULL,           -- hash of how it was asked last: endpoint, parameters, task, k, templates
  position INTEGER               -- in the last call; NULL for models that it does not name
) WITHOUT ROWID;
CREATE TABLE plannings (         -- the highest number of a paper and a model is the one in force
  number INTEGER PRIMARY KEY,
  paper TEXT NOT NULL,
  model TEXT NOT NULL,
  asked TEXT NOT NULL,
  stamp TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  prompt TEXT NOT NULL,          -- hash of the first prompt, "" when there was none
  sample INTEGER NOT NULL,
  facts TEXT NOT NULL            -- the sidecar without the replies
);
CREATE INDEX plannings_of ON plannings (paper, model, number);
CREATE INDEX plannings_by ON plannings (prompt, sample);
CREATE TABLE requests (
  identity TEXT PRIMARY KEY,
  model TEXT NOT NULL,
  paper TEXT NOT NULL,
  prompt TEXT NOT NULL,
  sample INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  first_sent TEXT NOT NULL,      -- UTC, ISO 8601; "" for one that was only exported
  replied TEXT,
  reply TEXT,                    -- the completion as JSON, raw answer included
  prompt_tokens INTEGER,
  completion_tokens INTEGER,
  cost REAL,                     -- USD; NULL where no price is known
  charged REAL                   -- USD; what counts against a limit: the cost, else the upper estimate
);
CREATE INDEX requests_of ON requests (paper, model);
CREATE INDEX requests_by ON requests (prompt, sample);
CREATE TABLE attempts (          -- everything that was sent
  number INTEGER PRIMARY KEY,
  identity TEXT NOT NULL,
  sent TEXT NOT NULL,            -- UTC, ISO 8601; recorded before the request leaves
  upper REAL,                    -- USD; what it can cost at most
  state TEXT NOT NULL,           -- sent, submitted (in a part), replied, refused (not billed) or lost (perhaps billed)
  said TEXT NOT NULL,            -- what the endpoint said instead of a reply
  part INTEGER,                  -- the part it went out with; NULL when it was asked live
  refusal TEXT                   -- of a part: why there is no reply, as JSON
);
CREATE INDEX attempts_in_flight ON attempts (state) WHERE state <> 'replied';
CREATE INDEX attempts_of_parts ON attempts (identity) WHERE part IS NOT NULL;
CREATE TABLE parts (             -- what goes to a provider's batch service: a file of requests, and a batch of it
  number INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  sha256 TEXT NOT NULL,          -- of the file
  requests INTEGER NOT NULL,
  file TEXT NOT NULL DEFAULT '', -- the service's names for them, "" until they are known
  batch TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL            -- recorded, submitting (while its batch is created), the service's own word, collected
);
"""


# The errors of SQLite, and ValueError for impossible values and for error messages that quote undecodable bytes.
_LEDGER_ERRORS: Final = (sqlite3.Error, ValueError)
# The conditions on values of some columns, besides their types.
_VALUES: Final = {
    "plannings": f"outcome IN {tuple(map(str, Outcome))}",
    "requests": "(first_sent = '' OR first_sent GLOB '2???-??-??T*' AND julianday(first_sent) IS NOT NULL)",
}


class DamagedLedgerError(RunError):
    """The error that a ledger is damaged or is not a database at all."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"{path} is damaged ({reason}): `status` and `export` read the undamaged part, and the plans in "
            f"{path.parent / 'trajectories'} are complete; restore a copy, or start a new run with another -o"
        )


def connect_ledger(path: Path, *, shared_disk: bool = False) -> sqlite3.Connection:
    """Open a ledger for writing; create the ledger if it is missing.

    The whole ledger is first checked for damage. Each commit waits for the disk, so it survives a power cut. If
    `shared_disk` is true, SQLite uses a plain journal, since its write-ahead log works on one machine only.

    Raises:
        RunError: if the file is not a ledger, has another version, is damaged, or cannot be opened.
    """
    with convert_ledger_errors(path):
        connection = sqlite3.connect(path, timeout=_MAX_LOCK_SECONDS, isolation_level=None, check_same_thread=False)
        with close_on_error(connection):
            connection.execute("PRAGMA synchronous = FULL")
            _create_missing_tables(connection)  # first, so that a kill meanwhile leaves a file of no bytes
            connection.execute(f"PRAGMA journal_mode = {'DELETE' if shared_disk else 'WAL'}")
            _check_version(connection, path)
            _check_content(connection, path)
    return connection


def connect_ledger_readonly(path: Path) -> sqlite3.Connection:
    """Open a ledger for reading; another process may write to the ledger meanwhile.

    Raises:
        RunError: if the ledger is missing, has another version, or cannot be read.
    """
    if not path.is_file():
        raise RunError(
            f"{path.parent} is not the folder of a run; give a folder that `batch` wrote and that holds {path.name}"
        )
    with convert_ledger_errors(path):
        try:
            return _connect_readonly(path, "ro")
        except _LEDGER_ERRORS as error:
            if mode := _choose_other_mode(path, error):
                return _connect_readonly(path, mode)
            raise


def query_ledger(path: Path, query: str, *values: object) -> list[Any]:
    """Return the rows of one query to the ledger at `path`.

    Raises:
        RunError: if the ledger is missing, has another version, is damaged, or cannot be read.
    """
    with closing(connect_ledger_readonly(path)) as connection, convert_ledger_errors(path):
        return connection.execute(query, values).fetchall()


@contextmanager
def convert_ledger_errors(path: Path) -> Iterator[None]:
    """Convert errors in the block to a `RunError` about the ledger at `path`.

    Raises:
        RunError: if the block raises an error of SQLite or a ValueError.
    """
    try:
        yield
    except _LEDGER_ERRORS as error:
        raise build_ledger_error(path, error) from error


@contextmanager
def close_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection if the block ends with an error."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


class ReadableLedger(NamedTuple):
    """A connection to a ledger or, if it is damaged, to a copy of its readable rows; `damage` is the error, or ""."""

    connection: sqlite3.Connection
    damage: str


def open_readable_ledger(path: Path) -> ReadableLedger:
    """Open a ledger that may be damaged for reading.

    Raises:
        RunError: as for `connect_ledger_readonly`.
    """
    connection = connect_ledger_readonly(path)
    try:
        with convert_ledger_errors(path):
            _check_content(connection, path)
        return ReadableLedger(connection, "")
    except RunError as error:
        damage = str(error)
    with closing(connection):
        copy = sqlite3.connect(":memory:", isolation_level=None)
        _create_tables(copy)
        for table, condition in _describe_values().items():
            _copy_readable_rows(connection, copy, table, condition)
        return ReadableLedger(copy, damage)


def _copy_readable_rows(damaged: sqlite3.Connection, copy: sqlite3.Connection, table: str, condition: str) -> None:
    """Copy the readable rows of a table that meet `condition`; read from both ends of the table up to the damage."""
    fields = [name for _, name, *_ in copy.execute(f"PRAGMA table_info({table})")]
    if table == "requests":
        fields.insert(0, "rowid")  # the requests are ordered by it; in the other tables, the key gives the order
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))})"  # noqa: S608 - names above
    for direction in ("ASC", "DESC"):
        try:
            order = f"ORDER BY {fields[0]} {direction}"
            query = f"SELECT {', '.join(fields)} FROM {table} NOT INDEXED WHERE {condition} {order}"  # noqa: S608
            for row in damaged.execute(query):
                copy.execute(insert, row)
        except sqlite3.Error as error:
            log.debug("%s, %s: %s", table, direction, error)


def _check_content(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `DamagedLedgerError` if the file is damaged or a table has a value that the program never writes."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DamagedLedgerError(path, " ".join(found.split()))
    for table, condition in _describe_values().items():
        query = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE NOT ({condition}))"  # noqa: S608 - names of our own
        if connection.execute(query).fetchone()[0]:
            raise DamagedLedgerError(path, f"the table {table} holds a value that the program never writes")


@cache
def _describe_values() -> dict[str, str]:
    """Return, for each table, an SQL condition that is true for every row which the program could have written."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
        _create_tables(empty)
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        columns = {table: empty.execute(f"PRAGMA table_info({table})").fetchall() for (table,) in empty.execute(query)}
    return {
        table: " AND ".join((*map(_describe_column, fields), _VALUES.get(table, "TRUE")))
        for table, fields in columns.items()
    }


def _describe_column(facts: tuple[int, str, str, int, object, int]) -> str:
    """Return an SQL condition that checks the type of a column's value; `facts` is a row of `PRAGMA table_info`."""
    _, name, kind, is_required, _, is_key = facts
    return f"typeof({name}) IN ('{kind.lower()}'" + (")" if is_required or is_key else ", 'null')")


def build_ledger_error(path: Path, error: Exception) -> RunError:
    """Return a `RunError` that explains an error of the ledger at `path`."""
    if is_damage(error) or not isinstance(error, sqlite3.Error):
        return DamagedLedgerError(path, " ".join(str(error).split()))
    return RunError(f"{path} cannot be used as a ledger: {error}")


def is_damage(error: Exception) -> bool:
    """Return whether an error of SQLite means that the file is damaged."""
    return _find_error_kind(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _find_error_kind(error: Exception) -> int:
    """Return the primary result code of an error of SQLite, 0 if the error has no code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def format_ledger_time(moment: datetime) -> str:
    """Return a time as the ledger stores it: ISO 8601, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")


def _choose_other_mode(path: Path, error: Exception) -> str | None:
    """Return the mode in which SQLite may open the ledger after opening failed with `error`, None if there is none."""
    # A killed writer left half a commit in a plain journal; opening the ledger for writing rolls the commit back.
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return "rw"
    # A write-ahead log needs another file beside the ledger, which cannot be created in a read-only folder. If there is
    # no log, no other program is writing the ledger.
    is_closed = _find_error_kind(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    has_log = any(path.with_name(path.name + ending).exists() for ending in ("-wal", "-journal"))
    return "ro&immutable=1" if is_closed and not has_log else None


def _connect_readonly(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_MAX_LOCK_SECONDS)
    with close_on_error(connection):
        connection.execute("PRAGMA query_only = ON")
        _check_version(connection, path)
    return connection


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)


def _create_missing_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        _create_tables(connection)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_LEDGER_VERSION}")
    connection.execute("COMMIT")


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        raise RunError(f"{path} is empty: its run was stopped as it began; repeat the `batch` command")
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise RunError(f"{path} is a database of another program; choose another folder with -o")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != _LEDGER_VERSION:
        raise RunError(
            f"{path} is a ledger of version {version}, but this program writes version {_LEDGER_VERSION}: "
            "use the version of the program that began the run, or start a new run with another -o"
        )
