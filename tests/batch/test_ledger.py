"""The ledger keeps its promises: durable when a write returns, one writer, nothing forgotten."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from planner.batch.ledger.records import load_latest_results
from planner.batch.ledger.schema import connect_ledger, connect_ledger_readonly, query_ledger
from planner.batch.ledger.store import Ledger, LedgerModel
from planner.batch.ledger.writer import LedgerWriter
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.chat import Completion, Message, ModelInfo, Prompt, Usage
from planner.errors import RunError
from planner.planning.record import create_attempt_record
from planner.schema import Task
from tests.conftest import ROOT

CARD = ModelInfo("lm-planner", "m", "m", "http://x/v1")
MODEL = LedgerModel(CARD, "how")
PROMPT = Prompt.from_messages((Message("user", "plan"),), "t")


def entry(number: int) -> CorpusEntry:
    return CorpusEntry(f"p{number}", f"p{number}.md", f"/papers/p{number}.md", "markdown", change_mark="1")


def with_ledger(path: Path, work: Callable[[Ledger], Awaitable[None]], papers: int = 3, **how: bool) -> None:
    async def opened() -> None:
        async with Ledger(path, **how) as ledger:
            await ledger.begin_command(Task.REVIEWER, [entry(n) for n in range(papers)], [MODEL])
            await work(ledger)

    asyncio.run(opened())


def query_database(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


@pytest.mark.parametrize("shared_disk", [False, True])
def test_a_reply_is_there_for_another_process_when_commit_returns(shared_disk: bool, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"

    async def work(ledger: Ledger) -> None:
        number = await ledger.record_request(
            PlanTask(entry(0), MODEL.model_key), create_attempt_record("id", PROMPT), 0.5
        )
        other = connect_ledger_readonly(path)
        assert other.execute("SELECT state, upper FROM attempts").fetchall() == [("sent", 0.5)]
        assert ledger.sum_charges() == 0.5
        completion = Completion("text", reasoning="why", usage=Usage(10, 5), raw={"a": [1, None, "é👩‍👧"]})
        await ledger.record_reply(number, "id", completion, 0.1, 0.1)
        assert other.execute("SELECT state FROM attempts").fetchall() == [("replied",)]
        assert other.execute("SELECT reply FROM requests").fetchone()[0].startswith("{")
        other.close()
        assert ledger.reader.find_reply("id") == completion
        assert ledger.reader.find_reply("another") is None
        assert ledger.sum_charges() == 0.1

    with_ledger(path, work, shared_disk=shared_disk)
    assert query_database(path, "PRAGMA journal_mode") == [("delete" if shared_disk else "wal",)]


def test_what_a_kill_left_in_flight_is_lost_and_stays_charged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"

    async def killed(ledger: Ledger) -> None:
        await ledger.record_request(PlanTask(entry(0), MODEL.model_key), create_attempt_record("id", PROMPT), 0.5)

    async def after(ledger: Ledger) -> None:
        assert ledger.sum_charges() == 0.5
        number = await ledger.record_request(
            PlanTask(entry(0), MODEL.model_key), create_attempt_record("id", PROMPT), 0.5
        )
        await ledger.record_failure(number, "429", may_be_billed=False)
        assert ledger.sum_charges() == 0.5
        number = await ledger.record_request(
            PlanTask(entry(0), MODEL.model_key), create_attempt_record("id", PROMPT), 0.5
        )
        await ledger.record_failure(number, "cut", may_be_billed=True)
        assert ledger.sum_charges() == 1.0

    with_ledger(path, killed)
    with_ledger(path, after)
    states = query_database(path, "SELECT state FROM attempts ORDER BY number")
    assert states == [("lost",), ("refused",), ("lost",)]


def test_pending_is_read_in_pages_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        assert [each.entry.id for each in ledger.iterate_pending_tasks()] == [f"p{n}" for n in range(1203)]
        assert ledger.count_expected_results() == 1203

    with_ledger(tmp_path / "ledger.sqlite", work, papers=1203)


def test_many_changes_share_a_commit_and_keep_their_order(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "ledger.sqlite"
        writer = LedgerWriter(path, connect_ledger(path))
        numbers = iter(range(300))

        def change(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO run VALUES (?, '')", (f"{next(numbers):04}",))

        await asyncio.gather(*(writer.write_change(change) for _ in range(300)))
        await asyncio.to_thread(writer.close)
        assert query_database(path, "SELECT count(*) FROM run") == [(300,)]

    asyncio.run(work())


def test_a_failed_write_ends_the_writer_and_undoes_its_whole_batch(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "ledger.sqlite"
        writer = LedgerWriter(path, connect_ledger(path))
        good, bad = "INSERT INTO run VALUES ('a', '')", "INSERT INTO nothing VALUES (1)"
        both = await asyncio.gather(
            *(writer.write_change(lambda db, sql=sql: db.execute(sql)) for sql in (bad, good)), return_exceptions=True
        )
        assert isinstance(both[0], RunError)
        with pytest.raises(RunError, match="cannot be written"):
            await writer.write_change(lambda db: db.execute(good))
        await asyncio.to_thread(writer.close)

    asyncio.run(work())


def test_text_that_cannot_be_written_fails_and_hangs_nobody(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        with pytest.raises(RunError, match="surrogates"):
            await ledger.record_request(
                PlanTask(CorpusEntry("\ud800", "", "", ""), MODEL.model_key), create_attempt_record("id", PROMPT), None
            )

    with_ledger(tmp_path / "ledger.sqlite", work)


def test_a_folder_without_a_ledger_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not the folder of a run"):
        connect_ledger_readonly(tmp_path / "ledger.sqlite")


def test_a_kill_while_a_ledger_is_created_leaves_a_run_that_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    killed = (
        "import os, sqlite3, sys; from pathlib import Path; from planner.batch.ledger import schema;"
        "schema._create_tables = lambda _: os._exit(9); schema.connect_ledger(Path(sys.argv[1]))"
    )
    assert subprocess.run([sys.executable, "-c", killed, path], cwd=ROOT, check=False).returncode == 9
    assert load_latest_results([path]) == {}
    connect_ledger(path).close()
    assert query_ledger(path, "SELECT count(*) FROM papers") == [(0,)]


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(RunError, match="another program"):
        connect_ledger(path)
    assert query_database(path, "SELECT name FROM sqlite_master") == [("mine",)]


def test_a_change_that_the_ledger_cannot_hold_ends_the_writer_and_nobody_waits(tmp_path: Path) -> None:
    async def work(ledger: Ledger) -> None:
        number = await ledger.record_request(
            PlanTask(entry(0), MODEL.model_key), create_attempt_record("id", PROMPT), None
        )
        with pytest.raises(RunError, match="too large"):
            await asyncio.wait_for(
                ledger.record_reply(number, "id", Completion("x", usage=Usage(10**30)), None, None), 10
            )

    with_ledger(tmp_path / "ledger.sqlite", work)


def test_what_a_pass_over_the_pending_costs_grows_with_the_papers_and_not_faster(tmp_path: Path) -> None:
    async def steps(count: int) -> int:
        taken = 0

        def step() -> None:
            nonlocal taken
            taken += 1

        entries = [CorpusEntry(f"p{number:05}", "", f"/{number}", "file") for number in range(count)]
        async with Ledger(tmp_path / f"{count}.sqlite") as ledger:
            await ledger.begin_command(Task.REVIEWER, entries, [LedgerModel(CARD, "x")])
            # Called once for so many steps of SQLite's machine.
            ledger.reader.connection.set_progress_handler(step, 100)
            assert sum(1 for _ in ledger.iterate_pending_tasks()) == count
        return taken

    few, many = asyncio.run(steps(1_000)), asyncio.run(steps(8_000))
    assert many <= 10 * few


def test_half_a_commit_of_a_killed_writer_is_taken_back_by_whoever_reads(tmp_path: Path) -> None:
    path, killed = tmp_path / "ledger.sqlite", tmp_path / "killed"
    with_ledger(path, lambda _: asyncio.sleep(0), papers=500, shared_disk=True)
    killed.mkdir()
    with closing(connect_ledger(path, shared_disk=True)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE papers SET title = ?", ("x" * 500,))
        for half in tmp_path.glob("ledger.sqlite*"):
            shutil.copy(half, killed)
    assert (killed / "ledger.sqlite-journal").stat().st_size > 0
    with closing(connect_ledger_readonly(killed / "ledger.sqlite")) as db:
        assert db.execute("SELECT DISTINCT title FROM papers").fetchall() == [("",)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM papers")
