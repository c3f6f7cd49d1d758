"""Read the status of a run from its ledger."""

import re
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import JsonValue

from planner.batch.ledger import ALL, HOLDS
from planner.batch.run import RunFolder
from planner.batch.schema import opened_to_read
from planner.errors import Outcome, RunError

_LONGEST_REASON: Final = 300
_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A paper that ended without a plan."""

    paper: str
    model: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a run; `pending` and `outcomes` count papers once for each model, `requests` all that were sent.

    `cost` is in USD, None where a price is not known. `lost` counts requests that may have been billed without a reply,
    such as those in flight when a process was killed.
    """

    papers: int
    pending: int
    outcomes: Mapping[Outcome, int]
    requests: int
    lost: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    models: Mapping[str, Mapping[Outcome, int]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    @property
    def planned(self) -> int:
        """The number of papers that have a plan."""
        return self.outcomes.get(Outcome.PLANNED, 0)

    @property
    def failed(self) -> int:
        """The number of papers that ended without a plan."""
        return sum(self.outcomes.values()) - self.planned

    def as_json(self, *, failed: bool = False) -> dict[str, JsonValue]:
        """Return the status as JSON values, for programs; with `failed`, each failure too."""
        whole: dict[str, JsonValue] = {
            "papers": self.papers,
            "planned": self.planned,
            "failed": self.failed,
            "pending": self.pending,
            "outcomes": _counts(self.outcomes),
            "models": {model: _counts(outcomes) for model, outcomes in self.models.items()},
            "requests": self.requests,
            "lost_requests": self.lost,
            "tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost,
        }
        if failed:
            whole["failures"] = [
                {"paper": f.paper, "model": f.model, "outcome": f.outcome.value, "reason": f.reason}
                for f in self.failures
            ]
        return whole

    def as_text(self, *, failed: bool = False) -> str:
        """Return the status as text, for people; with `failed`, the reasons too."""
        cost = "?" if self.cost is None else f"${self.cost:.4f}"
        tokens = f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        lines = [f"{self.papers:,} papers: {self.planned:,} planned, {self.failed:,} failed, {self.pending:,} pending"]
        lines += [
            f"  {count:,} {outcome}" for outcome, count in self.outcomes.items() if outcome is not Outcome.PLANNED
        ]
        if len(self.models) > 1:
            lines += [f"  {model}: {_in_words(outcomes)}" for model, outcomes in self.models.items()]
        lost = f", of which {self.lost:,} are lost or in flight" if self.lost else ""
        lines.append(f"{self.requests:,} requests{lost}, {tokens}, {cost}")
        return "\n".join([*lines, *(self._reasons() if failed else ())])

    def _reasons(self) -> list[str]:
        """Return lines of failures, grouped by outcome and reason, the most frequent first."""
        grouped: dict[tuple[Outcome, str], list[str]] = {}
        for failure in self.failures:
            grouped.setdefault((failure.outcome, _alike(failure)), []).append(failure.paper)
        lines = []
        for (outcome, reason), papers in sorted(grouped.items(), key=lambda item: -len(item[1])):
            more = f", and {len(papers) - _EXAMPLES:,} more" if len(papers) > _EXAMPLES else ""
            lines += [f"{len(papers):,} {outcome}: {reason}", f"  {', '.join(papers[:_EXAMPLES])}{more}"]
        return lines


def read_status(run: RunFolder) -> Status:
    """Read the status of a run, also while it is running.

    Raises:
        RunError: if the folder is not a run, or its ledger cannot be read.
    """
    with opened_to_read(run.ledger) as db:
        try:
            return _Reading(db).status()
        except sqlite3.Error as error:
            raise RunError(f"{run.ledger} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _Reading:
    db: sqlite3.Connection

    def status(self) -> Status:
        by_model = self._by_model()
        outcomes: Counter[Outcome] = Counter()
        for counts in by_model.values():
            outcomes.update(counts)
        papers, plannings = self._row(f"SELECT count(DISTINCT p.id), count(*) {ALL}")
        requests, lost = self._row("SELECT count(*), coalesce(sum(state IN ('lost', 'sent')), 0) FROM attempts")
        replies, prompt, completion, priced, cost = self._row(
            "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), count(cost),"
            " coalesce(sum(cost), 0.0) FROM requests WHERE reply IS NOT NULL"
        )
        known = cost if priced == replies else None
        pending = plannings - outcomes.total()
        failures = self._failures()
        return Status(papers, pending, dict(outcomes), requests, lost, prompt, completion, known, by_model, failures)

    def _by_model(self) -> dict[str, dict[Outcome, int]]:
        found: dict[str, dict[Outcome, int]] = {}
        rows = self.db.execute(
            f"SELECT m.key, n.outcome, count(*) {ALL} AND {HOLDS} GROUP BY 1, 2"
            " ORDER BY 1, n.outcome = 'planned' DESC, 3 DESC"
        )
        for model, outcome, count in rows:
            found.setdefault(model, {})[Outcome(outcome)] = count
        return found

    def _failures(self) -> tuple[Failure, ...]:
        rows = self.db.execute(
            f"SELECT p.id, m.key, n.outcome, n.reason {ALL} AND {HOLDS} AND n.outcome <> 'planned' ORDER BY p.id"
        )
        return tuple(Failure(paper, model, Outcome(outcome), reason) for paper, model, outcome, reason in rows)

    def _row(self, query: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self.db.execute(query).fetchone()
        return row


def _counts(outcomes: Mapping[Outcome, int]) -> dict[str, JsonValue]:
    return {outcome.value: count for outcome, count in outcomes.items()}


def _in_words(outcomes: Mapping[Outcome, int]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())


def _alike(failure: Failure) -> str:
    """Return the reason without the paper's name and without numbers, so that similar failures are grouped."""
    reason = failure.reason.replace(failure.paper, "…")
    return re.sub(r"\d+(?:\.\d+)?", "N", reason)[:_LONGEST_REASON]
