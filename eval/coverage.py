"""Which papers a number speaks for: the gold papers and a system's plans, side by side."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from eval.gold import Gold, GoldSet
from eval.plans import PlannedPaper, System
from planner.errors import Outcome
from planner.papers.ids import paper_id
from planner.schema import Ablation


class Status(StrEnum):
    """What became of a gold paper; only the scored ones enter a mean, unless the published way is asked for."""

    SCORED = "scored"
    UNSCORED = "unscored"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Pair:
    """A gold paper and what the system made of it, None where it has nothing."""

    gold: Gold
    planned: PlannedPaper | None

    @property
    def plan(self) -> tuple[Ablation, ...]:
        """The planned ablations; none where there is no plan."""
        return self.planned.ablations if self.planned else ()

    @property
    def status(self) -> Status | None:
        """Failed or absent; None where there is a plan to judge."""
        if self.planned is None:
            return Status.ABSENT
        return None if self.planned.outcome is Outcome.PLANNED else Status.FAILED


def paired(gold: GoldSet, system: System) -> tuple[tuple[Pair, ...], tuple[PlannedPaper, ...]]:
    """Each gold paper with its plan, in the gold's order, and the plans of papers that are not in the gold.

    Papers are found by id, else by the id that planning makes from the gold's title.
    """
    used: set[str] = set()
    pairs = []
    for paper in gold.papers.values():
        found = next((name for name in _ids(paper) if name in system.papers and name not in used), None)
        if found is not None:
            used.add(found)
        pairs.append(Pair(paper, system.papers[found] if found is not None else None))
    return tuple(pairs), tuple(paper for name, paper in system.papers.items() if name not in used)


def _ids(gold: Gold) -> Iterator[str]:
    yield gold.id
    yield paper_id("", given=gold.id)
    if gold.title:
        yield paper_id(gold.title)
        yield paper_id("", given=re.sub(r"\W", "_", gold.title.strip()))  # as published, where nothing is cut off
