"""Which ablations of two plans are the same; no model is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.matching.assignment import best_assignment
from planner.matching.similarity import actions_agree, part_similarity
from planner.schema import Ablation

THRESHOLD: Final = 0.4
"""The least similarity of the ablated parts of a match; chosen on half of the silver pairs (tests/matching)."""


@dataclass(frozen=True, slots=True)
class Match:
    """The ablations numbered `a` and `b`, from 0, of two lists are the same; `similarity` is from 0 to 1."""

    a: int
    b: int
    similarity: float


def similarity(a: Ablation, b: Ablation) -> float:
    """How alike two ablations are, from 0 to 1; 0 where the match rule forbids a match."""
    return part_similarity(a, b) if actions_agree(a, b) else 0.0


def match(a: Sequence[Ablation], b: Sequence[Ablation]) -> tuple[Match, ...]:
    """The pairs of a one-to-one assignment with the greatest total similarity, each at least `THRESHOLD`."""
    scores = [[_cut(similarity(left, right)) for right in b] for left in a]
    return tuple(Match(i, j, scores[i][j]) for i, j in best_assignment(scores))


def _cut(score: float) -> float:
    return score if score >= THRESHOLD else 0.0
