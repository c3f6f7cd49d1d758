"""The progress of the running command, and the status of a run as its ledger shows it."""

import re
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Final

from pydantic import JsonValue

from planner.batch.cluster.merge import list_unmerged_shards
from planner.batch.ledger.records import ALL_PAIRS, IS_VALID
from planner.batch.ledger.schema import DamagedLedgerError, convert_ledger_errors, open_readable_ledger
from planner.batch.rate_limit import RateLimiter
from planner.batch.run_folder import RunFolder, Shard, list_begun_shards, list_missing_shards
from planner.chat import Usage
from planner.details import format_count
from planner.errors import Outcome
from planner.models.pricing import describe_lost_requests, format_tokens, format_usd
from planner.planning.record import sum_costs_if_all_known

_MAX_REASON_CHARS: Final = 300
_MAX_EXAMPLES: Final = 3
# Rates are taken over the last minute.
_RATE_SECONDS: Final = 60.0
_MAX_PROBLEMS: Final = 5


@dataclass(slots=True)
class Progress:
    """The progress of a run while a command works on it; `earlier_outcomes` counts the results of earlier commands.

    `total_results` is the number of results that the run needs. `tokens` and `cost` (in USD, None if a price is
    unknown) count only this command. `last_problems` are the last failures. `batch_requests_by_state` counts the
    requests at a batch service by the state of their batch. `unanswered_prompts` counts the prompts that wait for a
    reply in a file.
    """

    total_results: int = 0
    earlier_outcomes: Counter[Outcome] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    tokens: int = 0
    cost: float | None = 0.0
    rate_limiters: Sequence[RateLimiter] = ()
    stop_reason: str = ""
    last_problems: deque[str] = field(default_factory=lambda: deque(maxlen=_MAX_PROBLEMS))
    batch_requests_by_state: Mapping[str, int] = field(default_factory=dict)
    unanswered_prompts: int = 0
    started_at: float = field(default_factory=time.monotonic)
    _recent: deque[tuple[float, int, int]] = field(default_factory=deque)

    @property
    def planned(self) -> int:
        """The number of plans, from this command and earlier ones."""
        return self.earlier_outcomes[Outcome.PLANNED] + self.outcomes[Outcome.PLANNED]

    @property
    def failed(self) -> int:
        """The number of results without a plan, from this command and earlier ones."""
        return self.earlier_outcomes.total() + self.outcomes.total() - self.planned

    @property
    def remaining(self) -> int:
        """The number of results that the run still needs."""
        return max(0, self.total_results - self.earlier_outcomes.total() - self.outcomes.total())

    @property
    def requests_in_flight(self) -> int:
        """The number of requests in flight."""
        return sum(limits.in_flight for limits in self.rate_limiters)

    @property
    def waiting_requests(self) -> int:
        """The number of requests that wait for the rate limits."""
        return sum(limits.waiting for limits in self.rate_limiters)

    @property
    def expected_cost(self) -> float | None:
        """The probable cost of this command in USD once all papers are planned, None if it is unknown."""
        result_count = self.outcomes.total()
        if self.cost is None or not result_count:
            return None
        return self.cost * (result_count + self.remaining) / result_count

    @property
    def seconds_left(self) -> float | None:
        """The seconds until the run is finished at the present rate, None if the last minute had no result."""
        papers, _ = self.compute_rates()
        return None if not papers else 60 * self.remaining / papers

    def compute_rates(self) -> tuple[float, float]:
        """Return (papers a minute, tokens a minute) for the last minute."""
        now = time.monotonic()
        while self._recent and self._recent[0][0] < now - _RATE_SECONDS:
            self._recent.popleft()
        seconds = max(1.0, min(_RATE_SECONDS, now - self.started_at))
        papers, tokens = (sum(row[n] for row in self._recent) for n in (1, 2))
        return papers * 60 / seconds, tokens * 60 / seconds

    def record_reply(self, usage: Usage, cost: float | None) -> None:
        """Count the tokens and the cost of a reply."""
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        self.tokens += tokens
        self.cost = sum_costs_if_all_known((self.cost, cost))
        self._recent.append((time.monotonic(), 0, tokens))

    def record_result(self, paper_id: str, outcome: Outcome, reason: str) -> None:
        """Count the result of a paper."""
        self.outcomes[outcome] += 1
        self._recent.append((time.monotonic(), 1, 0))
        if outcome is not Outcome.PLANNED:
            self.last_problems.append(f"{paper_id}: {reason}")


@dataclass(frozen=True, slots=True)
class PaperFailure:
    """A paper that ended without a plan."""

    paper: str
    model: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """The status of a run as its ledger shows it; `pending` is the number of results that are still needed.

    `outcomes_by_model` holds the number of papers by model and outcome. `requests` counts the requests that were sent.
    `lost_requests` counts the requests without a reply that may have been billed; `in_flight` of them are
    requests for whose replies a running command still waits. `cost` is the cost of the replies in USD, None if it is
    unknown. If the ledger is damaged, `damage` is the error, and only the readable part is counted.
    """

    papers: int
    pending: int
    outcomes_by_model: Mapping[str, Mapping[Outcome, int]]
    requests: int
    lost_requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    failures: tuple[PaperFailure, ...] = ()
    damage: str = ""
    in_flight: int = 0

    @property
    def outcomes(self) -> Counter[Outcome]:
        """The number of results by outcome, for all models together."""
        return sum(map(Counter, self.outcomes_by_model.values()), Counter())

    @property
    def planned(self) -> int:
        """The number of results with a plan."""
        return self.outcomes[Outcome.PLANNED]

    @property
    def failed(self) -> int:
        """The number of results without a plan."""
        return self.outcomes.total() - self.planned

    def as_json(self, *, with_failures: bool = False) -> dict[str, JsonValue]:
        """Return the status as JSON values; `with_failures` adds the failures."""
        whole: dict[str, JsonValue] = {
            "papers": self.papers,
            "planned": self.planned,
            "failed": self.failed,
            "pending": self.pending,
            "outcomes": _build_count_fields(self.outcomes),
            "models": {model: _build_count_fields(outcomes) for model, outcomes in self.outcomes_by_model.items()},
            "requests": self.requests,
            "lost_requests": self.lost_requests,
            "tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost,
        }
        if with_failures:
            whole["failures"] = [asdict(failure) for failure in self.failures]
        return whole

    def as_text(self, *, with_failures: bool = False) -> str:
        """Return the status as lines of text; `with_failures` adds the reasons of the failures."""
        tokens = format_tokens(self.prompt_tokens, self.completion_tokens)
        counts = f"{self.planned:,} planned, {self.failed:,} failed, {self.pending:,} left"
        models = f" with {len(self.outcomes_by_model)} models" if len(self.outcomes_by_model) > 1 else ""
        lines = [f"{format_count(self.papers, 'paper')}{models}: {counts}"]
        failures = ((outcome, count) for outcome, count in self.outcomes.items() if outcome is not Outcome.PLANNED)
        lines += [f"  {count:,} {outcome.words_after_count}" for outcome, count in failures]
        if len(self.outcomes_by_model) > 1:
            lines += [f"  {model}: {_format_counts(outcomes)}" for model, outcomes in self.outcomes_by_model.items()]
        sent = f"{format_count(self.requests, 'request')}, {tokens}, {format_usd(self.cost)}"
        on_way = f"{self.in_flight:,} in flight" if self.in_flight else ""
        lost = describe_lost_requests(self.lost_requests - self.in_flight)
        lines.append("; ".join(filter(None, (sent, on_way, lost))))
        return "\n".join([*lines, *(self._format_reasons() if with_failures else ())])

    def _format_reasons(self) -> list[str]:
        """Return lines that count the failures by outcome and reason, the most frequent first."""
        grouped: dict[tuple[Outcome, str], list[PaperFailure]] = {}
        for failure in self.failures:
            grouped.setdefault((failure.outcome, _normalize_reason(failure)), []).append(failure)
        lines = []
        for (outcome, reason), group in sorted(grouped.items(), key=lambda item: -len(item[1])):
            said = group[0].reason[:_MAX_REASON_CHARS] if len(group) == 1 else reason
            more = f", and {len(group) - _MAX_EXAMPLES:,} more" if len(group) > _MAX_EXAMPLES else ""
            papers = ", ".join(failure.paper for failure in group[:_MAX_EXAMPLES])
            lines += [f"{len(group):,} {outcome.words_after_count}: {said}", f"  {papers}{more}"]
        return lines


def read_ledger_status(run: RunFolder, *, is_in_use: bool = False) -> LedgerStatus:
    """Return the status of a run from its ledger; `in_flight` is 0 unless a process works on the run (`is_in_use`).

    Raises:
        RunError: if the folder is not a run, or its ledger cannot be read.
    """
    ledger = open_readable_ledger(run.ledger_path)
    with closing(ledger.connection) as db, convert_ledger_errors(run.ledger_path):
        papers, expected = db.execute(f"SELECT count(DISTINCT p.id), count(*) {ALL_PAIRS}").fetchone()
        outcomes_by_model = _count_outcomes_by_model(db)
        requests, lost, sent = db.execute(
            "SELECT count(*), coalesce(sum(state IN ('lost', 'sent')), 0), coalesce(sum(state = 'sent'), 0)"
            " FROM attempts"
        ).fetchone()
        replies, prompt_tokens, completion_tokens, priced, cost = db.execute(
            "SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), count(cost),"
            " coalesce(sum(cost), 0.0) FROM requests WHERE reply IS NOT NULL"
        ).fetchone()
        return LedgerStatus(
            papers=papers,
            pending=expected - sum(sum(counts.values()) for counts in outcomes_by_model.values()),
            outcomes_by_model=outcomes_by_model,
            requests=requests,
            lost_requests=lost,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost=cost if priced == replies and (replies or not lost) else None,
            failures=_list_failures(db),
            damage=ledger.damage,
            in_flight=sent if is_in_use else 0,
        )


def _count_outcomes_by_model(db: sqlite3.Connection) -> dict[str, dict[Outcome, int]]:
    found: dict[str, dict[Outcome, int]] = {}
    rows = db.execute(
        f"SELECT m.key, n.outcome, count(*) {ALL_PAIRS} AND {IS_VALID} GROUP BY 1, 2"
        " ORDER BY 1, n.outcome = 'planned' DESC, 3 DESC"
    )
    for model, outcome, count in rows:
        found.setdefault(model, {})[Outcome(outcome)] = count
    return found


def _list_failures(db: sqlite3.Connection) -> tuple[PaperFailure, ...]:
    rows = db.execute(
        f"SELECT p.id, m.key, n.outcome, n.reason {ALL_PAIRS} AND {IS_VALID} AND n.outcome <> 'planned' ORDER BY p.id"
    )
    return tuple(PaperFailure(paper, model, Outcome(outcome), reason) for paper, model, outcome, reason in rows)


def _build_count_fields(outcomes: Mapping[Outcome, int]) -> dict[str, JsonValue]:
    return {outcome.value: count for outcome, count in outcomes.items()}


def _format_counts(outcomes: Mapping[Outcome, int]) -> str:
    return ", ".join(f"{count:,} {outcome.words_after_count}" for outcome, count in outcomes.items())


def _normalize_reason(failure: PaperFailure) -> str:
    """Return the reason with the paper's name and all numbers blanked out, so that similar reasons become equal."""
    reason = re.sub(rf"(?<![\w-]){re.escape(failure.paper)}(?![\w-])", "…", failure.reason)
    return re.sub(r"\d+(?:\.\d+)?", "N", reason)[:_MAX_REASON_CHARS]


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of a run; `is_in_use` is true if a process works on the run or on one of its shards.

    If a shard is not merged, `total` is the sum over all shards. Then `statuses_by_shard` holds the status of each
    shard that has begun, and `missing_shards` are the shards that have not begun.
    """

    total: LedgerStatus
    is_in_use: bool
    statuses_by_shard: Mapping[Shard, LedgerStatus] = field(default_factory=dict)
    missing_shards: Sequence[Shard] = ()

    def as_json(self, *, with_failures: bool = False) -> dict[str, JsonValue]:
        """Return the status as JSON values; `with_failures` adds the failures."""
        facts = self.total.as_json(with_failures=with_failures)
        if self.statuses_by_shard:
            facts["shards"] = {shard.name: status.as_json() for shard, status in self.statuses_by_shard.items()}
            facts["shards_not_begun"] = [shard.name for shard in self.missing_shards]
        return facts

    def as_text(self, *, with_failures: bool = False) -> str:
        """Return the status as lines of text; `with_failures` adds the reasons of the failures."""
        lines = [self.total.as_text(with_failures=with_failures)]
        for shard, status in self.statuses_by_shard.items():
            counts = f"{status.planned:,} planned, {status.failed:,} failed, {status.pending:,} pending"
            lines.append(f"  shard {shard.name}: {counts}")
        lines += [f"  shard {shard.name}: not begun" for shard in self.missing_shards]
        return "\n".join(
            [*lines, *(["shards are not merged yet; use ablation-planner merge"] if self.statuses_by_shard else [])]
        )


def read_run_status(run: RunFolder) -> RunStatus:
    """Return the status of a run and its shards; a process may work on the run meanwhile.

    Raises:
        RunError: if the folder is not a run, or one of its ledgers cannot be read.
    """
    try:
        unmerged = list_unmerged_shards(run)
    except DamagedLedgerError:
        unmerged = list_begun_shards(run)
    if not unmerged:
        is_in_use = run.is_in_use
        return RunStatus(read_ledger_status(run, is_in_use=is_in_use), is_in_use)
    folders = {shard: shard.locate_folder(run) for shard in list_begun_shards(run)}
    in_use = {shard for shard, folder in folders.items() if folder.is_in_use}
    statuses = {shard: read_ledger_status(folder, is_in_use=shard in in_use) for shard, folder in folders.items()}
    return RunStatus(_sum_statuses([*statuses.values()]), bool(in_use), statuses, list_missing_shards([*statuses]))


def _sum_statuses(statuses: Sequence[LedgerStatus]) -> LedgerStatus:
    models: dict[str, Counter[Outcome]] = {}
    for part in statuses:
        for model, counts in part.outcomes_by_model.items():
            models.setdefault(model, Counter()).update(counts)
    return LedgerStatus(
        papers=sum(part.papers for part in statuses),
        pending=sum(part.pending for part in statuses),
        outcomes_by_model=models,
        requests=sum(part.requests for part in statuses),
        lost_requests=sum(part.lost_requests for part in statuses),
        prompt_tokens=sum(part.prompt_tokens for part in statuses),
        completion_tokens=sum(part.completion_tokens for part in statuses),
        cost=sum_costs_if_all_known(part.cost for part in statuses),
        failures=tuple(failure for part in statuses for failure in part.failures),
        damage="; ".join(part.damage for part in statuses if part.damage),
        in_flight=sum(part.in_flight for part in statuses),
    )
