"""The page on details: its commands run in their order, and what it names exists."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from planner.details import DEFAULT_MIN_CHANCE, Details, EffortKind, RejectionReason, Response
from planner.planning.record import PlanRecord
from planner.schema import Task
from tests.batch.conftest import program
from tests.batch.program import Program
from tests.conftest import ROOT
from tests.scripted import contract
from tests.server.http import Request
from tests.server.http import Response as Answer
from tests.server.replies import as_asked
from tests.server.server import Server

__all__ = ["program"]

PAGE = (ROOT / "docs" / "details.md").read_text(encoding="utf-8")
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.S | re.M)).splitlines()
SOUND: dict[str, Any] = {
    "name": "No gate",
    "ablated_part": "harmonic residual gate",
    "action": "REMOVE",
    "metrics": ["MAE"],
    "evidence": "The mean value of the gate over the test period is 0.31.",
    "chance": 80,
}
DRAFT = contract("Why.", [{**SOUND, "ablated_part": "quantum flux capacitor"}, {**SOUND, "name": "No", "chance": 5}])
REVISED = contract("Finding 1: mended, because of the name.", [SOUND])


def answer(request: Request) -> Answer:
    return as_asked(request, DRAFT if len(request.json["messages"]) == 2 else REVISED)


@pytest.fixture
def folder(program: Program, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    demo = (ROOT / "planner" / "demo" / "paper.md").read_bytes()
    (program.folder / "papers").mkdir()
    for name in ("paper.pdf", "papers/one.md"):  # formats are told by content, so this stands for any paper
        (program.folder / name).write_bytes(demo)
    (program.folder / "reply.txt").write_text(DRAFT, encoding="utf-8")
    (program.folder / "revised.txt").write_text(REVISED, encoding="utf-8")
    server.answer = answer
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    return program.folder


def test_the_commands_run_in_their_order(program: Program, folder: Path) -> None:
    assert len(COMMANDS) == 12
    for line in COMMANDS:
        command, *words = shlex.split(line)
        assert command == "ablation-planner"
        paths = [str(path.relative_to(folder)) for word in words if "*" in word for path in sorted(folder.glob(word))]
        done = program.invoke(*(word for word in words if "*" not in word), *paths)
        assert done.stdout or done.stderr, f"{line} says nothing"
    for name in ("revised", "by-hand"):
        (record,) = (folder / name).rglob("[!.]*.json")
        assert [each["response"] for each in json.loads(record.read_text(encoding="utf-8"))["revisions"]] == ["mended"]


def test_what_the_page_names_exists() -> None:
    named = set(re.findall(r"`([a-z_ -]+)`", PAGE))
    assert named >= set(Details.model_fields) | {*EffortKind, *RejectionReason, *Response}
    keys = {key for cell in re.findall(r"^\| (`.*?) \|", PAGE, re.M) for key in re.findall(r"`(.*?)`", cell)}
    assert keys == {"details", "order", "considered", "reported", "min_chance", "strategy", "revisions"}
    assert keys <= set(PlanRecord.model_fields)
    assert f"(author {DEFAULT_MIN_CHANCE[Task.AUTHOR]}, reviewer {DEFAULT_MIN_CHANCE[Task.REVIEWER]})" in PAGE
