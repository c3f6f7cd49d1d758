"""The ablations that several models propose are the matcher's pairs, between models, within a task."""

from planner.matching import MAX_ABLATIONS
from planner.schema import Task
from planner.site.entries import create_planned_entry
from planner.site.views import build_paper_view, group_shared_ablations
from tests.site.made import CODEBOOK, LOSS, ROUTER, ROUTER_TOO, WARMUP, trajectory


def test_what_two_models_propose_is_marked_on_both_sides() -> None:
    entries = [
        create_planned_entry(trajectory(model="a", ablations=(ROUTER, LOSS))),
        create_planned_entry(trajectory(model="b", ablations=(WARMUP, ROUTER_TOO))),
        create_planned_entry(trajectory(model="c", ablations=(LOSS, CODEBOOK))),
    ]
    cards = [card for panel in build_paper_view(entries).panels for card in panel.cards]
    assert {card.anchor: [link.anchor for link in card.matches] for card in cards if card.matches} == {
        "a/1": ["b/2"],
        "b/2": ["a/1"],
        "a/2": ["c/1"],
        "c/1": ["a/2"],
    }
    assert group_shared_ablations(entries) == (((0, 0), (1, 1)), ((0, 1), (2, 0)))


def test_the_group_of_most_models_comes_first() -> None:
    entries = [
        create_planned_entry(trajectory(model=m, ablations=a))
        for m, a in (("a", (ROUTER, LOSS)), ("b", (ROUTER, LOSS)), ("c", (LOSS,)))
    ]
    assert group_shared_ablations(entries)[0] == ((0, 1), (1, 1), (2, 0))


def test_one_model_does_not_agree_with_itself_nor_a_reviewer_with_an_author() -> None:
    again = [create_planned_entry(trajectory(), run) for run in ("one", "two")]
    assert group_shared_ablations(again) == ()
    tasks = [create_planned_entry(trajectory(model=m, task=t)) for m, t in (("a", Task.REVIEWER), ("b", Task.AUTHOR))]
    assert group_shared_ablations(tasks) == ()


def test_a_plan_without_end_costs_no_hours() -> None:
    long = ROUTER.model_copy(update={"ablated_part": "router " * 20_000, "replacement": ("hash routing " * 1000,) * 50})
    entries = [create_planned_entry(trajectory(model=m, ablations=(long,) * 300)) for m in ("a", "b")]
    assert 0 < len(group_shared_ablations(entries)) <= MAX_ABLATIONS
