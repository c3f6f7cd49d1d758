"""The open bench: papers known by their checksums, runs scored on those that are there, and labels in our own words."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eval import bench_papers
from eval.bench_papers import LABELS, read_bench_papers
from eval.gold import read_gold
from planner.papers.load import load_paper
from planner.schema import Plan, Task, find_rule_violations
from tests.conftest import ROOT
from tests.eval.conftest import Run
from tests.eval.made import GATE, LOSS, POOL, dumped, write_trajectory

CARD = LABELS.with_name("README.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
LONGEST_COMMON_RUN = 7  # words that a label may share with a paper in a row
GOLD = {"one": [GATE, LOSS], "two": [POOL]}


def own_words(value: Any) -> Iterator[str]:
    """The texts of a label, without title and addresses."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from own_words(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from own_words(item)


def runs_of_words(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    length = LONGEST_COMMON_RUN + 1
    return {tuple(words[n : n + length]) for n in range(len(words) - length + 1)}


def test_labels_are_twenty_sound_papers() -> None:
    gold = read_gold(LABELS)
    assert (gold.task, len(gold.papers), len(read_bench_papers())) == (Task.AUTHOR, 20, 20)
    ablations = [row["ablations"] for row in ROWS]
    assert sum(map(len, ablations)) == 82
    for given in ablations:
        fields = [{key: value for key, value in each.items() if key != "kind"} for each in given]
        assert not find_rule_violations(Plan.model_validate({"ablations": fields}))
    allowed = {"name", "ablated_part", "action", "replacement", "metrics", "kind"}
    assert all(set(each) == allowed for given in ablations for each in given)


def test_labels_copy_no_sentence_of_a_paper(shared: Path) -> None:
    folder = shared / "papers" / "labelled"
    ours = {
        run: row["id"]
        for row in ROWS
        for text in own_words({key: row[key] for key in ("method_end", "metrics", "ablations")})
        for run in runs_of_words(text)
    }
    for row in ROWS:
        paper = load_paper(str(folder / f"{row['id']}.pdf"))
        common = runs_of_words(f"{paper.title} {paper.abstract} {paper.text}") & ours.keys()
        assert not common, f"{row['id']} and the labels of {[ours[run] for run in common]}: {common}"


def test_card_and_readme_have_what_the_command_prints(run: Run, shared: Path) -> None:
    result = run("bench", "--papers", shared / "papers" / "labelled")
    assert result.exit_code == 0, result.stderr
    assert result.stdout in CARD
    assert result.stdout.split("\n\n")[0] in README


@pytest.fixture
def pdfs(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the PDFs of a bench of two papers, one of them under another name."""
    folder = workdir / "pdfs"
    folder.mkdir()
    lines = []
    for name, file in (("one", "one.pdf"), ("two", "Downloaded (1).PDF")):
        (folder / file).write_bytes(name.encode())
        row = {"id": name, "title": f"On {name}", "address": f"https://a/{name}.html", "pdf": f"https://a/{name}/k.pdf"}
        checked = {"sha256": hashlib.sha256(name.encode()).hexdigest(), "method_end": "Experiments"}
        lines.append(json.dumps({**row, **checked, "ablations": dumped(GOLD[name])}) + "\n")
    labels = workdir / "labels.jsonl"
    labels.write_text("".join(lines), encoding="utf-8")
    monkeypatch.setattr(bench_papers, "LABELS", labels)
    return folder


def test_several_runs_make_one_table(run: Run, workdir: Path, pdfs: Path) -> None:
    for model, plans in {"good": GOLD, "poor": {"one": [POOL], "two": [POOL]}}.items():
        for name, plan in plans.items():
            write_trajectory(workdir / model, name, plan, model=model)
    judging = run("judge", "poor", "--gold", "labels.jsonl", "-o", "judged")
    assert judging.exit_code == 0, judging.stderr
    result = run("bench", "good", "judged", "--papers", pdfs)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[:4] == [
        "| system | judge | papers | precision@5 | recall@5 | F1@5 |",
        "|---|---|---|---|---|---|",
        "| lm-planner/good | offline | 2 of 2 | 1.00 (1.00 to 1.00) | 1.00 (1.00 to 1.00) | 1.00 (1.00 to 1.00) |",
        "| lm-planner/poor | offline | 2 of 2 | 0.50 (0.00 to 1.00) | 0.50 (0.00 to 1.00) | 0.50 (0.00 to 1.00) |",
    ]
    assert "The offline judge compares words" in result.stdout


def test_missing_and_changed_pdfs_are_named_and_left_out(run: Run, workdir: Path, pdfs: Path) -> None:
    for name, plan in GOLD.items():
        write_trajectory(workdir / "plans", name, plan)
    (pdfs / "one.pdf").write_bytes(b"another version")
    result = run("bench", "plans", "--papers", pdfs)
    assert result.exit_code == 1
    assert "one: one.pdf is not the PDF that was labelled (another SHA-256); it is at https://a/one/k.pdf" in (
        result.stderr
    )
    assert "| offline | 1 of 2 |" in result.stdout
    (pdfs / "one.pdf").unlink()
    told = json.loads(run("bench", "plans", "--papers", pdfs, "--json").stdout)
    assert told["missing"] == ["one: missing; it is at https://a/one/k.pdf"]
    assert told["runs"][0]["coverage"] == {"scored": 1, "unscored": 0, "failed": 0, "absent": 0}
    (pdfs / "Downloaded (1).PDF").unlink()
    result = run("bench", "plans", "--papers", pdfs)
    assert result.exit_code == 2
    assert "holds none of the 2 PDFs of the bench" in result.stderr


def test_a_run_on_other_gold_is_refused(run: Run, workdir: Path, pdfs: Path) -> None:
    write_trajectory(workdir / "plans", "one", [GATE], task=Task.REVIEWER)
    row = {"id": "one", "title": "On one", "reviews": ["Remove the gate."]}
    (workdir / "reviews.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert run("judge", "plans", "--gold", "reviews.jsonl", "-o", "judged").exit_code == 0
    for folder in ("judged", "plans"):
        result = run("bench", folder, "--papers", pdfs)
        assert result.exit_code == 2, folder
