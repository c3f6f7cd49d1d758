"""Pair the gold papers with a system's plans."""

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
    """The state of a gold paper; only scored papers enter a mean, unless scores are computed as published."""

    SCORED = "scored"
    UNSCORED = "unscored"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Pair:
    """A gold paper and the system's plan for it; `planned` is None where the system does not have the paper."""

    gold: Gold
    planned: PlannedPaper | None

    @property
    def plan(self) -> tuple[Ablation, ...]:
        """The planned ablations, empty if there is no plan."""
        return self.planned.ablations if self.planned else ()

    @property
    def status(self) -> Status | None:
        """The status failed or absent, None if there is a plan to judge."""
        if self.planned is None:
            return Status.ABSENT
        return None if self.planned.outcome is Outcome.PLANNED else Status.FAILED


def paired(gold: GoldSet, system: System) -> tuple[tuple[Pair, ...], tuple[PlannedPaper, ...]]:
    """Pair each gold paper with its plan, in the gold's order; also return the plans of papers that have no gold.

    A paper is found by its id, or else by the id that planning makes from the gold's title.
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
        yield paper_id("", given=re.sub(r"\W", "_", gold.title.strip()))  # AblationBench shortens no id
