"""Merge one ledger into another: add what is new and leave the rest, so that merging twice has no further effect."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.errors import RunError


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """The results and requests that were added, and the requests that both paid for (papers with the same text)."""

    results: int
    requests: int
    requests_paid_twice: int


# Results are compared by their facts, which include the start, requests by identity, attempts by the time sent.
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
)
# Positions count within each shard, but the ledger needs unique ones to page through the papers.
_RENUMBER_PAPERS: Final = (
    "UPDATE main.papers SET position = n.place FROM (SELECT id, row_number() OVER (ORDER BY position, id) - 1 AS place"
    " FROM main.papers WHERE position IS NOT NULL) n WHERE n.id = main.papers.id"
)

_COPY_REPLIES: Final = (
    "INSERT OR IGNORE INTO main.requests SELECT identity, model, paper, prompt, sample, messages, first_sent, replied,"
    " reply, prompt_tokens, completion_tokens, cost, 0.0 FROM other.requests WHERE reply IS NOT NULL"
)


@contextmanager
def attach_ledger(db: sqlite3.Connection, other_path: Path, paper_ids: Iterable[str] | None = None) -> Iterator[None]:
    """Attach another ledger within the block, as the schema `other`, limited to `paper_ids`; None is all of them.

    Raises:
        RunError: if one of the two cannot be read or written.
    """
    try:
        db.execute("ATTACH ? AS other", (str(other_path),))
        try:
            _select_papers(db, paper_ids)
            yield
        finally:
            db.execute("DROP TABLE IF EXISTS temp.wanted")
            db.execute("DETACH other")
    except sqlite3.Error as error:
        raise RunError(f"{other_path} cannot be merged: {error}; fix that, then run the same command again") from error


def list_new_results(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the paper and the model of each current result that only the attached ledger has, oldest first."""
    query = (
        f"SELECT n.paper, n.model FROM other.plannings n WHERE {_IS_SELECTED} AND {_IS_NEW} AND n.number ="
        " (SELECT max(number) FROM other.plannings WHERE paper = n.paper AND model = n.model) ORDER BY n.number"
    )
    return db.execute(query).fetchall()


def merge_ledger(db: sqlite3.Connection) -> MergeCounts:
    """Merge the attached ledger into this one in a single transaction."""
    paid_twice_query = (
        f"SELECT count(*) FROM main.requests o JOIN other.requests n ON n.identity = o.identity WHERE n.{_IS_SELECTED}"
        " AND n.replied <> o.replied"
    )
    counts = _count_rows(db)
    (paid_twice,) = db.execute(paid_twice_query).fetchone()
    with db:
        db.execute("BEGIN IMMEDIATE")
        for statement in _MERGE_STATEMENTS:
            db.execute(statement)
        db.execute(_RENUMBER_PAPERS)
    results, requests = (after - before for after, before in zip(_count_rows(db), counts, strict=True))
    return MergeCounts(results, requests, paid_twice)


def copy_replies(db: sqlite3.Connection) -> None:
    """Copy the replies in the attached ledger; they keep their cost, and charge nothing to the limit of this run."""
    db.execute(_COPY_REPLIES)


def list_place_conflicts(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Return the ids that mean papers at different places in the two ledgers: the id, and both places."""
    query = (
        "SELECT o.id, o.place, n.place FROM main.papers o JOIN other.papers n ON n.id = o.id"
        " WHERE n.place <> o.place AND n.position IS NOT NULL AND o.position IS NOT NULL"
    )
    return db.execute(query).fetchall()


def fingerprint_ledger(db: sqlite3.Connection) -> str:
    """Return a string that changes whenever something is added to a ledger."""
    queries = (
        "SELECT coalesce(max(number), 0) FROM attempts",
        "SELECT count(*) FROM attempts WHERE state <> 'replied'",
        "SELECT coalesce(max(number), 0) FROM plannings",
        "SELECT count(*) FROM papers WHERE position IS NOT NULL",
        "SELECT group_concat(asked) FROM (SELECT asked FROM models WHERE position IS NOT NULL ORDER BY key)",
    )
    return json.dumps([db.execute(query).fetchone()[0] for query in queries])


def _select_papers(db: sqlite3.Connection, paper_ids: Iterable[str] | None) -> None:
    db.execute("CREATE TEMP TABLE wanted (id TEXT PRIMARY KEY) WITHOUT ROWID")
    if paper_ids is None:
        db.execute("INSERT INTO temp.wanted SELECT id FROM other.papers")
    else:
        db.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", ((paper,) for paper in paper_ids))


def _count_rows(db: sqlite3.Connection) -> tuple[int, int]:
    ((results,), (requests,)) = (
        db.execute(f"SELECT count(*) FROM main.{table}").fetchone() for table in ("plannings", "requests")
    )
    return results, requests
