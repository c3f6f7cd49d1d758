"""Details in exports, and details that would steer a terminal, a page or a spreadsheet."""

import csv
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.scripted import contract
from tests.server.replies import as_asked
from tests.server.server import Server
from tests.trajectory import payloads

GATE: dict[str, Any] = {
    "name": "No gate",
    "ablated_part": "harmonic residual gate",
    "action": "REMOVE",
    "metrics": ["MAE"],
    "reason": "the abstract credits the gate",
    "evidence": "The mean value of the gate over the test period is 0.31.",
    "hypothesis": "MAE rises in storms",
    "control": "the same encoder",
    "effort": "retrain, 3 runs",
    "chance": 80,
}
LOSS = {**GATE, "name": "No loss", "ablated_part": "phase consistency loss", "effort": "evaluate", "chance": 60}
TEXTS = ("reason", "evidence", "hypothesis", "control")
HOSTILE = (
    '=HYPERLINK("https://evil.example","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\x1b]0;owned\x07\x1b[2J\x9b31mred",
    "\u202eevil\u2066 \u2028 \u200f",
    "<script>window.canary=1</script>",
    '"><img src=x onerror="window.canary=1">',
    "</p></li></ol></div></section></main><script>window.canary=1</script>",
    "[a](javascript:window.canary=1) ![b](https://evil.example/x.png)",
    "{{ ''.__class__ }}{% raw %}",
    "```\n</details>\n```",
    "x" * 100_000,
    "é\u0301" * 3_000,
    *payloads.ONE_LINERS[:20],
)
NESTED = (
    {"evidence": {"quote": {"quote": ["deep"]}}},
    {"reason": {"a": [1, {"b": "c"}]}, "control": [["x"], {"y": 1}, "z"]},
    {"chance": "1e999"},
    {"chance": {"percent": 80}},
    {"effort": {"retrain": "9" * 400}},
    {"details": {"details": {"details": {"reason": "deep"}}}},
    {"hypothesis": None, "evidence": 0, "effort": False},
)


@pytest.fixture
def export(run: Run, server: Server, work_folder: Path) -> Any:
    """Plan the paper with a reply of these ablations and export the run: the rows of its CSV, and its line of JSON."""

    def plan_and_export(*ablations: dict[str, Any]) -> tuple[list[dict[str, str]], Any]:
        server.answer = lambda request: as_asked(request, contract("Why.", ablations))
        words = ("batch", "paper.md", "-o", "run", "--model", "m", "--base-url", server.base_url, "--price", "1,1")
        assert run(*words, "-k", "50", "-q").exit_code == 0
        for form in ("csv", "jsonl"):
            assert run("export", "run", "--to", form, f"out.{form}").exit_code == 0
        with (work_folder / "out.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return rows, json.loads((work_folder / "out.jsonl").read_text(encoding="utf-8"))

    return plan_and_export


def test_details_have_columns_of_their_own(export: Any) -> None:
    rows, _ = export(GATE, LOSS)
    (first, second) = rows
    assert {name: first[name] for name in list(first)[-11:]} == {
        "chance": "80",
        "why": "the abstract credits the gate",
        "evidence": "The mean value of the gate over the test period is 0.31.",
        "evidence_found": "exact",
        "evidence_place": "Section 4.4",
        "hypothesis": "MAE rises in storms",
        "control": "the same encoder",
        "effort": "retrain",
        "runs": "3",
        "run_order": "2",
        "findings": "",
    }
    assert (second["effort"], second["runs"], second["run_order"]) == ("evaluate", "0", "1")
    assert first["title"].startswith("Slack Water")
    assert float(first["cost"]) > 0


def test_warnings_stand_beside_their_plan(export: Any) -> None:
    rows, _ = export({**GATE, "ablated_part": "quantum flux capacitor"}, LOSS)
    assert "quantum flux capacitor" in rows[0]["warnings"] == rows[1]["warnings"]
    assert "quantum flux capacitor" in rows[0]["findings"]
    assert "quantum flux capacitor" not in rows[1]["findings"]


def test_jsonl_holds_what_the_record_says_of_the_plan(export: Any) -> None:
    _, line = export(GATE, LOSS)
    assert [each["chance"] for each in line["details"]] == [80, 60]
    assert line["order"] == [1, 0]
    assert {study["by"] for study in line["reported"]} == {"program"}


def test_hostile_details_run_and_steer_nothing(export: Any, run: Run, work_folder: Path) -> None:
    hostile = [
        {**GATE, **dict.fromkeys(TEXTS, text), "name": f"Study {number}", "chance": 50 + number, "control": f"{text} "}
        for number, text in enumerate(HOSTILE)
    ]
    rows, _ = export(*hostile, {**hostile[5], "name": "Unlikely", "ablated_part": "encoder", "chance": 1})
    starts = ("=", "+", "-", "@", "\t", "\r", "\n")
    assert len(rows) == len(HOSTILE)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(starts)]

    (path,) = (work_folder / "run" / "trajectories").rglob("*.md")
    shown = run("show", str(path), "--all").stdout
    assert len(re.findall(r"^\d+\. Study \d+$", shown, re.M)) == len(HOSTILE)
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029\u200f]", shown)

    assert run("site", "run", "-o", "pages").exit_code == 0
    (page,) = (work_folder / "pages" / "papers").glob("*.html")
    html = page.read_text(encoding="utf-8")
    assert html.count("<script") == html.count("</script>") == 3
    assert not re.search(r"<(?:img|iframe|form|input|svg|style)\b|href=.javascript", html.partition("<main")[2])
    assert html.count('<li class="card"') == len(HOSTILE) + 1


def test_a_record_made_by_others_makes_up_no_lines(export: Any, run: Run, work_folder: Path) -> None:
    export(GATE)
    (path,) = (work_folder / "run" / "trajectories").rglob("*.md")
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    forged = "x\n\n2. Forged\r3. Forged\u20284. Forged"
    [details] = record["details"]
    details.update(reason=forged, hypothesis=forged, control=forged)
    details["evidence"].update(quote=forged, section=forged)
    record["reported"] = [{"name": forged, "quote": forged, "section": forged}]
    record["revisions"] = [{"name": forged, "finding": forged, "response": "defended", "why": forged}]
    path.with_suffix(".json").write_text(json.dumps(record), encoding="utf-8")
    assert not re.search(r"^\s*[234]\. Forged", run("show", str(path), "--all").stdout, re.M)
    assert run("site", "run", "-o", "pages").exit_code == 0
    (page,) = (work_folder / "pages" / "papers").glob("*.html")
    (copies,) = re.findall(r'<script type="application/json">(.*?)</script>', page.read_text(encoding="utf-8"))
    review = json.loads(copies)["review"]
    assert "Forged" in review
    assert not re.search(r"^\s*[234]\. Forged", review, re.M)


@pytest.mark.parametrize("odd", NESTED, ids=range(len(NESTED)))
def test_odd_details_cost_no_plan(export: Any, odd: dict[str, Any]) -> None:
    rows, line = export({**GATE, **odd})
    assert len(rows) == 1
    assert line["outcome"] == "planned"
