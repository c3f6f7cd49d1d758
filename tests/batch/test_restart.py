"""Starting again: what is finished is skipped, what is on record is not paid for, what has changed is planned anew."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batch.program import Program, Serve, Served, make_papers, trajectories
from tests.conftest import ROOT

PAPERS = 12


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Served:
    make_papers(tmp_path / "papers", PAPERS)
    return serve()


def batch(program: Program, served: Served, *more: str, code: int = 0) -> str:
    command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, *more)
    return program.run(*command, code=code).stderr


def test_a_finished_run_sends_nothing(program: Program, served: Served, tmp_path: Path) -> None:
    batch(program, served)
    first = trajectories(tmp_path / "run")
    batch(program, served)
    assert served.count == PAPERS
    assert len(first) == PAPERS
    assert trajectories(tmp_path / "run") == first


def test_deleted_files_are_written_anew_from_the_ledger(program: Program, served: Served, tmp_path: Path) -> None:
    batch(program, served)
    first = trajectories(tmp_path / "run")
    files = sorted((tmp_path / "run" / "trajectories").rglob("paper*"))
    sidecars = {file: file.read_bytes() for file in files if file.suffix == ".json"}
    for file in [files[0], files[3], files[4], files[5]]:
        file.unlink()
    files[7].write_bytes(b"")  # as a power cut leaves it
    batch(program, served)
    assert trajectories(tmp_path / "run") == first
    assert {file: file.read_bytes() for file in sidecars} == sidecars
    assert served.count == PAPERS


def test_a_paper_that_changed_is_planned_anew_and_the_ledger_keeps_both(
    program: Program, served: Served, tmp_path: Path
) -> None:
    batch(program, served)
    first = trajectories(tmp_path / "run")
    paper = tmp_path / "papers" / "paper0003.md"
    paper.write_text(paper.read_text(encoding="utf-8").replace("Method", "Approach"), encoding="utf-8")
    batch(program, served)
    now = trajectories(tmp_path / "run")
    assert [path for path in first if now[path] != first[path]] == ["lm-planner/m/paper0003.md"]
    assert served.count == PAPERS + 1
    assert program.status()["requests"] == PAPERS + 1
    assert program.status()["planned"] == PAPERS


def test_a_paper_that_was_only_touched_costs_nothing(program: Program, served: Served, tmp_path: Path) -> None:
    batch(program, served)
    (tmp_path / "papers" / "paper0003.md").touch()
    batch(program, served)
    assert served.count == PAPERS


def test_another_k_is_planned_anew_and_going_back_is_free(program: Program, served: Served, tmp_path: Path) -> None:
    batch(program, served)
    first = trajectories(tmp_path / "run")
    batch(program, served, "-k", "7")
    assert served.count == 2 * PAPERS
    seven = trajectories(tmp_path / "run")
    assert all(seven[path] != plan for path, plan in first.items())
    batch(program, served)
    assert served.count == 2 * PAPERS
    again = trajectories(tmp_path / "run")
    assert first.items() <= again.items()
    assert sorted(again.values()) == sorted(seven.values()), "each plan of both, once"


def test_own_prompts_are_planned_anew_when_they_change(program: Program, served: Served, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for template in (ROOT / "prompts").glob("*.jinja"):
        (own / template.name).write_bytes(template.read_bytes())
    batch(program, served, "--prompts", "own")
    with (own / "reviewer-details.user.jinja").open("a", encoding="utf-8") as template:
        template.write("\nBe bold.\n")
    batch(program, served, "--prompts", "own")
    assert served.count == 2 * PAPERS


def test_several_models_stand_beside_each_other(program: Program, served: Served, tmp_path: Path) -> None:
    batch(program, served, "--model", "n")
    status = program.status()
    assert (status["papers"], status["planned"], status["pending"]) == (PAPERS, 2 * PAPERS, 0)
    assert status["models"] == {"lm-planner/m": {"planned": PAPERS}, "lm-planner/n": {"planned": PAPERS}}
    folders = {path.rpartition("/")[0] for path in trajectories(tmp_path / "run")}
    assert folders == {"lm-planner/m", "lm-planner/n"}


def test_what_failed_is_tried_again_only_when_asked(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 40)
    fateful = serve("--fates")
    batch(program, fateful, code=1)
    before = program.status()
    assert before["failed"] > 0
    count = fateful.count
    batch(program, fateful, code=1)
    assert fateful.count == count
    batch(program, fateful, "--retry-failed", code=1)
    again = fateful.count - count
    assert before["failed"] <= again <= 3 * before["failed"], "an invalid reply is asked for twice more"
    assert program.status()["outcomes"] == before["outcomes"]


def test_the_same_paper_twice_is_paid_for_once(program: Program, served: Served, tmp_path: Path) -> None:
    text = (tmp_path / "papers" / "paper0000.md").read_bytes()
    (tmp_path / "papers" / "copy.md").write_bytes(text)
    batch(program, served)
    assert served.count == PAPERS
    assert program.status()["planned"] == PAPERS + 1


def test_another_task_needs_another_folder(program: Program, served: Served, tmp_path: Path) -> None:
    batch(program, served)
    facts = (tmp_path / "run" / "run.json").read_bytes()
    stderr = batch(program, served, "--task", "author", code=1)
    assert "a run of the reviewer task" in stderr
    assert (tmp_path / "run" / "run.json").read_bytes() == facts, "the call that continues the run is still the first"
    assert served.count == PAPERS


def test_only_so_many_papers_at_a_time(program: Program, served: Served) -> None:
    batch(program, served, "--max-papers", "5")
    assert program.status()["pending"] == PAPERS - 5
    batch(program, served, "--max-papers", "5")
    batch(program, served, "--max-papers", "5")
    assert program.status()["pending"] == 0
    assert served.count == PAPERS


def test_the_built_in_planner_needs_no_server(program: Program, tmp_path: Path) -> None:
    demo = (ROOT / "planner" / "demo" / "paper.md").read_bytes()
    (tmp_path / "papers").mkdir()
    for name in ("one.md", "two.md"):
        (tmp_path / "papers" / name).write_bytes(demo)
    program.run("batch", "papers", "-o", "run")
    assert program.status()["planned"] == 2
    assert program.status()["cost"] == 0
    program.run("batch", "papers", "-o", "run", "--offline")


def test_the_copy_of_a_paper_is_written_anew_and_exported_too(program: Program, served: Served, tmp_path: Path) -> None:
    text = (tmp_path / "papers" / "paper0000.md").read_bytes()
    (tmp_path / "papers" / "copy.md").write_bytes(text)
    batch(program, served, "--price", "1,4")
    first = trajectories(tmp_path / "run")
    for path in first:
        (tmp_path / "run" / "trajectories" / path).unlink()
    batch(program, served, "--price", "1,4")
    assert trajectories(tmp_path / "run") == first
    program.run("export", "run", "--to", "ablationbench", "out")
    plans = json.loads((tmp_path / "out" / "plans.json").read_text(encoding="utf-8"))
    assert len(plans) == PAPERS + 1
    assert sum(plan["cost"] for plan in plans.values()) == pytest.approx(served.cost), "it is paid for once"


def test_so_many_papers_are_planned_by_every_model(program: Program, served: Served) -> None:
    batch(program, served, "--model", "n", "--max-papers", "5")
    assert program.status()["models"] == {"lm-planner/m": {"planned": 5}, "lm-planner/n": {"planned": 5}}


@pytest.mark.parametrize("more", [(), ("--shard", "1/1")], ids=["run", "shard"])
def test_a_command_that_is_killed_while_it_creates_its_ledger_can_be_repeated(
    more: tuple[str, ...], program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", 2)
    command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", "http://localhost:1", "--prepare", *more)
    killed = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); from planner.batch.ledger import schema;"
        "schema._create_tables = lambda _: os._exit(9); from planner.cli import cli; cli()"
    )
    words = [sys.executable, "-c", killed, *command]
    assert subprocess.run(words, cwd=tmp_path, check=False).returncode == 9
    assert [path.stat().st_size for path in (tmp_path / "run").rglob("ledger.sqlite")] == [0]
    program.invoke(*command)
    assert program.status("run/shards/1-of-1" if more else "run")["papers"] == 2
