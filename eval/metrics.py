"""AblationBench's metrics (arXiv 2507.08038) for one paper, at any k.

Ablations go by name, and the names within a paper and within a plan are all different. Everything is 0 where it is
undefined, as in the published code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2

from eval.verdicts import AuthorVerdict, ReviewerVerdict


@dataclass(frozen=True, slots=True)
class Labels:
    """What is true and what was found, side by side."""

    true: tuple[bool, ...]
    pred: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """The numbers of one paper, from 0 to 1; `ndcg` as published, which only the author task has."""

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
    """Score the first k ablations of a plan, or all of it, against what the reviews ask for.

    An ablation without a verdict counts for nothing, as in the published code.
    """
    appears = {verdict.name_in_plan: verdict.appears_in_review for verdict in verdicts}
    top = plan[:k]
    labels = reviewer_labels([appears[name] for name in top if name in appears], suggestions)
    gains = _at_most([appears.get(name, False) for name in top], suggestions)
    return Scores(*precision_recall_f1(labels), None, ranked_ndcg(gains, min(len(top), suggestions)))


def author_labels(gold: Sequence[str], plan: Sequence[str], verdicts: Iterable[AuthorVerdict]) -> Labels:
    """First the paper's ablations: found if some verdict matches them, all of it within the plan.

    Then each ablation of the plan that no verdict names: false, and yet proposed.
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
    """First the ablations that the reviews ask for: so many of them found as appear; then the plan's others."""
    found = min(sum(appears), suggestions)
    extra = len(appears) - sum(appears)
    true = (True,) * suggestions + (False,) * extra
    return Labels(true, (True,) * found + (False,) * (suggestions - found) + (True,) * extra)


def precision_recall_f1(labels: Labels) -> tuple[float, float, float]:
    """Precision, recall and F1 of the labels."""
    hits = sum(true and pred for true, pred in zip(labels.true, labels.pred, strict=True))
    proposed, wanted = sum(labels.pred), sum(labels.true)
    precision = hits / proposed if proposed else 0.0
    recall = hits / wanted if wanted else 0.0
    return precision, recall, 2 * hits / (proposed + wanted) if hits else 0.0


def published_ndcg(labels: Labels, most: int) -> float:
    """The published nDCG, over the first `most` labels; they stand in the paper's order, not in the plan's."""
    ideal = _dcg(labels.true[:most])
    return _dcg(labels.pred[:most]) / ideal if ideal else 0.0


def author_gains(gold: Sequence[str], plan: Sequence[str], verdicts: Iterable[AuthorVerdict]) -> list[bool]:
    """For each ablation of the plan, in rank order, whether it completes a match that was not complete before it."""
    rank = {name: number for number, name in enumerate(plan)}
    completed: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.name_in_plan and rank.keys() >= set(verdict.name_in_plan) and verdict.name_in_paper in gold:
            last = max(rank[name] for name in verdict.name_in_plan)
            completed[verdict.name_in_paper] = min(last, completed.get(verdict.name_in_paper, last))
    return [number in completed.values() for number in range(len(plan))]


def ranked_ndcg(gains: Sequence[bool], most: int) -> float:
    """nDCG over the plan's order, against a plan whose first `most` ablations all bring something."""
    return _dcg(gains) / _dcg([True] * most) if most else 0.0


def _at_most(gains: Sequence[bool], count: int) -> list[bool]:
    """The gains without those beyond the first `count`."""
    return [gain and sum(gains[:number]) < count for number, gain in enumerate(gains)]


def _dcg(gains: Sequence[bool]) -> float:
    return sum(1 / log2(rank + 2) for rank, gain in enumerate(gains) if gain)
