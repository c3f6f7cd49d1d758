"""A damaged ledger: a named error, and what can be read of it is shown and exported."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import chdir, closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.batch.ledger.store import Ledger
from planner.cli import cli
from planner.errors import RunError
from tests.batch.program import Program, Serve, make_papers, wait_until
from tests.server.provider import plan_for
from tests.server.replies import reply
from tests.server.server import Server

PAGE = 4096
PAPERS = 12
BATCH = ("batch", "papers", "--model", "m", "--no-stream", "-o", "damaged")
READING = (("status", "damaged"), ("export", "damaged", "--to", "csv", "x.csv"), ("merge", "damaged"))


@pytest.fixture
def run(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    make_papers(tmp_path / "papers", PAPERS)
    with Server(lambda _: reply(plan_for("0"))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        program.invoke("batch", "papers", "--model", "m", "--no-stream", "-o", "run")
        yield tmp_path / "run"


def damage(run: Path, content: bytes) -> None:
    damaged = run.with_name("damaged")
    shutil.rmtree(damaged, ignore_errors=True)
    shutil.copytree(run, damaged, ignore=shutil.ignore_patterns("ledger.sqlite*", "trajectories"))
    (damaged / "ledger.sqlite").write_bytes(content)


def invoke(folder: Path, *words: str) -> tuple[int, str]:
    with chdir(folder):
        done = CliRunner().invoke(cli, words, prog_name="ablation-planner")
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
    return done.exit_code, done.output


@pytest.mark.parametrize("kind", ["zeroed", "cut", "garbage"])
def test_damage_of_any_page_is_a_named_error(kind: str, run: Path, tmp_path: Path) -> None:
    whole = (run / "ledger.sqlite").read_bytes()
    named = 0
    for start in range(0, len(whole), PAGE):
        rest = {
            "zeroed": bytes(PAGE) + whole[start + PAGE :],
            "cut": b"",
            "garbage": b"\xff" * PAGE + whole[start + PAGE :],
        }
        for words in (
            ("status", "damaged"),
            ("export", "damaged", "--to", "csv", "x.csv"),
            ("merge", "damaged"),
            BATCH,
        ):
            damage(run, whole[:start] + rest[kind])
            code, output = invoke(tmp_path, *words)
            assert code in (0, 1, 2)
            if code:
                assert "damaged" in output, (start, words, output)
            named += "is damaged" in output
    assert named


def test_what_can_be_read_is_shown_and_exported(run: Path, tmp_path: Path) -> None:
    whole = (run / "ledger.sqlite").read_bytes()
    exported = {}
    for start in range(PAGE, len(whole), PAGE):
        damage(run, whole[:start] + bytes(PAGE) + whole[start + PAGE :])
        (tmp_path / "x.jsonl").unlink(missing_ok=True)
        assert invoke(tmp_path, "export", "damaged", "--to", "jsonl", "x.jsonl")[0] == 1
        exported[start] = len((tmp_path / "x.jsonl").read_text().splitlines())
        assert "papers:" in invoke(tmp_path, "status", "damaged")[1]
    assert max(exported.values()) == PAPERS
    assert sum(exported.values()) > PAPERS * len(exported) // 2


def test_a_reply_that_is_damaged_shows_in_the_exit_code_and_leaves_the_others(run: Path, tmp_path: Path) -> None:
    damage(run, (run / "ledger.sqlite").read_bytes())
    with closing(sqlite3.connect(tmp_path / "damaged" / "ledger.sqlite")) as db, db:
        db.execute("UPDATE requests SET reply = '{' WHERE paper = 'paper0003'")
    code, output = invoke(tmp_path, "export", "damaged", "--to", "jsonl", "x.jsonl")
    assert code == 1
    assert "left out: lm-planner/m/paper0003: the ledger is damaged" in output
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == PAPERS - 1


def test_damage_while_a_run_is_under_way_is_named(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 600)
    served = serve("--latency", "0.5")
    command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url)
    process = program.start(*command, "--concurrency", "4", "-q")
    wait_until(lambda: served.count >= 8, process)
    path = tmp_path / "run" / "ledger.sqlite"
    for name in (path, path.with_name("ledger.sqlite-wal")):
        with name.open("r+b") as file:
            file.write(b"\xff" * name.stat().st_size)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "run/ledger.sqlite" in stderr
    assert "damaged" in stderr
    assert "Traceback" not in stderr


def test_a_file_that_is_no_database_is_named(run: Path, tmp_path: Path) -> None:
    damage(run, b"no database" * 1000)
    for words in (*READING, BATCH):
        code, output = invoke(tmp_path, *words)
        assert code == 1
        assert "damaged" in output


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE requests SET messages = 'many' WHERE rowid = 3",
        "UPDATE requests SET first_sent = 'yesterday' WHERE rowid = 3",
        "UPDATE requests SET reply = x'ff' WHERE rowid = 3",
        "UPDATE plannings SET outcome = 'good' WHERE number = 3",
        "UPDATE papers SET position = 'first'",
        "UPDATE papers SET place = x'00' WHERE id = 'paper0003'",
        "UPDATE plannings SET facts = x'00' WHERE number = 1",
    ],
)
def test_a_value_of_another_kind_is_damage(change: str, run: Path, tmp_path: Path) -> None:
    damage(run, (run / "ledger.sqlite").read_bytes())
    with closing(sqlite3.connect(tmp_path / "damaged" / "ledger.sqlite", isolation_level=None)) as db:
        db.execute(change)
    for words in (("status", "damaged"), BATCH):
        code, output = invoke(tmp_path, *words)
        assert code == 1
        assert "damaged" in output
    assert "papers:" in invoke(tmp_path, "status", "damaged")[1]


def test_a_shard_with_a_value_that_cannot_be_read_is_named(run: Path, tmp_path: Path) -> None:
    shard = tmp_path / "damaged" / "shards" / "1-of-1"
    shard.mkdir(parents=True)
    shutil.copy(run / "ledger.sqlite", shard)
    with closing(sqlite3.connect(shard / "ledger.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE models SET card = '{}'")
    code, output = invoke(tmp_path, "merge", "damaged")
    assert code == 1
    assert "1-of-1/ledger.sqlite is damaged" in output


def test_a_name_in_the_ledger_that_is_not_text_is_damage(run: Path, tmp_path: Path) -> None:
    damage(
        run,
        (run / "ledger.sqlite")
        .read_bytes()
        .replace(b"CREATE INDEX papers_in_order", b"CREATE IN\xc5EX papers_in_order"),
    )
    for words in (*READING, BATCH):
        code, output = invoke(tmp_path, *words)
        assert code == 1
        assert "damaged" in output


def test_damage_that_appears_at_a_query_ends_the_run_with_its_name(run: Path, tmp_path: Path) -> None:
    whole = bytearray((run / "ledger.sqlite").read_bytes())
    with closing(sqlite3.connect(run / "ledger.sqlite")) as db:
        (number,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'papers_in_order'").fetchone()
    page = whole[(number - 1) * PAGE : number * PAGE]
    assert b"paper0003" in page
    whole[(number - 1) * PAGE : number * PAGE] = page.replace(b"paper0003", b"paper9993")
    damage(run, bytes(whole))
    make_papers(tmp_path / "papers", PAPERS, words=200)
    code, output = invoke(tmp_path, *BATCH)
    assert code == 1
    assert "ledger.sqlite is damaged" in output


def test_an_error_of_the_database_at_a_query_is_an_error_of_the_run(tmp_path: Path) -> None:
    async def query() -> None:
        async with Ledger(tmp_path / "ledger.sqlite") as ledger:
            with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
                db.execute("DROP TABLE requests")
            with pytest.raises(RunError, match=r"ledger\.sqlite cannot be used as a ledger: no such table"):
                ledger.sum_charges()

    asyncio.run(query())


def test_a_file_that_is_no_database_cannot_be_opened_as_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(RunError, match="damaged"):
        Ledger(tmp_path / "ledger.sqlite")
