"""What a plan is warned of, and what it is not."""

import pytest

from planner.analysis.analyse import analyse_paper, check_plan, find_repeated_ablation
from planner.schema import Ablation, Action, Plan, Task
from tests.analysis.papers import PLAIN


def warned(part: str, *replacement: str, metric: str = "mAP", task: Task = Task.REVIEWER) -> str:
    action = Action.REPLACE if replacement else Action.REMOVE
    one = Ablation(name="Study", ablated_part=part, action=action, replacement=replacement, metrics=(metric,))
    return "\n".join(check_plan(Plan(ablations=(one,)), PLAIN, task))


def test_a_missing_ablation_of_a_part_that_is_there_is_not_warned_of() -> None:
    assert warned("night contrast loss") == ""


def test_a_metric_that_is_not_in_the_paper() -> None:
    assert warned("night contrast loss", metric="BLEU") == (
        "ablation 1 ('Study'): the metric 'BLEU' does not occur in the paper"
    )


@pytest.mark.parametrize("metric", ["mAP", "MAP", "hoot error rate", "HER"])
def test_a_metric_in_another_spelling_is_in_it(metric: str) -> None:
    assert "metric" not in warned("night contrast loss", metric=metric)


def test_a_part_that_is_not_in_the_paper() -> None:
    assert "'speaker adversary' is not found in the paper" in warned("speaker adversary")


def test_the_words_of_a_part_must_stand_together() -> None:
    assert "not found" in warned("wavelet memory contrast")


@pytest.mark.parametrize("part", ["the echo memory", "SGU", "spectral gating unit"])
def test_the_reviewer_is_told_what_the_paper_reports_already(part: str) -> None:
    assert "seems to report an ablation of" in warned(part)
    assert "under '4.2 Ablation Study'" in warned(part)


def test_the_author_is_not() -> None:
    assert warned("echo memory", task=Task.AUTHOR) == ""


def test_another_replacement_is_another_ablation() -> None:
    assert "already" in warned("log-mel front end", "raw waveforms")
    assert "already" not in warned("log-mel front end", "a learned filter bank")
    assert "already" not in warned("log-mel front end")


def test_each_warning_names_its_ablation() -> None:
    plan = Plan(
        ablations=tuple(
            Ablation(name=name, ablated_part="echo memory", action=Action.REMOVE, metrics=("mAP",)) for name in "ab"
        )
    )
    assert [w[:16] for w in check_plan(plan, PLAIN, Task.REVIEWER)] == ["ablation 1 ('a')", "ablation 2 ('b')"]


def test_nothing_reported_repeats_nothing() -> None:
    one = Ablation(name="n", ablated_part="echo memory", action=Action.REMOVE, metrics=("mAP",))
    assert find_repeated_ablation(one, ()) is None
    assert find_repeated_ablation(one, analyse_paper(PLAIN).reported_ablations) is not None
