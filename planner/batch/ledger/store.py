"""Record the requests, replies and results of a run in its ledger."""

import asyncio
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from pydantic import TypeAdapter

from planner.batch.ledger.records import (
    ALL_PAIRS,
    IS_VALID,
    STORED_COMPLETION,
    LedgerReader,
    parse_stored_reply,
)
from planner.batch.ledger.schema import (
    close_on_error,
    connect_ledger,
    connect_ledger_readonly,
    format_ledger_time,
)
from planner.batch.ledger.submissions import Submissions, UnansweredRequest, insert_requests_or_set_first_sent
from planner.batch.ledger.writer import (
    LedgerReply,
    LedgerWriter,
    Preparation,
    store_kept_replies,
    store_reply,
    write_reply_file,
)
from planner.batch.manifest import Corpus, CorpusEntry, PlanTask
from planner.chat import Completion, ModelInfo, Prompt
from planner.errors import Outcome, RunError
from planner.planning.plan import PlanResult
from planner.planning.record import REPLY_FAILURES, AttemptRecord, PlanRecord
from planner.schema import Task

log = logging.getLogger(__name__)

_MODEL_INFO: Final = TypeAdapter(ModelInfo)

# Outcomes that say nothing about the paper, so that the next command plans it again without --retry-failed.
UNFINISHED_OUTCOMES: Final = (Outcome.BUDGET, Outcome.INTERRUPTED)

_HAS_REQUESTS: Final = "EXISTS (SELECT 1 FROM requests r WHERE r.paper = p.id AND r.model = m.key)"
_PAGE_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class LedgerModel:
    """A model that a command uses; `settings_hash` is a hash of the settings that change the model's plans."""

    info: ModelInfo
    settings_hash: str

    @property
    def model_key(self) -> str:
        """The planner and the name of the model, as in the headings of trajectories; the model's key in the ledger."""
        return f"{self.info.planner}/{self.info.name}"


class Ledger:
    """The ledger of a run, open for writing; a method that writes returns when the data are on the disk."""

    def __init__(self, path: Path, *, shared_disk: bool = False) -> None:
        """Open the ledger at `path`, or create it; `shared_disk` is true if other machines use the disk too.

        Raises:
            RunError: if the ledger cannot be opened or has another version; in every method, if the ledger is damaged.
        """
        self._path = path
        connection = connect_ledger(path, shared_disk=shared_disk)
        with close_on_error(connection):
            store_kept_replies(connection, path)
            self.reader = LedgerReader(path, connect_ledger_readonly(path))
        self._writer = LedgerWriter(path, connection)
        self._kept_replies: list[Path] = []
        self.submissions = Submissions(self.reader, self._writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # The last connection to be closed is the one that can remove the write-ahead log.
        self.reader.connection.close()
        # In a thread, since the last commits may wait for the disk, and report back to this loop.
        await asyncio.to_thread(self._writer.close)

    def refuse_other_task(self, task: Task) -> None:
        """Refuse a command if the run has another task.

        Raises:
            RunError: if the run has another task.
        """
        earlier_task = self.read_fact("task")
        if earlier_task not in (None, task.value):
            raise RunError(
                f"this is a run of the {earlier_task} task; choose another folder with -o for the {task} task"
            )

    async def begin_command(self, task: Task, corpus: Iterable[CorpusEntry], models: Sequence[LedgerModel]) -> None:
        """Record the task, the corpus and the models of this command.

        Requests that a killed process left in flight are marked as lost, since they may have been billed.
        """
        papers = (
            (each.id, each.source, each.place, each.kind, each.title, each.abstract, each.change_mark, position)
            for position, each in enumerate(corpus)
        )
        model_rows = [
            (model.model_key, _MODEL_INFO.dump_json(model.info).decode(), model.settings_hash, position)
            for position, model in enumerate(models)
        ]

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR IGNORE INTO run VALUES ('task', ?)", (task.value,))
            db.execute("UPDATE attempts SET state = 'lost', said = 'in flight at a kill' WHERE state = 'sent'")
            db.execute("UPDATE papers SET position = NULL")
            db.execute("UPDATE models SET position = NULL")
            db.executemany("INSERT OR REPLACE INTO papers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", papers)
            db.executemany("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", model_rows)

        await self._writer.write_change(change)

    def iterate_pending_tasks(self, *, retry_failed: bool = False) -> Iterator[PlanTask]:
        """Yield the tasks to plan, in the order of the corpus; `retry_failed` adds the tasks that have failed."""
        finished = ("planned",) if retry_failed else tuple(o.value for o in Outcome if o not in UNFINISHED_OUTCOMES)
        query = (
            "SELECT p.position, m.position, p.id, p.source, p.place, p.kind, p.title, p.abstract, p.stamp, m.key,"
            f" {_HAS_REQUESTS} {ALL_PAIRS} AND p.position IS NOT NULL AND m.position IS NOT NULL"
            f" AND NOT coalesce({IS_VALID} AND n.outcome IN ({', '.join('?' * len(finished))}), 0)"
            f" AND (p.position, m.position) > (?, ?) ORDER BY p.position, m.position LIMIT {_PAGE_ROWS}"
        )
        after = (-1, -1)
        # The rows are read page by page, since the journal of the writer grows as long as a query is open.
        while page := self.reader.fetch_rows(query, *finished, *after):
            for *positions, paper, source, place, kind, title, abstract, stamp, model, has_requests in page:
                after = tuple(positions)
                entry = CorpusEntry(paper, source, place, kind, title, abstract, stamp)
                yield PlanTask(entry, model, bool(has_requests))

    def iterate_results(self) -> Iterator[tuple[str, str, Outcome]]:
        """Return (paper, model, outcome) of each result that is valid for the present paper and settings."""
        rows = self.reader.fetch_rows(f"SELECT p.id, m.key, n.outcome {ALL_PAIRS} AND {IS_VALID}")
        return ((paper, model, Outcome(outcome)) for paper, model, outcome in rows)

    def count_outcomes(self) -> Counter[Outcome]:
        """Count the results of `iterate_results` by outcome."""
        return Counter(outcome for _, _, outcome in self.iterate_results())

    def count_expected_results(self) -> int:
        """Return the number of results that the finished run will have: one for each paper and model."""
        return int(self.reader.fetch_value(f"SELECT count(*) {ALL_PAIRS}"))

    def choose_sample_number(self, prompt: Prompt, *, retry_failed: bool) -> int:
        """Return the sample number for the first prompt about a paper (before any re-ask).

        Replies to the same prompt are numbered from 0. Return the number of the last reply, which is then used again,
        or 0 if there is no reply. If `retry_failed` is true and the last reply was unusable, return the next number.
        """
        query = "SELECT max(sample) FROM requests WHERE prompt = ? AND reply IS NOT NULL"
        last = self.reader.fetch_value(query, prompt.sha256)
        if last is None or not retry_failed:
            return int(last or 0)
        query = "SELECT outcome FROM plannings WHERE prompt = ? AND sample = ?"
        outcomes = self.reader.fetch_rows(query, prompt.sha256, last)
        return int(last) + 1 if any(outcome in REPLY_FAILURES for (outcome,) in outcomes) else int(last)

    def list_requests(
        self, paper_id: str, model_key: str, reused_identities: Iterable[str] = ()
    ) -> tuple[AttemptRecord, ...]:
        """Return the recorded requests about a paper to a model, oldest first.

        `reused_identities` are hashes of requests that are returned too. If such a request was sent for another paper
        with the same text, its cost is 0 here.
        """
        rows = self.reader.fetch_rows(
            "SELECT identity, prompt, sample, messages, first_sent, iif(paper = ?1, cost, 0.0), reply FROM requests"
            " WHERE first_sent <> '' AND (paper = ?1 AND model = ?2 OR identity IN (SELECT value FROM json_each(?3)))"
            " ORDER BY rowid",
            paper_id,
            model_key,
            json.dumps(list(reused_identities)),
        )
        return tuple(
            AttemptRecord(
                identity=identity,
                prompt_sha256=prompt,
                sample=sample,
                messages=messages,
                started=datetime.fromisoformat(sent),
                cost=cost,
                completion=None if reply is None else parse_stored_reply(identity, reply),
            )
            for identity, prompt, sample, messages, sent, cost, reply in rows
        )

    def sum_charges(self) -> float:
        """Return the USD that the run may have spent; a request of unknown cost counts at its highest cost."""
        known = self.reader.fetch_value("SELECT sum(charged) FROM requests")
        lost = self.reader.fetch_value("SELECT sum(upper) FROM attempts WHERE state IN ('sent', 'submitted', 'lost')")
        return float(known or 0.0) + float(lost or 0.0)

    async def record_request(self, plan_task: PlanTask, request: AttemptRecord, max_cost: float | None) -> int:
        """Record a request before it is sent, with its highest cost in USD; return the number of the attempt."""
        identity, now = request.identity, format_ledger_time(request.started)
        new_request = UnansweredRequest(
            plan_task, identity, request.prompt_sha256, request.sample, request.messages, max_cost
        )

        def change(db: sqlite3.Connection) -> int | None:
            insert_requests_or_set_first_sent(db, [new_request], now)
            query = "INSERT INTO attempts (identity, sent, upper, state, said) VALUES (?, ?, ?, 'sent', '')"
            return db.execute(query, (identity, now, max_cost)).lastrowid

        return int(await self._writer.write_change(change))

    async def record_reply(
        self, attempt_number: int, identity: str, completion: Completion, cost: float | None, charged: float | None
    ) -> None:
        """Record the reply to an attempt; `charged` is the cost in USD that counts towards the cost limit.

        Raises:
            RunError: if the ledger cannot be written; the reply is kept in a file, and the next command stores it.
        """
        now, text = format_ledger_time(datetime.now(UTC)), STORED_COMPLETION.dump_json(completion).decode()
        tokens = (completion.usage.prompt_tokens, completion.usage.completion_tokens)
        reply = LedgerReply(attempt_number, identity, now, text, *tokens, cost, charged)
        try:
            await self._writer.write_change(lambda db: store_reply(db, reply), size=len(text))
        except RunError:
            try:
                self._kept_replies.append(write_reply_file(self._path, reply))
            except OSError as error:
                log.error("no file can be written either (%s), so copy this paid reply: %s", error, completion.text)
            raise

    def describe_kept_replies(self) -> str:
        """Return a message about the replies that are kept in files, "" if there are none."""
        if not self._kept_replies:
            return ""
        folders = ", ".join(dict.fromkeys(str(path.parent) for path in self._kept_replies))
        return (
            f"paid replies are kept in {folders} ({len(self._kept_replies)}); the next command adds them to the ledger"
        )

    async def record_failure(self, attempt_number: int, message: str, *, may_be_billed: bool) -> None:
        """Record that an attempt got no reply, and whether it may have been billed."""
        query = "UPDATE attempts SET state = ?, said = ? WHERE number = ?"
        values = ("lost" if may_be_billed else "refused", message, attempt_number)
        await self._writer.write_change(lambda db: db.execute(query, values))

    async def record_result(
        self,
        plan_task: PlanTask,
        settings_hash: str,
        result: PlanResult,
        record: PlanRecord,
        write_files: Preparation | None = None,
    ) -> None:
        """Call `write_files`, which writes the files of a paper; then record the result of the paper."""
        attempts = tuple(attempt.model_copy(update={"completion": None}) for attempt in record.attempts)
        prompt = result.paper_prompt.prompt if result.paper_prompt else None
        row = (
            plan_task.entry.id,
            plan_task.model_key,
            settings_hash,
            plan_task.entry.change_mark,
            record.outcome.value,
            record.reason,
            prompt.sha256 if prompt else "",
            prompt.sample if prompt else 0,
            record.model_copy(update={"attempts": attempts}).model_dump_json(),
        )
        query = (
            "INSERT INTO plannings (paper, model, asked, stamp, outcome, reason, prompt, sample, facts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        await self._writer.write_change(lambda db: db.execute(query, row), write_files)

    def read_fact(self, name: str) -> str | None:
        """Return the value of a named fact about the run, None if it was never recorded."""
        return self.reader.fetch_value("SELECT value FROM run WHERE name = ?", name)  # type: ignore[no-any-return]

    async def write_fact(self, name: str, value: str) -> None:
        """Record a fact about the run."""
        query = "INSERT INTO run VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        await self._writer.write_change(lambda db: db.execute(query, (name, value)))

    def load_corpus(self) -> Corpus:
        """Return the papers of the last command on the run."""
        rows = self.reader.fetch_rows(
            "SELECT id, source, place, kind, title, abstract, stamp FROM papers"
            " WHERE position IS NOT NULL ORDER BY position"
        )
        return Corpus(tuple(CorpusEntry(*row) for row in rows))
