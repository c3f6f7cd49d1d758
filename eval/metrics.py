"""Compute AblationBench's metrics (arXiv 2507.08038) for one paper, at any k.

Ablations are identified by name, and names are unique within a paper and within a plan. A metric is 0 where it is
undefined, as in the published code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2

from eval.verdicts import AuthorVerdict, ReviewerVerdict


@dataclass(frozen=True, slots=True)
class Labels:
    """The true and the predicted labels, one pair for each item."""

    true: tuple[bool, ...]
    pred: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one paper, from 0 to 1; `ndcg` is the published one, None for the reviewer task."""

    precision: float
    recall: float
    f1: float
    ndcg: float | None
    plan_ndcg: float


def score_author(
    gold: Sequence[str], plan: Sequence[str], verdicts: Sequence[AuthorVerdict], k: int | None = None
) -> Scores:
    """Score the first k ablations of a plan, or all of it, against the ablations of the paper."""
    top = plan[:k]
    labels = author_labels(gold, top, verdicts)
    most = min(len(top), len(gold))
    gains = author_gains(gold, top, verdicts)
    return Scores(*precision_recall_f1(labels), published_ndcg(labels, most), ranked_ndcg(gains, most))


def score_reviewer(
    suggestions: int, plan: Sequence[str], verdicts: Sequence[ReviewerVerdict], k: int | None = None
) -> Scores:
    """Score the first k ablations of a plan, or all of it, against the ablations that the reviews ask for.

    Precision and recall ignore an ablation without a verdict, as the published code does; its gain in nDCG is 0.
    """
    appears = {verdict.name_in_plan: verdict.appears_in_review for verdict in verdicts}
    top = plan[:k]
    labels = reviewer_labels([appears[name] for name in top if name in appears], suggestions)
    gains = _at_most([appears.get(name, False) for name in top], suggestions)
    return Scores(*precision_recall_f1(labels), None, ranked_ndcg(gains, min(len(top), suggestions)))


def author_labels(gold: Sequence[str], plan: Sequence[str], verdicts: Iterable[AuthorVerdict]) -> Labels:
    """Return a true label for each ablation of the paper, predicted if a verdict matches it within the plan.

    For each ablation of the plan that no verdict names, a label follows that is predicted and not true.
    """
    known = set(plan)
    found: set[str] = set()
    named: set[str] = set()
    for verdict in verdicts:
        named.update(verdict.name_in_plan)
        if verdict.name_in_plan and known.issuperset(verdict.name_in_plan):
            found.add(verdict.name_in_paper)
    extra = sum(name not in named for name in plan)
    true = (True,) * len(gold) + (False,) * extra
    return Labels(true, (*(name in found for name in gold), *(True,) * extra))


def reviewer_labels(appears: Sequence[bool], suggestions: int) -> Labels:
    """Return a true label for each suggestion, predicted for as many as appear, then one for each other ablation."""
    found = min(sum(appears), suggestions)
    extra = len(appears) - sum(appears)
    true = (True,) * suggestions + (False,) * extra
    return Labels(true, (True,) * found + (False,) * (suggestions - found) + (True,) * extra)


def precision_recall_f1(labels: Labels) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the labels."""
    hits = sum(true and pred for true, pred in zip(labels.true, labels.pred, strict=True))
    proposed, wanted = sum(labels.pred), sum(labels.true)
    precision = hits / proposed if proposed else 0.0
    recall = hits / wanted if wanted else 0.0
    return precision, recall, 2 * hits / (proposed + wanted) if hits else 0.0


def published_ndcg(labels: Labels, most: int) -> float:
    """Return the published nDCG over the first `most` labels, which are in the paper's order and not in the plan's."""
    ideal = _dcg(labels.true[:most])
    return _dcg(labels.pred[:most]) / ideal if ideal else 0.0


def author_gains(gold: Sequence[str], plan: Sequence[str], verdicts: Iterable[AuthorVerdict]) -> list[bool]:
    """Return, for each ablation of the plan in rank order, True if it completes a match that was incomplete before."""
    rank = {name: number for number, name in enumerate(plan)}
    completed: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.name_in_plan and rank.keys() >= set(verdict.name_in_plan) and verdict.name_in_paper in gold:
            last = max(rank[name] for name in verdict.name_in_plan)
            completed[verdict.name_in_paper] = min(last, completed.get(verdict.name_in_paper, last))
    return [number in completed.values() for number in range(len(plan))]


def ranked_ndcg(gains: Sequence[bool], most: int) -> float:
    """Return the nDCG in the plan's order, relative to a plan whose first `most` ablations all have a gain."""
    return _dcg(gains) / _dcg([True] * most) if most else 0.0


def _at_most(gains: Sequence[bool], count: int) -> list[bool]:
    """Return the gains with all but the first `count` set to False."""
    return [gain and sum(gains[:number]) < count for number, gain in enumerate(gains)]


def _dcg(gains: Sequence[bool]) -> float:
    return sum(1 / log2(rank + 2) for rank, gain in enumerate(gains) if gain)
