"""The metrics: by hand, against scikit-learn, and against an independent reading of the published definitions."""

import random
from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, ndcg_score, precision_score, recall_score

from eval.metrics import (
    LabelPairs,
    compute_precision_recall_f1,
    compute_published_ndcg,
    compute_ranked_ndcg,
    label_author_plan,
    label_reviewer_plan,
    score_author_plan,
    score_reviewer_plan,
)
from eval.verdicts import AuthorVerdict, ReviewerVerdict
from tests.eval import published

CASES = 10_000


def author(**matches: str | tuple[str, ...] | None) -> list[AuthorVerdict]:
    return [AuthorVerdict.model_validate({"name_in_paper": g, "name_in_plan": p}) for g, p in matches.items()]


def test_a_plan_worked_by_hand() -> None:
    # Three ablations in the paper; the plan finds the second with its first, and adds two that no verdict names.
    verdicts = author(g1=None, g2="p1", g3=None)
    labels = label_author_plan(["g1", "g2", "g3"], ["p1", "p2", "p3"], verdicts)
    assert labels == LabelPairs((True, True, True, False, False), (False, True, False, True, True))
    scores = score_author_plan(["g1", "g2", "g3"], ["p1", "p2", "p3"], verdicts)
    assert scores.precision == pytest.approx(1 / 3)
    assert scores.recall == pytest.approx(1 / 3)
    assert scores.f1 == pytest.approx(1 / 3)
    everything = 1 + 1 / log2(3) + 1 / 2
    assert scores.ndcg == pytest.approx((1 / log2(3)) / everything), "the hit stands second in the paper"
    assert scores.plan_ndcg == pytest.approx(1 / everything), "and first in the plan"


def test_the_first_k_alone_count_and_a_shorter_plan_is_used_whole() -> None:
    verdicts = author(g1="p3", g2="p1")
    gold, plan = ["g1", "g2"], ["p1", "p2", "p3"]
    assert score_author_plan(gold, plan, verdicts, k=1).recall == 0.5
    assert score_author_plan(gold, plan, verdicts, k=1).precision == 1.0
    assert score_author_plan(gold, plan, verdicts, k=3) == score_author_plan(gold, plan, verdicts, k=9)
    assert score_author_plan(gold, plan, verdicts, k=9) == score_author_plan(gold, plan, verdicts)


def test_a_match_of_several_counts_only_when_all_of_it_is_there() -> None:
    verdicts = author(g1=("p1", "p2"))
    assert score_author_plan(["g1"], ["p1", "p2"], verdicts, k=1).recall == 0.0
    assert score_author_plan(["g1"], ["p1", "p2"], verdicts, k=2).recall == 1.0
    assert score_author_plan(["g1"], ["p1", "p2"], verdicts, k=2).plan_ndcg == pytest.approx(1 / log2(3))


def test_a_name_that_the_plan_does_not_have_is_no_hit() -> None:
    assert score_author_plan(["g1"], ["p1"], author(g1="p1 with a typo")).f1 == 0.0


def test_reviews_worked_by_hand() -> None:
    decisions = [True, True, False]
    verdicts = [ReviewerVerdict(name_in_plan=f"p{n}", appears_in_review=s) for n, s in enumerate(decisions)]
    scores = score_reviewer_plan(1, ["p0", "p1", "p2"], verdicts)
    assert (scores.precision, scores.recall) == (0.5, 1.0), "two appear, but one was asked for, and one is wrong"
    assert scores.f1 == pytest.approx(2 / 3)
    assert scores.ndcg is None
    assert score_reviewer_plan(4, ["p0", "p1", "p2"], verdicts).recall == 0.5
    assert label_reviewer_plan(decisions, 1) == LabelPairs((True, False), (True, True))


def test_what_is_undefined_is_zero() -> None:
    assert score_author_plan([], [], []).f1 == 0.0
    assert score_author_plan([], ["p1"], []).plan_ndcg == 0.0
    assert score_reviewer_plan(0, [], []).recall == 0.0


def test_a_judge_that_merges_two_of_the_papers_ablations_is_not_paid_twice_for_rank() -> None:
    verdicts = author(g1="p1", g2="p1")
    scores = score_author_plan(["g1", "g2"], ["p1", "p2"], verdicts)
    assert scores.recall == 1.0
    assert scores.plan_ndcg == pytest.approx(1 / (1 + 1 / log2(3)))


def random_author_case(draw: random.Random) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    gold = [f"g{n}" for n in range(draw.randint(0, 6))]
    plan = [f"p{n}" for n in range(draw.randint(0, 7))]
    draw.shuffle(plan)
    known = [*plan, "stranger"]
    verdicts = []
    for name in [*gold, "unknown"]:
        if draw.random() < 0.85:
            several = draw.sample(known, draw.randint(1, min(3, len(known))))
            verdicts.append({"name_in_paper": name, "name_in_plan": draw.choice([None, several[0], several])})
    return gold, plan, verdicts


def test_ten_thousand_author_cases_agree_with_the_definitions() -> None:
    draw = random.Random(1)
    for _ in range(CASES):
        gold, plan, raw = random_author_case(draw)
        k = draw.choice([None, 1, 2, 3, 5])
        ours = score_author_plan(gold, plan, [AuthorVerdict.model_validate(v) for v in raw], k)
        theirs = published.author_record(gold, plan, raw, k)
        assert {name: getattr(ours, name) for name in theirs} == pytest.approx(theirs, abs=1e-12)
        assert 0.0 <= ours.plan_ndcg <= 1.0


def test_ten_thousand_reviewer_cases_agree_with_the_definitions() -> None:
    draw = random.Random(2)
    for _ in range(CASES):
        plan = [f"p{n}" for n in range(draw.randint(0, 6))]
        decisions = {name: draw.random() < 0.5 for name in plan}
        suggestions, k = draw.randint(0, 5), draw.choice([None, 1, 2, 3])
        verdicts = [ReviewerVerdict(name_in_plan=name, appears_in_review=yes) for name, yes in decisions.items()]
        ours = score_reviewer_plan(suggestions, plan, verdicts, k)
        theirs = published.reviewer_record(suggestions, plan, decisions, k)
        assert {name: getattr(ours, name) for name in theirs} == pytest.approx(theirs, abs=1e-12)
        assert 0.0 <= ours.plan_ndcg <= 1.0


def test_random_labels_agree_with_scikit_learn() -> None:
    draw = random.Random(3)
    for _ in range(500):
        size = draw.randint(1, 12)
        true, pred = ([draw.random() < 0.5 for _ in range(size)] for _ in range(2))
        theirs = [score(true, pred, zero_division=0.0) for score in (precision_score, recall_score, f1_score)]
        assert compute_precision_recall_f1(LabelPairs(tuple(true), tuple(pred))) == pytest.approx(theirs)


@given(st.lists(st.booleans(), min_size=2, max_size=10))
def test_plan_rank_ndcg_is_scikit_learns_when_as_many_are_wanted_as_are_found(gains: list[bool]) -> None:
    found = sum(gains)
    ours = compute_ranked_ndcg(gains, found)
    order = [[float(-rank) for rank in range(len(gains))]]
    assert ours == pytest.approx(ndcg_score([[float(g) for g in gains]], order) if found else 0.0)


@given(st.lists(st.booleans(), max_size=8), st.integers(0, 8))
def test_published_ndcg_is_one_for_what_is_all_found(pred: list[bool], most: int) -> None:
    labels = LabelPairs((True,) * len(pred), tuple(pred))
    value = compute_published_ndcg(labels, min(most, len(pred)))
    assert 0.0 <= value <= 1.0
    assert (value == 1.0) == (all(pred[:most]) and min(most, len(pred)) > 0) or value == pytest.approx(1.0)
