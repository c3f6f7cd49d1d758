"""The page on details: its commands run in their order, and what it names exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from planner.details import DEFAULT_MIN_CHANCE, Details, EffortKind, FindingResponse, RejectionReason
from planner.planning.record import PlanRecord
from planner.schema import Task
from tests.conftest import ROOT
from tests.pages import Reader, list_lines, make_examples
from tests.scripted import contract
from tests.server.http import Request
from tests.server.http import Response as Answer
from tests.server.replies import as_asked
from tests.server.server import Server

PAGE = (ROOT / "docs" / "details.md").read_text(encoding="utf-8")
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


def test_the_commands_run_in_their_order(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    make_examples(tmp_path)
    (tmp_path / "reply.txt").write_text(DRAFT, encoding="utf-8")
    (tmp_path / "revised.txt").write_text(REVISED, encoding="utf-8")
    server.answer = answer
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    lines = list_lines(PAGE)
    assert len(lines) == 12
    reader = Reader(tmp_path, server.base_url, monkeypatch)
    reader.follow(lines)
    assert all(reader.said.values())
    for name in ("revised", "by-hand"):
        (record,) = (tmp_path / name).rglob("[!.]*.json")
        assert [each["response"] for each in json.loads(record.read_text(encoding="utf-8"))["revisions"]] == ["mended"]


def test_what_the_page_names_exists() -> None:
    named = set(re.findall(r"`([a-z_ -]+)`", PAGE))
    assert named >= set(Details.model_fields) | {*EffortKind, *RejectionReason, *FindingResponse}
    keys = {key for cell in re.findall(r"^\| (`.*?) \|", PAGE, re.M) for key in re.findall(r"`(.*?)`", cell)}
    assert keys == {"details", "order", "considered", "reported", "min_chance", "strategy", "revisions"}
    assert keys <= set(PlanRecord.model_fields)
    assert f"(author {DEFAULT_MIN_CHANCE[Task.AUTHOR]}, reviewer {DEFAULT_MIN_CHANCE[Task.REVIEWER]})" in PAGE
