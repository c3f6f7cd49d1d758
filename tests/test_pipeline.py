"""The heart: every way in which the planning of one paper ends."""

import asyncio
from dataclasses import replace

import pytest

from planner.chat import Completion, Usage
from planner.errors import BudgetExceeded, ModelError, Outcome, TooLongError
from planner.models.fake import FakeModel
from planner.planning.first_prompt import PlanSettings
from planner.planning.plan import PlanResult, plan_paper
from planner.schema import Action, Task
from tests.papers_made import paper
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract

REVIEW = PlanSettings(Task.REVIEWER, k=2)


def plan(model: FakeModel, settings: PlanSettings = REVIEW, **changes: object) -> PlanResult:
    return asyncio.run(plan_paper(paper(**changes), model, settings))


def test_a_good_reply_becomes_a_trajectory() -> None:
    planning = plan(FakeModel(GOOD_REPLY, name="gpt-4o"))
    assert planning.outcome is Outcome.PLANNED
    assert planning.trajectory is not None
    assert planning.trajectory.model == "gpt-4o"
    assert planning.trajectory.paper_id == "A_Paper"
    assert planning.trajectory.reasoning == "The gate is never removed."
    assert [a.action for a in planning.trajectory.plan.ablations] == [Action.REMOVE]


def test_the_reviewer_sees_the_results_and_not_the_references() -> None:
    model = FakeModel(GOOD_REPLY)
    plan(model)
    sent = model.prompts[0].messages[-1].content
    assert "MAE falls to 0.085." in sent
    assert "Moreau 2009." not in sent


def test_the_author_sees_nothing_from_the_experiments_on() -> None:
    model = FakeModel(GOOD_REPLY)
    planning = plan(model, PlanSettings(Task.AUTHOR, k=5))
    sent = model.prompts[0].messages[-1].content
    assert "bounds the residual" in sent
    assert "0.085" not in sent
    assert planning.paper_prompt is not None
    assert [part.heading for part in planning.paper_prompt.omissions] == ["Experiments", "References"]


def test_the_author_task_needs_a_place_to_cut() -> None:
    whole = paper()
    planning = plan(FakeModel(), PlanSettings(Task.AUTHOR, k=5), sections=whole.sections[:2])
    assert planning.outcome is Outcome.PAPER_ERROR
    assert "--cut-at" in planning.reason


def test_a_repaired_character_is_not_why_a_planner_of_ones_own_has_no_plan() -> None:
    model = FakeModel("No plan \ud800 here.")
    model.info = replace(model.info, planner="my-planner")
    planning = plan(model, replace(REVIEW, reasks=0))
    assert (planning.outcome, planning.reason) == (Outcome.INVALID, "there is no <predictions> block")
    assert planning.warnings[-1] == "an invalid character (half a surrogate pair) was replaced"


def test_an_invalid_reply_is_asked_for_again_with_its_findings() -> None:
    bad = contract("Why.", [{**GOOD_ABLATION, "action": "REPLACE"}])
    model = FakeModel(bad, GOOD_REPLY)
    planning = plan(model)
    assert planning.outcome is Outcome.PLANNED
    assert [a.outcome for a in planning.attempts] == [Outcome.INVALID, Outcome.PLANNED]
    again = model.prompts[1].messages
    assert again[: len(model.prompts[0].messages)] == model.prompts[0].messages
    assert any(planning.attempts[0].findings[0] in message.content for message in again[2:])


def test_invalid_three_times_is_invalid_with_the_reason() -> None:
    bad = contract("Why.", [{**GOOD_ABLATION, "action": "REPLACE"}])
    model = FakeModel(bad, bad, bad)
    planning = plan(model)
    assert planning.outcome is Outcome.INVALID
    assert "replacement" in planning.reason
    assert len(model.prompts) == 3


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        (Completion(GOOD_REPLY[:-40], finish_reason="length"), Outcome.TRUNCATED),
        (Completion(GOOD_REPLY, finish_reason="length"), Outcome.TRUNCATED),
        (Completion("", finish_reason="content_filter"), Outcome.REFUSED),
        (Completion("", refusal="I will not.", finish_reason="stop"), Outcome.REFUSED),
        (Completion(""), Outcome.EMPTY),
    ],
)
def test_a_cut_refused_or_empty_reply_is_not_asked_for_again(completion: Completion, outcome: Outcome) -> None:
    model = FakeModel(completion)
    planning = plan(model)
    assert planning.outcome is outcome
    assert planning.trajectory is None
    assert planning.attempts[0].completion == completion
    assert len(model.prompts) == 1


ENDED_EMPTY = Completion("", finish_reason="stop")


@pytest.mark.parametrize("blank", [ENDED_EMPTY, Completion(" \n", finish_reason="stop")])
def test_an_empty_reply_is_asked_for_once_more_as_the_next_sample(blank: Completion) -> None:
    model = FakeModel(blank, GOOD_REPLY)
    planning = plan(model)
    assert planning.outcome is Outcome.PLANNED
    assert [a.outcome for a in planning.attempts] == [Outcome.EMPTY, Outcome.PLANNED]
    assert [p.sample for p in model.prompts] == [0, 1]
    assert len({p.sha256 for p in model.prompts}) == 1
    assert len({a.identity for a in planning.attempts}) == 2
    assert planning.paper_prompt is not None
    assert planning.paper_prompt.prompt.sample == 1, "a run counts its samples by this prompt"


def test_an_empty_reply_is_asked_for_only_once_more() -> None:
    model = FakeModel(ENDED_EMPTY, ENDED_EMPTY)
    assert plan(model).outcome is Outcome.EMPTY
    assert len(model.prompts) == 2


def test_an_empty_reply_takes_no_reask_away() -> None:
    bad = contract("Why.", [{**GOOD_ABLATION, "action": "REPLACE"}])
    model = FakeModel(ENDED_EMPTY, bad, bad, GOOD_REPLY)
    assert plan(model).outcome is Outcome.PLANNED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ModelError("no such model", status=404), Outcome.MODEL_ERROR),
        (TooLongError("too long", limit=65_536), Outcome.TOO_LONG),
        (BudgetExceeded("it would cost more"), Outcome.BUDGET),
    ],
)
def test_an_error_of_the_model_is_an_outcome(error: Exception, outcome: Outcome) -> None:
    planning = plan(FakeModel(error))
    assert planning.outcome is outcome
    assert planning.reason == str(error)


def test_an_error_on_the_second_request_keeps_the_first_reply() -> None:
    bad = contract("Why.", [{**GOOD_ABLATION, "metrics": []}])
    planning = plan(FakeModel(bad, ModelError("gone", status=500)))
    assert planning.outcome is Outcome.MODEL_ERROR
    assert [a.outcome for a in planning.attempts] == [Outcome.INVALID, Outcome.MODEL_ERROR]
    assert planning.attempts[0].completion is not None
    assert planning.attempts[0].completion.usage == Usage(100, 10)
    assert planning.attempts[1].completion is None


def test_a_paper_that_no_cut_makes_fit_says_both_what_the_endpoint_said_and_what_must_be_sent() -> None:
    model = FakeModel(TooLongError("the endpoint takes 1,000 tokens", limit=1000, status=400))
    planning = plan(model)
    assert planning.outcome is Outcome.TOO_LONG
    assert "the endpoint takes 1,000 tokens" in planning.reason
    assert "must be sent" in planning.reason
    assert len(model.prompts) == 1
