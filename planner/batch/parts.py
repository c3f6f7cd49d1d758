"""Store in the ledger what a run handed to a batch service: files of requests, and the result of each request."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from planner.batch.entry import Work
from planner.batch.writer import Writer
from planner.errors import ModelError, TooLongError

# The price of a request at a batch service, as a share of the price of a live request.
SHARE: Final = 0.5

COLLECTED: Final = "collected"
RECORDED: Final = "recorded"
SUBMITTING: Final = "submitting"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that a paper needs and that has no reply; `upper` is its highest cost in USD."""

    work: Work
    identity: str
    prompt: str
    sample: int
    messages: int
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A file of requests and its batch; `file` and `batch` are the service's ids, "" until they are known.

    A submission in state SUBMITTING may have a batch whose id is not known; in state RECORDED it has none.
    """

    number: int
    model: str
    sha256: str
    requests: int
    file: str = ""
    batch: str = ""
    state: str = RECORDED


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a submitted request has no reply; `again` if submitting it again may help.

    A request that was not `tried` never reached the service, and counts as if it had not been submitted.
    """

    message: str
    again: bool
    too_long: bool = False
    limit: int | None = None
    status: int | None = None
    perhaps_billed: bool = False
    counted: int | None = None
    tried: bool = True

    @classmethod
    def of(cls, error: ModelError) -> "Refusal":
        """Return the rejection that keeps the useful facts of an error."""
        if isinstance(error, TooLongError):
            return cls(str(error), error.retryable, True, error.limit, error.status, counted=error.counted)
        return cls(str(error), error.retryable, status=error.status)

    def as_error(self, why: str = "") -> ModelError:
        """Return the error that a live request would have met; `why` is added to its text."""
        if self.too_long:
            return TooLongError(self.message, limit=self.limit, counted=self.counted, status=self.status)
        return ModelError(self.message + why, status=self.status)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request of a submission: its attempt's number, its highest cost in USD, and whether its reply is stored."""

    number: int
    identity: str
    upper: float | None
    replied: bool


class Parts:
    """The submissions of a run; `numbers` reserves numbers for so many attempts, and returns the first."""

    def __init__(self, reader: sqlite3.Connection, writer: Writer, numbers: Callable[[int], int]) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = numbers

    def open(self) -> list[Part]:
        """Return every submission whose results are not all in the ledger."""
        rows = self._reader.execute(_OPEN, (COLLECTED,))
        return [Part(*row) for row in rows]

    def submitted_requests(self) -> int:
        """Return the number of requests that are or may be at the service."""
        return sum(part.requests for part in self.open() if part.state != RECORDED)

    async def withdraw(self) -> list[int]:
        """Withdraw the submissions that were never sent, so that their requests can be; return their numbers."""
        numbers = [part.number for part in self.open() if part.state == RECORDED]
        why = Refusal("its file was withdrawn before it was submitted", again=True, tried=False)

        def change(db: sqlite3.Connection) -> None:
            for number in numbers:
                db.execute(
                    "UPDATE attempts SET state = 'refused', said = ?, refusal = ?"
                    " WHERE part = ? AND state = 'submitted'",
                    (why.message, json.dumps(asdict(why)), number),
                )
                db.execute("UPDATE parts SET state = ? WHERE number = ?", (COLLECTED, number))

        if numbers:
            await self._writer.write(change)
        return numbers

    def next_number(self) -> int:
        """Return the number of the next submission."""
        (last,) = self._reader.execute("SELECT coalesce(max(number), 0) FROM parts").fetchone()
        return int(last) + 1

    async def record(self, part: Part, wanted: Sequence[Wanted]) -> None:
        """Record a submission before anything of it is sent."""
        first, now = self._numbers(len(wanted)), _now()

        def change(db: sqlite3.Connection) -> None:
            row = (part.number, part.model, part.sha256, part.requests, part.file, part.batch, part.state)
            db.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            _name_requests(db, wanted, now)
            db.executemany(
                "INSERT INTO attempts (number, identity, sent, upper, state, said, part)"
                " VALUES (?, ?, ?, ?, 'submitted', '', ?)",
                ((first + n, w.identity, now, w.upper, part.number) for n, w in enumerate(wanted)),
            )

        await self._writer.write(change)

    async def name(self, wanted: Sequence[Wanted]) -> None:
        """Record requests that are exported to a file, so that their results are recognised later."""
        await self._writer.write(lambda db: _name_requests(db, wanted, ""))

    async def follow(self, part: Part) -> None:
        """Record the new state of a submission, and its file and batch."""

        def change(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE parts SET file = ?, batch = ?, state = ? WHERE number = ?",
                (part.file, part.batch, part.state, part.number),
            )

        await self._writer.write(change)

    async def import_attempt(self, identity: str) -> int:
        """Record a request that another program sent, before its result is stored; return the number of the attempt."""
        number, now = self._numbers(1), _now()

        def change(db: sqlite3.Connection) -> None:
            db.execute("UPDATE requests SET first_sent = ? WHERE identity = ? AND first_sent = ''", (now, identity))
            db.execute(
                "INSERT INTO attempts (number, identity, sent, state, said) VALUES (?, ?, ?, 'sent', '')",
                (number, identity, now),
            )

        await self._writer.write(change)
        return number

    async def refuse(self, attempts: Sequence[tuple[int, Refusal]]) -> None:
        """Record why attempts have no reply."""

        def change(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE attempts SET state = ?, said = ?, refusal = ? WHERE number = ?",
                (
                    ("lost" if why.perhaps_billed else "refused", why.message, json.dumps(asdict(why)), number)
                    for number, why in attempts
                ),
            )

        await self._writer.write(change)

    def unanswered(self, part: Part) -> Iterator[int]:
        """Yield the attempts of a submission that have no result yet."""
        after = 0
        query = (
            "SELECT number FROM attempts WHERE state = 'submitted' AND part = ? AND number > ? ORDER BY number LIMIT ?"
        )
        while page := self._reader.execute(query, (part.number, after, _PAGE)).fetchall():
            yield from (number for (number,) in page)
            (after,) = page[-1]

    def submitted(self, identity: str) -> bool:
        """Return whether a request is or may be at the service."""
        query = "SELECT 1 FROM attempts WHERE identity = ? AND part IS NOT NULL AND state = 'submitted'"
        return self._reader.execute(query, (identity,)).fetchone() is not None

    def waits_for(self, work: Work) -> bool:
        """Return whether a request of a paper is at the service."""
        query = (
            "SELECT 1 FROM requests r JOIN attempts a ON a.identity = r.identity AND a.part IS NOT NULL"
            " AND a.state = 'submitted' WHERE r.paper = ? AND r.model = ?"
        )
        return self._reader.execute(query, (work.entry.id, work.model)).fetchone() is not None

    def begun(self, work: Work) -> bool:
        """Return whether any request of a paper was sent."""
        query = "SELECT 1 FROM requests WHERE paper = ? AND model = ? AND first_sent <> ''"
        return self._reader.execute(query, (work.entry.id, work.model)).fetchone() is not None

    def refusals(self, identity: str, after: int = 0) -> list[Refusal]:
        """Return why a request has no reply, once for each time that it was tried, from attempts above `after`."""
        rows = self._reader.execute(
            "SELECT refusal FROM attempts WHERE identity = ? AND part IS NOT NULL AND refusal IS NOT NULL"
            " AND number > ? ORDER BY number",
            (identity, after),
        )
        refusals = (Refusal(**json.loads(refusal)) for (refusal,) in rows)
        return [refusal for refusal in refusals if refusal.tried]

    def replies(self) -> int:
        """Return the number of submitted requests that have a reply."""
        query = "SELECT count(*) FROM attempts WHERE part IS NOT NULL AND state = 'replied'"
        return int(self._reader.execute(query).fetchone()[0])

    def last_attempt(self) -> int:
        """Return the highest number of an attempt."""
        (last,) = self._reader.execute("SELECT coalesce(max(number), 0) FROM attempts").fetchone()
        return int(last)

    def attempt(self, part: Part, beginning: str) -> "Submitted | None":
        """Return the attempt of a submission whose request's identity has this beginning, None if there is none."""
        row = self._reader.execute(
            "SELECT number, identity, upper, state = 'replied' FROM attempts"
            " WHERE part = ? AND identity >= ? AND identity < ?",
            (part.number, beginning, beginning + _AFTER_HEX),
        ).fetchone()
        return None if row is None else Submitted(row[0], row[1], row[2], bool(row[3]))

    def request(self, beginning: str) -> tuple[str, str, bool] | None:
        """Return a request by the beginning of its identity: the identity, its model, and whether it has a reply."""
        row = self._reader.execute(
            "SELECT identity, model, reply IS NOT NULL FROM requests WHERE identity >= ? AND identity < ?",
            (beginning, beginning + _AFTER_HEX),
        ).fetchone()
        return None if row is None else (row[0], row[1], bool(row[2]))


_OPEN: Final = "SELECT number, model, sha256, requests, file, batch, state FROM parts WHERE state <> ? ORDER BY number"
_PAGE: Final = 1000
_AFTER_HEX: Final = "g"


def _name_requests(db: sqlite3.Connection, wanted: Sequence[Wanted], sent: str) -> None:
    db.executemany(
        "INSERT INTO requests (identity, model, paper, prompt, sample, messages, first_sent)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (identity) DO UPDATE SET first_sent = excluded.first_sent WHERE first_sent = ''",
        ((w.identity, w.work.model, w.work.entry.id, w.prompt, w.sample, w.messages, sent) for w in wanted),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
