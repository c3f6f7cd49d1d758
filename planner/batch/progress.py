"""Count the progress of a run, for display."""

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from planner.batch.rate_limit import RateLimiter
from planner.chat import Usage
from planner.errors import Outcome

# Rates are taken over the last minute.
_RATE_SECONDS: Final = 60.0
_MAX_PROBLEMS: Final = 5


@dataclass(slots=True)
class Progress:
    """The progress of a run in this call, on the way to `total_results`; `earlier_outcomes` are those of earlier calls.

    `tokens` and `cost` (in USD, None if a price is unknown) count this call, `problems` are the last failures.
    `batch_requests_by_state` counts the requests that are at a batch service, by the state of their batch, and
    `waiting_prompts` the prompts whose replies are to come from files.
    """

    total_results: int = 0
    earlier_outcomes: Counter[Outcome] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    tokens: int = 0
    cost: float | None = 0.0
    rate_limiters: Sequence[RateLimiter] = ()
    stop_reason: str = ""
    problems: deque[str] = field(default_factory=lambda: deque(maxlen=_MAX_PROBLEMS))
    batch_requests_by_state: Mapping[str, int] = field(default_factory=dict)
    waiting_prompts: int = 0
    started_at: float = field(default_factory=time.monotonic)
    _recent: deque[tuple[float, int, int]] = field(default_factory=deque)

    @property
    def planned(self) -> int:
        """The number of plans, from this call and before."""
        return self.earlier_outcomes[Outcome.PLANNED] + self.outcomes[Outcome.PLANNED]

    @property
    def failed(self) -> int:
        """The number of results without a plan, from this call and before."""
        return self.earlier_outcomes.total() + self.outcomes.total() - self.planned

    @property
    def remaining(self) -> int:
        """The number of results that are still wanted."""
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
        """The cost of this call at its end in USD, if the papers left cost as much as those before."""
        result_count = self.outcomes.total()
        if self.cost is None or not result_count:
            return None
        return self.cost * (result_count + self.remaining) / result_count

    @property
    def seconds_left(self) -> float | None:
        """The seconds until the end at the rate of the last minute; None if that minute had no result."""
        papers, _ = self.compute_rates()
        return None if not papers else 60 * self.remaining / papers

    def compute_rates(self) -> tuple[float, float]:
        """Return papers and tokens a minute, over the last minute."""
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
        self.cost = None if self.cost is None or cost is None else self.cost + cost
        self._recent.append((time.monotonic(), 0, tokens))

    def record_result(self, paper_id: str, outcome: Outcome, reason: str) -> None:
        """Count the result of a paper."""
        self.outcomes[outcome] += 1
        self._recent.append((time.monotonic(), 1, 0))
        if outcome is not Outcome.PLANNED:
            self.problems.append(f"{paper_id}: {reason}")
