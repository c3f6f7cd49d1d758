"""Means with their intervals, and the paired test."""

import random
from math import isnan
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from eval.statistics import (
    adjust_p_values,
    compute_bootstrap_interval,
    compute_difference,
    compute_mean,
    compute_sign_flip_p,
)

shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_the_deviation_is_that_of_a_sample() -> None:
    found = compute_mean([0.0, 1.0])
    assert (found.n, found.mean) == (2, 0.5)
    assert found.deviation == pytest.approx(0.5**0.5)


def test_nothing_is_not_zero() -> None:
    found = compute_mean([])
    assert found.n == 0
    assert isnan(found.mean)
    assert isnan(compute_sign_flip_p([]))


def test_one_paper_has_no_deviation() -> None:
    assert compute_mean([0.4]).deviation is None


@settings(deadline=None, max_examples=50)
@given(shares)
def test_an_interval_lies_around_the_mean_and_within_the_values(values: list[float]) -> None:
    low, high = compute_bootstrap_interval(values)
    assert min(values) - 1e-9 <= low <= fmean(values) + 1e-9
    assert fmean(values) - 1e-9 <= high <= max(values) + 1e-9
    assert compute_bootstrap_interval(values) == (low, high), "the same values give the same interval"


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = random.Random(4)
    covered = 0
    for _ in range(60):
        low, high = compute_bootstrap_interval([draw.random() for _ in range(40)])
        covered += low <= 0.5 <= high
    assert covered >= 51


@pytest.mark.parametrize(
    "differences",
    [[0.3, -0.1, 0.2, 0.0, 0.5], [0.1] * 6, [-0.2, 0.2], [0.4, 0.4, -0.1, 0.25, 0.05, 0.3, -0.2, 0.15, 0.6, 0.1]],
)
def test_a_small_test_is_exact(differences: list[float]) -> None:
    paired = permutation_test(
        (differences, [0.0] * len(differences)),
        lambda x, y: fmean(x) - fmean(y),
        permutation_type="samples",
        n_resamples=float("inf"),
        vectorized=False,
    )
    assert compute_sign_flip_p(differences) == pytest.approx(paired.pvalue)


def test_a_large_test_is_close_to_exact() -> None:
    draw = random.Random(5)
    differences = [draw.gauss(0.1, 0.3) for _ in range(14)]
    sums = [0.0]
    for size in differences:
        sums = [total + sign * size for total in sums for sign in (1, -1)]
    exact = sum(abs(total) >= abs(sum(differences)) - 1e-12 for total in sums) / len(sums)
    assert compute_sign_flip_p(differences) == pytest.approx(exact, abs=0.02)


def test_only_papers_that_both_have_are_compared() -> None:
    found = compute_difference({"a": 1.0, "b": 0.5, "only ours": 0.0}, {"a": 0.0, "b": 0.5, "only theirs": 1.0})
    assert (found.n, found.mean) == (2, 0.5)
    assert found.p == 1.0, "one differing paper decides nothing"


def test_equal_systems_do_not_differ() -> None:
    found = compute_difference({str(n): 0.3 for n in range(50)}, {str(n): 0.3 for n in range(50)})
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_holm_by_hand() -> None:
    assert adjust_p_values([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert adjust_p_values([0.9, 0.8]) == [1.0, 1.0]
    assert adjust_p_values([]) == []
