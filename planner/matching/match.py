"""Find the ablations that two plans share, without a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.matching.assignment import best_assignment
from planner.matching.similarity import actions_agree, part_similarity
from planner.schema import Ablation

THRESHOLD: Final = 0.4
"""The least similarity of a match, from 0 to 1; it was chosen on half of the silver pairs (tests/matching)."""


@dataclass(frozen=True, slots=True)
class Match:
    """A match of ablation `a` of one list with ablation `b` of another, counted from 0; `similarity` is from 0 to 1."""

    a: int
    b: int
    similarity: float


def similarity(a: Ablation, b: Ablation) -> float:
    """Return the similarity of two ablations, from 0 to 1; it is 0 if their actions do not agree."""
    return part_similarity(a, b) if actions_agree(a, b) else 0.0


def match(a: Sequence[Ablation], b: Sequence[Ablation]) -> tuple[Match, ...]:
    """Match ablations one to one so that the total similarity is greatest; each pair has at least `THRESHOLD`."""
    scores = [[_cut(similarity(left, right)) for right in b] for left in a]
    return tuple(Match(i, j, scores[i][j]) for i, j in best_assignment(scores))


def _cut(score: float) -> float:
    return score if score >= THRESHOLD else 0.0
