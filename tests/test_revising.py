"""The strategy `revise`: a draft, what the program finds wrong in it, and one more request."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.chat import Completion
from planner.details import FindingResponse, RejectionReason
from planner.errors import ModelError, Outcome
from planner.models.fake import FakeModel
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import PlanOutput, plan_to_folder, rebuild_trajectory_from_record
from planner.schema import Task
from tests.papers_made import paper
from tests.scripted import contract

SETTINGS = PlanSettings(Task.REVIEWER, k=3, strategy="revise")
QUOTE = "The harmonic residual gate bounds the residual."
SOUND: dict[str, Any] = {
    "name": "No gate",
    "ablated_part": "harmonic residual gate",
    "action": "REMOVE",
    "metrics": ["MAE"],
    "evidence": QUOTE,
    "chance": 80,
}
INVENTED = {**SOUND, "evidence": "Our astounding flux capacitor doubles every single score that we ever report."}
FOREIGN = {**SOUND, "name": "No capacitor", "ablated_part": "quantum flux capacitor", "chance": 70}


def reply(*ablations: dict[str, Any], why: str = "Because.") -> str:
    return contract(why, ablations)


def plan(folder: Path, *answers: str | Completion | Exception) -> tuple[PlanOutput, FakeModel]:
    return plan_with(folder, SETTINGS, *answers)


def plan_with(
    folder: Path, settings: PlanSettings, *answers: str | Completion | Exception
) -> tuple[PlanOutput, FakeModel]:
    model = FakeModel(*answers)
    return asyncio.run(plan_to_folder(folder, paper(), model, settings, lambda _: 0.5)), model


def names(done: PlanOutput) -> list[str]:
    assert done.trajectory is not None
    return [each.name for each in done.trajectory.plan.ablations]


def test_a_plan_without_faults_takes_one_request(tmp_path: Path) -> None:
    done, model = plan(tmp_path, reply(SOUND))
    assert len(model.prompts) == 1
    assert done.record.revisions == ()
    assert done.record.strategy == "revise"


def test_the_second_request_shows_the_draft_and_its_faults(tmp_path: Path) -> None:
    _, model = plan(tmp_path, reply(INVENTED, FOREIGN), reply(SOUND))
    first, second = model.prompts
    assert second.messages[:2] == first.messages
    assert second.messages[2].content == reply(INVENTED, FOREIGN)
    assert "flux capacitor doubles" in second.messages[3].content
    assert "\n2. ablation 2 ('No capacitor')" in second.messages[3].content


def test_what_was_done_about_each_fault_is_kept_with_the_reason(tmp_path: Path) -> None:
    odd = {**SOUND, "name": "Odd metric", "metrics": ["BLEU"], "chance": 60}
    why = (
        "Finding 1: mended, because the sentence is another.\n- **Finding 2**: withdrawn, because it is not there.\n"
        "Finding 3: defended. BLEU is meant.\nThe gate is never removed."
    )
    done, _ = plan(tmp_path, reply(INVENTED, FOREIGN, odd), reply(SOUND, odd, why=why))
    assert names(done) == ["No gate", "Odd metric"]
    by_name = {each.name: each for each in done.record.revisions}
    assert {name: each.response for name, each in by_name.items()} == {
        "No gate": FindingResponse.MENDED,
        "No capacitor": FindingResponse.WITHDRAWN,
        "Odd metric": FindingResponse.DEFENDED,
    }
    assert by_name["No gate"].why == "the sentence is another."
    assert by_name["No capacitor"].why == "it is not there."
    assert [(each.name, each.why) for each in done.record.considered] == [("No capacitor", RejectionReason.WITHDRAWN)]
    assert not [warning for warning in done.record.warnings if "BLEU" in warning], "it stands among the revisions"
    assert [step.step for step in done.record.attempts] == ["", "revise"]
    assert rebuild_trajectory_from_record(done.record) == done.trajectory


def test_what_the_model_changes_by_itself_is_kept_with_the_reason(tmp_path: Path) -> None:
    twin = {**SOUND, "name": "Gate's twin", "ablated_part": "residual", "chance": 75}
    wider = {**SOUND, "name": "Wider layers", "ablated_part": "layers", "chance": 65}
    same = {**SOUND, "name": "Untouched", "ablated_part": "the residual path", "chance": 60}
    why = (
        "Finding 1: withdrawn, because it is not there.\n"
        "Ablation 'Gate's twin': withdrawn, because Table 3 reports it.\n"
        '**Ablation "Wider layers"**: mended, because the paper has two.\nThe gate is never removed.'
    )
    mended = {**wider, "action": "REPLACE", "replacement": ["four layers"]}
    revised = reply(SOUND, mended, {**same, "chance": 55}, why=why)
    done, _ = plan_with(tmp_path, replace(SETTINGS, k=5), reply(SOUND, FOREIGN, twin, wider, same), revised)
    own = {each.name: each for each in done.record.revisions if each.finding.startswith("found by the model")}
    assert {name: (each.response, each.why) for name, each in own.items()} == {
        "Gate's twin": (FindingResponse.WITHDRAWN, "Table 3 reports it."),
        "Wider layers": (FindingResponse.MENDED, "the paper has two."),
    }


def test_a_quote_that_is_defended_is_absent_still(tmp_path: Path) -> None:
    done, _ = plan(tmp_path, reply(INVENTED), reply(INVENTED, why="Finding 1: defended. It is there."))
    assert [each.response for each in done.record.revisions] == [FindingResponse.DEFENDED]
    assert any("flux capacitor" in warning for warning in done.record.warnings)


@pytest.mark.parametrize(
    "answers",
    [
        (ModelError("the endpoint is gone"),),
        (Completion("cut", finish_reason="length"),),
        ("no plan at all",) * 3,
    ],
)
def test_a_failed_second_request_leaves_the_draft(tmp_path: Path, answers: tuple[Any, ...]) -> None:
    done, _ = plan(tmp_path, reply(INVENTED), *answers)
    assert names(done) == ["No gate"]
    assert done.record.outcome is Outcome.PLANNED
    assert any("was not revised" in warning for warning in done.record.warnings)
    assert any("flux capacitor" in warning for warning in done.record.warnings)


def test_a_second_request_that_may_succeed_later_leaves_the_paper_for_later(tmp_path: Path) -> None:
    failed, _ = plan(tmp_path, reply(INVENTED), ModelError("the endpoint is busy", retryable=True))
    assert failed.record.outcome is Outcome.MODEL_ERROR
    done, model = plan(tmp_path, reply(SOUND))
    assert [prompt.step for prompt in model.prompts] == ["revise"]
    assert done.record.outcome is Outcome.PLANNED
    assert done.record.revisions[0].response is FindingResponse.MENDED


def test_the_same_command_sends_nothing_again(tmp_path: Path) -> None:
    done, _ = plan(tmp_path, reply(INVENTED), reply(SOUND))
    again, model = plan(tmp_path)
    assert not model.prompts
    assert again.trajectory == done.trajectory
    assert again.record.revisions == done.record.revisions


def test_a_request_that_failed_is_sent_again_and_the_draft_is_not(tmp_path: Path) -> None:
    plan(tmp_path, reply(INVENTED), ModelError("the endpoint is gone"))
    done, model = plan(tmp_path, reply(SOUND))
    assert [prompt.step for prompt in model.prompts] == ["revise"]
    assert done.record.revisions[0].response is FindingResponse.MENDED
