"""Labels of other people, and what the commands `analysis` and `cuts` say about faulty ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.eval.conftest import Run

DEMO = ROOT / "planner" / "demo" / "paper.md"
ABLATION = {"name": "no gate", "ablated_part": "gate", "replacement": [], "evidence": "w/o gate"}


def write_label(folder: Path, suffix: str, label: str) -> None:
    (folder / f"demo{suffix}").write_bytes(DEMO.read_bytes())
    (folder / "demo.json").write_text(label, encoding="utf-8")


@pytest.mark.parametrize(("command", "suffix"), [("analysis", ".md"), ("cuts", ".pdf")])
@pytest.mark.parametrize("label", ["{", "", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")])
def test_a_label_that_is_no_json_is_named_in_one_line(
    run: Run, workdir: Path, command: str, suffix: str, label: str
) -> None:
    write_label(workdir, suffix, label)
    result = run(command, ".")
    assert result.exit_code == 1
    assert "demo.json: is not JSON" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "suffix", "label", "field"),
    [
        ("cuts", ".pdf", {"id": "demo"}, "ablations"),
        ("cuts", ".pdf", [1], "dictionary"),
        ("cuts", ".pdf", {"ablations": [ABLATION]}, "method_end"),
        ("cuts", ".pdf", {"ablations": [{"name": "no gate"}], "method_end": "Results"}, "evidence"),
        ("analysis", ".md", {"ablations": [ABLATION]}, "metrics"),
        ("analysis", ".md", {"ablations": [{"name": "no gate"}], "metrics": []}, "ablated_part"),
    ],
)
def test_a_label_without_a_field_is_named_in_one_line(
    run: Run, workdir: Path, command: str, suffix: str, label: Any, field: str
) -> None:
    write_label(workdir, suffix, json.dumps(label))
    result = run(command, ".")
    assert result.exit_code == 1
    assert "demo.json: " in result.stderr
    assert field in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_label_of_a_source_folder_may_be_faulty_too(run: Run, workdir: Path) -> None:
    (workdir / "demo").mkdir()
    (workdir / "demo" / "paper.md").write_bytes(DEMO.read_bytes())
    (workdir / "demo" / "meta.json").write_text('{"ablated_components": "gate"}', encoding="utf-8")
    result = run("analysis", ".")
    assert result.exit_code == 1
    assert "meta.json: ablated_components: " in result.stderr
