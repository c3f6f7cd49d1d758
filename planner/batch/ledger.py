"""Store every request, reply and result of a run in its ledger; the run's files can be written again from it."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from pydantic import TypeAdapter

from planner.batch.entry import Corpus, Entry, Work
from planner.batch.parts import Parts
from planner.batch.schema import connect
from planner.batch.writer import Preparation, Writer, nothing
from planner.chat import Completion, ModelCard, Prompt
from planner.errors import Outcome, RunError
from planner.pipeline import Planning
from planner.schema import Task
from planner.sidecar import ENDED_BY_REPLY, AttemptFacts, Sidecar

_COMPLETION: Final = TypeAdapter(Completion)
_CARD: Final = TypeAdapter(ModelCard)

# Outcomes that say nothing about the paper: the next call plans it again by itself.
UNSETTLED: Final = (Outcome.BUDGET, Outcome.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A model of this call; `asked` is a hash of how it is asked: endpoint, parameters, task, k, templates."""

    card: ModelCard
    asked: str

    @property
    def key(self) -> str:
        """The name of the model in the ledger, and in the headings of trajectories."""
        return f"{self.card.planner}/{self.card.name}"


@dataclass(frozen=True, slots=True)
class KeptPlannings:
    """The current records in a ledger, with their replies."""

    db: sqlite3.Connection

    def __iter__(self) -> Iterator[Sidecar]:
        for paper, model in self.db.execute(f"SELECT p.id, m.key {ALL} AND {HOLDS} ORDER BY p.id, m.key").fetchall():
            yield self.one(paper, model)

    def one(self, paper: str, model: str) -> Sidecar:
        """Return the current record of a paper and a model, which must exist."""
        (facts,) = self.db.execute(
            "SELECT facts FROM plannings WHERE paper = ? AND model = ? ORDER BY number DESC LIMIT 1", (paper, model)
        ).fetchone()
        sidecar = Sidecar.model_validate_json(facts)
        whole = tuple(a.model_copy(update={"completion": self._reply(a.identity)}) for a in sidecar.attempts)
        return sidecar.model_copy(update={"attempts": whole})

    def _reply(self, identity: str) -> Completion | None:
        found = self.db.execute("SELECT reply FROM requests WHERE identity = ?", (identity,)).fetchone()
        return _COMPLETION.validate_json(found[0]) if found and found[0] else None


class Ledger:
    """The ledger of a run, open for writing. Reads are direct; a write is durable when it returns."""

    def __init__(self, path: Path, *, shared_disk: bool = False) -> None:
        """Open a ledger, or create it.

        Raises:
            RunError: if it cannot be opened, or has another version.
        """
        self._reader = connect(path, shared_disk=shared_disk)
        self._reader.execute("PRAGMA query_only = ON")
        self._writer = Writer(partial(connect, path, shared_disk=shared_disk))
        self._next_attempt = 1 + (self._one("SELECT max(number) FROM attempts") or 0)
        self.parts = Parts(self._reader, self._writer, self._numbers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # In a thread, since the last commits may wait for the disk, and report back to this loop.
        await asyncio.to_thread(self._writer.close)
        self._reader.close()

    async def begin(self, task: Task, corpus: Iterable[Entry], models: Sequence[AskedModel]) -> None:
        """Record the task, the corpus and the models of this call.

        Requests that a killed process left in flight are marked as lost: sent, perhaps billed, never answered.

        Raises:
            RunError: if the run is of another task.
        """
        of_old = self._one("SELECT value FROM run WHERE name = 'task'")
        if of_old not in (None, task.value):
            raise RunError(f"this is a run of the {of_old} task; choose another folder with -o for the {task} task")

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR IGNORE INTO run VALUES ('task', ?)", (task.value,))
            db.execute("UPDATE attempts SET state = 'lost', said = 'in flight at a kill' WHERE state = 'sent'")
            db.execute("UPDATE papers SET position = NULL")
            db.execute("UPDATE models SET position = NULL")
            db.executemany("INSERT OR REPLACE INTO papers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _paper_rows(corpus))
            db.executemany("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", _model_rows(models))

        await self._writer.write(change)

    def pending(self, *, retry_failed: bool = False) -> Iterator[Work]:
        """Yield the tasks that are left, in the order of the corpus; those that failed only with `retry_failed`."""
        settled = ("planned",) if retry_failed else tuple(o.value for o in Outcome if o not in UNSETTLED)
        query = (
            "SELECT p.position, m.position, p.id, p.source, p.place, p.kind, p.title, p.abstract, p.stamp, m.key,"
            f" {_BEGUN} {ALL} AND p.position IS NOT NULL AND m.position IS NOT NULL"
            f" AND NOT coalesce({HOLDS} AND n.outcome IN ({', '.join('?' * len(settled))}), 0)"
            f" AND (p.position, m.position) > (?, ?) ORDER BY p.position, m.position LIMIT {_PAGE}"
        )
        after = (-1, -1)
        # Page by page: a query left open would hold up the writer's journal.
        while page := self._reader.execute(query, (*settled, *after)).fetchall():
            for *at, paper, source, place, kind, title, abstract, stamp, model, begun in page:
                after = tuple(at)
                yield Work(Entry(paper, source, place, kind, title, abstract, stamp), model, bool(begun))

    def settled(self) -> Iterator[tuple[str, str, Outcome]]:
        """Return paper, model and outcome of every result that is valid for the last call."""
        rows = self._reader.execute(f"SELECT p.id, m.key, n.outcome {ALL} AND {HOLDS}").fetchall()
        return ((paper, model, Outcome(outcome)) for paper, model, outcome in rows)

    def tally(self) -> Counter[Outcome]:
        """Count the valid results by outcome."""
        rows = self._reader.execute(f"SELECT n.outcome, count(*) {ALL} AND {HOLDS} GROUP BY n.outcome")
        return Counter({Outcome(outcome): count for outcome, count in rows})

    def total(self) -> int:
        """Return the number of results that exist or are still to come."""
        return self._reader.execute(f"SELECT count(*) {ALL}").fetchone()[0]  # type: ignore[no-any-return]

    def kept(self, paper: str, model: str) -> Sidecar:
        """Return the current record of a paper and a model, with its replies."""
        return KeptPlannings(self._reader).one(paper, model)

    def reply(self, identity: str) -> Completion | None:
        """Return the reply to a request, None if there is none."""
        kept = self._one("SELECT reply FROM requests WHERE identity = ?", identity)
        return None if kept is None else _COMPLETION.validate_json(kept)

    def sample(self, prompt: Prompt, *, retry: bool) -> int:
        """Return the sample to use for a first prompt: the last with a reply, or the next if it failed and `retry`."""
        last = self._one("SELECT max(sample) FROM requests WHERE prompt = ? AND reply IS NOT NULL", prompt.sha256)
        if last is None or not retry:
            return int(last or 0)
        outcomes = self._reader.execute(
            "SELECT outcome FROM plannings WHERE prompt = ? AND sample = ?", (prompt.sha256, last)
        )
        return int(last) + 1 if any(outcome in ENDED_BY_REPLY for (outcome,) in outcomes) else int(last)

    def requests_of(self, paper: str, model: str, used: Iterable[str] = ()) -> tuple[AttemptFacts, ...]:
        """Return every recorded request that a paper needed of a model, oldest first.

        A paper with the same text as another sends nothing. It reuses the requests in `used`, which the other paid for.
        """
        rows = self._reader.execute(
            "SELECT identity, prompt, sample, messages, first_sent, iif(paper = ?1, cost, 0.0), reply FROM requests"
            " WHERE first_sent <> '' AND (paper = ?1 AND model = ?2 OR identity IN (SELECT value FROM json_each(?3)))"
            " ORDER BY rowid",
            (paper, model, json.dumps(list(used))),
        )
        return tuple(
            AttemptFacts(
                identity=identity,
                prompt_sha256=prompt,
                sample=sample,
                messages=messages,
                started=datetime.fromisoformat(sent),
                cost=cost,
                completion=None if reply is None else _COMPLETION.validate_json(reply),
            )
            for identity, prompt, sample, messages, sent, cost, reply in rows
        )

    def charged(self) -> float:
        """Return the USD that may have been spent: known costs, and upper estimates where one is missing."""
        known = self._one("SELECT sum(charged) FROM requests")
        lost = self._one("SELECT sum(upper) FROM attempts WHERE state IN ('sent', 'submitted', 'lost')")
        return float(known or 0.0) + float(lost or 0.0)

    async def send(self, work: Work, request: AttemptFacts, upper: float | None) -> int:
        """Record that a request is about to be sent, and its highest cost in USD; return the number of the attempt."""
        number, identity, now = self._numbers(1), request.identity, _told(request.started)

        def change(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR IGNORE INTO requests (identity, model, paper, prompt, sample, messages, first_sent)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (identity, work.model, work.entry.id, request.prompt_sha256, request.sample, request.messages, now),
            )
            db.execute("UPDATE requests SET first_sent = ? WHERE identity = ? AND first_sent = ''", (now, identity))
            db.execute(
                "INSERT INTO attempts (number, identity, sent, upper, state, said) VALUES (?, ?, ?, ?, 'sent', '')",
                (number, identity, now, upper),
            )

        await self._writer.write(change)
        return number

    async def commit(
        self, number: int, identity: str, completion: Completion, cost: float | None, charged: float | None
    ) -> None:
        """Record the reply to an attempt."""
        reply, now = _COMPLETION.dump_json(completion).decode(), _told(datetime.now(UTC))
        usage = completion.usage

        def change(db: sqlite3.Connection) -> None:
            db.execute("UPDATE attempts SET state = 'replied' WHERE number = ?", (number,))
            db.execute(
                "UPDATE requests SET replied = ?, reply = ?, prompt_tokens = ?, completion_tokens = ?,"
                " cost = ?, charged = ? WHERE identity = ?",
                (now, reply, usage.prompt_tokens, usage.completion_tokens, cost, charged, identity),
            )

        await self._writer.write(change)

    async def fail(self, number: int, said: str, *, billed: bool) -> None:
        """Record that an attempt got no reply, and whether it may have been billed."""
        state = "lost" if billed else "refused"

        def change(db: sqlite3.Connection) -> None:
            db.execute("UPDATE attempts SET state = ?, said = ? WHERE number = ?", (state, said, number))

        await self._writer.write(change)

    async def settle(
        self, work: Work, asked: str, planning: Planning, facts: Sidecar, files: Preparation = nothing
    ) -> None:
        """Record the result of planning a paper, after its `files` are written."""
        lean = [attempt.model_copy(update={"completion": None}) for attempt in facts.attempts]
        question = planning.question
        prompt, sample = (question.prompt.sha256, question.prompt.sample) if question else ("", 0)
        row = (
            *(work.entry.id, work.model, asked, work.entry.stamp, facts.outcome.value, facts.reason, prompt, sample),
            facts.model_copy(update={"attempts": tuple(lean)}).model_dump_json(),
        )

        def change(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO plannings (paper, model, asked, stamp, outcome, reason, prompt, sample, facts)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

        await self._writer.write(change, files)

    def recall(self, name: str) -> str | None:
        """Return a fact about the run, None if it was never recorded."""
        found: str | None = self._one("SELECT value FROM run WHERE name = ?", name)
        return found

    async def remember(self, name: str, value: str) -> None:
        """Record a fact about the run."""
        await self._writer.write(lambda db: _put(db, name, value))

    def corpus(self) -> Corpus:
        """Return the papers of the last call."""
        rows = self._reader.execute(
            "SELECT id, source, place, kind, title, abstract, stamp FROM papers"
            " WHERE position IS NOT NULL ORDER BY position"
        )
        return Corpus(tuple(Entry(*row) for row in rows))

    def _numbers(self, count: int) -> int:
        """Reserve numbers for `count` attempts, and return the first."""
        first = self._next_attempt
        self._next_attempt += count
        return first

    def _one(self, query: str, *values: object) -> Any:
        found = self._reader.execute(query, values).fetchone()
        return found[0] if found else None


_PAGE: Final = 500

# Every paper with every model of the last call, or that was ever planned, and its latest result if there is one.
ALL: Final = (
    "FROM papers p CROSS JOIN models m LEFT JOIN plannings n ON n.number ="
    " (SELECT max(number) FROM plannings WHERE paper = p.id AND model = m.key)"
    " WHERE (p.position IS NOT NULL AND m.position IS NOT NULL OR n.number IS NOT NULL)"
)
# The latest result is valid if paper and settings are unchanged; for what the last call does not name, it always is.
HOLDS: Final = (
    "(n.number IS NOT NULL AND (p.position IS NULL OR m.position IS NULL OR n.asked = m.asked AND n.stamp = p.stamp))"
)
# True if the ledger has a request about the paper to the model.
_BEGUN: Final = "EXISTS (SELECT 1 FROM requests r WHERE r.paper = p.id AND r.model = m.key)"


def _put(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT INTO run VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))


def _paper_rows(corpus: Iterable[Entry]) -> Iterator[tuple[str | int, ...]]:
    for position, e in enumerate(corpus):
        yield e.id, e.source, e.place, e.kind, e.title, e.abstract, e.stamp, position


def _model_rows(models: Iterable[AskedModel]) -> Iterator[tuple[str | int, ...]]:
    for position, model in enumerate(models):
        yield model.key, _CARD.dump_json(model.card).decode(), model.asked, position


def _told(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
