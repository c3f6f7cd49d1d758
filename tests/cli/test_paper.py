"""`paper`: what was understood, for people and for programs."""

import json
from pathlib import Path

import pytest

from planner.details import format_approximate_number
from tests.cli.conftest import Run


def test_the_page_shows_sections_findings_and_what_is_left_out(run: Run) -> None:
    shown = run("paper", "paper.md").stdout
    assert shown.startswith("Slack Water: Forecasting Tidal Currents")
    assert "3.3 Harmonic Residual Gate  [method" in shown
    assert "References, 744 characters: references are not sent" in shown
    assert "lagged cross-station attention (LCA) (4.3 Ablation Study)" in shown


def test_the_paper_and_its_plan_tell_of_the_same_reported_ablations(run: Run) -> None:
    told = json.loads(run("paper", "paper.md", "--to", "json").stdout)["reported_ablations"]
    [plan] = run("plan", "paper.md", "--model", "extractive").stdout.split()
    parts = [each["name"] for each in json.loads(Path(plan).with_suffix(".json").read_text("utf-8"))["reported"]]
    assert parts == [each["ablated_part"] for each in told]
    assert len(parts) > 1
    shown, page = run("show", plan).stdout, run("paper", "paper.md").stdout
    block = shown[shown.index("already reported by the paper:") :].split("\n\n")[0].splitlines()[1:]
    assert [line.strip() for line in block] == [
        line.strip() for line in page[page.index("Already reported by the paper:") :].split("\n\n")[0].splitlines()[1:]
    ]
    assert "report already" not in shown, "a second list, by another count"


def test_the_object_has_the_keys_that_programs_rely_on(run: Run) -> None:
    told = json.loads(run("paper", "paper.md", "--to", "json", "--task", "author").stdout)
    assert set(told) == {
        *("id", "title", "abstract", "format", "main_file", "sections", "tokens", "prompt_tokens"),
        *("components", "reported_ablations", "metrics", "left_out", "warnings"),
    }
    assert told["format"] == "markdown"
    assert 3000 < told["tokens"] < 4500
    assert {"heading", "level", "kind", "chars", "page"} == set(told["sections"][0])
    assert "4.3 Ablation Study" in [part["heading"] for part in told["left_out"]]
    assert any("gate" in component["name"] for component in told["components"])


@pytest.mark.parametrize("task", ["reviewer", "author"])
def test_paper_prompt_and_dry_run_show_the_same_prompt_tokens(run: Run, task: str) -> None:
    model = ("--model", "m", "--base-url", "http://localhost:1/v1", "--price", "1000000,0")
    shown = json.loads(run("paper", "paper.md", "--to", "json", "--task", task).stdout)["prompt_tokens"]
    estimate = run("batch", "paper.md", "-o", "run", "--task", task, *model, "--dry-run", "--json").stdout
    [planned] = json.loads(estimate)["models"]
    assert (planned["tokens"], planned["cost"]) == (shown, shown)
    about = format_approximate_number(shown)
    assert f"{about} tokens" in run("prompt", "paper.md", "--task", task).stderr
    assert f"Prompt of the {task} task: {about} tokens" in run("paper", "paper.md", "--task", task).stdout


def test_the_text_is_what_the_task_would_send(run: Run) -> None:
    author = run("paper", "paper.md", "--to", "text", "--task", "author").stdout
    assert author.startswith("Slack Water: Forecasting Tidal Currents")
    assert "harbour entrances" in author
    assert "Surge-weighted sampling (SWS)" in author
    assert "0.098" not in author
    prompt = json.loads(run("prompt", "paper.md", "--task", "author").stdout)["messages"][1]["content"]
    assert author.strip().split("\n\n")[-1] in prompt


def test_a_paper_that_the_author_task_cannot_cut_is_shown_with_a_warning(run: Run, work_folder: Path) -> None:
    text = (work_folder / "paper.md").read_text(encoding="utf-8").split("## 4 Experiments")[0]
    (work_folder / "half.md").write_text(text, encoding="utf-8")
    told = json.loads(run("paper", "half.md", "--to", "json", "--task", "author").stdout)
    assert any("--cut-at" in warning for warning in told["warnings"])
    assert told["prompt_tokens"] is None
    assert run("paper", "half.md", "--to", "text", "--task", "author").exit_code == 1


@pytest.mark.parametrize("window", ["1000", "3000"])
def test_a_paper_that_does_not_fit_is_never_sent(run: Run, window: str) -> None:
    result = run("prompt", "paper.md", "--context-window", window)
    assert result.exit_code == 1
    assert "--context-window" in result.stderr
    assert result.stdout == ""
