"""Papers are read in processes: what happens to one paper happens to no other."""

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from planner.batch.entry import Entry
from planner.batch.errand import LENGTH, Errand
from planner.batch.ledger import Work
from planner.batch.reading import ProcessReader, Read, ReadPaper, command, reading, workers_for
from planner.errors import PaperError, RunError, TooLongError
from planner.gauge import FixedGauge, Gauge
from planner.papers.arxiv import Arxiv
from planner.papers.load import load
from planner.posing import Question, Settings, pose
from planner.schema import Task
from tests.conftest import ROOT

CRASHING = (sys.executable, str(Path(__file__).with_name("crashing_worker.py")))


def work(*sources: str, model: str = "m") -> Iterator[Work]:
    return (Work(Entry(f"id{n}", source, source, "text"), model) for n, source in enumerate(sources))


@dataclass(frozen=True)
class Model:
    settings: Settings
    reads_papers: bool = False


MODELS = {name: Model(Settings(Task.REVIEWER, 2)) for name in "mn"}


def read_all(todo: Iterator[Work], **how: object) -> dict[str, ReadPaper | PaperError]:
    async def run() -> list[Read]:
        options: dict[str, Any] = {"command": CRASHING, **how}
        readers = [ProcessReader(**options), ProcessReader(**options)]
        async with reading(todo, MODELS, readers=readers, ahead=4) as papers:
            return [read async for read in papers]

    return {read.work.entry.id: read.paper for read in asyncio.run(run())}


@pytest.mark.parametrize(
    ("source", "said"),
    [("crash", "exit code -11"), ("exit", "exit code 3"), ("bad", "no text"), ("huge", "too large")],
)
def test_one_bad_paper_is_one_failure(source: str, said: str) -> None:
    found = read_all(work("a", source, "b", source, "c", "d"))
    failed = {name: str(paper) for name, paper in found.items() if isinstance(paper, PaperError)}
    assert sorted(failed) == ["id1", "id3"]
    assert all(said in reason for reason in failed.values())
    assert len(found) == 6


def test_a_paper_that_hangs_is_given_up() -> None:
    found = read_all(work("a", "hang", "b"), patience=2.0)
    assert "longer than 2 s" in str(found["id1"])
    assert isinstance(found["id2"], ReadPaper)


def test_what_a_library_prints_spoils_nothing() -> None:
    assert all(isinstance(paper, ReadPaper) for paper in read_all(work("print", "a", "print")).values())


def test_several_processes_read_and_no_more_than_wanted() -> None:
    found = read_all(work(*"abcdefghijkl"))
    assert len({paper.head.title for paper in found.values() if isinstance(paper, ReadPaper)}) == 2


def test_it_reads_ahead_and_not_further() -> None:
    taken = 0

    def counted() -> Iterator[Work]:
        nonlocal taken
        for each in work(*"abcdefghijklmnopqrstuvwxyz"):
            taken += 1
            yield each

    async def run() -> None:
        async with reading(counted(), MODELS, readers=[ProcessReader(CRASHING)], ahead=3) as papers:
            await anext(papers)
            await asyncio.sleep(0.3)
            assert taken <= 1 + 3 + 3

    asyncio.run(run())


def test_a_paper_for_two_models_is_read_once() -> None:
    entry = Entry("id", "a", "a", "text")

    async def run() -> list[Read]:
        todo = iter([Work(entry, "m"), Work(entry, "n")])
        async with reading(todo, MODELS, readers=[ProcessReader(CRASHING)], ahead=3) as papers:
            return [read async for read in papers]

    first, second = asyncio.run(run())
    assert isinstance(first.paper, ReadPaper)
    assert isinstance(second.paper, ReadPaper)
    assert first.paper.head is second.paper.head
    assert (first.work.model, second.work.model) == ("m", "n")


def test_a_worker_that_cannot_start_stops_the_run() -> None:
    with pytest.raises(RunError, match="could be started"):
        read_all(work("a"), command=("/nowhere/python",))


def test_a_real_worker_reads_a_real_paper(tmp_path: Path) -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    todo = iter([Work(Entry("mine", str(source), "", "markdown", title="A Title of mine"), "m")])
    paper = read_all(todo, command=command(Arxiv(cache=tmp_path, offline=True)))["mine"]
    here = load(str(source), title="A Title of mine", paper_id="mine")
    assert isinstance(paper, ReadPaper)
    assert paper.head == here.head
    assert paper.paper is None, "its text stays where it was read"
    assert paper.question == pose(here, MODELS["m"].settings, FixedGauge())


def test_a_paper_is_read_again_for_another_window() -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    todo = iter([Work(Entry("mine", str(source), "", "markdown"), "m")])
    settings = MODELS["m"].settings

    async def run() -> tuple[Question, Question]:
        readers = [ProcessReader(command(Arxiv(offline=True)))]
        async with reading(todo, MODELS, readers=readers, ahead=1) as papers:
            paper = (await anext(papers)).paper
            assert isinstance(paper, ReadPaper)
            with pytest.raises(TooLongError, match="fit"):
                await paper.pose(replace(settings, window=1_000), FixedGauge())
            first = await paper.pose(settings, FixedGauge())
            return first, await paper.pose(replace(settings, window=4_000), Gauge(0.5))

    first, again = asyncio.run(run())
    here = load(str(source), paper_id="mine")
    assert first == pose(here, settings, FixedGauge())
    assert again == pose(here, replace(settings, window=4_000), Gauge(0.5))


def test_only_who_reads_papers_is_given_them(tmp_path: Path) -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    models = {"m": replace(MODELS["m"], reads_papers=True)}

    async def run() -> Read:
        todo = iter([Work(Entry("mine", str(source), "", "markdown"), "m")])
        readers = [ProcessReader(command(Arxiv(offline=True)))]
        async with reading(todo, models, readers=readers, ahead=1) as papers:
            return await anext(papers)

    paper = asyncio.run(run()).paper
    assert isinstance(paper, ReadPaper)
    assert paper.paper is not None
    assert paper.paper.head == paper.head


@pytest.mark.parametrize(("papers", "most"), [(1, 1), (7, 1), (100, 8)])
def test_small_corpora_start_few_workers(papers: int, most: int) -> None:
    assert 1 <= workers_for(papers) <= most


def test_a_worker_whose_run_was_killed_ends_without_a_word() -> None:
    entry = pickle.dumps(Errand(Entry("x", "nowhere.md", "nowhere.md", "markdown"), ()))
    nobody, write = os.pipe()
    os.close(nobody)
    worker = subprocess.run(
        command(Arxiv(offline=True)),
        input=LENGTH.pack(len(entry)) + entry,
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    os.close(write)
    assert (worker.returncode, worker.stderr) == (0, b"")
