"""Record submissions to a batch service in the ledger, with the requests and their results."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from typing import Final

from planner.batch.ledger.records import LedgerReader
from planner.batch.ledger.schema import format_ledger_time
from planner.batch.ledger.writer import LedgerWriter
from planner.batch.manifest import PlanTask
from planner.errors import ModelError, TooLongError

COLLECTED: Final = "collected"
RECORDED: Final = "recorded"
SUBMITTING: Final = "submitting"

# A character that sorts after every hexadecimal digit.
_AFTER_HEX: Final = "g"


@dataclass(frozen=True, slots=True)
class UnansweredRequest:
    """A request without a reply; `identity` is its hash, and `max_cost` is its highest cost in USD."""

    plan_task: PlanTask
    identity: str
    prompt_sha256: str
    sample: int
    message_count: int
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A file of requests for a batch service, and the batch that the service makes of the file.

    `file_id` and `batch_id` are ids at the service, "" until they are known. In state RECORDED there is no batch. In
    state SUBMITTING there may be a batch whose id is not known.
    """

    number: int
    model: str
    sha256: str
    request_count: int
    file_id: str = ""
    batch_id: str = ""
    state: str = RECORDED


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """The reason why a submitted request has no reply; `again` is true if submitting the request again may help.

    If `was_sent` is false, the request never reached the service. `limit` is the model's context window and
    `prompt_tokens` is the length of the prompt, both in tokens.
    """

    message: str
    again: bool
    too_long: bool = False
    limit: int | None = None
    status: int | None = None
    perhaps_billed: bool = False
    prompt_tokens: int | None = None
    was_sent: bool = True

    @classmethod
    def from_error(cls, error: ModelError) -> "RequestFailure":
        """Return the failure for an error of the service."""
        if isinstance(error, TooLongError):
            return cls(str(error), error.retryable, True, error.limit, error.status, prompt_tokens=error.prompt_tokens)
        return cls(str(error), error.retryable, status=error.status)

    def as_error(self, suffix: str = "") -> ModelError:
        """Return the failure as an error; `suffix` is added to the message."""
        if self.too_long:
            return TooLongError(self.message, limit=self.limit, prompt_tokens=self.prompt_tokens, status=self.status)
        return ModelError(self.message + suffix, retryable=self.again, status=self.status)


@dataclass(frozen=True, slots=True)
class SubmittedRequest:
    """A submitted request; `max_cost` is its highest cost in USD, and `has_reply` is true if its reply is stored."""

    attempt_number: int
    identity: str
    max_cost: float | None
    has_reply: bool


class Submissions:
    """The submissions in a ledger."""

    def __init__(self, reader: LedgerReader, writer: LedgerWriter) -> None:
        self._reader = reader
        self._writer = writer

    def list_open_submissions(self) -> list[Submission]:
        """Return every submission whose results are not all in the ledger."""
        query = "SELECT number, model, sha256, requests, file, batch, state FROM parts WHERE state <> ? ORDER BY number"
        return [Submission(*row) for row in self._reader.fetch_rows(query, COLLECTED)]

    def count_submitted_requests(self) -> int:
        """Return the number of requests that are, or may be, at the batch service."""
        return sum(
            submission.request_count for submission in self.list_open_submissions() if submission.state != RECORDED
        )

    async def withdraw_unsent_submissions(self) -> list[int]:
        """Withdraw the submissions that were never sent, and return their numbers."""
        numbers = [submission.number for submission in self.list_open_submissions() if submission.state == RECORDED]
        failure = RequestFailure("its file was withdrawn before it was submitted", again=True, was_sent=False)
        for number in numbers:
            await self.close_submission(number, failure)
        return numbers

    async def close_submission(self, number: int, failure: RequestFailure) -> int:
        """Record that a submission gets no more results, and `failure` for each of its requests without a result.

        Return the number of these requests.
        """

        def change(db: sqlite3.Connection) -> int:
            query = "UPDATE attempts SET state = ?, said = ?, refusal = ? WHERE part = ? AND state = 'submitted'"
            failed = db.execute(query, (*_describe_failure(failure), number))
            db.execute("UPDATE parts SET state = ? WHERE number = ?", (COLLECTED, number))
            return failed.rowcount

        return int(await self._writer.write_change(change))

    def find_next_number(self) -> int:
        """Return the number that the next submission gets."""
        return int(self._reader.fetch_value("SELECT coalesce(max(number), 0) FROM parts")) + 1

    async def record_submission(self, submission: Submission, requests: Sequence[UnansweredRequest]) -> None:
        """Record a submission and its requests before the file is sent."""
        now = format_ledger_time(datetime.now(UTC))

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(submission))
            insert_requests_or_set_first_sent(db, requests, now)
            db.executemany(
                "INSERT INTO attempts (identity, sent, upper, state, said, part) VALUES (?, ?, ?, 'submitted', '', ?)",
                ((request.identity, now, request.max_cost, submission.number) for request in requests),
            )

        await self._writer.write_change(change)

    async def record_exported_requests(self, requests: Sequence[UnansweredRequest]) -> None:
        """Record requests that are exported to a file; their results can then be recognised."""
        await self._writer.write_change(lambda db: insert_requests_or_set_first_sent(db, requests, ""))

    async def update_submission(self, submission: Submission) -> None:
        """Record the state, the file id and the batch id of a submission."""
        query = "UPDATE parts SET file = ?, batch = ?, state = ? WHERE number = ?"
        values = (submission.file_id, submission.batch_id, submission.state, submission.number)
        await self._writer.write_change(lambda db: db.execute(query, values))

    async def record_external_attempt(self, identity: str) -> int:
        """Record that another program sent a request; return the number of the attempt."""
        now = format_ledger_time(datetime.now(UTC))

        def change(db: sqlite3.Connection) -> int | None:
            db.execute("UPDATE requests SET first_sent = ? WHERE identity = ? AND first_sent = ''", (now, identity))
            query = "INSERT INTO attempts (identity, sent, state, said) VALUES (?, ?, 'sent', '')"
            return db.execute(query, (identity, now)).lastrowid

        return int(await self._writer.write_change(change))

    async def record_request_failure(self, attempt_number: int, failure: RequestFailure) -> None:
        """Record that an attempt failed."""
        query = "UPDATE attempts SET state = ?, said = ?, refusal = ? WHERE number = ?"
        values = (*_describe_failure(failure), attempt_number)
        await self._writer.write_change(lambda db: db.execute(query, values))

    def is_request_submitted(self, identity: str) -> bool:
        """Return whether the request with the hash `identity` is, or may be, at the batch service."""
        query = "SELECT 1 FROM attempts WHERE identity = ? AND part IS NOT NULL AND state = 'submitted'"
        return self._reader.fetch_row(query, identity) is not None

    def has_submitted_requests(self, plan_task: PlanTask) -> bool:
        """Return whether a request of a task (a paper and a model) is at the batch service."""
        query = (
            "SELECT 1 FROM requests r JOIN attempts a ON a.identity = r.identity AND a.part IS NOT NULL"
            " AND a.state = 'submitted' WHERE r.paper = ? AND r.model = ?"
        )
        return self._reader.fetch_row(query, plan_task.entry.id, plan_task.model_key) is not None

    def has_sent_requests(self, plan_task: PlanTask) -> bool:
        """Return whether a request of a task (a paper and a model) was ever sent."""
        query = "SELECT 1 FROM requests WHERE paper = ? AND model = ? AND first_sent <> ''"
        return self._reader.fetch_row(query, plan_task.entry.id, plan_task.model_key) is not None

    def list_service_failures(self, identity: str, after_attempt: int = 0) -> list[RequestFailure]:
        """Return the service's failures of a request, from attempts with numbers above `after_attempt`."""
        rows = self._reader.fetch_rows(
            "SELECT refusal FROM attempts WHERE identity = ? AND part IS NOT NULL AND refusal IS NOT NULL"
            " AND number > ? ORDER BY number",
            identity,
            after_attempt,
        )
        failures = (RequestFailure(**json.loads(failure)) for (failure,) in rows)
        return [failure for failure in failures if failure.was_sent]

    def find_last_attempt_number(self) -> int:
        """Return the highest number of an attempt, 0 if there are no attempts."""
        return int(self._reader.fetch_value("SELECT coalesce(max(number), 0) FROM attempts"))

    def find_submitted_request(self, submission: Submission, identity_prefix: str) -> SubmittedRequest | None:
        """Return the submission's request whose hash begins with `identity_prefix`, None if there is none."""
        row = self._reader.fetch_row(
            "SELECT number, identity, upper, state = 'replied' FROM attempts"
            " WHERE part = ? AND identity >= ? AND identity < ?",
            submission.number,
            identity_prefix,
            identity_prefix + _AFTER_HEX,
        )
        return None if row is None else SubmittedRequest(row[0], row[1], row[2], bool(row[3]))

    def find_request(self, identity_prefix: str) -> tuple[str, str, bool] | None:
        """Return (hash, model, True if it has a reply) of the request whose hash begins with `identity_prefix`.

        Return None if there is no such request.
        """
        row = self._reader.fetch_row(
            "SELECT identity, model, reply IS NOT NULL FROM requests WHERE identity >= ? AND identity < ?",
            identity_prefix,
            identity_prefix + _AFTER_HEX,
        )
        return None if row is None else (row[0], row[1], bool(row[2]))


def _describe_failure(failure: RequestFailure) -> tuple[str, str, str]:
    """Return (state, message, failure as JSON) of a failed attempt."""
    return "lost" if failure.perhaps_billed else "refused", failure.message, json.dumps(asdict(failure))


def insert_requests_or_set_first_sent(
    db: sqlite3.Connection, requests: Sequence[UnansweredRequest], first_sent: str
) -> None:
    """Insert requests with the time at which they were first sent, "" if they were not sent yet.

    A request that is already in the ledger stays; it gets the time if it had none.
    """
    db.executemany(
        "INSERT INTO requests (identity, model, paper, prompt, sample, messages, first_sent)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (identity) DO UPDATE SET first_sent = excluded.first_sent WHERE first_sent = ''",
        (
            (
                r.identity,
                r.plan_task.model_key,
                r.plan_task.entry.id,
                r.prompt_sha256,
                r.sample,
                r.message_count,
                first_sent,
            )
            for r in requests
        ),
    )
