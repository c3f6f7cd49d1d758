"""`--dry-run`, `status` and `export`: what a run says of itself."""

import asyncio
import csv
import json
from pathlib import Path

import pytest

from planner.batch.ledger.store import Ledger
from planner.planning.record import AttemptRecord, PlanRecord
from tests.batch.program import Program, Serve, Served, make_papers

PAPERS = 40


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Served:
    make_papers(tmp_path / "papers", PAPERS)
    return serve("--fates")


@pytest.fixture
def done(program: Program, served: Served) -> Program:
    words = ("batch", "papers", "-o", "run", "--model", "gpt-4.1", "--base-url", served.url, "--price", "1,4")
    program.run(*words, code=1)
    return program


def test_a_dry_run_reads_and_sends_nothing(program: Program, served: Served, tmp_path: Path) -> None:
    (tmp_path / "papers" / "short.md").write_text("too short", encoding="utf-8")
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--price", "1,4")
    text = program.run(*words, "--dry-run", "--rpm", "10", code=1).stdout
    assert text.count("\tmarkdown\t") == PAPERS + 1
    assert "short.md" in text
    assert f"{PAPERS} papers, about" in text
    assert "4 min" in text, "forty papers at ten a minute"
    assert "127.0.0.1" in text
    whole = json.loads(program.run(*words, "--dry-run", "--json", code=1).stdout)
    assert whole["models"][0]["papers"] == PAPERS
    assert whole["models"][0]["cost"] > 0
    assert len(whole["unreadable"]) == 1
    assert served.count == 0
    assert not (tmp_path / "run").exists()


def test_a_dry_run_counts_what_is_left(program: Program, served: Served, tmp_path: Path) -> None:
    words = ("batch", "papers", "-o", "run", "--model", "gpt-4.1", "--base-url", served.url, "--price", "1,4")
    program.run(*words, "--max-papers", "30", code=1)
    told = program.run(*words, "--dry-run").stdout
    assert "gpt-4.1: 10 papers, about " in told
    assert " tokens in 10 requests, about 2,000 tokens per reply, " in told
    assert told.endswith(", 30 papers with a result already\n")
    assert "gpt-4.1: 3 papers, about " in program.run(*words, "--dry-run", "--max-papers", "3").stdout
    assert "gpt-4.1: 40 papers, about " in program.run(*words, "--dry-run", "-k", "1").stdout
    program.run(*words, code=1)
    assert "\ngpt-4.1: 40 papers with a result already\n" in program.run(*words, "--dry-run").stdout
    status = program.status()
    [model] = json.loads(program.run(*words, "--dry-run", "--json", "--retry-failed").stdout)["models"]
    assert (model["papers"], model["finished"]) == (status["failed"], status["planned"])


def test_status_counts_what_is_there(done: Program, served: Served) -> None:
    status = done.status()
    assert status["papers"] == PAPERS == status["planned"] + status["failed"]
    assert status["pending"] == 0
    assert sum(status["outcomes"].values()) == PAPERS
    assert status["requests"] == served.count
    assert status["cost"] == pytest.approx(served.cost)
    assert status["tokens"] == sum(entry.tokens for entry in served.entries)


def test_failures_are_grouped_by_their_reason(done: Program) -> None:
    text = done.run("status", "run", "--failed").stdout
    status = done.status("run", "--failed")
    assert len(status["failures"]) == status["failed"]
    assert text.count(f"\n{status['outcomes']['refused']} refused: ") == 1


def test_the_published_layout_names_failed_papers_and_leaves_them_out(done: Program, tmp_path: Path) -> None:
    stderr = done.run("export", "run", "--to", "ablationbench", "out").stderr
    status = done.status()
    plans = json.loads((tmp_path / "out" / "plans.json").read_text(encoding="utf-8"))
    files = sorted(path.stem for path in (tmp_path / "out").glob("*.jsonl"))
    assert sorted(plans) == files
    assert len(plans) == status["planned"]
    assert stderr.count("left out: ") == status["failed"]
    one = plans[files[0]]
    assert sorted(one) == ["cost", "predictions"]
    line = json.loads(one["predictions"])
    assert sorted(line) == ["ablated_part", "action", "metrics", "name"]
    assert (tmp_path / "out" / f"{files[0]}.jsonl").read_text(encoding="utf-8") == one["predictions"] + "\n"


def test_a_paper_that_fails_now_leaves_no_older_plan_in_the_published_layout(done: Program, tmp_path: Path) -> None:
    done.run("export", "run", "--to", "ablationbench", "out")
    planned = {path.name for path in (tmp_path / "out").glob("*.jsonl")}
    failed = done.status("run", "--failed")["failures"][0]["paper"]
    (tmp_path / "out" / f"{failed}.jsonl").write_text("{}\n", encoding="utf-8")
    done.run("export", "run", "--to", "ablationbench", "out")
    assert {path.name for path in (tmp_path / "out").glob("*.jsonl")} == planned


def test_tables(done: Program, tmp_path: Path) -> None:
    done.run("export", "run", "--to", "jsonl", "out.jsonl")
    done.run("export", "run", "--to", "csv", "out.csv")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [line["paper_id"] for line in lines] == [row["paper_id"] for row in rows]
    assert {line["outcome"] for line in lines} == {row["outcome"] for row in rows}
    assert {bool(line["ablations"]) for line in lines if line["outcome"] == "planned"} == {True}
    assert {line["ablations"] for line in lines if line["outcome"] == "refused"} == {None}
    assert all(row["name"] for row in rows if row["outcome"] == "planned")


def test_wrong_usage_is_told_before_any_work(program: Program, served: Served, tmp_path: Path) -> None:
    endpoint = ("--base-url", served.url)
    for words in (
        ("batch", "nowhere", "-o", "run", "--model", "m", *endpoint),
        ("batch", "papers", "-o", "run", *endpoint),
        ("batch", "papers", "-o", "run", "--model", "m", *endpoint, "-k", "0"),
        ("batch", "papers", "--model", "m", *endpoint),
        ("batch", "papers", "-o", "run", "--model", "a.b", "--model", "ab", *endpoint),
    ):
        program.run(*words, code=2)
    assert not (tmp_path / "run").exists()
    assert served.count == 0


def test_status_of_what_is_no_run(program: Program, tmp_path: Path) -> None:
    assert "is not the folder of a run" in program.run("status", str(tmp_path), code=1).stderr


def test_the_key_is_nowhere_in_the_run(
    program: Program, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marker-of-this-test")
    url = served.url.replace("http://", "http://user:marker-password@")
    program.run("batch", "papers", "-o", "run", "--model", "m", "--base-url", url, code=1)
    for file in (tmp_path / "run").rglob("*"):
        if file.is_file():
            assert b"marker" not in file.read_bytes(), file


def test_run_json_is_readable(done: Program, tmp_path: Path) -> None:
    facts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["task"] == "reviewer"
    assert facts["models"][0]["name"] == "gpt-4.1"
    assert facts["papers"] == PAPERS
    assert (tmp_path / "run" / "trajectories" / "lm-planner" / "gpt-41").is_dir()


def test_what_a_call_remembers_of_its_requests_is_what_the_ledger_holds(done: Program, tmp_path: Path) -> None:
    sidecars = [PlanRecord.read(path) for path in (tmp_path / "run" / "trajectories").rglob("*.json")]
    assert len(sidecars) == PAPERS
    assert any(len(sidecar.attempts) > 1 for sidecar in sidecars), "some were asked again"

    async def on_record() -> None:
        async with Ledger(tmp_path / "run" / "ledger.sqlite") as ledger:
            for sidecar in sidecars:
                held = ledger.list_requests(sidecar.paper.id, f"{sidecar.planner}/{sidecar.model}")
                assert [_facts(attempt) for attempt in held] == [_facts(attempt) for attempt in sidecar.attempts]

    asyncio.run(on_record())


def _facts(attempt: AttemptRecord) -> dict[str, object]:
    """Return all that a request is known by before its reply is judged, its time to the millisecond."""
    facts = attempt.model_dump(exclude={"outcome", "findings", "started"}, mode="json")
    return {**facts, "started": attempt.started.isoformat(timespec="milliseconds")}
