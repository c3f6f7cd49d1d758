"""Group the ablations of several plans that are the same study, without a model.

A group is stricter than a match of two plans: what is in it is shown as one study, so a wrong join costs more than a
missed one. Of 60 joins in published trajectories that were read one by one, 57 are right (tests/matching).
"""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Final

from planner.matching.match import compute_similarity
from planner.matching.similarity import have_compatible_actions
from planner.schema import Ablation

SURE_SIMILARITY: Final = 0.6
"""The least similarity, from 0 to 1, of any two ablations in a group."""
_SURE_OVERLAP: Final = 0.7  # of a common replacement; at 0.5, "average pooling" and "random pooling" are the same

# Far above any plan that a prompt asks for; comparing the whole of a hostile plan could take hours.
MAX_ABLATIONS: Final = 40
_MAX_REPLACEMENTS: Final = 10
_MAX_CHARS: Final = 300

Place = tuple[int, int]
"""The place of an ablation: the number of its plan, and its number in that plan, both from 0."""


def group_ablations(plans: Sequence[Sequence[Ablation]]) -> tuple[tuple[Place, ...], ...]:
    """Group the ablations of plans for one paper: at most one of each plan, and any two in a group are surely the same.

    Each ablation is in one group, alone if no other is the same. The most similar are joined first. The first 40
    ablations of a plan are compared, ten replacements of an ablation, and 300 characters of a text.
    """
    places = [(number, index) for number, plan in enumerate(plans) for index in range(len(plan))]
    groups: dict[Place, tuple[Place, ...]] = {place: (place,) for place in places}
    similarities = _compute_similarities(plans)
    for a, b in sorted(similarities, key=lambda pair: (-similarities[pair], pair)):
        left, right = groups[a], groups[b]
        if all((min(pair), max(pair)) in similarities for pair in product(left, right)):
            joined = tuple(sorted((*left, *right)))
            groups.update(dict.fromkeys(joined, joined))
    return tuple(dict.fromkeys(groups.values()))


def _compute_similarities(plans: Sequence[Sequence[Ablation]]) -> dict[tuple[Place, Place], float]:
    """Return the similarity of each two ablations of different plans that are surely the same."""
    shortened = [[_shorten_ablation(ablation) for ablation in plan[:MAX_ABLATIONS]] for plan in plans]
    return {
        ((a, i), (b, j)): similarity
        for (a, left), (b, right) in combinations(enumerate(shortened), 2)
        for (i, x), (j, y) in product(enumerate(left), enumerate(right))
        if (similarity := compute_similarity(x, y)) >= SURE_SIMILARITY and have_compatible_actions(x, y, _SURE_OVERLAP)
    }


def _shorten_ablation(ablation: Ablation) -> Ablation:
    return ablation.model_copy(
        update={
            "name": ablation.name[:_MAX_CHARS],
            "ablated_part": ablation.ablated_part[:_MAX_CHARS],
            "replacement": tuple(item[:_MAX_CHARS] for item in ablation.replacement[:_MAX_REPLACEMENTS]),
        }
    )
