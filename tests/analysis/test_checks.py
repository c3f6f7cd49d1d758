"""Warnings about a plan."""

import pytest

from planner.analysis.check import FindingKind, find_faults, locate_quotes_and_find_faults
from planner.analysis.passages import PaperIndex
from planner.analysis.repeats import RepeatSearch
from planner.parsing.reply import Reply
from planner.schema import Ablation, Action, Plan, Task
from tests.analysis.papers import PLAIN, P, T, index, paper, section


def join_warnings(part: str, *replacement: str, metric: str = "mAP", task: Task = Task.REVIEWER) -> str:
    action = Action.REPLACE if replacement else Action.REMOVE
    ablation = Ablation(name="Study", ablated_part=part, action=action, replacement=replacement, metrics=(metric,))
    reply = Reply(reasoning="", plan=Plan(ablations=(ablation,)))
    return "\n".join(locate_quotes_and_find_faults(reply, index(PLAIN, task)).warnings)


def test_a_missing_ablation_of_a_part_that_is_in_the_paper_is_not_warned_of() -> None:
    assert join_warnings("night contrast loss") == ""


def test_a_metric_that_is_not_in_the_paper() -> None:
    assert join_warnings("night contrast loss", metric="BLEU") == (
        "ablation 1 ('Study'): the metric 'BLEU' does not occur in the paper"
    )


@pytest.mark.parametrize("metric", ["mAP", "MAP", "hoot error rate", "HER"])
def test_a_metric_in_another_spelling_is_in_it(metric: str) -> None:
    assert "metric" not in join_warnings("night contrast loss", metric=metric)


def test_a_part_that_is_not_in_the_paper() -> None:
    assert "'speaker adversary' is not found in the paper" in join_warnings("speaker adversary")


def test_a_part_that_is_named_by_its_source_is_found() -> None:
    assert "not found" not in join_warnings("features that are taken from the echo memory")
    assert "not found" not in join_warnings("number of owls as a criterion of beauty")


def test_what_comes_from_one_source_is_one_part() -> None:
    plan = Plan(
        ablations=tuple(
            Ablation(name=part, ablated_part=part, action=Action.REPLACE, replacement=("noise",), metrics=("mAP",))
            for part in ("representations from the echo memory", "features taken from the echo memory")
        )
    )
    findings = find_faults(plan, (), index(PLAIN, Task.AUTHOR))
    assert [(finding.ablation_index, finding.kind) for finding in findings] == [(1, FindingKind.SAME_PART)]


def test_the_words_of_a_part_must_stand_together() -> None:
    assert "not found" in join_warnings("wavelet memory contrast")


SHORE = paper(
    section("Method", (P, "A tide clock drives the sampler. Its cost matrix weighs the paths of owls near shores.")),
    section("Related work", (P, "Others train a discriminator that is adversarial.")),
    section("Results", (P, "We report the hoot rate. The mean of all errors is scaled, and absolute silence is rare.")),
    section("Discussion", (P, "No referee is impartial. We denoise the tides."), (P, "A hostile owl hoots.")),
    section(
        "Setup", (P, "A network hears each hoot of owls."), (P, "Gating the tides, owls sleep after a re-ranking.")
    ),
)


@pytest.mark.parametrize(
    ("part", "is_found"),
    [
        ("clock of the tide sampler", True),
        ("setting the clock that drives the sampler", True),
        ("closeness of owls to the shore", True),
        ("a single middle part", True),
        ("tide clock with a wavelet prior", False),
        ("harmonic memory bank for the sampler", False),
        ("pre-sampler of silence", False),
        ("denoising of tides", True),
        ("adversarial scores of the tide clock", False),
        ("division of the cost before the paths are weighed", True),
        ("contrastive loss of the sampler", False),
        ("rate of DropTide in the sampler", False),
        ("reranking after which owls sleep", True),
        ("gating network that drives the sampler", False),
        ("network of hoots", True),
    ],
)
def test_a_part_may_be_told_in_other_words_but_not_in_foreign_ones(part: str, is_found: bool) -> None:
    ablation = Ablation(name="Study", ablated_part=part, action=Action.REMOVE, metrics=("hoot rate",))
    findings = find_faults(Plan(ablations=(ablation,)), (), index(SHORE))
    assert ([finding.kind for finding in findings] == []) is is_found, findings


def test_a_count_is_no_name() -> None:
    assert "not found" not in join_warnings("four layers of the spectral gating unit")


def test_a_metric_of_the_paper_may_stand_among_related_work() -> None:
    related = section(
        "Related work",
        (P, "Others measure the moon error."),
        (P, "In Figure 3, we evaluate two owls, and their tide error is high."),
        (T, "0 1\n2 3\nTable 1: The dusk error of owls."),
    )
    source = index(paper(section("Method", (P, "A tide clock drives the owls.")), related))
    plan = [
        Ablation(name=metric, ablated_part="tide clock", action=Action.REMOVE, metrics=(metric,))
        for metric in ("moon error", "tide error", "dusk error")
    ]
    findings = find_faults(Plan(ablations=tuple(plan)), (), source)
    assert [each.ablation_name for each in findings if each.kind is FindingKind.METRIC_NOT_FOUND] == ["moon error"]


def test_the_words_of_a_metric_must_stand_beside_each_other() -> None:
    kinds = [
        {f.kind for f in find_faults(Plan(ablations=(ablation,)), (), index(SHORE))}
        for metric in ("mean silence of paths", "rate of hoots along the shore")
        if (ablation := Ablation(name="n", ablated_part="tide clock", action=Action.REMOVE, metrics=(metric,)))
    ]
    assert kinds == [{FindingKind.METRIC_NOT_FOUND}, set()]


@pytest.mark.parametrize("part", ["the echo memory", "SGU", "spectral gating unit"])
def test_the_reviewer_is_warned_of_an_ablation_that_the_paper_reports(part: str) -> None:
    assert "seems to report an ablation of" in join_warnings(part)
    assert "under '4.2 Ablation Study'" in join_warnings(part)


def test_the_author_is_not_warned_of_a_reported_ablation() -> None:
    assert join_warnings("echo memory", task=Task.AUTHOR) == ""


def test_another_replacement_is_another_ablation() -> None:
    assert "already" in join_warnings("log-mel front end", "raw waveforms")
    assert "already" not in join_warnings("log-mel front end", "a learned filter bank")
    assert "already" not in join_warnings("log-mel front end")


def test_what_is_said_of_an_aspect_of_a_part_is_not_said_of_the_part() -> None:
    text = "We evaluate the effect of the kernel size s in OwlGate, and the number of OwlGate blocks is effective too."
    source = index(
        paper(
            section("Method", (P, "We propose the OwlGate. OwlGate is a tide gate.")),
            section("Ablation study", (P, text)),
        )
    )
    plan = [
        Ablation(name=part, ablated_part=part, action=Action.REMOVE, metrics=("loss",))
        for part in ("OwlGate on the outer branch", "kernel size s in OwlGate")
    ]
    faults = [(each.ablation_index, each.kind) for each in find_faults(Plan(ablations=tuple(plan)), (), source)]
    assert (1, FindingKind.ALREADY_REPORTED) in faults
    assert (0, FindingKind.ALREADY_REPORTED) not in faults


def test_a_name_says_after_without_which_part_is_meant() -> None:
    ablation = Ablation(name="SGU without its lens", ablated_part="lens", action=Action.REMOVE, metrics=("mAP",))
    kinds = {finding.kind for finding in find_faults(Plan(ablations=(ablation,)), (), index(PLAIN))}
    assert FindingKind.ALREADY_REPORTED not in kinds


def test_each_warning_names_its_ablation() -> None:
    plan = Plan(
        ablations=tuple(
            Ablation(name=name, ablated_part="echo memory", action=Action.REMOVE, metrics=("mAP",)) for name in "ab"
        )
    )
    assert [w[:16] for w in locate_quotes_and_find_faults(Reply(reasoning="", plan=plan), index(PLAIN)).warnings] == [
        "ablation 1 ('a')",
        "ablation 2 ('b')",
    ]


def test_nothing_reported_repeats_nothing() -> None:
    ablation = Ablation(name="n", ablated_part="echo memory", action=Action.REMOVE, metrics=("mAP",))
    assert RepeatSearch(PaperIndex(Task.REVIEWER, ())).find_repeated_study(ablation) is None
    assert RepeatSearch(index(PLAIN)).find_repeated_study(ablation) is not None
