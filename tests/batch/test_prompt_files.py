"""Planning without an endpoint: prompts in files, replies from files, and what is recorded of them."""

import re
import sqlite3
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from planner.names import build_prompt_file_name
from planner.planning.record import PlanRecord
from tests.batch.program import Program, make_papers, trajectories
from tests.scripted import GOOD_REPLY

WORDS = ("batch", "papers", "-o", "run", "--model", "a-friend")


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    folder = tmp_path / "replies"
    folder.mkdir()
    make_papers(tmp_path / "papers", 3)
    return folder


def call(program: Program, *more: str, code: int = 0) -> "CompletedProcess[str]":
    return program.invoke(*WORDS, "--prompts-to", "prompts", "--replies-from", "replies", *more, code=code)


def prompts(program: Program) -> list[Path]:
    return sorted((program.folder / "prompts").iterdir())


def test_a_corpus_is_planned_as_far_as_there_are_replies(program: Program, replies: Path) -> None:
    done = call(program, code=1)
    assert "3 prompts without a reply; save each reply under its prompt's name" in done.stderr
    assert program.status()["pending"] == 3
    assert program.status()["requests"] == 0
    first, second, third = prompts(program)
    assert re.fullmatch(r"a-friend-paper0000-[0-9a-f]{64}\.txt", first.name)
    assert "We gate 0." in first.read_text(encoding="utf-8")

    (replies / first.with_suffix(".md").name).write_text(GOOD_REPLY, encoding="utf-8")
    (replies / f"{second.stem}.reply.txt").write_text(GOOD_REPLY, encoding="utf-8")
    (replies / third.name).write_text(" \n", encoding="utf-8")
    assert "1 prompt without a reply; save each reply" in call(program, code=1).stderr
    (replies / third.name).write_text(GOOD_REPLY, encoding="utf-8")
    call(program)
    plans = trajectories(program.folder / "run")
    assert [Path(name).parts[:2] for name in plans] == [("lm-planner", "a-friend")] * 3
    status = program.status()
    assert (status["planned"], status["requests"], status["cost"]) == (3, 3, 0.0)

    record = PlanRecord.read(program.folder / "run" / "trajectories" / next(iter(plans)).replace(".md", ".json"))
    assert first.stem.endswith(record.attempts[0].identity)
    assert (record.endpoint, record.cost, record.model_answered) == ("", 0.0, "a-friend")

    for path in replies.iterdir():
        path.write_text("Something else.", encoding="utf-8")
    call(program)
    assert trajectories(program.folder / "run") == plans, "what is recorded is not read again"
    assert program.status()["requests"] == 3


def test_the_replies_may_lie_beside_the_prompts(program: Program, replies: Path) -> None:
    call(program, "--replies-from", "prompts", code=1)
    call(program, "--replies-from", "prompts", code=1)
    assert program.status()["requests"] == 0, "a prompt is no reply to itself"
    for path in prompts(program):
        path.with_suffix(".reply").write_text(GOOD_REPLY, encoding="utf-8")
    call(program, "--replies-from", "prompts")


def test_an_invalid_reply_gives_a_prompt_that_says_why(program: Program, replies: Path) -> None:
    call(program, code=1)
    first = prompts(program)
    for path in first:
        (replies / path.name).write_text("Do less.", encoding="utf-8")
    call(program, code=1)
    again = [path for path in prompts(program) if path not in first]
    assert len(again) == 3
    assert all("there is no <predictions> block" in path.read_text(encoding="utf-8") for path in again)
    for path in again:
        (replies / path.name).write_text(GOOD_REPLY, encoding="utf-8")
    call(program)
    assert program.status()["planned"] == 3


def test_the_second_request_of_a_strategy_gives_a_second_prompt(program: Program, replies: Path) -> None:
    """The plan names a part that no paper has, which the program finds."""
    call(program, "--strategy", "revise", code=1)
    first = prompts(program)
    for path in first:
        (replies / path.name).write_text(GOOD_REPLY, encoding="utf-8")
    call(program, "--strategy", "revise", code=1)
    second = [path for path in prompts(program) if path not in first]
    assert len(second) == 3
    assert all("harmonic residual gate" in path.read_text(encoding="utf-8") for path in second)
    for path in second:
        (replies / path.name).write_text(GOOD_REPLY, encoding="utf-8")
    call(program, "--strategy", "revise")
    assert (program.status()["planned"], program.status()["requests"]) == (3, 6)


def test_papers_with_the_same_text_share_a_prompt_and_its_reply(program: Program, replies: Path) -> None:
    text = (program.folder / "papers" / "paper0000.md").read_text(encoding="utf-8")
    (program.folder / "papers" / "copy.md").write_text(text, encoding="utf-8")
    call(program, code=1)
    assert len(prompts(program)) == 3
    for path in prompts(program):
        (replies / path.name).write_text(GOOD_REPLY, encoding="utf-8")
    call(program)
    assert (program.status()["planned"], program.status()["requests"]) == (4, 3)


def test_a_reply_that_cannot_be_read_leaves_its_paper_waiting(program: Program, replies: Path) -> None:
    call(program, code=1)
    first, second, third = prompts(program)
    (replies / first.name).write_bytes(b"\xff\xfe nothing")
    (replies / f"{second.stem}.a").write_text(GOOD_REPLY, encoding="utf-8")
    (replies / f"{second.stem}.b").write_text(GOOD_REPLY, encoding="utf-8")
    (replies / third.name).write_text(GOOD_REPLY, encoding="utf-8")
    done = call(program, code=1)
    assert "it is not UTF-8" in done.stderr
    assert "there are several replies to one prompt" in done.stderr
    assert (program.status()["planned"], program.status()["failed"]) == (1, 0)


def test_failed_papers_are_tried_again_with_a_new_prompt(program: Program, replies: Path) -> None:
    call(program, code=1)
    for _ in range(3):  # the first reply, and two more that are asked for
        for path in prompts(program):
            (replies / path.name).write_text("No.", encoding="utf-8")
        call(program, code=1)
    assert program.status()["failed"] == 3
    before = prompts(program)
    call(program, "--retry-failed", code=1)
    assert len(prompts(program)) == len(before) + 3


@pytest.mark.parametrize("more", [("--engine", "openai-batch"), ("--model", "")])
def test_files_take_a_name_and_no_other_engine(program: Program, replies: Path, more: tuple[str, ...]) -> None:
    program.invoke("batch", "papers", "-o", "run", "--prompts-to", "prompts", *more, code=2)
    assert not (program.folder / "prompts").exists()


def test_a_run_by_files_cannot_be_collected(program: Program, replies: Path) -> None:
    call(program, code=1)
    assert "this run reads its replies from files" in program.invoke("collect", "run", code=1).stderr


def test_names_of_prompts_are_short_enough_for_every_disk() -> None:
    name = build_prompt_file_name("provider/model", "é" * 300, "0" * 64)
    assert name.startswith("provider_model-é")
    assert name.endswith("-" + "0" * 64 + ".txt")
    assert len(name.encode()) <= 255


def test_replies_are_paid_for_by_nobody(program: Program, replies: Path) -> None:
    call(program, code=1)
    for path in prompts(program):
        (replies / path.name).write_text(GOOD_REPLY, encoding="utf-8")
    call(program, "--max-cost", "0")
    with sqlite3.connect(program.folder / "run" / "ledger.sqlite") as db:
        rows = db.execute("SELECT cost, charged FROM requests").fetchall()
    db.close()
    assert rows == [(0.0, 0.0)] * 3


def test_a_folder_of_replies_may_come_later_if_prompts_are_written(program: Program, replies: Path) -> None:
    done = program.invoke(*WORDS, "--replies-from", "none", code=2)
    assert "--replies-from none: there is no such folder" in done.stderr
    program.invoke(*WORDS, "--prompts-to", "prompts", "--replies-from", "none", code=1)
    assert len(list((program.folder / "prompts").iterdir())) == 3
