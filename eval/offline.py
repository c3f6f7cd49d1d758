"""Judge without a model, by the published match rule applied to words.

This costs nothing and is deterministic, but it misses ablations that are worded differently. Compare its numbers only
with each other.
"""

import re
from collections.abc import Sequence
from typing import Final

from eval.verdicts import AuthorVerdict, ReviewerVerdict
from planner.matching.match import match
from planner.matching.words import stems
from planner.schema import Ablation

NAME: Final = "offline"
REVIEW_THRESHOLD: Final = 0.6
"""The least share of an ablated part's or name's stems that one sentence of a review must contain."""

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_LEAST_STEMS: Final = 2


def match_paper(gold: Sequence[Ablation], plan: Sequence[Ablation]) -> tuple[AuthorVerdict, ...]:
    """Match each ablation of the paper with at most one of the plan, by the best one-to-one assignment."""
    found = {pair.a: plan[pair.b].name for pair in match(gold, plan)}
    return tuple(
        AuthorVerdict(name_in_paper=ablation.name, name_in_plan=(found[number],) if number in found else ())
        for number, ablation in enumerate(gold)
    )


def match_reviews(reviews: Sequence[str], plan: Sequence[Ablation]) -> tuple[ReviewerVerdict, ...]:
    """Judge each ablation of the plan: yes if a sentence of a review contains most words of its part or of its name."""
    said = [set(stems(sentence)) for review in reviews for sentence in _SENTENCE.split(review)]
    return tuple(
        ReviewerVerdict(name_in_plan=ablation.name, appears_in_review=any(_says(words, ablation) for words in said))
        for ablation in plan
    )


def _says(sentence: set[str], ablation: Ablation) -> bool:
    texts = [set(stems(ablation.ablated_part)), set(stems(ablation.name))]
    return any(len(t) >= _LEAST_STEMS and len(t & sentence) >= REVIEW_THRESHOLD * len(t) for t in texts)
