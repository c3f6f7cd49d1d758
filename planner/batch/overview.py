"""Read the status of a run, including shards that are still running."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from planner.batch.merging import unmerged
from planner.batch.run import RunFolder
from planner.batch.shards import Shard, missing, shards_of
from planner.batch.status import Status, read_status
from planner.errors import Outcome


@dataclass(frozen=True, slots=True)
class Overview:
    """The status of a run; if it has shards that are not merged, the sum, each of them, and those not begun."""

    whole: Status
    shards: Mapping[Shard, Status] = field(default_factory=dict)
    missing: Sequence[Shard] = ()

    def as_json(self, *, failed: bool = False) -> dict[str, JsonValue]:
        """Return the status as JSON values, for programs."""
        facts = self.whole.as_json(failed=failed)
        if self.shards:
            facts["shards"] = {shard.name: status.as_json() for shard, status in self.shards.items()}
            facts["shards_not_begun"] = [shard.name for shard in self.missing]
        return facts

    def as_text(self, *, failed: bool = False) -> str:
        """Return the status as text, for people."""
        lines = [self.whole.as_text(failed=failed)]
        for shard, status in self.shards.items():
            counts = f"{status.planned:,} planned, {status.failed:,} failed, {status.pending:,} pending"
            lines.append(f"  shard {shard.name}: {counts}")
        lines += [f"  shard {shard.name}: not begun" for shard in self.missing]
        return "\n".join([*lines, *(["not merged yet: ablation-planner merge joins them"] if self.shards else [])])


def read_overview(run: RunFolder) -> Overview:
    """Read the status of a run, also while it is running.

    Raises:
        RunError: if the folder is not a run, or one of its ledgers cannot be read.
    """
    if not unmerged(run):
        return Overview(read_status(run))
    shards = shards_of(run)
    statuses = {shard: read_status(shard.folder(run)) for shard in shards}
    return Overview(_summed(list(statuses.values())), statuses, missing(shards))


def _summed(parts: Sequence[Status]) -> Status:
    outcomes: Counter[Outcome] = Counter()
    models: dict[str, Counter[Outcome]] = {}
    for part in parts:
        outcomes.update(part.outcomes)
        for model, counts in part.models.items():
            models.setdefault(model, Counter()).update(counts)
    costs = [part.cost for part in parts if part.cost is not None]
    return Status(
        papers=sum(part.papers for part in parts),
        pending=sum(part.pending for part in parts),
        outcomes=outcomes,
        requests=sum(part.requests for part in parts),
        lost=sum(part.lost for part in parts),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        completion_tokens=sum(part.completion_tokens for part in parts),
        cost=sum(costs) if len(costs) == len(parts) else None,
        models=models,
        failures=tuple(failure for part in parts for failure in part.failures),
    )
