"""Reports: what they say, that they are safe to open, and that pictures are drawn."""

import csv
import json
import re
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eval.report.document import Document, ReportSection, Table, render_html, render_markdown, write_document
from eval.statistics import format_number
from planner.trajectory.reader import read_trajectory
from tests.eval.conftest import Run
from tests.eval.made import DEPTH, GATE, LOSS, POOL, ablation, write_gold, write_trajectory

PNG = b"\x89PNG\r\n\x1a\n"
EVIL = "<script>alert(1)</script>|[x](javascript:alert(1))$\\frac{$ 模型"


@pytest.fixture
def plans(workdir: Path) -> Path:
    """Two systems on six papers, of which one finds everything and the other half."""
    papers = [f"paper {n}" for n in range(6)]
    write_gold(workdir / "gold.jsonl", {name: [GATE, LOSS] for name in papers})
    for name in papers:
        write_trajectory(workdir / "plans", name, [GATE, LOSS], model="good-model")
        write_trajectory(workdir / "plans", name, [GATE, POOL], model="half-model")
    return workdir


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_a_report_of_plans_judged_on_the_way(run: Run, plans: Path) -> None:
    result = run("report", "plans", "--gold", "gold.jsonl", "-o", "out", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert [round(row["f1"]["mean"], 3) for row in summary["runs"]] == [1.0, 0.5]
    rows = table(plans / "out" / "report.csv")
    assert [(row["system"], float(row["f1_mean"])) for row in rows] == [
        ("lm-planner/good-model", 1.0),
        ("lm-planner/half-model", 0.5),
    ]
    assert rows[0]["plan_cost_usd_per_paper"] == "", "unknown is not 0"
    text = (plans / "out" / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| good-model \| half-model \| author \| 6 \| \+0\.500 \| .* \| 0\.031 \|", text), (
        "2 of 64 exchanges"
    )


def test_verdicts_of_another_program_are_not_mistaken_for_plans(run: Run, plans: Path) -> None:
    folder = plans / "their-judge"
    folder.mkdir()
    for number in range(6):
        lines = [{"name_in_paper": name, "name_in_plan": "gate"} for name in ("gate", "loss")]
        (folder / f"paper {number}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    named = ("--gold", "gold.jsonl", "--plans", "plans", "--system", "good-model")
    result = run("report", "their-judge", *named, "-o", "out", "--no-plots", "--json")
    (row,) = json.loads(result.stdout)["runs"]
    assert (row["judge"], row["coverage"]["scored"], row["reasons"]) == ("their-judge", 6, {})


def test_recall_grows_with_k_and_a_short_plan_is_used_whole(run: Run, plans: Path) -> None:
    run("report", "plans", "--gold", "gold.jsonl", "-o", "out", "--no-plots", "--system", "good-model")
    rows = table(plans / "out" / "report-by-k.csv")
    assert [(row["k"], row["recall_mean"], row["precision_mean"]) for row in rows] == [
        ("1", "0.5", "1.0"),
        ("2", "1.0", "1.0"),
    ]


def test_pictures_are_whole_and_carry_no_date(run: Run, plans: Path) -> None:
    run("report", "plans", "--gold", "gold.jsonl", "-o", "out")
    for name in ("f1", "recall-by-k", "actions"):
        svg = plans / "out" / f"{name}.svg"
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        assert (plans / "out" / f"{name}.png").read_bytes().startswith(PNG)
    first = (plans / "out" / "f1.svg").read_bytes()
    run("report", "plans", "--gold", "gold.jsonl", "-o", "again")
    assert (plans / "again" / "f1.svg").read_bytes() == first
    assert (plans / "again" / "report.html").read_bytes() == (plans / "out" / "report.html").read_bytes()


def test_cost_is_drawn_where_it_is_known(run: Run, workdir: Path) -> None:
    write_gold(workdir / "gold.jsonl", {"one": [GATE], "two": [LOSS]})
    for name, cost in (("cheap", 0.01), ("dear", 0.2)):
        folder = workdir / name
        folder.mkdir()
        for paper in ("one", "two"):
            (folder / f"{paper}.jsonl").write_text(GATE.model_dump_json(), encoding="utf-8")
        costs = {paper: {"predictions": "", "cost": cost} for paper in ("one", "two")}
        (folder / "plans.json").write_text(json.dumps(costs), encoding="utf-8")
    result = run("report", "cheap", "dear", "--gold", "gold.jsonl", "-o", "out", "--json")
    assert [row["plan_cost"] for row in json.loads(result.stdout)["runs"]] == [0.01, 0.2]
    assert (workdir / "out" / "cost.png").read_bytes().startswith(PNG)


def test_without_gold_plans_are_shown_and_not_scored(run: Run, plans: Path) -> None:
    result = run("report", "plans", "-o", "out", "--no-plots", "--json")
    assert result.exit_code == 0, result.stderr
    assert [row["f1"] for row in json.loads(result.stdout)["runs"]] == [None, None]
    assert "there is no gold" in (plans / "out" / "report.md").read_text(encoding="utf-8")


def test_without_matplotlib_the_command_says_what_to_install(
    run: Run, plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("report", "plans", "--gold", "gold.jsonl", "-o", "out")
    assert result.exit_code == 2
    assert "--no-plots" in result.stderr
    assert run("report", "plans", "--gold", "gold.jsonl", "-o", "out", "--no-plots").exit_code == 0


def test_what_models_wrote_stays_text_in_every_form(run: Run, workdir: Path) -> None:
    evil = ablation(EVIL, EVIL)
    write_gold(workdir / "gold.jsonl", {EVIL: [evil]})
    write_trajectory(workdir / "plans", "x", [evil], model=EVIL)
    assert run("report", "plans", "--gold", "gold.jsonl", "-o", "out").exit_code == 0
    assert run("report", "plans", "-o", "bare", "--no-plots").exit_code == 0
    for name in ("out", "bare"):
        page = (workdir / name / "report.html").read_text(encoding="utf-8")
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert "<script" not in (workdir / name / "report.md").read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_allows_no_script() -> None:
    page = render_html(Document("T", ("lead",), (ReportSection("S", tables=(Table(("a",), (("<b>",),)),)),)))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "http" not in page.replace("http-equiv", "")
    assert "&lt;b&gt;" in page


def test_a_cell_stays_in_its_cell() -> None:
    document = Document("T", (), (ReportSection("S", tables=(Table(("a", "b"), (("x | y\nz", "`"),)),)),))
    assert "| x \\| y z | \\` |" in render_markdown(document)


def test_a_spreadsheet_runs_no_formula(tmp_path: Path) -> None:
    document = Document("T", (), (), (("cells", Table(("a", "b"), (("=1+1", "-0.25"), ("@x", "+1.5e-07")))),))
    write_document(tmp_path, "report", document)
    assert (tmp_path / "cells.csv").read_text("utf-8") == "a,b\n'=1+1,-0.25\n'@x,+1.5e-07\n"


def test_planners_are_compared_without_gold(run: Run, plans: Path) -> None:
    result = run("compare", "plans", "-o", "out", "--json")
    assert result.exit_code == 0, result.stderr
    (task,) = json.loads(result.stdout)["tasks"]
    assert (task["papers"], task["ideas"]) == (6, 18)
    assert task["shared_by"] == {"1": 12, "2": 6}, "the gate in both, the loss and the pooling in one each"
    (pair,) = task["pairs"]
    assert pair["agreement"]["mean"] == 0.5
    assert pair["metrics"]["mean"] == 1.0
    assert [round(p["alone"], 2) for p in task["profiles"]] == [0.5, 0.5]
    for name in ("agreement-author", "shared-author", "actions-author"):
        assert (plans / "out" / f"{name}.png").read_bytes().startswith(PNG)


def test_comparing_needs_two_systems_with_a_common_paper(run: Run, workdir: Path) -> None:
    write_trajectory(workdir / "plans", "one", [GATE])
    assert "two systems or more" in run("compare", "plans", "-o", "out").stderr
    write_trajectory(workdir / "plans", "two", [DEPTH], model="other-model")
    result = run("compare", "plans", "-o", "out")
    assert result.exit_code == 2
    assert "no paper has a plan of every system" in result.stderr


@pytest.mark.shared
def test_the_five_published_models(run: Run, shared: Path, workdir: Path) -> None:
    started = time.perf_counter()
    result = run("compare", shared / "trajectories", "-o", "compared", "--json")
    tasks = {task["task"]: task for task in json.loads(result.stdout)["tasks"]}
    assert tasks["reviewer"]["papers"] + tasks["author"]["papers"] == 50
    most = {name: max(task["pairs"], key=lambda p: p["agreement"]["mean"]) for name, task in tasks.items()}
    assert all(pair["agreement"]["low"] > 0.1 for pair in most.values())
    assert all(int(task["shared_by"]["1"]) > task["ideas"] / 2 for task in tasks.values())
    gold = {}
    for path in sorted((shared / "trajectories" / "lm-planner" / "gpt-4o").glob("*.md")):
        found = read_trajectory(path)
        if found.task == "author":
            gold[found.paper_id] = found.plan.ablations
    write_gold(workdir / "gold.jsonl", gold)
    scored = run("report", shared / "trajectories", "--gold", "gold.jsonl", "-o", "report", "--json")
    f1 = {row["system"]: row["f1"]["mean"] for row in json.loads(scored.stdout)["runs"]}
    assert f1["lm-planner/gpt-4o"] > 0.99, "a plan meets itself"
    assert all(value < 0.9 for system, value in f1.items() if system != "lm-planner/gpt-4o")
    assert time.perf_counter() - started < 120, "a minute each"


def test_nothing_is_minus_zero() -> None:
    assert format_number(-8e-17) == "0.00"
    assert format_number(-0.01) == "-0.01"
