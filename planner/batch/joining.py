"""One ledger taken into another: what is new is added and the rest left as it is, so doing it twice does nothing."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.errors import RunError


@dataclass(frozen=True, slots=True)
class Joined:
    """What was added, and how many requests both ledgers had paid for: those of papers with the same text."""

    plannings: int
    requests: int
    paid_twice: int


# A planning is known by its facts, which say when it began; a request by its identity; an attempt by its moment.
_IS_NEW: Final = (
    "NOT EXISTS (SELECT 1 FROM main.plannings o WHERE o.paper = n.paper AND o.model = n.model AND o.facts = n.facts)"
)
_WANTED: Final = "paper IN (SELECT id FROM temp.wanted)"
_JOIN: Final = (
    "INSERT OR IGNORE INTO main.run SELECT * FROM other.run WHERE name = 'task'",
    "INSERT INTO main.papers SELECT * FROM other.papers WHERE id IN (SELECT id FROM temp.wanted)"
    " ON CONFLICT (id) DO UPDATE SET (source, place, kind, title, abstract, stamp) = (excluded.source, excluded.place,"
    " excluded.kind, excluded.title, excluded.abstract, excluded.stamp), position ="
    " iif(excluded.position IS NULL, NULL, coalesce(papers.position, excluded.position))",
    "INSERT OR REPLACE INTO main.models SELECT * FROM other.models",
    f"INSERT OR IGNORE INTO main.requests SELECT * FROM other.requests WHERE {_WANTED}",
    "UPDATE main.requests SET (replied, reply, prompt_tokens, completion_tokens, cost, charged) = (n.replied, n.reply,"
    " n.prompt_tokens, n.completion_tokens, n.cost, n.charged) FROM other.requests n"
    " WHERE n.identity = main.requests.identity AND main.requests.reply IS NULL AND n.reply IS NOT NULL",
    "INSERT INTO main.attempts (identity, sent, upper, state, said)"
    " SELECT identity, sent, upper, state, said FROM other.attempts WHERE identity IN"
    f" (SELECT identity FROM other.requests WHERE {_WANTED})"
    " AND (identity, sent) NOT IN (SELECT identity, sent FROM main.attempts) ORDER BY number",
    "UPDATE main.attempts SET (state, said) = (n.state, n.said) FROM other.attempts n"
    " WHERE main.attempts.state = 'sent' AND n.identity = main.attempts.identity AND n.sent = main.attempts.sent",
    "INSERT INTO main.plannings SELECT NULL, paper, model, asked, stamp, outcome, reason, prompt, sample, facts"
    f" FROM other.plannings n WHERE {_WANTED} AND {_IS_NEW} ORDER BY number",
)
# Positions of shards count within the shard; the ledger's pages go by positions that differ.
_IN_ORDER: Final = (
    "UPDATE main.papers SET position = n.place FROM (SELECT id, row_number() OVER (ORDER BY position, id) - 1 AS place"
    " FROM main.papers WHERE position IS NOT NULL) n WHERE n.id = main.papers.id"
)


@contextmanager
def beside(db: sqlite3.Connection, other: Path, papers: Iterable[str] | None = None) -> Iterator[None]:
    """Lay another ledger beside this one as `other`, as far as it is about `papers`; None is all of them.

    Raises:
        RunError: one of the two cannot be read or written.
    """
    try:
        db.execute("ATTACH ? AS other", (str(other),))
        try:
            _choose(db, papers)
            yield
        finally:
            db.execute("DROP TABLE IF EXISTS temp.wanted")
            db.execute("DETACH other")
    except sqlite3.Error as error:
        raise RunError(f"{other} cannot be joined: {error}; once that is mended, the same command goes on") from error


def new_plannings(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Paper and model of what the ledger beside has planned and this one does not know, where it is in force there."""
    query = (
        f"SELECT n.paper, n.model FROM other.plannings n WHERE {_WANTED} AND {_IS_NEW} AND n.number ="
        " (SELECT max(number) FROM other.plannings WHERE paper = n.paper AND model = n.model) ORDER BY n.number"
    )
    return db.execute(query).fetchall()


def join(db: sqlite3.Connection) -> Joined:
    """Take the ledger beside into this one, all of it or nothing."""
    twice = (
        f"SELECT count(*) FROM main.requests o JOIN other.requests n ON n.identity = o.identity WHERE n.{_WANTED}"
        " AND n.replied <> o.replied"
    )
    before = _counts(db)
    (paid_twice,) = db.execute(twice).fetchone()
    with db:
        db.execute("BEGIN IMMEDIATE")
        for statement in _JOIN:
            db.execute(statement)
        db.execute(_IN_ORDER)
    plannings, requests = (now - then for now, then in zip(_counts(db), before, strict=True))
    return Joined(plannings, requests, paid_twice)


def conflicts(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Ids by which the two ledgers mean papers at different places: the id and both places."""
    query = (
        "SELECT o.id, o.place, n.place FROM main.papers o JOIN other.papers n ON n.id = o.id"
        " WHERE n.place <> o.place AND n.position IS NOT NULL AND o.position IS NOT NULL"
    )
    return db.execute(query).fetchall()


def mark(db: sqlite3.Connection) -> str:
    """What changes whenever something is added to a ledger."""
    queries = (
        "SELECT coalesce(max(number), 0) FROM attempts",
        "SELECT count(*) FROM attempts WHERE state <> 'replied'",
        "SELECT coalesce(max(number), 0) FROM plannings",
        "SELECT count(*) FROM papers WHERE position IS NOT NULL",
        "SELECT group_concat(asked) FROM (SELECT asked FROM models WHERE position IS NOT NULL ORDER BY key)",
    )
    return json.dumps([db.execute(query).fetchone()[0] for query in queries])


def _choose(db: sqlite3.Connection, papers: Iterable[str] | None) -> None:
    db.execute("CREATE TEMP TABLE wanted (id TEXT PRIMARY KEY) WITHOUT ROWID")
    if papers is None:
        db.execute("INSERT INTO temp.wanted SELECT id FROM other.papers")
    else:
        db.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", ((paper,) for paper in papers))


def _counts(db: sqlite3.Connection) -> tuple[int, int]:
    ((plannings,), (requests,)) = (
        db.execute(f"SELECT count(*) FROM main.{table}").fetchone() for table in ("plannings", "requests")
    )
    return plannings, requests
