"""A strategy is a function, a row in the table and its prompts; a made-up one is registered and run here."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from planner.batch.engine import ModelEstimate
from planner.batch.read_ahead import PaperWithPrompt
from planner.batch.spec import RunLimits, RunModel, build_run_model
from planner.chat import Completion, TokenCounter
from planner.errors import Outcome, OutputError, PromptError
from planner.models.connect import ModelClient
from planner.models.fake import FakeModel
from planner.parsing.reply import Reply
from planner.planning.first_prompt import PaperPrompt, PlanSettings, build_prompt
from planner.planning.output import PlanOutput, plan_to_folder, rebuild_trajectory_from_record
from planner.planning.strategies import STRATEGIES, TYPICAL_REPLY_TOKENS, PlanSession, RequestEstimate, Strategy
from planner.reading.request import PromptRequest, ReadResult
from planner.schema import Task
from tests.conftest import ROOT
from tests.papers_made import paper
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract

REVISED = contract("On second thoughts.", [{**GOOD_ABLATION, "name": "No gate at all"}])
DOUBTFUL = contract("Why.", [{**GOOD_ABLATION, "ablated_part": "the quantum flux capacitor"}])
INVALID = contract("Why.", [{**GOOD_ABLATION, "action": "REPLACE"}])
CUT = Completion(GOOD_REPLY, finish_reason="length")


async def plan_twice(session: PlanSession) -> Reply:
    """Ask once more where the program doubts the plan; keep the first plan if the second reply holds none."""
    prompt = await session.build_prompt()
    draft = await session.ask(prompt)
    if not (warnings := session.check_plan(draft).warnings):
        return draft
    try:
        return await session.ask(session.continue_prompt("second.jinja", warnings=warnings), step="second")
    except OutputError:
        return draft


def estimate_two_requests(prompt_tokens: int) -> RequestEstimate:
    return RequestEstimate(2, 2 * prompt_tokens, 3_000)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PlanSettings:
    """The settings of a run with the made-up strategy, whose prompt lies beside copies of the others."""
    strategy = Strategy("twice", plan_twice, estimate_two_requests, ("second.jinja",))
    monkeypatch.setitem(STRATEGIES, strategy.name, strategy)
    for template in (ROOT / "prompts").glob("*.jinja"):
        (tmp_path / template.name).write_bytes(template.read_bytes())
    (tmp_path / "second.jinja").write_text("Mend this: {{ warnings | join('; ') }}", encoding="utf-8")
    return PlanSettings(Task.REVIEWER, k=2, templates=tmp_path, strategy="twice")


def plan(settings: PlanSettings, model: FakeModel, folder: Path, *, force: bool = False) -> PlanOutput:
    return asyncio.run(plan_to_folder(folder, paper(), model, settings, lambda _: 0.5, force=force))


def test_a_second_step_asks_on_the_same_opening_and_gives_the_plan(settings: PlanSettings, tmp_path: Path) -> None:
    model = FakeModel(DOUBTFUL, REVISED)
    done = plan(settings, model, tmp_path / "out")
    first, second = model.prompts
    assert second.messages[:2] == first.messages
    assert second.messages[2].content == DOUBTFUL
    assert "quantum flux capacitor" in second.messages[3].content
    assert done.trajectory is not None
    assert done.trajectory.plan.ablations[0].name == "No gate at all"
    assert [a.step for a in done.record.attempts] == ["", "second"]
    assert rebuild_trajectory_from_record(done.record) == done.trajectory


def test_a_plan_without_a_doubt_takes_one_request(settings: PlanSettings, tmp_path: Path) -> None:
    model = FakeModel(contract("Why.", [{**GOOD_ABLATION, "metrics": ["MAE"]}]))
    assert plan(settings, model, tmp_path / "out").record.outcome is Outcome.PLANNED
    assert len(model.prompts) == 1


def test_a_step_is_re_asked_within_the_step(settings: PlanSettings, tmp_path: Path) -> None:
    done = plan(settings, FakeModel(DOUBTFUL, INVALID, REVISED), tmp_path / "out")
    assert [a.step for a in done.record.attempts] == ["", "second", "second"]
    assert [a.outcome for a in done.record.attempts] == [Outcome.PLANNED, Outcome.INVALID, Outcome.PLANNED]


@pytest.mark.parametrize("answers", [(DOUBTFUL, REVISED), (DOUBTFUL, CUT), (DOUBTFUL, INVALID, INVALID, INVALID)])
def test_a_finished_paper_is_planned_again_without_a_request(
    settings: PlanSettings, tmp_path: Path, answers: tuple[str | Completion, ...]
) -> None:
    done = plan(settings, FakeModel(*answers), tmp_path / "out")
    assert done.record.outcome is Outcome.PLANNED
    again = plan(settings, FakeModel(), tmp_path / "out")
    assert again.trajectory == done.trajectory
    assert again.record.attempts == done.record.attempts


def test_planning_by_force_asks_every_step_again(settings: PlanSettings, tmp_path: Path) -> None:
    plan(settings, FakeModel(DOUBTFUL, REVISED), tmp_path / "out")
    model = FakeModel(DOUBTFUL, REVISED)
    plan(settings, model, tmp_path / "out", force=True)
    assert [prompt.sample for prompt in model.prompts] == [1, 1]


def test_a_missing_prompt_of_a_strategy_is_said_before_anything_is_sent(settings: PlanSettings, tmp_path: Path) -> None:
    (tmp_path / "second.jinja").unlink()
    model = FakeModel(DOUBTFUL)
    with pytest.raises(PromptError, match=r"second\.jinja"):
        plan(settings, model, tmp_path / "out")
    assert not model.prompts


def test_a_run_depends_on_its_strategy_and_the_prompts_of_it(settings: PlanSettings, tmp_path: Path) -> None:
    single = _make_run_model(PlanSettings(Task.REVIEWER, k=2)).ledger_model.settings_hash
    before = _make_run_model(settings).ledger_model.settings_hash
    (tmp_path / "second.jinja").write_text("Mend that: {{ warnings }}", encoding="utf-8")
    assert len({single, before, _make_run_model(settings).ledger_model.settings_hash}) == 3


@pytest.mark.parametrize(("strategy", "requests"), [("single", 1), ("twice", 2)])
def test_an_estimate_counts_every_request_of_a_strategy(settings: PlanSettings, strategy: str, requests: int) -> None:
    settings = replace(settings, strategy=strategy)
    estimate = ModelEstimate(
        _make_run_model(settings), lambda usage: float(usage.completion_tokens or 0), RunLimits(concurrency=1, rpm=1)
    )
    estimate.add_paper(_read_paper(settings))
    assert estimate.paper_count == 1
    assert estimate.cost == TYPICAL_REPLY_TOKENS * requests if strategy == "single" else 3_000
    assert estimate.seconds == 60 * requests


def _make_run_model(settings: PlanSettings) -> RunModel:
    return build_run_model(ModelClient(FakeModel().info, lambda _: None, model=FakeModel()), settings)


def _read_paper(settings: PlanSettings) -> PaperWithPrompt:
    async def reread_and_build_prompt(_: PromptRequest) -> PaperPrompt:
        raise AssertionError("the prompt is there already")

    prompt = build_prompt(paper(), settings, TokenCounter())
    result = ReadResult(paper().info, (prompt,))
    return PaperWithPrompt(result, prompt, PromptRequest(settings, TokenCounter()), reread_and_build_prompt)
