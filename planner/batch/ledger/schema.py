"""Define the tables of a ledger, and open ledgers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from planner.errors import RunError

LEDGER_VERSION: Final = 1
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


def connect_ledger(path: Path, *, shared_disk: bool = False) -> sqlite3.Connection:
    """Open a ledger for writing, and create it if there is none.

    Commits are synchronised to the disk, so they survive a power cut and not only a kill. A shared disk gets a plain
    journal, since a write-ahead log needs memory that all its users share.

    Raises:
        RunError: if the file is not a ledger, has another version, or cannot be opened.
    """
    try:
        connection = sqlite3.connect(path, timeout=_MAX_LOCK_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA journal_mode = {'DELETE' if shared_disk else 'WAL'}")
        connection.execute("PRAGMA synchronous = FULL")
        _create_or_check_tables(connection, path)
    except sqlite3.Error as error:
        raise RunError(f"{path} cannot be used as a ledger: {error}") from error
    return connection


def connect_ledger_readonly(path: Path) -> sqlite3.Connection:
    """Open a ledger for reading, also while a run writes it.

    Raises:
        RunError: if there is none, or it has another version, or cannot be read.
    """
    if not path.is_file():
        raise RunError(f"{path.parent} is no run: it has no {path.name}")
    try:
        return _connect_readonly(path, "ro")
    except sqlite3.Error as error:
        # A killed writer left half a commit in a plain journal; opening the ledger for writing rolls it back.
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            raise RunError(f"{path} cannot be read: {error}") from error
    try:
        return _connect_readonly(path, "rw")
    except sqlite3.Error as error:
        raise RunError(f"{path} cannot be read: {error}") from error


@contextmanager
def open_ledger_readonly(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger for reading within the block; damage may appear at any query.

    Raises:
        RunError: as for `connect_ledger_readonly`, and if the ledger is damaged.
    """
    with closing(connect_ledger_readonly(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise RunError(f"{path} cannot be read: {error}") from error


def format_time(moment: datetime) -> str:
    """Return a time as the ledger stores it: ISO 8601, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")


def _connect_readonly(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_MAX_LOCK_SECONDS)
    try:
        connection.execute("PRAGMA query_only = ON")
        _check_version(connection, path)
    except (sqlite3.Error, RunError):
        connection.close()
        raise
    return connection


def _create_or_check_tables(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {LEDGER_VERSION}")
    connection.execute("COMMIT")
    _check_version(connection, path)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        raise RunError(f"{path} is empty: its run was stopped as it began; repeat the `batch` command")
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise RunError(f"{path} is a database of another program; choose another folder with -o")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != LEDGER_VERSION:
        raise RunError(
            f"{path} is a ledger of version {version}, this program writes version {LEDGER_VERSION}: "
            "go on with the version of the program that began the run, or start a new run with another -o"
        )
