"""Find the ablations that several models propose."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from planner.matching.match import match_ablations
from planner.schema import Ablation
from planner.site.entries import PlanEntry

# Far above any plan that a prompt asks for; comparing the whole of a hostile plan could take hours.
MAX_ABLATIONS: Final = 40
MAX_REPLACEMENTS: Final = 10
MAX_CHARS: Final = 300


@dataclass(frozen=True, slots=True, order=True)
class AblationPlace:
    """The place of an ablation: the number of its entry, and its number in that plan, both from 0."""

    entry_number: int
    ablation_number: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """The same ablations of other models, by the place of an ablation; and groups of them, the largest first."""

    matches: dict[AblationPlace, tuple[AblationPlace, ...]]
    groups: tuple[tuple[AblationPlace, ...], ...]


def find_agreement(entries: Sequence[PlanEntry]) -> Agreement:
    """Compare the plans of one paper, two models of the same task at a time.

    It compares the first 40 ablations of a plan, ten replacements of an ablation, and 300 characters of a text.
    """
    plans = [[_shorten_ablation(ablation) for ablation in entry.ablations[:MAX_ABLATIONS]] for entry in entries]
    matches: dict[AblationPlace, list[AblationPlace]] = {}
    for (a, left), (b, right) in combinations(enumerate(entries), 2):
        if left.task is right.task and (left.planner, left.model) != (right.planner, right.model):
            for match in match_ablations(plans[a], plans[b]):
                place_a, place_b = AblationPlace(a, match.index_a), AblationPlace(b, match.index_b)
                matches.setdefault(place_a, []).append(place_b)
                matches.setdefault(place_b, []).append(place_a)
    ordered = {place: tuple(sorted(others)) for place, others in sorted(matches.items())}
    return Agreement(ordered, _group_places(ordered))


def _shorten_ablation(ablation: Ablation) -> Ablation:
    return ablation.model_copy(
        update={
            "name": ablation.name[:MAX_CHARS],
            "ablated_part": ablation.ablated_part[:MAX_CHARS],
            "replacement": tuple(item[:MAX_CHARS] for item in ablation.replacement[:MAX_REPLACEMENTS]),
        }
    )


def _group_places(matches: dict[AblationPlace, tuple[AblationPlace, ...]]) -> tuple[tuple[AblationPlace, ...], ...]:
    """Return the groups of ablations that match directly or through another plan."""
    groups: list[tuple[AblationPlace, ...]] = []
    seen: set[AblationPlace] = set()
    for start in matches:
        if start not in seen:
            reached = _find_linked_places(start, matches)
            seen |= reached
            groups.append(tuple(sorted(reached)))
    return tuple(sorted(groups, key=lambda group: (-len({place.entry_number for place in group}), group)))


def _find_linked_places(
    start: AblationPlace, matches: dict[AblationPlace, tuple[AblationPlace, ...]]
) -> set[AblationPlace]:
    reached, waiting = {start}, [start]
    while waiting:
        new = set(matches[waiting.pop()]) - reached
        reached |= new
        waiting.extend(new)
    return reached
