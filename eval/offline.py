"""The offline judge: AblationBench's match rule applied to words.

It costs nothing and is deterministic, but it misses ablations that are worded differently. `eval.agreement` measures
how far it agrees with a model.
"""

import re
from collections.abc import Sequence
from typing import Final

from eval.gold import AuthorGold, MaskedGold
from eval.matching import MATCH_THRESHOLD, find_best_assignment
from eval.model_judge import JudgeAnswer
from eval.plans import GoldPair
from eval.verdicts import AuthorVerdict, ReviewerVerdict
from planner.chat import ModelInfo
from planner.matching import (
    compute_ablated_part_similarity,
    compute_stem_overlap,
    extract_stems,
    has_same_action_and_replacement,
    is_mostly_number,
)
from planner.schema import Ablation

OFFLINE_JUDGE: Final = ModelInfo(planner="judge", name="offline", asked="offline")
REVIEW_THRESHOLD: Final = 0.6
"""The least share of an ablated part's or name's stems that one sentence of a review must contain."""

# A replacement in common that is no number tells that the same part is meant, so its words may agree less. Both values
# were chosen on half of the silver pairs (tests/matching) and half of the papers of the bench.
_NAMED_THRESHOLD: Final = 0.25
_MIN_NAMED_OVERLAP: Final = 0.6

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_MIN_STEMS: Final = 2


async def judge_paper_offline(pair: GoldPair) -> JudgeAnswer:
    """Judge one paper without a model."""
    if isinstance(pair.gold, MaskedGold):
        return JudgeAnswer(match_answers(pair.gold.ablations, pair.plan), cost=0.0)
    if isinstance(pair.gold, AuthorGold):
        return JudgeAnswer(match_gold(pair.gold.ablations, pair.plan), cost=0.0)
    return JudgeAnswer(match_reviews(pair.gold.reviews, pair.plan), cost=0.0)


def match_gold(gold: Sequence[Ablation], plan: Sequence[Ablation]) -> tuple[AuthorVerdict, ...]:
    """Match each ablation of the paper with at most one of the plan, by the best one-to-one assignment."""
    matches = dict(find_best_assignment([[score_match(reported, planned) for planned in plan] for reported in gold]))
    return tuple(
        AuthorVerdict(name_in_paper=ablation.name, name_in_plan=(plan[matches[n]].name,) if n in matches else ())
        for n, ablation in enumerate(gold)
    )


def match_answers(answers: Sequence[Ablation], plan: Sequence[Ablation]) -> tuple[AuthorVerdict, ...]:
    """Match each answer of a masked paper with every ablation that is the same, so that the first one counts."""
    return tuple(
        AuthorVerdict(name_in_paper=answer.name, name_in_plan=tuple(a.name for a in plan if score_match(answer, a)))
        for answer in answers
    )


def score_match(a: Ablation, b: Ablation) -> float:
    """Return the similarity of two ablations that match, from 0 to 1; 0 if they do not match."""
    if not has_same_action_and_replacement(a, b):
        return 0.0
    similarity = compute_ablated_part_similarity(a, b)
    return (
        similarity if similarity >= (_NAMED_THRESHOLD if _share_named_replacement(a, b) else MATCH_THRESHOLD) else 0.0
    )


def _share_named_replacement(a: Ablation, b: Ablation) -> bool:
    """Return whether two ablations have a replacement in common that is more than a number."""
    named_a, named_b = ([item for item in each.replacement if not is_mostly_number(item)] for each in (a, b))
    return any(compute_stem_overlap(x, y) >= _MIN_NAMED_OVERLAP for x in named_a for y in named_b)


def match_reviews(reviews: Sequence[str], plan: Sequence[Ablation]) -> tuple[ReviewerVerdict, ...]:
    """Judge each ablation of the plan: yes if a sentence of a review contains most words of its part or of its name."""
    sentences = [set(extract_stems(sentence)) for review in reviews for sentence in _SENTENCE.split(review)]
    return tuple(
        ReviewerVerdict(
            name_in_plan=ablation.name,
            appears_in_review=any(_mentions_ablation(stems, ablation) for stems in sentences),
        )
        for ablation in plan
    )


def _mentions_ablation(sentence_stems: set[str], ablation: Ablation) -> bool:
    texts = [set(extract_stems(ablation.ablated_part)), set(extract_stems(ablation.name))]
    return any(len(t) >= _MIN_STEMS and len(t & sentence_stems) >= REVIEW_THRESHOLD * len(t) for t in texts)
