"""`plan` and `batch` finish a paper in one way: the same files, warnings and counts for the same paper and reply."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.scripted import GOOD_ABLATION, contract
from tests.server.http import Request, Response
from tests.server.replies import as_asked
from tests.server.server import Server

PAPER = """# Gates for tides

## Abstract

We propose a harmonic residual gate.

## 3 Method

The harmonic residual gate bounds the residual of each layer. The echo memory keeps what was heard.

Tides are long, and the sea forgets nothing that a station has measured in all the years before. A forecast that
reads only the last week of the tide table is wrong in spring, when storms and moon add up, and in the summer lull.

## 4 Experiments

We report the MAE in Table 1.

## 4.1 Ablation Study

Without the echo memory, the MAE rises by a third.
"""
PARTS = ("harmonic residual gate", "echo memory", "quantum flux capacitor")
REPLY = contract(
    "Why not.",
    [{**GOOD_ABLATION, "name": part, "ablated_part": part, "metrics": ["MAE", "parsecs"]} for part in PARTS],
)


@pytest.fixture
def options(server: Server, work_folder: Path) -> tuple[str, ...]:
    def answer(request: Request) -> Response:
        return as_asked(request, REPLY)

    server.answer = answer
    (work_folder / "tides.md").write_text(PAPER, encoding="utf-8")
    return ("--model", "m", "--base-url", server.base_url, "--price", "1,4", "-k", "3")


def record(folder: Path) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((folder / "lm-planner" / "m" / "tides.json").read_bytes())
    return whole


@pytest.mark.parametrize(("task", "warning_count"), [("reviewer", 5), ("author", 4)])
def test_both_give_the_same_warnings_counts_and_plan(
    run: Run, work_folder: Path, options: tuple[str, ...], task: str, warning_count: int
) -> None:
    planned = run("plan", "tides.md", "--id", "tides", "--task", task, *options)
    run("batch", "tides.md", "-o", "run", "--task", task, *options)
    one, other = record(work_folder / "trajectories"), record(work_folder / "run" / "trajectories")
    assert one["warnings"] == other["warnings"]
    assert len([warning for warning in one["warnings"] if warning.startswith("ablation ")]) == warning_count
    assert any("ablation of 'echo memory' already" in warning for warning in one["warnings"]) == (task == "reviewer")
    for key in ("usage", "cost", "paper", "outcome", "prompt_sha256", "template_sha256", "model_answered"):
        assert one[key] == other[key], key
    assert [attempt["identity"] for attempt in one["attempts"]] == [
        attempt["identity"] for attempt in other["attempts"]
    ]
    plan_file, batch_file = (
        (work_folder / name / "lm-planner" / "m" / "tides.md") for name in ("trajectories", "run/trajectories")
    )
    assert plan_file.read_bytes() == batch_file.read_bytes()
    prompt_tokens, completion_tokens = one["usage"]["prompt_tokens"], one["usage"]["completion_tokens"]
    assert f"({prompt_tokens:,} tokens in, {completion_tokens:,} out, " in planned.stderr
    assert f"{prompt_tokens:,} tokens in, {completion_tokens:,} out" in run("status", "run").stdout


@pytest.mark.parametrize("metadata", [{}, {"title": "Gates, for tides"}, {"id": "my.gates", "title": "Gates"}])
def test_both_give_a_paper_one_id(run: Run, work_folder: Path, metadata: dict[str, str]) -> None:
    places = ("tides.md", "x/2507.08038v2.md", "x/my paper.md", "x/thesis", "x/thesis/main.tex")
    (work_folder / "x" / "thesis").mkdir(parents=True)
    for place in (*places[:3], places[4]):
        (work_folder / place).write_text(PAPER.replace("tides", place), encoding="utf-8")
    words = [word for name, value in metadata.items() for word in (f"--{name}", value)]
    for place in places:
        read = json.loads(run("paper", place, *words, "--to", "json").stdout)["id"]
        (work_folder / "one.jsonl").write_text(json.dumps({"path": place, **metadata}), encoding="utf-8")
        [listed] = json.loads(run("batch", "one.jsonl", "-o", "run", "--dry-run", "--json").stdout)["papers"]
        assert read == listed["id"]
        assert metadata or read == Path(place).name.removesuffix(".md").removesuffix(".tex")


def test_site_and_combine_know_that_both_planned_one_paper(
    run: Run, work_folder: Path, options: tuple[str, ...]
) -> None:
    planned = Path(run("plan", "tides.md", "--title", "Gates for tides", *options).stdout.strip())
    assert run("batch", "tides.md", "-o", "run", *options).exit_code == 0
    assert planned.stem == "Gates_for_tides"
    assert (work_folder / "run" / "trajectories" / "lm-planner" / "m" / "tides.md").is_file()
    run("site", "trajectories", "run", "-o", "pages")
    assert [path.name for path in (work_folder / "pages" / "papers").iterdir()] == ["Gates_for_tides.html"]
    [combined] = run("combine", "run", "trajectories", "-o", "combined").stdout.splitlines()
    assert Path(combined).stem == "tides", "the id is that of the folder that was named first"
    assert json.loads(Path(combined).with_suffix(".json").read_bytes())["paper"]["id"] == "tides"
