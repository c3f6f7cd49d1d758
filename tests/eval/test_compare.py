"""Comparing planners, worked by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.compare import compare_systems
from eval.plans import PlannedPaper, System
from eval.report.compare import build_comparison_document
from eval.report.document import render_html, render_markdown
from planner.errors import UsageError
from planner.schema import Ablation, Action, Task
from tests.eval.made import DEPTH, GATE, LOSS, POOL

ALL = (GATE, LOSS, POOL, DEPTH)


def planner(name: str, **papers: tuple[Ablation, ...]) -> System:
    made = {
        p: PlannedPaper(p, "made", ablations=ablations, reasoning="some words here") for p, ablations in papers.items()
    }
    return System(name, Task.AUTHOR, made)


def test_three_planners_by_hand() -> None:
    comparison = compare_systems(
        [
            planner("a", x=(GATE, LOSS), y=(POOL,)),
            planner("b", x=(GATE, POOL), y=(DEPTH,)),
            planner("c", x=(GATE,), y=(POOL,)),
        ],
        Task.AUTHOR,
    )
    assert comparison.papers == ("x", "y")
    shown = {(proposal.paper, proposal.ablation.name): proposal.systems for proposal in comparison.proposals}
    assert shown == {
        ("x", "gate"): ("a", "b", "c"),
        ("x", "loss"): ("a",),
        ("x", "pooling"): ("b",),
        ("y", "pooling"): ("a", "c"),
        ("y", "depth"): ("b",),
    }
    assert [comparison.count_shared_by(n) for n in (1, 2, 3)] == [3, 1, 1]
    agreement = {(pair.a, pair.b): pair.agreement.mean for pair in comparison.pairs}
    assert agreement == {("a", "b"): 0.25, ("a", "c"): pytest.approx((2 / 3 + 1) / 2), ("b", "c"): pytest.approx(1 / 3)}
    chance = {(pair.a, pair.b): pair.chance_agreement for pair in comparison.pairs}
    assert chance["a", "b"] == pytest.approx((0 + 2 / 3) / 2), "b's pooling for x against a's for y"
    (a, b, _) = comparison.profiles
    assert (a.ablation_count, a.ablations_per_plan, a.action_counts[Action.REMOVE], a.mean_replacements) == (
        3,
        1.5,
        2,
        2.0,
    )
    assert (a.median_reasoning_words, a.unique_share) == (3, pytest.approx(1 / 3))
    assert b.unique_share == pytest.approx(2 / 3)


def test_only_papers_that_all_have_are_compared() -> None:
    comparison = compare_systems([planner("a", x=(GATE,), y=(LOSS,)), planner("b", x=(GATE,), z=(LOSS,))], Task.AUTHOR)
    assert (comparison.papers, comparison.omitted_paper_count) == (("x",), 2)


def test_nothing_in_common_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="no paper has a plan of every system"):
        compare_systems([planner("a", x=(GATE,)), planner("b", y=(GATE,))], Task.AUTHOR)
    with pytest.raises(UsageError, match="two systems or more"):
        compare_systems([planner("a", x=(GATE,))], Task.AUTHOR)


plans = st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique=True).map(tuple)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.fixed_dictionaries({"x": plans, "y": plans}), min_size=2, max_size=4))
def test_what_must_always_hold(made: list[dict[str, tuple[Ablation, ...]]]) -> None:
    comparison = compare_systems([planner(f"s{n}", **papers) for n, papers in enumerate(made)], Task.AUTHOR)
    for paper in ("x", "y"):
        union = {ablation.name for papers in made for ablation in papers[paper]}
        assert {proposal.ablation.name for proposal in comparison.proposals if proposal.paper == paper} == union
    assert all(0 <= pair.agreement.low <= pair.agreement.high <= 1 for pair in comparison.pairs)
    assert sum(comparison.count_shared_by(n) for n in range(1, len(made) + 1)) == len(comparison.proposals)
    document = build_comparison_document([comparison], with_pictures=False)
    assert "Author task" in render_markdown(document)
    assert "<table>" in render_html(document)


def test_one_planner_twice_agrees_with_itself() -> None:
    papers = {"x": (GATE, LOSS), "y": (POOL, DEPTH)}
    comparison = compare_systems([planner("a", **papers), planner("b", **papers)], Task.AUTHOR)
    assert comparison.pairs[0].agreement.mean == 1.0
    assert [profile.unique_share for profile in comparison.profiles] == [0.0, 0.0]


def read_findings(*systems: System) -> str:
    return "\n".join(build_comparison_document([compare_systems(systems, Task.AUTHOR)], with_pictures=False).lead[1:])


def test_findings_do_not_contrast_two_systems_that_are_alike() -> None:
    papers = {"x": (GATE, LOSS), "y": (POOL, DEPTH)}
    text = read_findings(planner("a", **papers), planner("b", **papers))
    assert "most" not in text.replace("at most", "").replace("must", ""), text
    assert "100 % by both systems." in text
    assert (
        "Agreement of two systems' plans, from 0 to 1, with its 95 % interval: 1.00, 1.00 to 1.00 for a and b." in text
    )
    assert "Share of the ablations that remove a part: 50 % for a and b." in text


def test_findings_name_all_that_have_the_most() -> None:
    text = read_findings(planner("a", x=(GATE,)), planner("b", x=(GATE,)), planner("c", x=(POOL,)))
    assert "Share of the ablations that remove a part: most for a and b (100 %), least for c (0 %)." in text


def test_findings_say_how_many_studies_the_pages_and_combine_join() -> None:
    doubtful = GATE.model_copy(update={"name": "decoder", "ablated_part": "residual gate of the decoder and encoder"})
    for other, joined in ((GATE, 1), (doubtful, 0)):
        text = read_findings(planner("a", x=(GATE,)), planner("b", x=(other,)))
        assert "1 of them are proposed by more than one system" in text
        assert f"show {joined} such studies, since they join two ablations only if they are surely the same" in text
