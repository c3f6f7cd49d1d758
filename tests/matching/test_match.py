"""The match rule and the assignment, with properties that hold for any plans."""

import os
import subprocess
import sys
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.matching import MATCH_THRESHOLD, Match, find_best_assignment, match_ablations
from planner.matching import (
    compute_ablation_similarity,
    compute_stem_overlap,
    expand_acronyms,
    extract_stems,
    has_same_action_and_replacement,
    is_same_replacement,
    split_words,
    stem_word,
)
from planner.schema import Ablation
from tests.matching.plans import ABLATIONS, add, remove, replace

GATE = "gated fusion unit"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (remove(GATE), remove("the gated unit for fusion")),
        (remove(GATE), replace(GATE, "no gate", "a sum")),
        (replace(GATE, "element-wise sum"), replace("fusion unit with gates", "concatenation", "sum")),
        (add("data augmentation", "colour jitter"), add("augmentation of data", "colour jitter")),
        (replace("TCN encoder", "GCN"), replace("temporal convolution network encoder", "graph convolutional network")),
        (replace("number of layers", "2", "4"), replace("number of layers", "four layers")),
        (replace("mask ratio", "25%"), replace("ratio of masking", "0.25", "0.75")),
        (replace("loss weight λ", "0", "1"), remove("loss weight λ")),
    ],
)
def test_ablations_match(a: Ablation, b: Ablation) -> None:
    assert compute_ablation_similarity(a, b) >= MATCH_THRESHOLD


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (remove(GATE), remove("contrastive pre-training")),
        (remove(GATE), replace(GATE, "element-wise sum")),
        (replace(GATE, "element-wise sum"), replace(GATE, "cross-attention")),
        (replace(GATE, "a sum"), add(GATE, "a sum")),
        (replace("number of layers", "2", "4"), replace("number of layers", "8", "16")),
        (replace("step size", "0.001"), replace("step size", "0.1")),
        (remove("step size"), replace("step size", "0.5", "0.05")),
        (remove("spatial attention", name="Ablation Study 1"), remove("curriculum", name="Ablation Study 1")),
    ],
)
def test_ablations_do_not_match(a: Ablation, b: Ablation) -> None:
    assert compute_ablation_similarity(a, b) < MATCH_THRESHOLD


def test_each_ablation_is_paired_once_and_the_sum_is_greatest() -> None:
    plan = [remove("gated fusion unit"), remove("echo memory")]
    other = [remove("echo memory bank"), remove("gated fusion"), remove("fusion unit with gates")]
    assert [(m.index_a, m.index_b) for m in match_ablations(plan, other)] == [(0, 2), (1, 0)]


def test_nothing_matches_nothing() -> None:
    assert match_ablations([], []) == match_ablations([remove(GATE)], []) == match_ablations([], [remove(GATE)]) == ()


@given(st.lists(ABLATIONS, max_size=4), st.lists(ABLATIONS, max_size=4))
def test_the_order_of_the_plans_does_not_matter(a: list[Ablation], b: list[Ablation]) -> None:
    matches, reverse_matches = match_ablations(a, b), match_ablations(b, a)
    assert sum(m.similarity for m in matches) == pytest.approx(sum(m.similarity for m in reverse_matches))
    for m in matches:
        assert MATCH_THRESHOLD <= m.similarity <= 1
        assert m.similarity == pytest.approx(compute_ablation_similarity(b[m.index_b], a[m.index_a]))


@given(st.lists(ABLATIONS, max_size=5))
def test_a_plan_with_words_matches_itself(plan: list[Ablation]) -> None:
    ablations = [a for a in plan if extract_stems(a.ablated_part) and has_same_action_and_replacement(a, a)]
    assert len(match_ablations(ablations, ablations)) == len(ablations)


@given(st.lists(st.lists(st.sampled_from([0, 0, 0.25, 0.5, 0.75, 1]), min_size=4, max_size=4), max_size=4))
def test_the_assignment_is_the_best_of_all(scores: list[list[float]]) -> None:
    chosen = find_best_assignment(scores)
    assert len({r for r, _ in chosen}) == len({c for _, c in chosen}) == len(chosen)
    assert all(scores[r][c] > 0 for r, c in chosen)
    every = (sum(scores[r][c] for r, c in enumerate(columns)) for columns in permutations(range(4), len(scores)))
    assert sum(scores[r][c] for r, c in chosen) == pytest.approx(max(every))


@given(st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=2), max_size=6))
def test_more_rows_than_columns(scores: list[list[float]]) -> None:
    transposed = [list(column) for column in zip(*scores, strict=True)]
    total = sum(scores[r][c] for r, c in find_best_assignment(scores))
    assert total == pytest.approx(sum(transposed[r][c] for r, c in find_best_assignment(transposed)))


@given(st.text(max_size=40), st.text(max_size=40))
def test_overlap_is_a_symmetric_share(a: str, b: str) -> None:
    assert 0 <= compute_stem_overlap(a, b) <= 1
    assert compute_stem_overlap(a, b) == pytest.approx(compute_stem_overlap(b, a))


def test_overlap_is_the_same_in_each_run() -> None:
    texts = (
        "gate router memory module network layer feature data",
        "gate memory router decoder layer module data block",
    )
    program = f"from planner.matching import compute_stem_overlap; print(compute_stem_overlap{texts})"
    overlaps = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "13"  # the order of a set of words depends on the seed
    }
    assert len(overlaps) == 1


@pytest.mark.parametrize(
    ("word", "other"),
    [("normalization", "normalizing"), ("normalise", "normalised"), ("embeddings", "embedding"), ("gated", "gate")],
)
def test_stems_agree(word: str, other: str) -> None:
    assert stem_word(word) == stem_word(other)


def test_a_capital_inside_a_word_starts_a_new_one() -> None:
    assert split_words("CrossAttention of ResNet-50") == ["Cross", "Attention", "of", "Res", "Net", "50"]


def test_acronyms_are_expanded_by_the_other_text() -> None:
    assert expand_acronyms("a GCN layer", "graph convolutional network") == "a graph convolutional network layer"
    assert expand_acronyms("a GCN layer", "something else") == "a GCN layer"


@pytest.mark.parametrize(
    ("x", "y", "same"),
    [
        ("1e-5", "0.00001", True),
        ("γ = 0.5", "0.5", True),
        ("single layer", "1 layer", True),
        ("16x16", "16", True),
        ("16,000, as before", "16k.", True),
        ("mean pooling", "average over time", False),
        ("LSTM", "LSTM encoder", True),
        ("2-layer MLP", "2-layer MLP with ReLU", True),
    ],
)
def test_same_replacement(x: str, y: str, same: bool) -> None:
    assert is_same_replacement(x, y) is same is is_same_replacement(y, x)


def test_a_match_has_both_indices_and_the_similarity() -> None:
    assert match_ablations([remove(GATE)], [remove(GATE)]) == (Match(0, 0, 1.0),)
