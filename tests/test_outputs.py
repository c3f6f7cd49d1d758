"""Planning one paper leaves its files in a folder, and leaves other files alone."""

import asyncio
import json
from pathlib import Path

import pytest

from planner.chat import Completion, TokenCounter, Usage
from planner.errors import ModelError, Outcome, PaperError
from planner.models.fake import FakeModel
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import (
    PlanOutput,
    plan_to_folder,
    rebuild_trajectory_from_record,
    record_unreadable_paper,
    write_plan_files,
)
from planner.planning.record import PlanRecord
from planner.schema import Task
from planner.trajectory.reader import read_trajectory
from tests.papers_made import paper
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract

REVIEW = PlanSettings(Task.REVIEWER, k=2)


def planned(folder: Path, *answers: str | Completion | Exception, anew: bool = False, **facts: object) -> PlanOutput:
    model = FakeModel(*answers)
    return asyncio.run(plan_to_folder(folder, paper(**facts), model, REVIEW, lambda _: None, force=anew))


def unread(folder: Path, source: str, said: str = "it is empty", *, named: str = "") -> PlanOutput:
    return record_unreadable_paper(folder, source, PaperError(said), FakeModel().info, REVIEW, given_id=named)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (GOOD_REPLY, Outcome.PLANNED),
        (Completion(""), Outcome.EMPTY),
        (Completion(GOOD_REPLY, finish_reason="length"), Outcome.TRUNCATED),
        (Completion("", refusal="I will not.", finish_reason="stop"), Outcome.REFUSED),
        (ModelError("gone", status=500), Outcome.MODEL_ERROR),
    ],
)
def test_every_paper_leaves_a_sidecar_and_only_a_planned_one_a_trajectory(
    tmp_path: Path, answer: str | Completion | Exception, outcome: Outcome
) -> None:
    done = planned(tmp_path, answer)
    assert done.record.outcome is outcome
    assert done.trajectory_path.exists() == (outcome is Outcome.PLANNED)
    assert done.record_path.exists()
    assert len(names(tmp_path)) == 1 + (outcome is Outcome.PLANNED)
    assert bool(done.record.reason) == (outcome is not Outcome.PLANNED)


def test_a_failure_leaves_an_earlier_plan_and_keeps_every_reply(tmp_path: Path) -> None:
    """A file that stands there is always the plan that its sidecar tells of."""
    first = planned(tmp_path, GOOD_REPLY)
    written = first.trajectory_path.read_bytes()
    failed = planned(tmp_path, Completion(""), anew=True)
    assert failed.record.outcome is Outcome.EMPTY
    assert names(tmp_path) == ["lm-planner/fake/A_Paper.json", "lm-planner/fake/A_Paper.md"]
    assert first.trajectory_path.read_bytes() == written
    kept = PlanRecord.read(first.record_path)
    assert (kept.outcome, kept.prompt_sha256) == (Outcome.PLANNED, first.record.prompt_sha256)
    assert [a.outcome for a in kept.attempts] == [Outcome.PLANNED, Outcome.EMPTY]
    assert kept.attempts == failed.record.attempts
    assert rebuild_trajectory_from_record(kept) == first.trajectory


def test_an_empty_reply_and_the_next_are_stored_and_asked_for_once(tmp_path: Path) -> None:
    blank = Completion("", finish_reason="stop")
    first = planned(tmp_path, blank, GOOD_REPLY)
    assert [(a.sample, a.outcome) for a in first.record.attempts] == [(0, Outcome.EMPTY), (1, Outcome.PLANNED)]
    assert planned(tmp_path).record.outcome is Outcome.PLANNED, "the same command sends nothing"
    planned(tmp_path / "both", blank, blank)
    third = planned(tmp_path / "both", GOOD_REPLY)
    assert [a.sample for a in third.record.attempts] == [0, 1, 2]


def test_the_file_says_what_the_planning_says(tmp_path: Path) -> None:
    done = planned(tmp_path, contract("A *reason*.\n\nAnd <b>another</b>.", [GOOD_ABLATION]))
    assert read_trajectory(done.trajectory_path) == done.trajectory


def test_doubts_about_a_plan_are_warnings_in_the_sidecar(tmp_path: Path) -> None:
    invented = {**GOOD_ABLATION, "ablated_part": "the quantum flux capacitor", "metrics": ["parsecs"]}
    sound = planned(tmp_path / "sound", GOOD_REPLY)
    doubted = planned(tmp_path / "doubted", contract("Why.", [invented]))
    assert doubted.record.outcome is Outcome.PLANNED
    assert len(doubted.record.warnings) > len(sound.record.warnings)
    assert any("quantum flux capacitor" in warning for warning in doubted.record.warnings)


def test_warnings_of_the_paper_and_the_reply_are_all_kept_once(tmp_path: Path) -> None:
    noted = Completion(GOOD_REPLY, finish_reason="stop", notes=("the endpoint sent no usage",))
    warnings = planned(tmp_path, noted, warnings=("half of it is a scan", "half of it is a scan")).record.warnings
    assert warnings.count("half of it is a scan") == 1
    assert "the endpoint sent no usage" in warnings


@pytest.mark.parametrize("identifier", ["../../escaped", "/etc/passwd", "a/b", "..", "", "CON", "x" * 400, "\0"])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, identifier: str) -> None:
    folder = tmp_path / "out"
    done = planned(folder, GOOD_REPLY, id=identifier)
    assert done.trajectory_path.exists()
    assert done.trajectory_path.parent.resolve() == (folder / "lm-planner" / "fake").resolve()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(names(folder)) == 2


def test_a_model_with_a_hostile_name_stays_in_the_folder_too(tmp_path: Path) -> None:
    model = FakeModel(GOOD_REPLY, name="../../../x")
    done = asyncio.run(plan_to_folder(tmp_path / "out", paper(), model, REVIEW, lambda _: None))
    assert (tmp_path / "out").resolve() in done.trajectory_path.resolve().parents
    assert len(done.trajectory_path.relative_to(tmp_path / "out").parts) == 3


def test_an_unreadable_paper_leaves_its_reason(tmp_path: Path) -> None:
    done = unread(tmp_path, "papers/broken.pdf", "papers/broken.pdf: \x1b[31mno text in it")
    facts = json.loads(done.record_path.read_text(encoding="utf-8"))
    assert names(tmp_path) == ["lm-planner/fake/broken.json"]
    assert facts["outcome"] == "paper_error"
    assert facts["reason"] == "papers/broken.pdf: no text in it"
    assert facts["paper"]["source"] == "papers/broken.pdf"
    assert facts["attempts"] == []


def test_a_paper_that_becomes_unreadable_keeps_what_was_paid_for(tmp_path: Path) -> None:
    first = planned(tmp_path, GOOD_REPLY)
    gone = unread(tmp_path, "paper.md", named="A_Paper")
    assert gone.record_path == first.record_path
    assert first.trajectory_path.exists()
    assert PlanRecord.read(first.record_path) == first.record
    assert gone.record.outcome is Outcome.PAPER_ERROR
    assert [a.completion for a in gone.record.attempts] == [a.completion for a in first.record.attempts]
    back = planned(tmp_path)
    assert back.record.outcome is Outcome.PLANNED, "and the reply is used again once the paper can be read"
    assert PlanRecord.read(back.record_path).outcome is Outcome.PLANNED


@pytest.mark.parametrize(
    ("source", "named", "stem"),
    [
        ("papers/broken.pdf", "", "broken"),
        ("papers/2507.08038v2.tar.gz", "", "2507.08038v2"),
        ("papers/broken.pdf", "mine", "mine"),
        ("papers/broken.pdf", "../mine", "__mine"),
        ("\x1b[2J.md", "", "_[2J"),
    ],
)
def test_the_sidecar_of_an_unreadable_paper_is_named_after_its_source(
    tmp_path: Path, source: str, named: str, stem: str
) -> None:
    done = unread(tmp_path, source, named=named)
    assert done.record_path.stem.strip("_") == stem.strip("_")
    assert done.record_path.parent == tmp_path / "lm-planner" / "fake"


def test_one_gauge_learns_from_all_papers_of_a_call(tmp_path: Path) -> None:
    gauge = TokenCounter()
    first = FakeModel(GOOD_REPLY)
    asyncio.run(plan_to_folder(tmp_path / "first", paper(), first, REVIEW, lambda _: None))
    [prompt] = first.prompts
    estimated = gauge.count_prompt(prompt)
    counted = Completion(GOOD_REPLY, finish_reason="stop", usage=Usage(prompt_tokens=2 * estimated))
    asyncio.run(
        plan_to_folder(tmp_path / "second", paper(), FakeModel(counted), REVIEW, lambda _: None, token_counter=gauge)
    )
    assert gauge.count_prompt(prompt) == pytest.approx(2 * estimated, rel=0.05)


def test_a_run_replaces_a_record_that_cannot_be_read(tmp_path: Path) -> None:
    done = planned(tmp_path, GOOD_REPLY)
    done.record_path.write_text("{}", encoding="utf-8")
    write_plan_files(tmp_path, done.record.model_copy(update={"k": 7}), done.trajectory)
    assert PlanRecord.read(done.record_path).k == 7
