"""Which ablations several models propose: the matcher's pairs, between models, within a task."""

from planner.schema import Task
from planner.site.agreement import MAX_ABLATIONS, Place, agreement
from planner.site.entries import from_trajectory
from tests.site.made import CODEBOOK, LOSS, ROUTER, ROUTER_TOO, WARMUP, trajectory


def test_what_two_models_propose_is_marked_on_both_sides() -> None:
    entries = [
        from_trajectory(trajectory(model="a", ablations=(ROUTER, LOSS))),
        from_trajectory(trajectory(model="b", ablations=(WARMUP, ROUTER_TOO))),
        from_trajectory(trajectory(model="c", ablations=(LOSS, CODEBOOK))),
    ]
    found = agreement(entries)
    assert found.twins == {
        Place(0, 0): (Place(1, 1),),
        Place(1, 1): (Place(0, 0),),
        Place(0, 1): (Place(2, 0),),
        Place(2, 0): (Place(0, 1),),
    }
    assert found.groups == ((Place(0, 0), Place(1, 1)), (Place(0, 1), Place(2, 0)))


def test_the_group_of_most_models_comes_first() -> None:
    entries = [
        from_trajectory(trajectory(model=m, ablations=a))
        for m, a in (("a", (ROUTER, LOSS)), ("b", (ROUTER, LOSS)), ("c", (LOSS,)))
    ]
    assert agreement(entries).groups[0] == (Place(0, 1), Place(1, 1), Place(2, 0))


def test_one_model_does_not_agree_with_itself_nor_a_reviewer_with_an_author() -> None:
    again = [from_trajectory(trajectory(), run) for run in ("one", "two")]
    assert agreement(again).groups == ()
    tasks = [from_trajectory(trajectory(model=m, task=t)) for m, t in (("a", Task.REVIEWER), ("b", Task.AUTHOR))]
    assert agreement(tasks).groups == ()


def test_a_plan_without_end_costs_no_hours() -> None:
    long = ROUTER.model_copy(update={"ablated_part": "router " * 20_000, "replacement": ("hash routing " * 1000,) * 50})
    entries = [from_trajectory(trajectory(model=m, ablations=(long,) * 300)) for m in ("a", "b")]
    found = agreement(entries)
    assert 0 < len(found.twins) <= 2 * MAX_ABLATIONS
