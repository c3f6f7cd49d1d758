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

from planner.batch.errand import LENGTH_PREFIX, ReadRequest
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.batch.reading import (
    ReaderProcess,
    RemotePaper,
    TaskWithPaper,
    build_reader_command,
    choose_process_count,
    read_papers_ahead,
)
from planner.errors import PaperError, RunError, TooLongError
from planner.papers.arxiv import ArxivClient
from planner.papers.load import load_paper
from planner.planning.question import PaperPrompt, PlanSettings, build_prompt
from planner.schema import Task
from planner.tokens import FixedTokenCounter, TokenCounter
from tests.conftest import ROOT

CRASHING = (sys.executable, str(Path(__file__).with_name("crashing_worker.py")))


def work(*sources: str, model: str = "m") -> Iterator[PlanTask]:
    return (PlanTask(CorpusEntry(f"id{n}", source, source, "text"), model) for n, source in enumerate(sources))


@dataclass(frozen=True)
class Model:
    settings: PlanSettings
    needs_paper: bool = False


MODELS = {name: Model(PlanSettings(Task.REVIEWER, 2)) for name in "mn"}


def read_all(todo: Iterator[PlanTask], **how: object) -> dict[str, RemotePaper | PaperError]:
    async def run() -> list[TaskWithPaper]:
        options: dict[str, Any] = {"command": CRASHING, **how}
        readers = [ReaderProcess(**options), ReaderProcess(**options)]
        async with read_papers_ahead(todo, MODELS, readers=readers, max_ahead=4) as papers:
            return [read async for read in papers]

    return {read.plan_task.entry.id: read.paper for read in asyncio.run(run())}


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
    found = read_all(work("a", "hang", "b"), max_seconds=2.0)
    assert "longer than 2 s" in str(found["id1"])
    assert isinstance(found["id2"], RemotePaper)


def test_what_a_library_prints_spoils_nothing() -> None:
    assert all(isinstance(paper, RemotePaper) for paper in read_all(work("print", "a", "print")).values())


def test_several_processes_read_and_no_more_than_wanted() -> None:
    found = read_all(work(*"abcdefghijkl"))
    assert len({paper.info.title for paper in found.values() if isinstance(paper, RemotePaper)}) == 2


def test_it_reads_ahead_and_not_further() -> None:
    taken = 0

    def counted() -> Iterator[PlanTask]:
        nonlocal taken
        for each in work(*"abcdefghijklmnopqrstuvwxyz"):
            taken += 1
            yield each

    async def run() -> None:
        async with read_papers_ahead(counted(), MODELS, readers=[ReaderProcess(CRASHING)], max_ahead=3) as papers:
            await anext(papers)
            await asyncio.sleep(0.3)
            assert taken <= 1 + 3 + 3

    asyncio.run(run())


def test_a_paper_for_two_models_is_read_once() -> None:
    entry = CorpusEntry("id", "a", "a", "text")

    async def run() -> list[TaskWithPaper]:
        todo = iter([PlanTask(entry, "m"), PlanTask(entry, "n")])
        async with read_papers_ahead(todo, MODELS, readers=[ReaderProcess(CRASHING)], max_ahead=3) as papers:
            return [read async for read in papers]

    first, second = asyncio.run(run())
    assert isinstance(first.paper, RemotePaper)
    assert isinstance(second.paper, RemotePaper)
    assert first.paper.info is second.paper.info
    assert (first.plan_task.model, second.plan_task.model) == ("m", "n")


def test_a_worker_that_cannot_start_stops_the_run() -> None:
    with pytest.raises(RunError, match="could be started"):
        read_all(work("a"), command=("/nowhere/python",))


def test_a_real_worker_reads_a_real_paper(tmp_path: Path) -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    todo = iter([PlanTask(CorpusEntry("mine", str(source), "", "markdown", title="A Title of mine"), "m")])
    paper = read_all(todo, command=build_reader_command(ArxivClient(cache=tmp_path, offline=True)))["mine"]
    here = load_paper(str(source), title="A Title of mine", paper_id="mine")
    assert isinstance(paper, RemotePaper)
    assert paper.info == here.info
    assert paper.paper is None, "its text stays where it was read"
    assert paper.paper_prompt == build_prompt(here, MODELS["m"].settings, FixedTokenCounter())


def test_a_paper_is_read_again_for_another_window() -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    todo = iter([PlanTask(CorpusEntry("mine", str(source), "", "markdown"), "m")])
    settings = MODELS["m"].settings

    async def run() -> tuple[PaperPrompt, PaperPrompt]:
        readers = [ReaderProcess(build_reader_command(ArxivClient(offline=True)))]
        async with read_papers_ahead(todo, MODELS, readers=readers, max_ahead=1) as papers:
            paper = (await anext(papers)).paper
            assert isinstance(paper, RemotePaper)
            with pytest.raises(TooLongError, match="fit"):
                await paper.build_prompt(replace(settings, window=1_000), FixedTokenCounter())
            first = await paper.build_prompt(settings, FixedTokenCounter())
            return first, await paper.build_prompt(replace(settings, window=4_000), TokenCounter(0.5))

    first, again = asyncio.run(run())
    here = load_paper(str(source), paper_id="mine")
    assert first == build_prompt(here, settings, FixedTokenCounter())
    assert again == build_prompt(here, replace(settings, window=4_000), TokenCounter(0.5))


def test_only_who_reads_papers_is_given_them(tmp_path: Path) -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    models = {"m": replace(MODELS["m"], needs_paper=True)}

    async def run() -> TaskWithPaper:
        todo = iter([PlanTask(CorpusEntry("mine", str(source), "", "markdown"), "m")])
        readers = [ReaderProcess(build_reader_command(ArxivClient(offline=True)))]
        async with read_papers_ahead(todo, models, readers=readers, max_ahead=1) as papers:
            return await anext(papers)

    paper = asyncio.run(run()).paper
    assert isinstance(paper, RemotePaper)
    assert paper.paper is not None
    assert paper.paper.info == paper.info


@pytest.mark.parametrize(("papers", "most"), [(1, 1), (7, 1), (100, 8)])
def test_small_corpora_start_few_workers(papers: int, most: int) -> None:
    assert 1 <= choose_process_count(papers) <= most


def test_a_worker_whose_run_was_killed_ends_without_a_word() -> None:
    entry = pickle.dumps(ReadRequest(CorpusEntry("x", "nowhere.md", "nowhere.md", "markdown"), ()))
    nobody, write = os.pipe()
    os.close(nobody)
    worker = subprocess.run(
        build_reader_command(ArxivClient(offline=True)),
        input=LENGTH_PREFIX.pack(len(entry)) + entry,
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    os.close(write)
    assert (worker.returncode, worker.stderr) == (0, b"")
