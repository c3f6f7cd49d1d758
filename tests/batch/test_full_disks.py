"""A disk without room: what is in flight is waited for, and no reply that was paid for is asked for again."""

import json
import os
import resource
import shutil
import sqlite3
from pathlib import Path

import pytest

from planner.batch.ledger import store
from planner.batch.ledger.schema import connect_ledger
from tests.batch.program import ROOM, Program, Serve, Served, fill_disk, make_papers, wait_until

PAPERS = 16
CONCURRENCY = 4


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Served:
    make_papers(tmp_path / "papers", PAPERS)
    return serve("--latency", "0.3")


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, in which a program looks for replies."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def batch_command(served: Served, *more: str) -> tuple[str, ...]:
    words = ("--model", "m", "--base-url", served.url, "--concurrency", str(CONCURRENCY))
    return ("batch", "papers", "-o", "run", *words, *more)


def run_on_full_disk(program: Program, served: Served, *more: str) -> str:
    """Run the batch, fill the disk while requests are in flight, and return stderr."""
    count = served.count
    process = program.start(*batch_command(served, *more))
    wait_until(lambda: served.count >= count + CONCURRENCY, process)
    fill_disk(process)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in stderr
    return stderr


def list_kept_replies(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.json"))


def assert_all_is_planned_and_paid_for_once(program: Program, served: Served) -> None:
    status = program.status()
    assert (status["planned"], status["pending"]) == (PAPERS, 0)
    assert (status["requests"], status["lost_requests"]) == (PAPERS, 0)
    assert served.count == PAPERS


def test_replies_to_requests_in_flight_are_kept_and_stored_later(
    program: Program, served: Served, tmp_path: Path
) -> None:
    stderr = run_on_full_disk(program, served)
    assert "run/ledger.sqlite cannot be written" in stderr
    assert "bytes are needed and" in stderr
    kept = list_kept_replies(tmp_path / "run" / "kept-replies")
    assert 1 <= len(kept) <= CONCURRENCY
    assert f"kept in run/kept-replies ({len(kept)})" in stderr
    assert served.count < PAPERS
    program.invoke(*batch_command(served))
    assert_all_is_planned_and_paid_for_once(program, served)
    assert not (tmp_path / "run" / "kept-replies").exists()


def test_without_room_in_the_run_they_are_kept_in_the_temporary_folder(
    program: Program, served: Served, tmp_path: Path, temporary_folder: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "kept-replies").write_text("no folder", encoding="utf-8")
    stderr = run_on_full_disk(program, served)
    [folder] = temporary_folder.iterdir()
    assert str(folder) in stderr
    assert folder.stat().st_mode & 0o077 == 0, "only its owner may read it"
    program.invoke(*batch_command(served))
    assert_all_is_planned_and_paid_for_once(program, served)
    assert list(temporary_folder.iterdir()) == []


def test_where_nothing_can_be_written_the_reply_is_shown(
    program: Program, served: Served, tmp_path: Path, temporary_folder: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "kept-replies").write_text("no folder", encoding="utf-8")
    run_on_full_disk(program, served)
    [folder] = temporary_folder.iterdir()
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path / "papers")  # as somebody else might, whom the replies are not for
    assert "copy this paid reply: <discussion>" in run_on_full_disk(program, served)
    assert not list_kept_replies(tmp_path / "papers")


def test_replies_stay_in_their_files_while_the_disk_is_full(program: Program, served: Served, tmp_path: Path) -> None:
    run_on_full_disk(program, served)
    kept = list_kept_replies(tmp_path / "run" / "kept-replies")
    limit = (resource.RLIMIT_FSIZE, (ROOM, ROOM))
    program.run(*batch_command(served), code=1, preexec_fn=lambda: resource.setrlimit(*limit))
    assert list_kept_replies(tmp_path / "run" / "kept-replies") == kept
    program.invoke(*batch_command(served))
    assert_all_is_planned_and_paid_for_once(program, served)


def test_a_file_that_holds_no_reply_of_the_run_is_left_alone(program: Program, served: Served, tmp_path: Path) -> None:
    run_on_full_disk(program, served)
    folder = tmp_path / "run" / "kept-replies"
    [first, *_] = list_kept_replies(folder)
    foreign = json.loads(first.read_text(encoding="utf-8")) | {"identity": "of another run"}
    (folder / "foreign.json").write_text(json.dumps(foreign), encoding="utf-8")
    (folder / "half.json").write_bytes(first.read_bytes()[:50])
    os.mkfifo(folder / "pipe.json")
    stderr = program.invoke(*batch_command(served)).stderr
    assert "half.json" in stderr
    assert "pipe.json" in stderr
    assert_all_is_planned_and_paid_for_once(program, served)
    assert sorted(path.name for path in folder.iterdir()) == ["foreign.json", "half.json", "pipe.json"]


def test_drafts_that_a_kill_left_are_stored_if_they_are_whole(program: Program, served: Served, tmp_path: Path) -> None:
    run_on_full_disk(program, served)
    folder = tmp_path / "run" / "kept-replies"
    [first, *_] = list_kept_replies(folder)
    (folder / ".00000000000000ab.tmp").write_bytes(first.read_bytes()[:50])
    first.rename(folder / ".00000000000000aa.tmp")
    program.invoke(*batch_command(served))
    assert_all_is_planned_and_paid_for_once(program, served)
    assert not folder.exists()


def test_a_merge_takes_the_kept_replies_of_a_shard(program: Program, served: Served, tmp_path: Path) -> None:
    run_on_full_disk(program, served, "--shard", "1/1")
    assert list_kept_replies(tmp_path / "run" / "shards" / "1-of-1" / "kept-replies")
    program.invoke("merge", "run")
    program.invoke(*batch_command(served))
    assert_all_is_planned_and_paid_for_once(program, served)


def test_a_full_ledger_is_named_with_what_it_lacks(
    program: Program, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect_small(path: Path, **options: bool) -> sqlite3.Connection:
        connection = connect_ledger(path, **options)
        connection.execute("PRAGMA max_page_count = 30")
        return connection

    monkeypatch.setattr(store, "connect_ledger", connect_small)
    stderr = program.invoke(*batch_command(served), code=1).stderr
    [error] = [line for line in stderr.splitlines() if line.startswith("Error: ")]
    assert "run/ledger.sqlite cannot be written: database or disk is full; " in error
    assert "bytes are needed and" in error
    monkeypatch.setattr(store, "connect_ledger", connect_ledger)
    program.invoke(*batch_command(served))
    assert_all_is_planned_and_paid_for_once(program, served)


def test_files_without_room_let_the_replies_in_flight_into_the_ledger(
    program: Program, served: Served, tmp_path: Path
) -> None:
    process = program.start(*batch_command(served))
    folder = tmp_path / "run" / "trajectories" / "lm-planner"
    wait_until(lambda: (folder / "m").exists(), process)
    (folder / "m").rename(folder / "away")
    (folder / "m").write_text("no folder", encoding="utf-8")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be written" in stderr
    assert "kept" not in stderr
    assert program.status()["lost_requests"] == 0
    (folder / "m").unlink()
    (folder / "away").rename(folder / "m")
    program.invoke(*batch_command(served))
    assert_all_is_planned_and_paid_for_once(program, served)
