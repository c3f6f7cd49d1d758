"""Read the records of a ledger with their replies, and merge one ledger into another.

Merging ledger A into ledger B adds the records that B lacks. Merging A again adds nothing.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import TypeAdapter

from planner.batch.ledger.schema import convert_ledger_errors, query_ledger
from planner.chat import Completion
from planner.errors import Outcome, RunError
from planner.planning.record import PlanRecord, load_stored_json

STORED_COMPLETION: Final = TypeAdapter(Completion)
_RECORD: Final = TypeAdapter(PlanRecord)
_DAMAGE_HINT: Final = "write the other plans to files with `export`, then start a new run with another -o"

# Every pair of a paper and a model of the last command or of an earlier result, and its latest result if there is one.
ALL_PAIRS: Final = (
    "FROM papers p CROSS JOIN models m LEFT JOIN plannings n ON n.number ="
    " (SELECT max(number) FROM plannings WHERE paper = p.id AND model = m.key)"
    " WHERE (p.position IS NOT NULL AND m.position IS NOT NULL OR n.number IS NOT NULL)"
)
# A latest result is valid if the paper and the settings are unchanged, or if the last command does not name the pair.
IS_VALID: Final = (
    "(n.number IS NOT NULL AND (p.position IS NULL OR m.position IS NULL OR n.asked = m.asked AND n.stamp = p.stamp))"
)
_LAST_PLAN: Final = "(SELECT max(number) FROM plannings WHERE paper = p.id AND model = m.key AND outcome = 'planned')"
# Two results are the same if their facts are, including the time of the start. Requests are the same if their
# identities are, attempts at a request if the times of sending are.
_IS_NEW: Final = (
    "NOT EXISTS (SELECT 1 FROM main.plannings o WHERE o.paper = n.paper AND o.model = n.model AND o.facts = n.facts)"
)
_IS_SELECTED: Final = "paper IN (SELECT id FROM temp.wanted)"
_MERGE_STATEMENTS: Final = (
    "INSERT OR IGNORE INTO main.run SELECT * FROM other.run WHERE name = 'task'",
    "INSERT INTO main.papers SELECT * FROM other.papers WHERE id IN (SELECT id FROM temp.wanted)"
    " ON CONFLICT (id) DO UPDATE SET (source, place, kind, title, abstract, stamp) = (excluded.source, excluded.place,"
    " excluded.kind, excluded.title, excluded.abstract, excluded.stamp), position ="
    " iif(excluded.position IS NULL, NULL, coalesce(papers.position, excluded.position))",
    "INSERT OR REPLACE INTO main.models SELECT * FROM other.models",
    f"INSERT OR IGNORE INTO main.requests SELECT * FROM other.requests WHERE {_IS_SELECTED}",
    "UPDATE main.requests SET (replied, reply, prompt_tokens, completion_tokens, cost, charged) = (n.replied, n.reply,"
    " n.prompt_tokens, n.completion_tokens, n.cost, n.charged) FROM other.requests n"
    " WHERE n.identity = main.requests.identity AND main.requests.reply IS NULL AND n.reply IS NOT NULL",
    "INSERT INTO main.attempts (identity, sent, upper, state, said)"
    " SELECT identity, sent, upper, state, said FROM other.attempts WHERE identity IN"
    f" (SELECT identity FROM other.requests WHERE {_IS_SELECTED})"
    " AND (identity, sent) NOT IN (SELECT identity, sent FROM main.attempts) ORDER BY number",
    "UPDATE main.attempts SET (state, said) = (n.state, n.said) FROM other.attempts n"
    " WHERE main.attempts.state = 'sent' AND n.identity = main.attempts.identity AND n.sent = main.attempts.sent",
    "INSERT INTO main.plannings SELECT NULL, paper, model, asked, stamp, outcome, reason, prompt, sample, facts"
    f" FROM other.plannings n WHERE {_IS_SELECTED} AND {_IS_NEW} ORDER BY number",
    # Positions count within each shard, but the ledger needs unique ones to page through the papers.
    "UPDATE main.papers SET position = n.place FROM (SELECT id, row_number() OVER (ORDER BY position, id) - 1 AS place"
    " FROM main.papers WHERE position IS NOT NULL) n WHERE n.id = main.papers.id",
)


@dataclass(frozen=True, slots=True)
class LedgerReader:
    """A connection that reads the ledger at `path`; other connections may write to the ledger meanwhile.

    Raises:
        RunError: in each method, if the ledger cannot be read.
    """

    path: Path
    connection: sqlite3.Connection

    def fetch_rows(self, query: str, *values: object) -> list[Any]:
        """Return all rows of a query."""
        with convert_ledger_errors(self.path):
            return self.connection.execute(query, values).fetchall()

    def fetch_row(self, query: str, *values: object) -> Any:
        """Return the first row of a query, None if there is no row."""
        return next(iter(self.fetch_rows(query, *values)), None)

    def fetch_value(self, query: str, *values: object) -> Any:
        """Return the first value in the first row of a query, None if there is no row."""
        row = self.fetch_row(query, *values)
        return row[0] if row else None

    def list_latest_record_numbers(self) -> list[tuple[str, str, int | None, int | None]]:
        """Return (paper, model, number of the latest record, number of the latest record with a plan).

        There is one tuple for each paper and model. The first number is None if there is no record, or if the paper or
        the settings have changed since. The second is None if there is no plan.
        """
        current = f"iif({IS_VALID}, n.number, NULL)"
        return self.fetch_rows(f"SELECT p.id, m.key, {current}, {_LAST_PLAN} {ALL_PAIRS} ORDER BY p.id, m.key")

    def load_latest_record(self, paper_id: str, model_key: str) -> PlanRecord:
        """Return the latest record of a paper and a model; there must be one."""
        query = "SELECT max(number) FROM plannings WHERE paper = ? AND model = ?"
        return self.load_record(self.fetch_value(query, paper_id, model_key))

    def load_record(self, number: int) -> PlanRecord:
        """Return the record with this number; there must be one."""
        paper_id, facts = self.fetch_row("SELECT paper, facts FROM plannings WHERE number = ?", number)
        try:
            record = load_stored_json(_RECORD, facts)
        except ValueError as error:
            raise RunError(f"the ledger is damaged: the record of {paper_id} cannot be read; {_DAMAGE_HINT}") from error
        attempts = tuple(a.model_copy(update={"completion": self.find_reply(a.identity)}) for a in record.attempts)
        return record.model_copy(update={"attempts": attempts})

    def find_reply(self, identity: str) -> Completion | None:
        """Return the reply to the request with the hash `identity`, None if there is no reply."""
        reply = self.fetch_value("SELECT reply FROM requests WHERE identity = ?", identity)
        return None if reply is None else parse_stored_reply(identity, reply)


class LatestResult(NamedTuple):
    """The latest result of a paper and a model, with a hash of the settings and the change mark of the paper."""

    settings_hash: str
    change_mark: str
    outcome: Outcome


def load_latest_results(ledger_paths: Iterable[Path]) -> dict[tuple[str, str], LatestResult]:
    """Return the latest result by (paper, model); a later ledger replaces the results of an earlier one.

    Missing and empty ledgers are skipped.

    Raises:
        RunError: if a ledger cannot be read.
    """
    query = "SELECT paper, model, asked, stamp, outcome FROM plannings ORDER BY number"
    begun = (ledger for ledger in ledger_paths if ledger.is_file() and ledger.stat().st_size)
    rows = (row for ledger in begun for row in query_ledger(ledger, query))
    return {(paper, model): LatestResult(asked, stamp, Outcome(name)) for paper, model, asked, stamp, name in rows}


def parse_stored_reply(identity: str, reply_json: str) -> Completion:
    """Return the reply that `reply_json` holds as JSON; `identity` is the hash of the request.

    Raises:
        RunError: if the reply cannot be read.
    """
    try:
        return load_stored_json(STORED_COMPLETION, reply_json)
    except ValueError as error:
        message = f"the ledger is damaged: the reply to request {identity[:12]} cannot be read; {_DAMAGE_HINT}"
        raise RunError(message) from error


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """The numbers of results and requests that a merge added; `requests_paid_twice` were paid for in both ledgers."""

    added_results: int
    added_requests: int
    requests_paid_twice: int


@dataclass(frozen=True, slots=True)
class AttachedLedger:
    """Another ledger that is attached to the connection `db` of a main ledger, to merge its papers."""

    db: sqlite3.Connection

    @classmethod
    @contextmanager
    def attach(cls, db: sqlite3.Connection, path: Path, paper_ids: Iterable[str] | None = None) -> Iterator[Self]:
        """Attach the ledger at `path` within the block, to merge its papers `paper_ids` (all papers if None).

        Raises:
            RunError: if one of the two ledgers cannot be read or written.
        """
        try:
            db.execute("ATTACH ? AS other", (str(path),))
            try:
                db.execute("CREATE TEMP TABLE wanted (id TEXT PRIMARY KEY) WITHOUT ROWID")
                wanted = db.execute("SELECT id FROM other.papers") if paper_ids is None else zip(paper_ids)
                db.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", wanted)
                yield cls(db)
            finally:
                db.execute("DROP TABLE IF EXISTS temp.wanted")
                db.execute("DETACH other")
        except sqlite3.Error as error:
            raise RunError(f"{path} cannot be merged: {error}; fix that, then run the same command again") from error

    def list_ids_of_different_papers(self) -> list[tuple[str, str, str]]:
        """Return (id, place in the main ledger, place in this ledger) for each id that stands for two papers."""
        query = (
            "SELECT o.id, o.place, n.place FROM main.papers o JOIN other.papers n ON n.id = o.id"
            " WHERE n.place <> o.place AND n.position IS NOT NULL AND o.position IS NOT NULL"
        )
        return self.db.execute(query).fetchall()

    def list_unmerged_results(self) -> list[tuple[str, str]]:
        """Return each (paper, model) whose latest result in this ledger is not in the main ledger, oldest first."""
        query = (
            f"SELECT n.paper, n.model FROM other.plannings n WHERE {_IS_SELECTED} AND {_IS_NEW} AND n.number ="
            " (SELECT max(number) FROM other.plannings WHERE paper = n.paper AND model = n.model) ORDER BY n.number"
        )
        return self.db.execute(query).fetchall()

    def merge_records(self) -> MergeCounts:
        """Add the records of this ledger to the main ledger in one transaction."""
        paid_twice_query = (
            "SELECT count(*) FROM main.requests o JOIN other.requests n ON n.identity = o.identity"
            f" WHERE n.{_IS_SELECTED} AND n.replied <> o.replied"
        )
        count_query = "SELECT (SELECT count(*) FROM main.plannings), (SELECT count(*) FROM main.requests)"
        results, requests = self.db.execute(count_query).fetchone()
        (paid_twice,) = self.db.execute(paid_twice_query).fetchone()
        with self.db:
            self.db.execute("BEGIN IMMEDIATE")
            for statement in _MERGE_STATEMENTS:
                self.db.execute(statement)
        all_results, all_requests = self.db.execute(count_query).fetchone()
        return MergeCounts(all_results - results, all_requests - requests, paid_twice)

    def copy_replies(self) -> None:
        """Copy all replies of this ledger; they do not count towards the cost limit of the main ledger's run."""
        self.db.execute(
            "INSERT OR IGNORE INTO main.requests SELECT identity, model, paper, prompt, sample, messages, first_sent,"
            " replied, reply, prompt_tokens, completion_tokens, cost, 0.0 FROM other.requests WHERE reply IS NOT NULL"
        )


def compute_change_mark(path: Path) -> str:
    """Return a string that changes whenever something is added to the ledger at `path`.

    Raises:
        RunError: if the ledger cannot be read.
    """
    numbers = (
        "(SELECT coalesce(max(number), 0) FROM attempts), (SELECT count(*) FROM attempts WHERE state <> 'replied'),"
        " (SELECT coalesce(max(number), 0) FROM plannings), (SELECT count(*) FROM papers WHERE position IS NOT NULL),"
        " (SELECT group_concat(asked) FROM (SELECT asked FROM models WHERE position IS NOT NULL ORDER BY key))"
    )
    return json.dumps(query_ledger(path, f"SELECT {numbers}")[0])
