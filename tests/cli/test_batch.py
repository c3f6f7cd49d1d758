"""`batch`, `status`, `export` and `site`, as a user calls them: one corpus in which most things go wrong once."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.cli import cli
from planner.schema import Ablation, Plan
from planner.trajectory.reader import read_trajectory
from tests.cli.conftest import Run
from tests.conftest import ROOT
from tests.scripted import GOOD_ABLATION, contract
from tests.server.http import Request, Response
from tests.server.replies import as_asked
from tests.server.server import Server

BODY = "The gate bounds the residual of each layer, and nobody has asked what it is for. " * 20
ODD = {
    **GOOD_ABLATION,
    "name": '=HYPERLINK("http://x.example"), "quoted"',
    "ablated_part": "-der Größenterm 日本語",
    "action": "REPLACE",
    "replacement": ["@one; two", "three\tfour"],
    "metrics": ["+MAE", "F₁"],
}
PLANS: Mapping[str, list[Mapping[str, Any]]] = {
    "alpha": [GOOD_ABLATION],
    "beta": [{**GOOD_ABLATION, "name": "First"}, {**GOOD_ABLATION, "name": "Second"}],
    "odd": [ODD],
}
ROWS = (
    *({"id": name, "path": f"{name}.md"} for name in PLANS),
    {"id": "refused", "path": "refused.md", "title": "=2+2"},
    {"id": "truncated", "path": "truncated.md"},
    {"id": "empty", "path": "empty.md"},
    {"id": "gone", "path": "gone.md"},
)
OUTCOMES = {"planned": 6, "refused": 2, "truncated": 2, "paper_error": 2}
MODELS = ("lm-planner/model-a", "lm-planner/model-b")


def answer(request: Request) -> Response:
    if "paper refused" in request.prompt:
        return as_asked(request, "", refusal="I will not.")
    if "paper truncated" in request.prompt:
        return as_asked(request, contract("Why.", [GOOD_ABLATION])[:-30], finish_reason="length")
    [plan] = [plan for name, plan in PLANS.items() if f"paper {name}" in request.prompt]
    return as_asked(request, contract("The gate is never removed.", plan))


def asked(*words: str, stdin: str | None = None, **env: str) -> Result:
    return CliRunner().invoke(cli, words, input=stdin, env={"PYTHONPATH": str(ROOT), **env})


@pytest.fixture(scope="module")
def provider() -> Iterator[Server]:
    with Server(answer) as running:
        yield running


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of seven papers, of which one is empty and one is not there."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in (*PLANS, "refused", "truncated"):
        text = f"# The paper {name}\n\n## Abstract\n\nWe gate.\n\n## Method\n\n{BODY}\n\n## Experiments\n\n{BODY}\n"
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / "empty.md").write_bytes(b"")
    manifest = folder / "list.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return manifest


@pytest.fixture(scope="module")
def batch(corpus: Path, provider: Server) -> Callable[..., Result]:
    """Plan the corpus with two models; further words are further options."""

    def plan(run: Path, *more: str) -> Result:
        models = ("--model", "model-a", "--model", "model-b", "--base-url", provider.base_url)
        return asked("batch", str(corpus), "-o", str(run), *models, "--price", "1000,0", *more)

    return plan


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, batch: Callable[..., Result]) -> Result:
    """A finished call of `batch --json`; its run is in `run_folder`."""
    result = batch(tmp_path_factory.getbasetemp() / "finished run", "--json")
    assert result.exit_code == 1, result.output
    return result


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, done: Result) -> Path:
    return tmp_path_factory.getbasetemp() / "finished run"


def status(run: Path, *more: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(asked("status", str(run), "--json", *more).stdout)
    return told


def plans(run: Path) -> dict[tuple[str, str], Plan]:
    """Every plan of a run by model and paper, as the files have it."""
    read = map(read_trajectory, sorted((run / "trajectories").rglob("*.md")))
    return {(trajectory.model, trajectory.paper_id): trajectory.plan for trajectory in read}


def export(run: Path, form: str, target: Path) -> Result:
    result = asked("export", str(run), "--to", form, str(target))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{target}\n"
    return result


def test_the_summary_is_the_status(done: Result, run_folder: Path) -> None:
    assert json.loads(done.stdout) == status(run_folder)
    assert "6 papers with 2 models: 6 planned, 6 failed, 0 left" in done.stderr
    assert "gone.md" in done.stderr


def test_status_tells_programs_what_is_there(run_folder: Path, provider: Server) -> None:
    told = status(run_folder)
    assert list(told) == [
        *("papers", "planned", "failed", "pending", "outcomes", "models", "requests", "lost_requests"),
        *("tokens", "prompt_tokens", "completion_tokens", "cost"),
    ]
    assert told["outcomes"] == OUTCOMES
    assert told["models"] == {model: {name: count // 2 for name, count in OUTCOMES.items()} for model in MODELS}
    assert (told["papers"], told["planned"], told["failed"], told["pending"]) == (6, 6, 6, 0)
    assert (told["requests"], told["lost_requests"]) == (10, 0)
    assert told["prompt_tokens"] == 10_000
    assert told["cost"] == pytest.approx(10.0)


def test_failures_are_listed_for_programs_and_grouped_for_people(run_folder: Path) -> None:
    failures = status(run_folder, "--failed")["failures"]
    assert sorted({(each["paper"], each["outcome"]) for each in failures}) == [
        ("empty", "paper_error"),
        ("refused", "refused"),
        ("truncated", "truncated"),
    ]
    assert {each["model"] for each in failures} == set(MODELS)
    assert all(each["reason"] for each in failures)
    text = asked("status", str(run_folder), "--failed").stdout
    for words in ("not readable as a paper", "refused", "with a reply that was cut short"):
        assert text.count(f"\n2 {words}: ") == 1
    assert "failures" not in status(run_folder)


def test_every_planning_has_its_sidecar_and_every_plan_its_file(run_folder: Path) -> None:
    sidecars = [json.loads(path.read_text("utf-8")) for path in (run_folder / "trajectories").rglob("*.json")]
    assert sorted(each["paper"]["id"] for each in sidecars) == sorted(2 * [row["id"] for row in ROWS[:-1]])
    assert set(plans(run_folder)) == {(model, name) for model in ("model-a", "model-b") for name in PLANS}


def test_the_same_command_again_pays_for_nothing(
    run_folder: Path, batch: Callable[..., Result], provider: Server
) -> None:
    before = len(provider.journal)
    again = batch(run_folder, "--json")
    assert again.exit_code == 1, "some papers still have no plan"
    assert json.loads(again.stdout)["requests"] == 10
    assert len(provider.journal) == before


def test_jsonl_gives_every_plan_back(run_folder: Path, tmp_path: Path) -> None:
    export(run_folder, "jsonl", tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert len(lines) == 12
    told = {(each["model"], each["paper_id"]): each["ablations"] for each in lines if each["outcome"] == "planned"}
    assert {key: Plan.model_validate({"ablations": ablations}) for key, ablations in told.items()} == plans(run_folder)
    for line in lines:
        assert (line["ablations"] is None) == (line["outcome"] != "planned") == bool(line["reason"])
    assert {line["title"] for line in lines if line["paper_id"] == "refused"} == {"=2+2"}


def test_csv_gives_every_plan_back_and_runs_nothing_in_a_spreadsheet(run_folder: Path, tmp_path: Path) -> None:
    export(run_folder, "csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    told: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        if row["outcome"] == "planned":
            told.setdefault((row["model"], row["paper_id"]), []).append(row)
    for key, plan in plans(run_folder).items():
        assert [row["rank"] for row in told[key]] == [str(n) for n in range(1, len(plan.ablations) + 1)]
        for row, ablation in zip(told[key], plan.ablations, strict=True):
            assert row["name"].removeprefix("'") == ablation.name
            assert row["ablated_part"].removeprefix("'") == ablation.ablated_part
            assert row["action"] == ablation.action
            assert row["replacement"].removeprefix("'") == "; ".join(ablation.replacement)
            assert row["metrics"].removeprefix("'") == "; ".join(ablation.metrics)
    assert len([row for row in rows if row["reason"] and not row["name"]]) == 6


def test_csv_gives_the_title_the_cost_and_the_reasoning(run_folder: Path, tmp_path: Path) -> None:
    export(run_folder, "csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    last = ["reason", "title", "cost", "warnings", "reasoning", "findings"]
    assert list(rows[0])[-6:] == last, "no details, no columns for them"
    assert {row["title"] for row in rows if row["paper_id"] == "refused"} == {"'=2+2"}
    assert {row["reasoning"] for row in rows if row["outcome"] == "planned"} == {"The gate is never removed."}
    assert {float(row["cost"]) for row in rows if row["outcome"] == "planned"} == {1.0}


def test_the_published_layout_gives_every_plan_back(run_folder: Path, tmp_path: Path) -> None:
    said = export(run_folder, "ablationbench", tmp_path / "out").stderr
    for (model, paper), plan in plans(run_folder).items():
        folder = tmp_path / "out" / "lm-planner" / model
        lines = (folder / f"{paper}.jsonl").read_text("utf-8")
        assert Plan(ablations=tuple(Ablation.model_validate_json(line) for line in lines.splitlines())) == plan
        assert json.loads((folder / "plans.json").read_text("utf-8"))[paper]["predictions"] == lines.removesuffix("\n")
    assert len(list((tmp_path / "out").rglob("*.jsonl"))) == 6
    assert said.count("left out: ") == 6
    assert "left out: lm-planner/model-a/refused: the model or its provider refused: " in said


@pytest.mark.parametrize("form", ["jsonl", "csv", "ablationbench"])
def test_exports_repeat_byte_by_byte(run_folder: Path, tmp_path: Path, form: str) -> None:
    def content() -> dict[str, bytes]:
        export(run_folder, form, tmp_path / "out")
        return {str(path): path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    assert content() == content() != {}


@pytest.mark.parametrize(("form", "code"), [("csv", 2), ("ablationbench", 2), ("parquet", 2)])
def test_an_export_to_what_it_cannot_be_is_refused(run_folder: Path, tmp_path: Path, form: str, code: int) -> None:
    target = tmp_path / "target"
    target.write_text("mine", encoding="utf-8") if form == "ablationbench" else target.mkdir()
    result = asked("export", str(run_folder), "--to", form, str(target))
    assert (result.exit_code, result.stdout) == (code, "")
    assert target.exists()
    assert not target.is_file() or target.read_text("utf-8") == "mine"


def test_the_site_of_a_run(run_folder: Path, tmp_path: Path) -> None:
    result = asked("site", str(run_folder), "-o", str(tmp_path / "site"))
    assert result.exit_code == 0
    index = Path(result.stdout.removesuffix("\n"))
    assert index.name == "index.html"
    assert "6 papers, 6 plans, 6 failures" in result.stderr
    assert "alpha" in index.read_text("utf-8")


def test_a_run_in_two_goes_is_the_run_in_one(
    run_folder: Path, tmp_path: Path, batch: Callable[..., Result], provider: Server
) -> None:
    before = len(provider.journal)
    batch(tmp_path / "run", "--max-papers", "3")
    first = status(tmp_path / "run")
    assert first["planned"] + first["failed"] == 6, "three papers, by two models"
    assert first["pending"] == 6
    batch(tmp_path / "run")
    assert status(tmp_path / "run") == status(run_folder)
    assert plans(tmp_path / "run") == plans(run_folder)
    assert len(provider.journal) - before == 10


def test_only_what_failed_is_tried_again(tmp_path: Path, batch: Callable[..., Result], provider: Server) -> None:
    batch(tmp_path / "run")
    before = len(provider.journal)
    batch(tmp_path / "run", "--retry-failed")
    again = [request.prompt for request in provider.journal[before:]]
    assert sorted(name for text in again for name in (*PLANS, "refused", "truncated") if f"paper {name}" in text) == [
        *("refused", "refused"),
        *("truncated", "truncated"),
    ]
    assert status(tmp_path / "run")["requests"] == 14


def test_a_list_on_stdin_and_the_model_of_the_environment(corpus: Path, tmp_path: Path, provider: Server) -> None:
    listed = f"# two of them\n{corpus.parent / 'alpha.md'}\n\n{corpus.parent / 'beta.md'}  # the second\n"
    env = {"ABLATION_PLANNER_MODEL": "model-e", "OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-marker"}
    result = asked("batch", "-", "-o", str(tmp_path / "run"), "--json", "-q", stdin=listed, **env)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["models"] == {"lm-planner/model-e": {"planned": 2}}
    assert provider.journal[-1].headers["authorization"] == "Bearer sk-marker"


def test_a_dry_run_says_what_it_would_take(corpus: Path, tmp_path: Path, provider: Server) -> None:
    before = len(provider.journal)
    words = ("batch", str(corpus), "-o", str(tmp_path / "run"), "--model", "m", "--base-url", provider.base_url)
    told = json.loads(asked(*words, "--dry-run", "--json", "--price", "1,1").stdout)
    assert list(told) == ["papers", "problems", "unreadable", "models"]
    assert [each["id"] for each in told["papers"]] == [row["id"] for row in ROWS[:-1]]
    assert [Path(each["source"]).name for each in told["problems"]] == ["list.jsonl:7"]
    assert len(told["unreadable"]) == 1
    [model] = told["models"]
    assert (model["model"], model["papers"], model["host"]) == ("m", 5, provider.base_url.split("/")[2])
    assert model["cost"] > 0
    unpriced = json.loads(asked(*words, "--dry-run", "--json").stdout)["models"][0]
    assert unpriced["cost"] is None
    assert len(provider.journal) == before
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-cost", "1"), "--price"),
        (("--max-cost", "-1"), "--max-cost"),
        (("--concurrency", "0"), "--concurrency"),
        (("--rpm", "0"), "--rpm"),
        (("--max-papers", "0"), "--max-papers"),
        (("--offline",), "--offline"),
        (("-k", "99"), "-k 99"),
        (("--model", "me", "--model", "m.e"), "same folder"),
        (("--price", "free"), "IN,OUT"),
    ],
)
def test_wrong_usage_is_told_before_a_folder_is_made(
    run: Run, work_folder: Path, words: tuple[str, ...], said: str
) -> None:
    result = run("batch", "paper.md", "-o", "run", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not (work_folder / "run").exists()


@pytest.mark.parametrize("words", [("status", "."), ("export", ".", "--to", "csv", "x.csv")])
def test_what_is_no_run_is_one_line(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "is not the folder of a run" in result.stderr
    assert not Path("ledger.sqlite").exists(), "looking makes nothing"
