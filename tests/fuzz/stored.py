"""The program's own files, which others may have written or damaged: records, trajectories, ledgers."""

import asyncio
import json
import sqlite3
from contextlib import chdir, closing, suppress
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from planner.cli import cli
from planner.errors import TrajectoryError
from planner.models.fake import FakeModel
from planner.names import build_record_path
from planner.planning.output import plan_to_folder
from planner.planning.record import PlanRecord
from planner.trajectory.format import normalize_trajectory, render_trajectory
from planner.trajectory.reader import parse_trajectory
from tests.batch.program import make_papers
from tests.fuzz.context import Context, Input
from tests.fuzz.mutations import KEY, ODD_TEXTS, change_bytes, change_json, change_text, write_json
from tests.fuzz.replies import PAPER, SETTINGS
from tests.scripted import GOOD_REPLY
from tests.server.http import Response
from tests.server.provider import plan_for
from tests.server.replies import reply
from tests.server.server import Server

PAPERS = 6
PAGE = 4096
BATCH = ("batch", "papers", "--model", "m", "--no-stream", "-o", "run", "-q", "--max-wait", "0")
READING = (
    *(("status", "run", "--failed", "--json"), ("status", "run"), ("export", "run", "--to", "jsonl", "x.jsonl")),
    *(("export", "run", "--to", "csv", "x.csv"), ("export", "run", "--to", "ablationbench", "x"), ("merge", "run")),
    *(("site", "run", "-o", "site"), BATCH),
)
SHOWING = (
    *(("check", "x.md"), ("show", "x.md"), ("show", "x.md", "--to", "json"), ("show", "x.md", "--to", "html")),
    *(("show", "x.md", "--to", "md"), ("site", ".", "-o", "site")),
)
TRAJECTORY_TOKENS = (
    *ODD_TEXTS,
    *("<div class='trajectory-box'>", "</div>\n", "### Ablation 1\n", "**Name:** x\n", "- a\n", "\\<", "\\\\", "&amp;"),
    *("<style>", "<h2>", "\n\n</div>\n\n", "Ã©", "â€™", "<br>", "**", "# p/m/x\n"),
)


def _invoke(context: Context, *words: str) -> str:
    """Run a command in the folder of the input, and return its output."""
    environment = {"OPENAI_BASE_URL": context.server.base_url, "OPENAI_API_KEY": KEY}
    with chdir(context.folder):
        done = CliRunner().invoke(cli, words, prog_name="ablation-planner", env=environment)
    context.logged.append(done.output)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in (0, 1, 2), done.output
    assert done.exit_code == 0 or done.output.strip(), f"{words} failed without a word"
    return f"exit_{done.exit_code}"


@cache
def write_sound_files() -> tuple[bytes, str]:
    """Return the record and the trajectory of a paper that was planned after one invalid reply."""
    with TemporaryDirectory() as folder:
        model = FakeModel("Here is my plan: do less.", GOOD_REPLY)
        output = asyncio.run(plan_to_folder(Path(folder), PAPER, model, SETTINGS, lambda _: 0.01))
        return output.record_path.read_bytes(), output.trajectory_path.read_text(encoding="utf-8")


def make_record(dice: Random) -> Input:
    """Return a record with damage to its JSON or to its bytes."""
    sound, _ = write_sound_files()
    if dice.random() < 0.4:
        record = json.loads(sound)
        completion = dice.choice(record["attempts"])["completion"]
        name = dice.choice(("raw", dice.choice(list(completion))))
        completion[name] = change_json(completion[name] or {"choices": [1]}, dice)
        return Input(write_json(record, dice).encode("utf-8", "replace"))
    if dice.random() < 0.7:
        return Input(write_json(change_json(json.loads(sound), dice), dice).encode("utf-8", "replace"))
    return Input(change_bytes(sound, dice))


def check_record(given: Input, context: Context) -> str:
    """Plan a paper beside a record; every reply in it must still be on record afterwards."""
    dice = Random(given.data)
    model = FakeModel(*[GOOD_REPLY] * 4)
    path = context.folder / model.info.planner / "fake" / "A_Paper.md"
    record_path = build_record_path(path)
    record_path.parent.mkdir(parents=True)
    record_path.write_bytes(given.data)
    earlier = _list_replies(context.folder)
    try:
        work = plan_to_folder(context.folder, PAPER, model, SETTINGS, lambda _: None, force=dice.random() < 0.3)
        outcome = context.run(work).record.outcome.value
    except TrajectoryError:
        assert record_path.read_bytes() == given.data
        outcome = "refused file"
    assert earlier <= _list_replies(context.folder)
    if not dice.randrange(10):
        _invoke(context, "site", ".", "-o", "site")
    return outcome


def _list_replies(folder: Path) -> set[str]:
    """Return the replies in all records of a folder that can be read."""
    replies = set()
    for path in folder.rglob("*.json"):
        with suppress(TrajectoryError):
            replies |= {a.completion.text for a in PlanRecord.read(path).attempts if a.completion}
    return replies


def make_trajectory(dice: Random) -> Input:
    """Return a trajectory with damage to its text or to its bytes."""
    _, sound = write_sound_files()
    if dice.random() < 0.3:
        return Input(change_bytes(sound.encode(), dice))
    lines = sound.split("\n")
    number = dice.randrange(len(lines))
    if dice.random() < 0.7:
        lines[number] = change_text(lines[number], dice, TRAJECTORY_TOKENS)
        return Input("\n".join(lines).encode("utf-8", "replace"))
    return Input(change_text(sound, dice, TRAJECTORY_TOKENS).encode("utf-8", "replace"))


def check_trajectory(given: Input, context: Context) -> str:
    """Read a trajectory; what it holds must come back when it is written anew."""
    dice = Random(given.data)
    if not dice.randrange(20):
        (context.folder / "x.md").write_bytes(given.data)
        return _invoke(context, *dice.choice(SHOWING))
    try:
        read = normalize_trajectory(parse_trajectory(given.data, "file"))
    except TrajectoryError as error:
        assert "\n" not in str(error)
        return "refused file"
    again = parse_trajectory(render_trajectory(read).encode(), "file")
    assert (again.reasoning, again.plan, again.task) == (read.reasoning, read.plan, read.task)
    return "read"


def make_ledger(dice: Random) -> Input:
    """Return a ledger with damage to its pages, its bytes or its values."""
    sound = write_sound_ledger()
    match dice.randrange(4):
        case 0:
            at = dice.randrange(0, len(sound), PAGE)
            other = dice.randrange(0, len(sound), PAGE)
            page = dice.choice((bytes(PAGE), dice.randbytes(PAGE), sound[other : other + PAGE], b""))
            return Input(sound[:at] + page + sound[at + PAGE :])
        case 1:
            changed = bytearray(sound)
            for _ in range(dice.choice((1, 8, 100))):
                changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
            return Input(bytes(changed[: dice.choice((len(changed), dice.randrange(len(changed))))]))
        case _:
            return Input(_change_values(sound, dice))


def _change_values(sound: bytes, dice: Random) -> bytes:
    """Return a ledger in which some values are odd or rows are missing, and every page is sound."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.deserialize(sound[:18] + b"\x01\x01" + sound[20:])  # a plain journal, since memory has no write-ahead log
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        for _ in range(dice.choice((1, 1, 3))):
            table = dice.choice(tables)
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            keys = [row[0] for row in db.execute(f"SELECT {columns[0]} FROM {table}")]
            if keys:
                key, column = dice.choice(keys), dice.choice(columns)
                (old,) = db.execute(f"SELECT {column} FROM {table} WHERE {columns[0]} = ?", (key,)).fetchone()
                with suppress(sqlite3.Error, OverflowError):
                    if dice.randrange(8):
                        value = _make_odd_cell(old, dice)
                        db.execute(f"UPDATE {table} SET {column} = ? WHERE {columns[0]} = ?", (value, key))
                    else:
                        db.execute(f"DELETE FROM {table} WHERE {columns[0]} = ?", (key,))
        return db.serialize()


def _make_odd_cell(old: Any, dice: Random) -> Any:
    if isinstance(old, str) and old.startswith("{") and dice.random() < 0.6:
        with suppress(ValueError, RecursionError):  # it was changed before
            return write_json(change_json(json.loads(old), dice), dice).encode("utf-8", "replace").decode()
    if isinstance(old, str) and dice.random() < 0.6:
        return change_text(old, dice).encode("utf-8", "replace").decode()
    return dice.choice((None, 0, -1, 2**62, 1e308, float("inf"), "", b"\xff\x00", "x" * 5000, "1", old))


def _write_sound_run(folder: Path) -> Path:
    make_papers(folder / "papers", PAPERS)

    def answer(request: Any) -> Response:
        return reply("", refusal="No.") if "We gate 2." in request.body.decode() else reply(plan_for("0"))

    with Server(answer) as server, chdir(folder):
        CliRunner().invoke(cli, BATCH, env={"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY})
    return folder


@cache
def write_sound_ledger() -> bytes:
    """Return the ledger of a finished run of six papers, one of them refused."""
    with TemporaryDirectory() as folder:
        run = _write_sound_run(Path(folder)) / "run"
        with closing(sqlite3.connect(run / "ledger.sqlite")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (run / "ledger.sqlite").read_bytes()


def check_ledger(given: Input, context: Context) -> str:
    """Read a run with a ledger, go on with it, or merge it; what only reads must leave the ledger as it is."""
    dice = Random(given.data)
    words = dice.choice(READING)
    folder = context.folder / "run" / ("shards/1-of-1" if "merge" in words else "")
    folder.mkdir(parents=True)
    (folder / "ledger.sqlite").write_bytes(given.data)
    if words == BATCH:
        make_papers(context.folder / "papers", PAPERS)
    context.server.answer = lambda _: reply(plan_for("0"))
    outcome = _invoke(context, *words)
    context.server.journal.clear()
    assert words in (BATCH, ("merge", "run")) or (folder / "ledger.sqlite").read_bytes() == given.data
    return outcome
