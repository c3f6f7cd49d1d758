"""The built-in planner on labelled papers, scored offline."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.eval.conftest import Run
from tests.eval.made import GATE, LOSS, dumped

DEMO = ROOT / "planner" / "demo" / "paper.md"


def test_a_labelled_paper_is_planned_from_its_method_and_scored(run: Run, workdir: Path) -> None:
    (workdir / "labelled").mkdir()
    (workdir / "labelled" / "demo.md").write_bytes(DEMO.read_bytes())
    label = {"id": "demo", "title": "T", "ablations": dumped([GATE, LOSS])}
    (workdir / "labelled" / "demo.json").write_text(json.dumps(label), encoding="utf-8")
    result = run("baseline", "labelled", "-o", "out", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["system"], summary["judge"], summary["k"]) == ("extractive-planner/builtin", "offline", 5)
    assert summary["coverage"]["scored"] == 1
    assert len(list((workdir / "out" / "plans").rglob("*.md"))) == 1


def test_a_paper_that_cannot_be_read_is_failed_and_not_zero(run: Run, workdir: Path) -> None:
    (workdir / "labelled").mkdir()
    (workdir / "labelled" / "x.pdf").write_bytes(b"%PDF-1.7 broken")
    (workdir / "labelled" / "x.json").write_text(json.dumps({"id": "x", "ablations": dumped([GATE])}), encoding="utf-8")
    result = run("baseline", "labelled", "-o", "out", "--json")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert (summary["coverage"]["failed"], summary["f1"]) == (1, None)


def test_a_folder_without_labels_is_a_wrong_call(run: Run, workdir: Path) -> None:
    (workdir / "labelled").mkdir()
    assert run("baseline", "labelled", "-o", "out").exit_code == 2


@pytest.mark.shared
def test_the_baseline_finds_a_quarter_of_what_the_labelled_papers_report(run: Run, shared: Path) -> None:
    result = run("baseline", shared / "papers" / "labelled", "-o", "out", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["coverage"]["scored"] == 20
    assert summary["recall"]["mean"] >= 0.25
    assert summary["f1"]["low"] < summary["f1"]["mean"] < summary["f1"]["high"]
