"""Compute AblationBench's metrics (arXiv 2507.08038) for one paper, at any k.

Ablations are identified by name, and names are unique within a paper and within a plan. A metric is 0 where it is
undefined, as in the published code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2

from eval.verdicts import AuthorVerdict, ReviewerVerdict


@dataclass(frozen=True, slots=True)
class LabelPairs:
    """The true and the predicted labels, one pair for each item."""

    true: tuple[bool, ...]
    pred: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class PaperScores:
    """The scores of one paper, from 0 to 1; `ndcg` is the published one, None for the reviewer task."""

    precision: float
    recall: float
    f1: float
    ndcg: float | None
    plan_ndcg: float


def score_author_plan(
    gold: Sequence[str], plan: Sequence[str], verdicts: Sequence[AuthorVerdict], k: int | None = None
) -> PaperScores:
    """Score the first k ablations of a plan, or all of it, against the ablations of the paper."""
    top = plan[:k]
    labels = label_author_plan(gold, top, verdicts)
    cutoff = min(len(top), len(gold))
    gains = compute_author_gains(gold, top, verdicts)
    return PaperScores(
        *compute_precision_recall_f1(labels),
        compute_published_ndcg(labels, cutoff),
        compute_ranked_ndcg(gains, cutoff),
    )


def score_reviewer_plan(
    suggestion_count: int, plan: Sequence[str], verdicts: Sequence[ReviewerVerdict], k: int | None = None
) -> PaperScores:
    """Score the first k ablations of a plan, or all of it, against the ablations that the reviews ask for.

    Precision and recall ignore an ablation without a verdict, as the published code does; its gain in nDCG is 0.
    """
    appears = {verdict.name_in_plan: verdict.appears_in_review for verdict in verdicts}
    top = plan[:k]
    labels = label_reviewer_plan([appears[name] for name in top if name in appears], suggestion_count)
    gains = _limit_gains([appears.get(name, False) for name in top], suggestion_count)
    return PaperScores(
        *compute_precision_recall_f1(labels), None, compute_ranked_ndcg(gains, min(len(top), suggestion_count))
    )


def label_author_plan(gold: Sequence[str], plan: Sequence[str], verdicts: Iterable[AuthorVerdict]) -> LabelPairs:
    """Return a true label for each ablation of the paper, predicted if a verdict matches it within the plan.

    For each ablation of the plan that no verdict names, a label follows that is predicted and not true.
    """
    planned_names = set(plan)
    matched_gold: set[str] = set()
    named_plan: set[str] = set()
    for verdict in verdicts:
        named_plan.update(verdict.name_in_plan)
        if verdict.name_in_plan and planned_names.issuperset(verdict.name_in_plan):
            matched_gold.add(verdict.name_in_paper)
    extra = sum(name not in named_plan for name in plan)
    true = (True,) * len(gold) + (False,) * extra
    return LabelPairs(true, (*(name in matched_gold for name in gold), *(True,) * extra))


def label_reviewer_plan(decisions: Sequence[bool], suggestion_count: int) -> LabelPairs:
    """Return a true label for each suggestion, as many of them predicted as a review asks for of the plan's ablations.

    For each ablation of the plan that no review asks for, a label follows that is predicted and not true."""
    hits = min(sum(decisions), suggestion_count)
    extra = len(decisions) - sum(decisions)
    true = (True,) * suggestion_count + (False,) * extra
    return LabelPairs(true, (True,) * hits + (False,) * (suggestion_count - hits) + (True,) * extra)


def compute_precision_recall_f1(labels: LabelPairs) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the labels."""
    hits = sum(is_true and is_pred for is_true, is_pred in zip(labels.true, labels.pred, strict=True))
    predicted, true = sum(labels.pred), sum(labels.true)
    precision = hits / predicted if predicted else 0.0
    recall = hits / true if true else 0.0
    return precision, recall, 2 * hits / (predicted + true) if hits else 0.0


def compute_published_ndcg(labels: LabelPairs, cutoff: int) -> float:
    """Return the published nDCG over the first `cutoff` labels, which are in the paper's order, not in the plan's."""
    ideal = _compute_dcg(labels.true[:cutoff])
    return _compute_dcg(labels.pred[:cutoff]) / ideal if ideal else 0.0


def compute_author_gains(gold: Sequence[str], plan: Sequence[str], verdicts: Iterable[AuthorVerdict]) -> list[bool]:
    """Return, for each ablation of the plan in rank order, True if it completes a match that was incomplete before."""
    rank = {name: number for number, name in enumerate(plan)}
    completed: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.name_in_plan and rank.keys() >= set(verdict.name_in_plan) and verdict.name_in_paper in gold:
            last = max(rank[name] for name in verdict.name_in_plan)
            completed[verdict.name_in_paper] = min(last, completed.get(verdict.name_in_paper, last))
    return [number in completed.values() for number in range(len(plan))]


def compute_ranked_ndcg(gains: Sequence[bool], cutoff: int) -> float:
    """Return the nDCG in the plan's order, relative to a plan whose first `cutoff` ablations all have a gain."""
    return _compute_dcg(gains) / _compute_dcg([True] * cutoff) if cutoff else 0.0


def _limit_gains(gains: Sequence[bool], count: int) -> list[bool]:
    """Return the gains with all but the first `count` set to False."""
    return [gain and sum(gains[:number]) < count for number, gain in enumerate(gains)]


def _compute_dcg(gains: Sequence[bool]) -> float:
    return sum(1 / log2(rank + 2) for rank, gain in enumerate(gains) if gain)
