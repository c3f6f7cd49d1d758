"""The one thread that writes a ledger: what many want is committed together, and nobody is left waiting."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from planner.batch.ledger.writer import LedgerWriter
from planner.errors import RunError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "db") as db:
        db.execute("CREATE TABLE words (word TEXT)")
    db.close()
    return tmp_path / "db"


@pytest.fixture
def writer(path: Path) -> Iterator[LedgerWriter]:
    made = LedgerWriter(path, sqlite3.connect(path, isolation_level=None, check_same_thread=False))
    yield made
    made.close()


def read_words(path: Path) -> list[str]:
    with sqlite3.connect(path) as db:
        words = [word for (word,) in db.execute("SELECT word FROM words")]
    db.close()
    return words


def insert_word(word: str, db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO words VALUES (?)", (word,))


def refuse() -> None:
    raise RunError("out/trajectories cannot be written: disk full")


def test_a_preparation_that_fails_takes_no_reply_with_it(path: Path, writer: LedgerWriter) -> None:
    held = threading.Event()

    async def write() -> list[BaseException | None]:
        first = asyncio.create_task(writer.write_change(partial(insert_word, "first"), held.wait))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        # These three wait together, and are taken together.
        others = [
            asyncio.create_task(writer.write_change(partial(insert_word, "a reply"))),
            asyncio.create_task(writer.write_change(partial(insert_word, "a planning"), refuse)),
            asyncio.create_task(writer.write_change(partial(insert_word, "a later reply"))),
        ]
        await asyncio.sleep(0)
        held.set()
        done = await asyncio.gather(first, *others, return_exceptions=True)
        await writer.write_change(partial(insert_word, "the last reply"))
        return done

    first, reply, planning, later = asyncio.run(write())
    assert (first, reply, later) == (None, None, None)
    assert "disk full" in str(planning)
    assert read_words(path) == ["first", "a reply", "a later reply", "the last reply"]


def test_a_preparation_is_done_before_its_change_is_on_record(path: Path, writer: LedgerWriter) -> None:
    seen: list[list[str]] = []
    asyncio.run(writer.write_change(partial(insert_word, "planned"), lambda: seen.append(read_words(path))))
    assert seen == [[]]
    assert read_words(path) == ["planned"]


def test_what_no_encoding_can_write_is_an_error_and_leaves_nobody_waiting(path: Path, writer: LedgerWriter) -> None:
    def encode() -> None:
        "\ud800".encode()

    async def write() -> None:
        with pytest.raises(RunError, match="surrogates"):
            await asyncio.wait_for(writer.write_change(partial(insert_word, "x"), encode), 10)

    asyncio.run(write())
    assert read_words(path) == []
