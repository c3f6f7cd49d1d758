"""The records that a ledger holds: one for each paper and model, with its attempts and their replies."""

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from planner.batch.ledger.schema import LedgerReader
from planner.chat import Completion
from planner.errors import RunError
from planner.planning.record import PlanRecord, load_stored_json

STORED_COMPLETION: Final = TypeAdapter(Completion)
_RECORD: Final = TypeAdapter(PlanRecord)
_DAMAGE_HINT: Final = "`export` writes all that can be read; go on in a new run with another -o"

# Every paper with every model of the last call, or that was ever planned, and its latest result if there is one.
ALL_PAIRS: Final = (
    "FROM papers p CROSS JOIN models m LEFT JOIN plannings n ON n.number ="
    " (SELECT max(number) FROM plannings WHERE paper = p.id AND model = m.key)"
    " WHERE (p.position IS NOT NULL AND m.position IS NOT NULL OR n.number IS NOT NULL)"
)
# The latest result is valid if paper and settings are unchanged; for what the last call does not name, it always is.
IS_VALID: Final = (
    "(n.number IS NOT NULL AND (p.position IS NULL OR m.position IS NULL OR n.asked = m.asked AND n.stamp = p.stamp))"
)
_LAST_PLAN: Final = "(SELECT max(number) FROM plannings WHERE paper = p.id AND model = m.key AND outcome = 'planned')"


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """The records in a ledger, with their replies."""

    reader: LedgerReader

    def list_numbers(self) -> list[tuple[str, str, int | None, int | None]]:
        """Return the paper and the model of each pair, and the numbers of its current record and its last plan."""
        current = f"iif({IS_VALID}, n.number, NULL)"
        return self.reader.fetch_rows(f"SELECT p.id, m.key, {current}, {_LAST_PLAN} {ALL_PAIRS} ORDER BY p.id, m.key")

    def load_current_record(self, paper_id: str, model_key: str) -> PlanRecord:
        """Return the latest record of a paper and a model, which must exist."""
        query = "SELECT max(number) FROM plannings WHERE paper = ? AND model = ?"
        return self.load_record(self.reader.fetch_row(query, paper_id, model_key)[0])

    def load_record(self, number: int) -> PlanRecord:
        """Return the record with a number, which must exist."""
        paper_id, facts = self.reader.fetch_row("SELECT paper, facts FROM plannings WHERE number = ?", number)
        try:
            record = load_stored_json(_RECORD, facts)
        except ValueError as error:
            raise RunError(f"the ledger is damaged: the record of {paper_id} cannot be read; {_DAMAGE_HINT}") from error
        attempts = tuple(a.model_copy(update={"completion": self._load_reply(a.identity)}) for a in record.attempts)
        return record.model_copy(update={"attempts": attempts})

    def _load_reply(self, identity: str) -> Completion | None:
        row = self.reader.fetch_row("SELECT reply FROM requests WHERE identity = ?", identity)
        return load_reply(identity, row[0]) if row and row[0] else None


def load_reply(identity: str, reply: str) -> Completion:
    """Return a stored reply to the request with this identity.

    Raises:
        RunError: if it cannot be read.
    """
    try:
        return load_stored_json(STORED_COMPLETION, reply)
    except ValueError as error:
        raise RunError(f"the ledger is damaged: the reply to {identity[:12]} cannot be read; {_DAMAGE_HINT}") from error
