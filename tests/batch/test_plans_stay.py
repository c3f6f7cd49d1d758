"""A run keeps the plans of a paper when a later call on it fails, or makes another."""

import json
from pathlib import Path

from planner.planning.record import PlanRecord
from planner.trajectory.reader import read_trajectory
from tests.batch.program import Program, make_papers, trajectories
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract
from tests.server.http import Request, Response
from tests.server.replies import error, stream
from tests.server.server import Server


def test_a_paper_that_can_no_longer_be_read_keeps_its_plan(program: Program, server: Server, tmp_path: Path) -> None:
    server.answer = lambda _: stream(GOOD_REPLY)
    make_papers(tmp_path / "papers", 2)
    call = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url)
    program.invoke(*call)
    plans = trajectories(tmp_path / "run")
    assert len(plans) == 2
    next((tmp_path / "papers").iterdir()).write_bytes(b"\0\0\0\1")
    program.invoke(*call, code=1)
    assert program.status()["failed"] == 1
    assert trajectories(tmp_path / "run") == plans


def test_a_reply_that_cannot_be_used_leaves_the_plan_of_an_earlier_call(
    program: Program, server: Server, tmp_path: Path
) -> None:
    server.answer = lambda _: stream(GOOD_REPLY)
    make_papers(tmp_path / "papers", 2)
    call = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url)
    program.invoke(*call)
    plans = trajectories(tmp_path / "run")
    server.answer = lambda _: stream("I cannot.")
    program.invoke(*call, "-k", "8", code=1)
    assert trajectories(tmp_path / "run") == plans


def answer_numbered(request: Request) -> Response:
    """Answer each request with a plan that no other gets."""
    return stream(contract(f"Reason number {request.number}.", [GOOD_ABLATION]))


def read_plans(run: Path) -> dict[str, tuple[object, ...]]:
    """Return each plan of a run with the question that its record says it answers, by the name of its file."""
    paths = (run / "trajectories").rglob("*.md")
    return {path.stem: (*PlanRecord.read(path.with_suffix(".json")).question, path.read_bytes()) for path in paths}


def test_every_plan_that_a_run_ever_made_stays_readable(program: Program, server: Server, tmp_path: Path) -> None:
    server.answer = answer_numbered
    make_papers(tmp_path / "papers", 1)
    paper, made = tmp_path / "papers" / "paper0000.md", set[tuple[object, ...]]()
    call = ("batch", "papers/*", "-o", "run", "--model", "m", "--base-url", server.base_url, "-q")
    text = paper.read_text(encoding="utf-8")
    for version, *question in (text,), (text, "-k", "7"), (text, "--plain"), (text.replace("gate", "door"),):
        paper.write_text(version, encoding="utf-8")
        program.invoke(*call, *question)
        plans = read_plans(tmp_path / "run")
        assert made < set(plans.values())
        assert plans["paper0000"] not in made, "the plan of the last call has the published path"
        made = set(plans.values())
    paper.write_text(text, encoding="utf-8")
    program.invoke(*call)
    assert sorted(read_plans(tmp_path / "run").values()) == sorted(made)
    assert len(made) == len(server.journal) == 4
    record = PlanRecord.read(tmp_path / "run" / "trajectories" / "lm-planner" / "m" / "paper0000.json")
    assert record.min_chance is not None, "a run goes on in the form that it was begun with"
    paths = list((tmp_path / "run" / "trajectories").rglob("*.md"))
    assert program.invoke("show", *map(str, paths)).stdout.count("lm-planner/m/") == len(plans)
    program.invoke("site", "run", "-o", "pages")
    [page] = [path for path in (tmp_path / "pages").rglob("*.html") if path.name != "index.html"]
    shown = page.read_text(encoding="utf-8")
    assert all(f"Reason number {read_trajectory(path).reasoning.split()[-1]}" in shown for path in paths)


def test_an_export_has_the_plans_of_earlier_calls_and_names_what_waits_or_failed(
    program: Program, server: Server, tmp_path: Path
) -> None:
    server.answer = lambda _: stream(GOOD_REPLY)
    make_papers(tmp_path / "papers", 2)
    call = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url)
    program.invoke(*call)
    make_papers(tmp_path / "papers", 3)
    server.answer = lambda _: error(401, "wrong key")
    program.invoke(*call, "-k", "8", code=1)
    exported = program.invoke("export", "run", "--to", "jsonl", "waiting.jsonl")
    assert count_plans(tmp_path / "waiting.jsonl") == 2
    assert exported.stderr.count(": plan of an earlier `batch` command, as the latest made none: ") == 2
    assert "left out: lm-planner/m/paper0002: pending" in exported.stderr
    server.answer = lambda _: stream("I cannot.")
    program.invoke(*call, "-k", "8", code=1)
    exported = program.invoke("export", "run", "--to", "ablationbench", "failed")
    assert len(list((tmp_path / "failed").glob("*.jsonl"))) == 2
    assert exported.stderr.count("0000: plan of an earlier `batch` command, as the latest made none: there is no") == 1
    assert "left out: lm-planner/m/paper0002: there is no" in exported.stderr


def count_plans(path: Path) -> int:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return sum(bool(line["ablations"]) for line in lines)
