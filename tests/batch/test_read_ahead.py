"""Papers are read ahead of their requests, and not further."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.batch.manifest import CorpusEntry, PlanTask
from planner.batch.read_ahead import PaperWithPrompt, ReadAheadQueue, TaskWithPaper
from planner.batch.spec import build_run_model
from planner.chat import FixedTokenCounter, TokenCounter
from planner.errors import PaperError, TooLongError
from planner.models.connect import ModelClient
from planner.models.fake import FakeModel
from planner.papers.load import load_paper
from planner.planning.first_prompt import PaperPrompt, PlanSettings, build_prompt
from planner.reading.process import WORKER_COMMAND, IsolatedReader
from planner.schema import Task
from tests.conftest import ROOT
from tests.reading.build import CRASHING, OFFLINE


def work(*sources: str, model: str = "m") -> Iterator[PlanTask]:
    return (PlanTask(CorpusEntry(f"id{n}", source, source, "text"), model) for n, source in enumerate(sources))


CLIENT = ModelClient(FakeModel().info, lambda _: None, model=FakeModel())
MODELS = {name: build_run_model(CLIENT, PlanSettings(Task.REVIEWER, 2)) for name in "mn"}


def misbehaving_reader() -> IsolatedReader:
    return IsolatedReader(OFFLINE, command=CRASHING)


def read_all(todo: Iterator[PlanTask], **how: object) -> dict[str, PaperWithPrompt | PaperError]:
    async def run() -> list[TaskWithPaper]:
        options: dict[str, Any] = {"command": CRASHING, **how}
        readers = [IsolatedReader(OFFLINE, **options), IsolatedReader(OFFLINE, **options)]
        async with ReadAheadQueue(todo, MODELS, readers=readers, max_ahead=4) as papers:
            return [read async for read in papers]

    return {read.plan_task.entry.id: read.paper_or_error for read in asyncio.run(run())}


def test_several_processes_read_and_no_more_than_wanted() -> None:
    found = read_all(work(*"abcdefghijkl"))
    assert len({paper.info.title for paper in found.values() if isinstance(paper, PaperWithPrompt)}) == 2


def test_it_reads_ahead_and_not_further() -> None:
    taken = 0

    def counted() -> Iterator[PlanTask]:
        nonlocal taken
        for each in work(*"abcdefghijklmnopqrstuvwxyz"):
            taken += 1
            yield each

    async def run() -> None:
        async with ReadAheadQueue(counted(), MODELS, readers=[misbehaving_reader()], max_ahead=3) as papers:
            await anext(papers)
            await asyncio.sleep(0.3)
            assert taken <= 1 + 3 + 3

    asyncio.run(run())


def test_a_paper_for_two_models_is_read_once() -> None:
    entry = CorpusEntry("id", "a", "a", "text")

    async def run() -> list[TaskWithPaper]:
        todo = iter([PlanTask(entry, "m"), PlanTask(entry, "n")])
        async with ReadAheadQueue(todo, MODELS, readers=[misbehaving_reader()], max_ahead=3) as papers:
            return [read async for read in papers]

    first, second = asyncio.run(run())
    assert isinstance(first.paper_or_error, PaperWithPrompt)
    assert isinstance(second.paper_or_error, PaperWithPrompt)
    assert first.paper_or_error.info is second.paper_or_error.info
    assert (first.plan_task.model_key, second.plan_task.model_key) == ("m", "n")


def test_a_real_worker_reads_a_real_paper(tmp_path: Path) -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    todo = iter([PlanTask(CorpusEntry("mine", str(source), "", "markdown", title="A Title of mine"), "m")])
    paper = read_all(todo, command=WORKER_COMMAND)["mine"]
    here = load_paper(str(source), title="A Title of mine", paper_id="mine")
    assert isinstance(paper, PaperWithPrompt)
    assert paper.info == here.info
    assert paper.read_result.paper is None, "its text stays where it was read"
    assert paper.built_prompt_or_error == build_prompt(here, MODELS["m"].settings, FixedTokenCounter())


def test_a_paper_is_read_again_for_another_window() -> None:
    source = ROOT / "planner" / "demo" / "paper.md"
    todo = iter([PlanTask(CorpusEntry("mine", str(source), "", "markdown"), "m")])
    settings = MODELS["m"].settings

    async def run() -> tuple[PaperPrompt, PaperPrompt]:
        readers = [IsolatedReader(OFFLINE)]
        async with ReadAheadQueue(todo, MODELS, readers=readers, max_ahead=1) as papers:
            paper = (await anext(papers)).paper_or_error
            assert isinstance(paper, PaperWithPrompt)
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
    models = {"m": replace(MODELS["m"], client=replace(CLIENT, model=None))}

    async def run() -> TaskWithPaper:
        todo = iter([PlanTask(CorpusEntry("mine", str(source), "", "markdown"), "m")])
        readers = [IsolatedReader(OFFLINE)]
        async with ReadAheadQueue(todo, models, readers=readers, max_ahead=1) as papers:
            return await anext(papers)

    paper = asyncio.run(run()).paper_or_error
    assert isinstance(paper, PaperWithPrompt)
    assert paper.read_result.paper is not None
    assert paper.read_result.paper.info == paper.info


def test_no_task_waits_for_papers_when_their_list_fails() -> None:
    def fail() -> Iterator[PlanTask]:
        yield from work("a")
        raise ValueError("of the list")

    async def take_all(papers: AsyncIterator[TaskWithPaper]) -> list[TaskWithPaper]:
        return [read async for read in papers]

    async def run() -> list[Any]:
        reader = IsolatedReader(OFFLINE, command=CRASHING)
        async with ReadAheadQueue(fail(), MODELS, readers=[reader], max_ahead=4) as papers:
            return await asyncio.gather(*(take_all(papers) for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(run())] == ["of the list"] * 3
