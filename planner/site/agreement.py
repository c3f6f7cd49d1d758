"""Find the ablations that several models propose."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from planner.matching.match import match
from planner.schema import Ablation
from planner.site.entries import Entry

# Far above any plan that a prompt asks for; comparing the whole of a hostile plan could take hours.
MAX_ABLATIONS: Final = 40
MAX_REPLACEMENTS: Final = 10
MAX_CHARS: Final = 300


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """The place of an ablation: the number of its entry, and its number in that plan, both from 0."""

    entry: int
    ablation: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """The same ablations of other models, by the place of an ablation; and groups of them, the largest first."""

    twins: dict[Place, tuple[Place, ...]]
    groups: tuple[tuple[Place, ...], ...]


def agreement(entries: Sequence[Entry]) -> Agreement:
    """Compare the plans of one paper, two models of the same task at a time.

    It compares the first 40 ablations of a plan, ten replacements of an ablation, and 300 characters of a text.
    """
    plans = [[_brief(ablation) for ablation in entry.ablations[:MAX_ABLATIONS]] for entry in entries]
    twins: dict[Place, list[Place]] = {}
    for (a, left), (b, right) in combinations(enumerate(entries), 2):
        if left.task is right.task and (left.planner, left.model) != (right.planner, right.model):
            for found in match(plans[a], plans[b]):
                here, there = Place(a, found.a), Place(b, found.b)
                twins.setdefault(here, []).append(there)
                twins.setdefault(there, []).append(here)
    kept = {place: tuple(sorted(others)) for place, others in sorted(twins.items())}
    return Agreement(kept, _groups(kept))


def _brief(ablation: Ablation) -> Ablation:
    return ablation.model_copy(
        update={
            "name": ablation.name[:MAX_CHARS],
            "ablated_part": ablation.ablated_part[:MAX_CHARS],
            "replacement": tuple(item[:MAX_CHARS] for item in ablation.replacement[:MAX_REPLACEMENTS]),
        }
    )


def _groups(twins: dict[Place, tuple[Place, ...]]) -> tuple[tuple[Place, ...], ...]:
    """Return the groups of ablations that match directly or through another plan."""
    groups: list[tuple[Place, ...]] = []
    seen: set[Place] = set()
    for start in twins:
        if start not in seen:
            reached = _reached(start, twins)
            seen |= reached
            groups.append(tuple(sorted(reached)))
    return tuple(sorted(groups, key=lambda group: (-len({place.entry for place in group}), group)))


def _reached(start: Place, twins: dict[Place, tuple[Place, ...]]) -> set[Place]:
    reached, waiting = {start}, [start]
    while waiting:
        fresh = set(twins[waiting.pop()]) - reached
        reached |= fresh
        waiting.extend(fresh)
    return reached
