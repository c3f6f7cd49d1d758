"""The details of a plan over the command line: parsed, kept, shown, and copied into a review."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.scripted import contract

GATE: dict[str, Any] = {
    "name": "No gate",
    "ablated_part": "harmonic residual gate",
    "action": "REMOVE",
    "replacement": [],
    "metrics": ["MAE", "STE"],
    "reason": "the abstract credits the gate",
    "evidence": "The mean value of the gate over the test period is 0.31.",
    "hypothesis": "MAE rises in storms; if it does not, the prior alone suffices",
    "control": "the same encoder and schedule",
    "effort": "retrain, 3 runs",
    "chance": 80,
}
SEEDS: dict[str, Any] = {
    **GATE,
    "name": "Other loss",
    "ablated_part": "Huber loss",
    "evidence": "We never said such a thing about any loss at all in this paper.",
    "effort": "evaluate",
    "chance": 60,
}
UNLIKELY: dict[str, Any] = {**GATE, "name": "Fewer patches", "ablated_part": "patch encoder", "chance": 10}
REPORTED = '<reported>\n{"name": "without cross-station attention", "quote": "w/o LCA"}\n</reported>\n<predictions>'
REPLY = contract("The gate is never removed.", [GATE, SEEDS, UNLIKELY]).replace("<predictions>", REPORTED)


@pytest.fixture
def plan(run: Run, work_folder: Path) -> Path:
    """A plan with details, made from a pasted reply; the third candidate is not kept."""
    (work_folder / "reply.txt").write_text(REPLY, encoding="utf-8")
    done = run("parse", "reply.txt", "--paper", "paper.md", "--model", "chat", "--min-chance", "45")
    assert done.exit_code == 0, done.stderr
    return Path(done.stdout.strip())


def test_details_are_shown_under_each_ablation(run: Run, plan: Path) -> None:
    shown = run("show", str(plan)).stdout
    for line in (
        "chance: 80 % (likely)",
        "why: the abstract credits the gate",
        "the paper says: “The mean value of the gate over the test period is 0.31.” (Section 4.4)",
        "expect: MAE rises in storms; if it does not, the prior alone suffices",
        "hold fixed: the same encoder and schedule",
        "effort: retrain, 3 runs",
        "run in this order: 2, 1; 3 runs in all",
        "ablations 1 and 2 share a control",
        "a chance is the model's estimate of how likely a careful reviewer is to ask for the ablation",
        "1 more considered and not kept; --all shows them",
    ):
        assert line in shown, shown
    assert "without cross-station attention" in shown.split("already reported by the paper:")[1]
    assert "Fewer patches" not in shown


def test_a_chance_of_an_author_is_of_another_kind(run: Run, plan: Path) -> None:
    words = ("parse", "reply.txt", "--paper", "paper.md", "--task", "author", "-o", "author")
    assert "how likely the finished paper is to report the ablation\n" in run("show", run(*words).stdout.strip()).stdout
    assert "a chance is" not in run("show", run("plan", "paper.md").stdout.strip()).stdout


def test_a_quote_that_is_not_in_the_paper_is_marked_everywhere(run: Run, plan: Path, work_folder: Path) -> None:
    assert "never said such a thing about any loss at all in this paper.” (not found" in run("show", str(plan)).stdout
    record = json.loads(plan.with_suffix(".json").read_text(encoding="utf-8"))
    assert [each["evidence"]["found"] for each in record["details"]] == ["exact", "absent"]
    assert any("never said such a thing" in warning for warning in record["warnings"])
    assert run("site", "trajectories", "-o", "pages").exit_code == 0
    (page,) = (work_folder / "pages" / "papers").glob("*.html")
    assert "not found in the text that was sent" in page.read_text(encoding="utf-8")


def test_what_was_not_kept_can_be_shown(run: Run, plan: Path) -> None:
    shown = run("show", str(plan), "--all").stdout
    assert "Fewer patches" in shown
    assert "not kept: below min-chance" in shown


def test_a_page_shows_the_order_and_what_is_reported_or_was_not_kept(run: Run, plan: Path, work_folder: Path) -> None:
    assert run("site", "trajectories", "-o", "pages").exit_code == 0
    (page,) = (work_folder / "pages" / "papers").glob("*.html")
    html = page.read_text(encoding="utf-8")
    assert "run in this order: 2, 1; 3 runs in all" in html
    assert "of how likely a careful reviewer is to ask for the ablation" in html
    assert "ablations 1 and 2 share a control" in html
    assert "without cross-station attention" in html.split("<h4>Already reported by the paper</h4>")[1]
    assert "Fewer patches" in html.split("1 more considered and not kept")[1]
    assert "below min-chance" in html


def test_json_holds_the_details_beside_the_ablations(run: Run, plan: Path) -> None:
    shown = json.loads(run("show", str(plan), "--to", "json").stdout)
    assert [each["chance"] for each in shown["details"]] == [80, 60]
    assert shown["order"] == [1, 0]
    assert [(each["name"], each["why"]) for each in shown["considered"]] == [("Fewer patches", "below min-chance")]
    assert {each["by"] for each in shown["reported"]} <= {"program", "model", "both"}
    assert all(set(each) == {"name", "ablated_part", "action", "replacement", "metrics"} for each in shown["ablations"])


def test_the_built_in_planner_gives_details_unless_asked_plainly(run: Run) -> None:
    words = ("plan", "paper.md", "--model", "extractive", "--json", "-o")
    records = [
        json.loads(Path(json.loads(run(*words, *more).stdout)["sidecar"]).read_text(encoding="utf-8"))
        for more in (("full",), ("plain", "--plain"))
    ]
    assert {each["evidence"]["found"] for each in records[0]["details"]} == {"exact"}
    assert "details" not in records[1]
    full, plain = (record["attempts"][0]["completion"]["text"] for record in records)
    assert "evidence" in full
    assert "evidence" not in plain


def test_the_trajectory_is_that_of_a_plain_plan(run: Run, plan: Path, work_folder: Path) -> None:
    plain = contract(
        "The gate is never removed.", [{name: each[name] for name in list(GATE)[:5]} for each in (GATE, SEEDS)]
    )
    (work_folder / "plain.txt").write_text(plain, encoding="utf-8")
    done = run("parse", "plain.txt", "--paper", "paper.md", "--model", "chat", "-o", "plain", "--plain")
    assert Path(done.stdout.strip()).read_bytes() == plan.read_bytes()
    assert "details" not in json.loads(Path(done.stdout.strip()).with_suffix(".json").read_text(encoding="utf-8"))


def test_a_damaged_record_costs_the_details_alone(run: Run, plan: Path) -> None:
    plan.with_suffix(".json").write_text("{", encoding="utf-8")
    done = run("show", str(plan))
    assert done.exit_code == 0
    assert "shown without details" in done.stderr
    assert "REMOVE harmonic residual gate" in done.stdout


def test_the_schema_of_the_details_is_printed(run: Run) -> None:
    schema = json.loads(run("schema", "--details").stdout)
    assert schema["type"] == "array"
    assert {"reason", "evidence", "hypothesis", "control", "effort", "chance"} == set(
        schema["$defs"]["Details"]["properties"]
    )
