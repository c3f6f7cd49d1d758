"""Sidecars: what is on record, what is used again, and what it all cost."""

import asyncio
import re
from pathlib import Path

import pytest

from planner.chat import Completion, Message, ModelInfo, Prompt, Usage
from planner.errors import ModelError, Outcome, TrajectoryError
from planner.models.fake import FakeModel
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import PlanOutput, plan_to_folder
from planner.planning.plan_files import RecordStore, choose_sample_number
from planner.planning.record import PlanRecord, begin_record, sum_costs_if_all_known, sum_known_usage
from planner.schema import Task
from tests.papers_made import paper
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract

REVIEW = PlanSettings(Task.REVIEWER, k=2)
BAD_REPLY = contract("Why.", [{**GOOD_ABLATION, "metrics": []}])


def a_cent(_: Completion) -> float:
    return 0.01


def run(folder: Path, model: FakeModel, settings: PlanSettings = REVIEW, anew: bool = False) -> PlanOutput:
    return asyncio.run(plan_to_folder(folder, paper(), model, settings, a_cent, force=anew))


def test_a_planned_paper_leaves_a_trajectory_and_a_sidecar_that_reads_back(tmp_path: Path) -> None:
    done = run(tmp_path, FakeModel(GOOD_REPLY, name="gpt-3.5"))
    assert done.trajectory_path == tmp_path / "lm-planner" / "gpt-35" / "A_Paper.md"
    assert done.trajectory_path.read_text(encoding="utf-8").count("trajectory-box") == 4
    assert PlanRecord.read(done.record_path) == done.record
    assert done.record.outcome is Outcome.PLANNED
    assert done.record.cost == 0.01
    assert done.record.usage == Usage(100, 10)
    assert done.record.paper.sha256 == paper().sha256


def test_an_identical_request_is_not_sent_again(tmp_path: Path) -> None:
    first = run(tmp_path, FakeModel(GOOD_REPLY))
    written = first.trajectory_path.read_bytes()
    first.trajectory_path.unlink()
    second = run(tmp_path, FakeModel())
    assert second.trajectory_path.read_bytes() == written
    assert second.record.cost == 0.01, "one reply was paid for, once"


def test_force_asks_anew_and_keeps_the_earlier_reply(tmp_path: Path) -> None:
    run(tmp_path, FakeModel(GOOD_REPLY))
    other = contract("Another view.", [GOOD_ABLATION])
    done = run(tmp_path, FakeModel(other), anew=True)
    assert "Another view." in done.trajectory_path.read_text(encoding="utf-8")
    assert [a.sample for a in done.record.attempts] == [0, 1]
    assert len({a.identity for a in done.record.attempts}) == 2
    assert done.record.cost == 0.02


def test_a_changed_request_never_reuses_an_old_answer(tmp_path: Path) -> None:
    run(tmp_path, FakeModel(GOOD_REPLY))
    model = FakeModel(GOOD_REPLY)
    run(tmp_path, model, PlanSettings(Task.REVIEWER, k=9))
    assert len(model.prompts) == 1


def test_going_back_to_an_earlier_question_costs_nothing(tmp_path: Path) -> None:
    run(tmp_path, FakeModel(GOOD_REPLY))
    failed = run(tmp_path, FakeModel(BAD_REPLY, BAD_REPLY, BAD_REPLY), PlanSettings(Task.REVIEWER, k=9))
    assert not failed.trajectory_path.exists(), "a plan for another question is no answer to this one"
    back = run(tmp_path, FakeModel())
    assert back.record.outcome is Outcome.PLANNED
    assert back.trajectory_path.exists()


def test_a_reply_on_record_for_another_question_is_used_and_copied(tmp_path: Path) -> None:
    """Records of earlier versions hold the replies to all questions about a paper."""
    first = run(tmp_path, FakeModel(GOOD_REPLY))
    first.record.model_copy(update={"k": 1}).write(first.record_path)
    again = run(tmp_path, FakeModel())
    assert again.record.outcome is Outcome.PLANNED
    assert again.trajectory_path != first.trajectory_path
    assert PlanRecord.read(again.record_path).attempts == first.record.attempts
    assert PlanRecord.read(first.record_path).k == 1, "and the other plan stays"


def test_models_whose_names_share_a_folder_replace_no_plan_of_each_other(tmp_path: Path) -> None:
    done = [run(tmp_path, FakeModel(GOOD_REPLY, name=name)) for name in ("gpt-3.5", "gpt-35")]
    assert len({each.trajectory_path for each in done}) == 2
    assert [PlanRecord.read(each.record_path).model for each in done] == ["gpt-3.5", "gpt-35"]


def test_a_file_of_another_kind_where_a_further_plan_belongs_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path, FakeModel(GOOD_REPLY))
    further = run(tmp_path, FakeModel(GOOD_REPLY), PlanSettings(Task.REVIEWER, k=1))
    further.record_path.unlink()
    written = further.trajectory_path.read_bytes()
    model = FakeModel(GOOD_REPLY)
    with pytest.raises(TrajectoryError, match="holds another plan"):
        run(tmp_path, model, PlanSettings(Task.REVIEWER, k=1))
    assert further.trajectory_path.read_bytes() == written
    assert model.prompts == []


def test_a_paper_that_failed_by_its_reply_is_asked_anew(tmp_path: Path) -> None:
    failed = run(tmp_path, FakeModel(BAD_REPLY, BAD_REPLY, BAD_REPLY))
    assert failed.record.outcome is Outcome.INVALID
    assert not failed.trajectory_path.exists()
    model = FakeModel(GOOD_REPLY)
    done = run(tmp_path, model)
    assert done.record.outcome is Outcome.PLANNED
    assert [prompt.sample for prompt in model.prompts] == [1]
    assert len(done.record.attempts) == 4


def test_a_reply_that_was_paid_for_survives_an_error_on_the_next_request(tmp_path: Path) -> None:
    run(tmp_path, FakeModel(BAD_REPLY, ModelError("gone", status=500)))
    model = FakeModel(GOOD_REPLY)
    done = run(tmp_path, model)
    assert done.record.outcome is Outcome.PLANNED
    assert len(model.prompts) == 1, "only the request that brought nothing is sent again"
    assert len(model.prompts[0].messages) == 4


def test_a_reply_is_on_disk_before_anyone_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    card = ModelInfo("lm-planner", "m", "m")
    prompt = Prompt.from_messages((Message("user", "hello"),), "")
    store = RecordStore(path, begin_record(paper().info, card, REVIEW), a_cent)
    store.record_request(card.identify_request(prompt), prompt)
    assert PlanRecord.read(path).attempts[0].completion is None, "a crash now shows what was in flight"
    store.record_reply(card.identify_request(prompt), Completion("reply"))
    kept = PlanRecord.read(path)
    assert kept.outcome is Outcome.INTERRUPTED
    again = RecordStore(path, kept, a_cent)
    assert again.reuse_reply(card.identify_request(prompt)) == Completion("reply")
    assert choose_sample_number(again.attempts, prompt) == 0


def test_replies_to_requests_in_flight_together_are_kept_apart(tmp_path: Path) -> None:
    info = ModelInfo("lm-planner", "m", "m")
    prompts = [Prompt.from_messages((Message("user", text),)) for text in ("one", "two")]
    identities = [info.identify_request(prompt) for prompt in prompts]
    store = RecordStore(tmp_path / "x.json", begin_record(paper().info, info, REVIEW), a_cent)
    for identity, prompt in zip(identities, prompts, strict=True):
        store.record_request(identity, prompt)
    store.record_reply(identities[0], Completion("first"))
    store.record_failure(identities[1], ModelError("gone"))
    assert store.reuse_reply(identities[0]) == Completion("first")
    assert [a.outcome for a in PlanRecord.read(tmp_path / "x.json").attempts] == [None, Outcome.MODEL_ERROR]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"outcome": "fine"}'])
def test_a_file_that_is_no_sidecar_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lm-planner" / "fake" / "A_Paper.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(TrajectoryError, match=r"A_Paper\.json"):
        run(tmp_path, FakeModel(GOOD_REPLY))
    assert path.read_bytes() == content


def test_totals_do_not_turn_the_unknown_into_zero() -> None:
    assert sum_costs_if_all_known([0.5, None]) is None
    assert sum_costs_if_all_known([]) == 0.0
    assert sum_known_usage([Usage(1, 2), Usage(3, None)]) == Usage(4, 2)
    assert sum_known_usage([Usage(), Usage()]) == Usage()


def test_a_request_that_was_under_way_when_the_program_died_is_interrupted(tmp_path: Path) -> None:
    done = run(tmp_path, FakeModel(GOOD_REPLY))
    [answered] = done.record.attempts
    lost = answered.model_copy(update={"completion": None, "outcome": None, "cost": None})
    done.record.model_copy(update={"attempts": (lost,)}).write(done.record_path)
    again = run(tmp_path, FakeModel(GOOD_REPLY))
    assert [a.outcome for a in again.record.attempts] == [Outcome.INTERRUPTED, Outcome.PLANNED]


def test_half_a_surrogate_pair_in_a_record_is_replaced_and_loses_nothing(tmp_path: Path) -> None:
    path = run(tmp_path, FakeModel(GOOD_REPLY)).record_path
    path.write_text(path.read_text(encoding="utf-8").replace("never removed", "never \\ud800"), encoding="utf-8")
    again = run(tmp_path, FakeModel())
    assert again.record.outcome is Outcome.PLANNED
    assert PlanRecord.read(path) == again.record
    replies = [attempt.completion.text for attempt in again.record.attempts if attempt.completion]
    assert replies == [GOOD_REPLY.replace("never removed", "never \ufffd")]


def test_a_reply_with_half_a_surrogate_pair_is_recorded_with_a_note(tmp_path: Path) -> None:
    done = run(tmp_path, FakeModel(GOOD_REPLY.replace("never removed", "never \ud800")))
    assert (done.record.outcome, done.record) == (Outcome.PLANNED, PlanRecord.read(done.record_path))
    [attempt] = done.record.attempts
    assert attempt.completion is not None
    assert attempt.completion.text == GOOD_REPLY.replace("never removed", "never \ufffd")
    assert done.record.warnings[0] == "an invalid character (half a surrogate pair) was replaced"


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity"])
def test_a_number_that_json_cannot_hold_makes_no_record(number: str, tmp_path: Path) -> None:
    path = run(tmp_path, FakeModel(GOOD_REPLY)).record_path
    text = path.read_text(encoding="utf-8")
    for name in ("seconds", "cost"):
        path.write_text(re.sub(f'"{name}": *[^,]+', f'"{name}": {number}', text), encoding="utf-8")
        with pytest.raises(TrajectoryError, match="finite number"):
            PlanRecord.read(path)
