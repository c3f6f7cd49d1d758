"""Groups of the same ablation in several plans: sure, at most one of each plan, and right when they were read."""

import json
from itertools import chain, combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.matching import MAX_ABLATIONS, SURE_SIMILARITY, SURENESS, compute_ablation_similarity, group_ablations
from planner.schema import Ablation
from planner.trajectory.reader import read_trajectory
from tests.matching.plans import ABLATIONS, remove, replace

JOINS = [json.loads(line) for line in Path(__file__).with_name("joins.jsonl").read_text(encoding="utf-8").splitlines()]
GATE = "gated fusion unit"
POOLING = "sorted pooling operation"


def test_the_same_ablation_of_three_plans_is_one_group() -> None:
    plans = [[remove("echo memory"), remove(GATE)], [remove("gated unit for fusion")], [replace(GATE, "no gate")]]
    assert group_ablations(plans) == (((0, 0),), ((0, 1), (1, 0), (2, 0)))


def test_two_ablations_of_one_plan_are_never_one_group() -> None:
    plans = [[remove(GATE), remove(GATE)], [remove(GATE)]]
    assert group_ablations(plans) == (((0, 0), (1, 0)), ((0, 1),))


def test_each_two_ablations_of_a_group_are_the_same() -> None:
    """The second is the same as both others, which differ: they replace the part by different things."""
    plans = [[replace(GATE, "a sum")], [replace(GATE, "a sum", "cross-attention")], [replace(GATE, "cross-attention")]]
    assert group_ablations(plans) == (((0, 0), (1, 0)), ((2, 0),))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (replace(POOLING, "random pooling"), replace(POOLING, "average pooling")),
        (replace("hashing function", "cuckoo hashing"), replace("hashing function", "learned hashing function")),
        (remove("cross-row attention module in the decoder"), remove("tied-row attention mechanism")),
        (remove("2086 ± 140 | 193 ± 58", "No experts"), remove("2060 ± 277 | 196 ± 50", "No experts")),
        (remove("1.5 (2)", "No experts"), remove("1.5 (2)", "No experts")),
    ],
)
def test_what_is_only_alike_is_not_joined(a: Ablation, b: Ablation) -> None:
    assert len(group_ablations([[a], [b]])) == 2


@pytest.mark.parametrize(
    ("part", "opposite"),
    [
        ("RL in stationary MDPs", "non-stationary RL, as modeled by MDPs"),
        ("non-local attention", "local attention"),
        ("NonLocal attention block", "local attention block"),
        ("nonlinear projection head", "linear projection head"),
        ("the non stationary kernel", "the stationary kernel"),
        ("unpaired image translation loss", "paired image translation loss"),
        ("inexact line search solver", "exact line search solver"),
        ("asymmetric quantization of weights", "symmetric quantization of weights"),
        ("contrastive loss with label smoothing", "contrastive loss without label smoothing"),
        ("contrastive loss w/o label smoothing", "contrastive loss with label smoothing"),
        ("inner-loop learning rate", "outer-loop learning rate"),
        ("local message passing graph", "global message passing graph"),
        ("forward consistency flow loss", "backward consistency flow loss"),
        ("first convolution residual block", "last convolution residual block"),
        ("higher resolution feature pyramid", "lower resolution feature pyramid"),
        ("hard label distillation", "soft labels for distillation"),
        ("On-policy replay buffer", "off-policy replay buffer"),
        ("in-domain pretraining corpus", "out-of-domain pretraining corpus"),
        ("intraclass contrastive margin", "inter-class contrastive margin"),
        ("pre-normalization residual branch", "postnormalization residual branch"),
        ("min-pooling graph readout", "max-pooling graph readout"),
        ("dropout before attention projection", "dropout after attention projection"),
        ("source domain discriminator", "target domain discriminator"),
        ("teacher temperature schedule", "student temperature schedule"),
        ("training time augmentation crops", "test time augmentation crops"),
        ("query projection bias vector", "key projection bias vector"),
        ("key projection bias vector", "value projection bias vector"),
        ("encoder skip connection gate", "decoder skip connection gate"),
    ],
)
def test_opposites_are_not_joined(part: str, opposite: str) -> None:
    assert len(group_ablations([[remove(part)], [remove(opposite)]])) == 2
    assert len(group_ablations([[replace(opposite, "a sum")], [replace(part, "a sum")]])) == 2


def test_opposites_in_names_or_replacements_are_not_joined() -> None:
    names = [[remove(GATE, "Static graph fusion")], [remove(GATE, "Dynamic graph fusion")]]
    kernels = [[replace(GATE, f"{word} Gaussian process kernel")] for word in ("stationary", "non-stationary")]
    assert len(group_ablations(names)) == len(group_ablations(kernels)) == 2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (remove("non-local attention"), remove("the non local attention")),
        (remove("non-local attention over local windows"), remove("local windows of non-local attention")),
        (remove("encoder-decoder attention"), remove("attention of encoder and decoder")),
        (remove("cross-modal attention maps"), remove("attention maps across modal inputs")),
        (replace("dynamic graph", "a static graph", name="Static graph"), replace("dynamic graph", "static graph")),
        (replace(GATE, "no gate"), replace(GATE, "model without gates")),
        (
            remove("inner product loss", "Inner loss and outer"),
            remove("inner product loss", "Outer loss"),
        ),
    ],
)
def test_a_study_in_other_words_is_joined_still(a: Ablation, b: Ablation) -> None:
    assert len(group_ablations([[a], [b]])) == 1


@given(st.lists(st.lists(ABLATIONS, max_size=4), max_size=4))
def test_groups_hold_each_ablation_once_and_are_sure(plans: list[list[Ablation]]) -> None:
    groups = group_ablations(plans)
    assert sorted(chain.from_iterable(groups)) == [(n, i) for n, plan in enumerate(plans) for i in range(len(plan))]
    for group in groups:
        assert len({number for number, _ in group}) == len(group)
        for (a, i), (b, j) in combinations(group, 2):
            assert compute_ablation_similarity(plans[a][i], plans[b][j]) >= SURE_SIMILARITY


def test_a_plan_without_end_is_compared_in_part() -> None:
    groups = group_ablations([[remove(f"part number {n}") for n in range(300)]] * 2)
    assert sum(len(group) == 2 for group in groups) <= MAX_ABLATIONS
    assert sum(map(len, groups)) == 600


def test_nine_in_ten_joins_were_right_when_read() -> None:
    assert len(JOINS) == 120
    assert all(join["why"] for join in JOINS)
    right = sum(join["same"] for join in JOINS)
    assert f"Of {len(JOINS)} joins" in SURENESS
    assert f"{right} are right ({right / len(JOINS):.0%}".replace("%", " %") in SURENESS
    assert right / len(JOINS) >= 0.9


@pytest.mark.shared
def test_the_joins_that_were_read_are_still_made(shared: Path) -> None:
    for join in JOINS:
        name, folder = join["a"].rsplit("/", 1)[1], shared / join["a"]
        files = sorted(folder.parents[1].glob(f"*/{name}"))
        trajectories = [read_trajectory(file) for file in files]
        task = trajectories[files.index(folder)].task
        plans = [trajectory.plan.ablations if trajectory.task is task else () for trajectory in trajectories]
        places = [(files.index(shared / join[side]), join[f"{side}_item"] - 1) for side in ("a", "b")]
        assert any(set(places) <= set(group) for group in group_ablations(plans)), join
