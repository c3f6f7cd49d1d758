"""Runs, records and plans that an earlier version wrote are read, exported and continued as they were."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.commands import commands
from tests.conftest import ROOT
from tests.scripted import contract
from tests.server.http import Request, Response
from tests.server.replies import stream
from tests.server.server import Server

FROZEN = Path(__file__).parent / "frozen"
MODEL = ("--model", "test-model", "--base-url", "http://model.test/v1", "--price", "1,4")
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def answer(request: Request) -> Response:
    part = next(p for p in ("harmonic residual gate", "sparse router", "shared codebook") if p in request.prompt)
    ablation = {"name": f"No {part}", "ablated_part": part, "action": "REMOVE", "metrics": ["accuracy"]}
    return stream(contract(f"The {part} is never removed.", [ablation]))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder of an earlier version, with its papers, its half finished run and its plans."""
    folder = tmp_path / "work"
    shutil.copytree(FROZEN / "work", folder)
    for file in folder.rglob("*.json"):
        file.write_text(file.read_text(encoding="utf-8").replace("@WORK@", str(folder)), encoding="utf-8")
    with sqlite3.connect(folder / "run" / "ledger.sqlite") as db:
        db.executescript((FROZEN / "ledger.sql").read_text(encoding="utf-8").replace("@WORK@", str(folder)))
    db.close()
    return folder


@pytest.fixture
def endpoint() -> Iterator[Server]:
    """A server that is reached as a proxy, so that the address in old identities need not be a free port."""
    with Server(answer) as running:
        yield running


@pytest.fixture
def program(work: Path, endpoint: Server) -> Program:
    """Run the program in the folder, and return how it ended."""

    def run(*words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "sk-test-0000"}
        env["HTTP_PROXY"] = f"http://127.0.0.1:{endpoint.port}"
        command = [sys.executable, "-m", "planner", *words]
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        return done

    return run


def test_an_old_run_is_continued_and_nothing_is_sent_twice(program: Program, endpoint: Server, work: Path) -> None:
    program("batch", "papers", "-o", "run", *MODEL)
    assert len(endpoint.journal) == 1
    assert "sparse router" in endpoint.journal[0].prompt
    status = json.loads(program("status", "run", "--json").stdout)
    assert status["outcomes"] == {"planned": 3}
    program("batch", "papers", "-o", "run", *MODEL)
    assert len(endpoint.journal) == 1


def test_lost_files_of_an_old_run_are_written_again_as_they_were(program: Program, work: Path) -> None:
    before = {path: path.read_bytes() for path in (work / "run" / "trajectories").rglob("*.md")}
    shutil.rmtree(work / "run" / "trajectories")
    program("batch", "papers", "-o", "run", *MODEL)
    assert before
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("form", ["csv", "jsonl", "ablationbench"])
def test_an_old_run_is_exported(program: Program, endpoint: Server, form: str) -> None:
    program("export", "run", "--to", form, "target")
    assert not endpoint.journal


def test_the_saved_call_of_an_old_run_is_understood(program: Program, endpoint: Server, work: Path) -> None:
    written = program("export", "run", "--to", "openai-batch", "requests.jsonl").stdout.split()
    requests = [line for file in written for line in (work / file).read_text(encoding="utf-8").splitlines()]
    assert len(requests) == 1
    assert "sparse router" in requests[0]
    assert not endpoint.journal


def test_old_plans_are_found_again(program: Program, endpoint: Server, work: Path) -> None:
    before = sorted((work / "trajectories").rglob("*"))
    program("plan", "papers/router.md", *MODEL)
    program("plan", "papers/gate.md", *MODEL, "--task", "author", "-k", "3")
    assert not endpoint.journal
    assert sorted((work / "trajectories").rglob("*")) == before, "a plan keeps the name that it has"


def test_old_trajectories_are_shown_and_made_into_a_site(program: Program, work: Path) -> None:
    files = sorted(str(path.relative_to(work)) for path in (work / "trajectories").rglob("*.md"))
    assert len(program("show", *files, "--to", "jsonl").stdout.splitlines()) == 2
    program("check", *files)
    program("site", "run", "trajectories", "-o", "pages")
    assert (work / "pages" / "index.html").is_file()


def test_prompts_are_as_they_were(program: Program) -> None:
    frozen = json.loads((FROZEN / "prompts.json").read_text(encoding="utf-8"))
    for name, sha256 in frozen.items():
        paper, task = name.split()
        done = program("prompt", f"papers/{paper}.md", "--task", task, "--plain")
        assert json.loads(done.stdout)["sha256"] == sha256, name


def test_a_new_ledger_has_the_old_schema(program: Program, work: Path) -> None:
    program("batch", "papers", "-o", "new", *MODEL)
    old, new = (_tables(work / name / "ledger.sqlite") for name in ("run", "new"))
    for table, columns in old.items():
        assert new[table][: len(columns)] == columns


def test_records_have_the_old_keys(program: Program, work: Path) -> None:
    """A key may be added; none may go or change its type."""
    program("batch", "papers", "-o", "new", *MODEL, "--max-papers", "2")
    folder = Path("trajectories") / "lm-planner" / "test-model"
    for name in ("gate", "codebook"):
        old, new = (json.loads((work / run / folder / f"{name}.json").read_bytes()) for run in ("run", "new"))
        assert _shape(old).items() <= _shape(new).items()
    old, new = (json.loads((work / run / "run.json").read_bytes()) for run in ("run", "new"))
    assert _shape(old).items() <= _shape(new).items()


def test_commands_have_the_old_options() -> None:
    frozen = json.loads((FROZEN / "options.json").read_text(encoding="utf-8"))
    today = {name: _options(command) for name, command in commands().items()}
    for name, options in frozen.items():
        for option, facts in options.items():
            assert today[name].get(option) == facts, f"{name} {option}"


def _options(command: click.Command) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for each in command.params:
        if isinstance(each, click.Option):
            names = " ".join(sorted([*each.opts, *each.secondary_opts]))
            facts = {"envvar": each.envvar, "multiple": each.multiple, "flag": each.is_flag, "required": each.required}
            found[names] = facts
        else:
            found[f"<{each.name}>"] = {"nargs": each.nargs, "required": each.required}
    return found


def _tables(path: Path) -> dict[str, list[tuple[str, str]]]:
    with sqlite3.connect(path) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: [(row[1], row[2]) for row in db.execute(f"PRAGMA table_info({name})")] for name in names}
    db.close()
    return tables


def _shape(value: Any, path: str = "") -> dict[str, str]:
    """Return the JSON type of every value by its path; of a list, that of the first item."""
    if isinstance(value, dict):
        inner = (_shape(item, f"{path}.{key}") for key, item in value.items())
        return {path: "object"} | {name: kind for shape in inner for name, kind in shape.items()}
    if isinstance(value, list):
        return {path: "array"} | (_shape(value[0], f"{path}[]") if value else {})
    return {path: type(value).__name__}
