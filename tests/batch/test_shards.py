"""A run in parts: three programs at once on one folder, merged to what one program would have made."""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.batch.manifest import Corpus, CorpusEntry
from planner.batch.run_folder import Shard
from planner.errors import UsageError
from tests.batch.program import Program, Serve, Served, make_papers, trajectories, wait_until

PAPERS = 45
SHARDS = ("1/3", "2/3", "3/3")


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 50))
def test_every_paper_is_in_exactly_one_part(ids: list[str], of: int) -> None:
    corpus = Corpus(tuple(CorpusEntry(name, name, name, "file") for name in ids))
    parts = [Shard(of, number + 1).select_papers(corpus).entries for number in range(of)]
    assert sorted(entry.id for part in parts for entry in part) == sorted(ids)


def test_the_parts_are_the_same_for_ever() -> None:
    known = {"2507.08038": 3, "paper0001": 3, "müller": 3}
    assert {name: next(n for n in (1, 2, 3) if Shard(3, n).has_paper(name)) for name in known} == known


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1/0", "1", "1/3/5", "-1/3", "a/b", "１/3", "1 / 3"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="i/n"):
        Shard.parse(text)


@given(st.integers(1, 999), st.integers(0, 999))
def test_a_shard_reads_as_it_is_written(number: int, more: int) -> None:
    shard = Shard(number + more, number)
    assert Shard.parse(str(shard)) == shard


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Served:
    make_papers(tmp_path / "papers", PAPERS)
    return serve("--fates", "--latency", "0.05")


def words(served: Served, run: str, shard: str = "", *more: str) -> tuple[str, ...]:
    part = ("--shard", shard) if shard else ()
    return ("batch", "papers", "-o", run, "-m", "m", "--base-url", served.url, "--concurrency", "4", "-q", *part, *more)


def facts(run: Path) -> dict[str, object]:
    """The sidecars of a run without what the clock says."""
    found = {}
    for path in sorted((run / "trajectories").rglob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        attempts = [(a["identity"], a["outcome"], a["cost"]) for a in facts["attempts"]]
        found[path.name] = [facts["outcome"], facts["reason"], facts["usage"], facts["paper"], attempts]
    return found


def rows(ledger: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what a ledger says that does not depend on the clock."""
    db = sqlite3.connect(ledger)
    queries = {
        "papers": "SELECT id, source, place, kind, stamp FROM papers WHERE position IS NOT NULL ORDER BY id",
        "requests": "SELECT identity, model, paper, prompt, sample, messages, cost FROM requests ORDER BY identity",
        "models": "SELECT * FROM models",
        "replies": "SELECT identity, state FROM attempts WHERE state = 'replied' ORDER BY identity",
        "plannings": "SELECT paper, model, asked, outcome, reason FROM plannings ORDER BY paper, model",
    }
    found = {name: db.execute(query).fetchall() for name, query in queries.items()}
    db.close()
    return found


def whole(ledger: Path) -> list[list[tuple[object, ...]]]:
    db = sqlite3.connect(ledger)
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    found = [db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]
    db.close()
    return found


def test_three_at_once_and_one_killed_are_merged_to_the_unsharded_run(
    served: Served, program: Program, tmp_path: Path
) -> None:
    program.invoke(*words(served, "alone"), code=1)
    sent = served.count

    processes = [program.start(*words(served, "run", shard)) for shard in SHARDS]
    ledger = tmp_path / "run" / "shards" / "2-of-3" / "ledger.sqlite"
    wait_until(lambda: ledger.is_file() and served.count >= sent + 12, processes[1])
    processes[1].send_signal(signal.SIGKILL)
    for process in processes:
        process.communicate()
    assert program.status()["pending"] > 0
    program.invoke(*words(served, "run", "2/3"), code=1)
    assert not list((tmp_path / "run").rglob("*-wal")), "no write-ahead log on a shared disk"
    before = program.status()

    program.invoke("merge", "run")
    assert trajectories(tmp_path / "run") == trajectories(tmp_path / "alone")
    assert rows(tmp_path / "run" / "ledger.sqlite") == rows(tmp_path / "alone" / "ledger.sqlite")
    assert facts(tmp_path / "run") == facts(tmp_path / "alone")
    after = program.status()
    assert {name: value for name, value in before.items() if not name.startswith("shards")} == after
    assert after["outcomes"] == program.status("alone")["outcomes"]
    assert after["pending"] == 0

    first = whole(tmp_path / "run" / "ledger.sqlite")
    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*") if path.suffix in (".md", ".json")}
    program.invoke("merge", "run")
    assert whole(tmp_path / "run" / "ledger.sqlite") == first
    assert {path: path.read_bytes() for path in files} == files


def test_a_merged_run_goes_on_without_shards_and_pays_for_nothing(
    served: Served, program: Program, tmp_path: Path
) -> None:
    for shard in SHARDS:
        program.invoke(*words(served, "run", shard), code=1)
    sent = served.count
    stderr = program.invoke(*words(served, "run"), code=1).stderr
    assert "merge" in stderr, "what the shards have paid for must not be paid for again"
    program.invoke("merge", "run")
    program.invoke(*words(served, "run"), code=1)
    assert served.count == sent
    assert program.status()["pending"] == 0


def test_a_shard_takes_over_what_the_run_has(served: Served, program: Program) -> None:
    program.invoke(*words(served, "run", "", "--max-papers", "20"), code=1)
    sent = served.count
    for shard in SHARDS:
        program.invoke(*words(served, "run", shard), code=1)
    fresh = served.entries[sent:]
    assert not {entry.prompt for entry in fresh} & {entry.prompt for entry in served.entries[:sent]}
    program.invoke("merge", "run")
    assert program.status()["pending"] == 0


def test_merging_again_adds_what_is_new(served: Served, program: Program, tmp_path: Path) -> None:
    program.invoke(*words(served, "run", "1/3", "--max-papers", "5"), code=1)
    assert "2-of-3 has not begun" in program.invoke("merge", "run", code=1).stderr
    assert 0 < len(trajectories(tmp_path / "run")) <= 5
    for shard in SHARDS:
        program.invoke(*words(served, "run", shard), code=1)
    program.invoke("merge", "run")
    assert program.status()["pending"] == 0
    assert program.status()["planned"] == len(trajectories(tmp_path / "run"))


def test_files_that_are_missing_are_written_by_the_next_merge(served: Served, program: Program, tmp_path: Path) -> None:
    for shard in SHARDS:
        program.invoke(*words(served, "run", shard), code=1)
    program.invoke("merge", "run")
    first = trajectories(tmp_path / "run")
    for path in list((tmp_path / "run" / "trajectories").rglob("*.md"))[::3]:
        path.unlink()
    program.invoke("merge", "run")
    assert trajectories(tmp_path / "run") == first


def test_a_shard_that_runs_is_left_out(serve: Serve, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 9)
    slow = serve("--latency", "30")
    process = program.start(*words(slow, "run", "1/1"))
    wait_until(lambda: slow.count > 0 and (tmp_path / "run/shards/1-of-1/run.json").exists(), process)
    assert "1-of-1 was left out: it is still running" in program.invoke("merge", "run", code=1).stderr
    assert program.status()["pending"] == 9


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        (("-k", "3"), "differ in k: 2 in 1-of-3, 2-of-3; 3 in 3-of-3"),
        (("--task", "author", "-k", "2"), "differ in task: reviewer in 1-of-3, 2-of-3; author in 3-of-3"),
        (
            ("--temperature", "0.5"),
            "differ in the parameters of lm-planner/m: {} in 1-of-3, 2-of-3; {'temperature': 0.5}",
        ),
        (("-m", "n"), "differ in models: lm-planner/m in 1-of-3, 2-of-3; lm-planner/m, lm-planner/n in 3-of-3"),
        (("--cut-at", "Experiments"), "differ in the settings"),
    ],
)
def test_shards_that_ask_different_things_are_refused(
    odd: tuple[str, ...], what: str, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", 6)
    served = serve()
    for shard in SHARDS:
        program.invoke(*words(served, "run", shard, *(odd if shard == "3/3" else ())))
    stderr = program.invoke("merge", "run", code=1).stderr
    assert what in stderr
    assert "3-of-3" in stderr
    assert not (tmp_path / "run" / "ledger.sqlite").exists()


def test_another_division_is_refused(served: Served, program: Program) -> None:
    program.invoke(*words(served, "run", "1/3"), code=1)
    sent = served.count
    assert "divided into 3 shards" in program.invoke(*words(served, "run", "1/4"), code=1).stderr
    assert served.count == sent


def test_a_part_without_papers_is_a_part(serve: Serve, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 1)
    served = serve()
    for shard in SHARDS:
        program.invoke(*words(served, "run", shard))
    program.invoke("merge", "run")
    assert program.status()["planned"] == 1
    assert served.count == 1


def test_a_run_without_shards_has_nothing_to_merge(served: Served, program: Program) -> None:
    assert "no shards to merge" in program.invoke("merge", "run", code=1).stderr


def damage(ledger: Path) -> None:
    """Every page but the first."""
    ledger.write_bytes(ledger.read_bytes()[:4096] + bytes(ledger.stat().st_size - 4096))


def cut_short(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[:8192])


@pytest.mark.parametrize("harm", [damage, cut_short])
def test_a_damaged_shard_is_named_and_the_run_left_as_it_is(
    harm: Callable[[Path], None], program: Program, tmp_path: Path
) -> None:
    shards = extractive_shards(program, tmp_path)
    program.invoke("merge", "run")
    before = whole(tmp_path / "run" / "ledger.sqlite")
    harm(shards / "2-of-3" / "ledger.sqlite")
    for command in (("merge", "run"), ("status", "run"), ("batch", "papers", "-o", "run", "--model", "extractive")):
        stderr = program.invoke(*command, code=1).stderr
        assert "run/shards/2-of-3/ledger.sqlite is damaged (" in stderr
    assert whole(tmp_path / "run" / "ledger.sqlite") == before


def test_a_shard_that_is_another_ones_copy_is_no_shard(program: Program, tmp_path: Path) -> None:
    shards = extractive_shards(program, tmp_path)
    shutil.rmtree(shards / "3-of-3")
    shutil.copytree(shards / "2-of-3", shards / "3-of-3")
    assert "3-of-3 holds papers of other shards" in program.invoke("merge", "run", code=1).stderr
    program.invoke("batch", "papers", "-o", "run", "--model", "extractive", "--shard", "3/3", code=1)
    program.invoke("merge", "run")
    assert program.status()["papers"] == 12


def test_a_shard_that_was_killed_as_it_began_has_not_begun(program: Program, tmp_path: Path) -> None:
    shards = extractive_shards(program, tmp_path)
    (shards / "2-of-3" / "ledger.sqlite").write_bytes(b"")
    assert "2-of-3 has not begun" in program.invoke("merge", "run", code=1).stderr
    assert "is empty" in program.invoke("status", "run/shards/2-of-3", code=1).stderr


def extractive_shards(program: Program, folder: Path) -> Path:
    """Three shards of twelve papers, none of which the built-in planner can plan."""
    make_papers(folder / "papers", 12)
    for shard in SHARDS:
        program.invoke("batch", "papers", "-o", "run", "--model", "extractive", "-q", "--shard", shard, code=1)
    return folder / "run" / "shards"


def test_a_description_that_cannot_be_read_holds_up_no_merge(program: Program, served: Served, tmp_path: Path) -> None:
    program.run(*words(served, "run", "1/1"), code=1)
    description = tmp_path / "run" / "shards" / "1-of-1" / "run.json"
    description.unlink()
    os.mkfifo(description)
    program.run("merge", "run")
    description.unlink()
    description.symlink_to("/dev/zero")
    program.run("merge", "run")
