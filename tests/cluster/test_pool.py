"""Workers come and go; the allowance of the endpoint is one, whoever asks. Without Ray."""

import asyncio
import pickle
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest

from planner.batch.cluster.pool import WorkerLostError, WorkerPool
from planner.batch.cluster.ray import RayWorkerActor, WorkerConfig, make_error_picklable
from planner.batch.rate_limit import RateLimiter
from planner.chat import Completion, Message, ModelInfo, Prompt
from planner.errors import ModelError, PaperError, RunError, TooLongError
from planner.models.connect import WorkerModelSpec
from planner.models.openai_chat.chat import RequestOptions
from planner.models.openai_chat.replies import RejectedParameterError
from planner.papers.arxiv import ArxivClient
from planner.papers.paper import PaperInfo
from planner.reading.request import ReadRequest, ReadResult, ReadResultOrError

INFO = ModelInfo("p", "n", "n")
PROMPT = Prompt.from_messages((Message("user", "x"),), "t")
PAPER = ReadResult(PaperInfo("id", "T", "text", "s"), ())
ERRAND = ReadRequest("s", paper_id="id")


class FakeWorker:
    def __init__(self, place: str, answer: Completion | ModelError | None = None) -> None:
        self.machine = place
        self.answer = answer or Completion("reply")
        self.lost = False
        self.asked: list[float] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def read_paper(self, request: ReadRequest) -> ReadResultOrError:
        await self._work()
        return PAPER

    async def complete(self, model: str, prompt: Prompt) -> Completion | ModelError:
        self.asked.append(time.monotonic())
        await self._work()
        return self.answer

    async def _work(self) -> None:
        await self.hold.wait()
        if self.lost:
            raise WorkerLostError("node died")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def pool_of(*workers: FakeWorker, patience: float = 5.0) -> WorkerPool:
    pool = WorkerPool(patience)
    for worker in workers:
        await pool.add_worker(worker)
    return pool


def test_requests_are_shared_out_evenly_and_to_those_who_are_left() -> None:
    async def work() -> None:
        workers = [FakeWorker(place) for place in "abc"]
        for worker in workers:
            worker.hold.clear()
        pool = await pool_of(*workers)
        asking = [asyncio.create_task(pool.make_model(INFO, "m").complete(PROMPT)) for _ in range(30)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [len(worker.asked) for worker in workers] == [10, 10, 10]
        workers[0].lost = True
        for worker in workers:
            worker.hold.set()
        answers = await asyncio.gather(*asking, return_exceptions=True)
        assert Counter(type(answer) for answer in answers) == {Completion: 20, ModelError: 10}
        for _ in range(10):
            await pool.make_model(INFO, "m").complete(PROMPT)
        assert len(workers[0].asked) == 10, "who is lost is asked no more"
        assert pool.worker_counts_by_machine == {"b": 1, "c": 1}

    run(work())


def test_the_limit_holds_in_sum_whatever_workers_come_and_go() -> None:
    rpm = 1200.0

    async def work() -> None:
        workers = [FakeWorker(place) for place in "ab"]
        pool, limits = await pool_of(*workers), RateLimiter(100, rpm=rpm)

        async def ask() -> None:
            async with limits.acquire_slot(1.0):
                await pool.make_model(INFO, "m").complete(PROMPT)

        asking = [asyncio.create_task(ask()) for _ in range(30)]
        late = FakeWorker("c")
        await asyncio.sleep(0.5)
        await pool.add_worker(late)
        pool.remove_worker(workers[0])
        await asyncio.gather(*asking)
        sent = sorted(at for worker in [*workers, late] for at in worker.asked)
        assert len(sent) == 30
        assert late.asked
        assert all(later - earlier > 0.5 * 10 * 60 / rpm for earlier, later in zip(sent, sent[10:], strict=False))

    run(work())


def test_a_lost_request_may_be_asked_again_and_says_where_it_was_lost() -> None:
    async def work() -> None:
        worker = FakeWorker("node-1")
        worker.lost = True
        pool = await pool_of(worker, FakeWorker("node-2"))
        with pytest.raises(ModelError, match="node-1") as failure:
            await pool.make_model(INFO, "m").complete(PROMPT)
        assert failure.value.retryable
        assert failure.value.status is None, "it may have been sent, and billed"
        assert (await pool.make_model(INFO, "m").complete(PROMPT)).text == "reply"

    run(work())


def test_a_paper_whose_worker_is_lost_is_read_by_another() -> None:
    async def work() -> None:
        lost = FakeWorker("a")
        lost.lost = True
        pool = await pool_of(lost, FakeWorker("b"))
        assert await pool.read_paper_with_prompts(ERRAND) is PAPER

    run(work())


def test_a_paper_that_takes_every_worker_with_it_is_one_failed_paper() -> None:
    async def work() -> None:
        workers = [FakeWorker(place) for place in "abcd"]
        for worker in workers:
            worker.lost = True
        pool = await pool_of(*workers)
        with pytest.raises(PaperError, match="workers were lost"):
            await pool.read_paper_with_prompts(ERRAND)
        assert len(pool) == 1

    run(work())


def test_a_run_waits_for_a_worker_and_not_for_ever() -> None:
    async def work() -> None:
        pool = await pool_of(patience=2.0)
        reading = asyncio.create_task(pool.read_paper_with_prompts(ERRAND))
        await asyncio.sleep(0.05)
        await pool.add_worker(FakeWorker("a"))
        assert await reading is PAPER
        with pytest.raises(RunError, match="no worker"):
            await (await pool_of(patience=0.05)).read_paper_with_prompts(ERRAND)

    run(work())


def test_what_the_model_says_passes_through() -> None:
    async def work() -> None:
        pool = await pool_of(FakeWorker("a", ModelError("slow down", status=429, retryable=True, retry_after=3.0)))
        with pytest.raises(ModelError, match="slow down") as failure:
            await pool.make_model(INFO, "m").complete(PROMPT)
        assert failure.value.retry_after == 3.0

    run(work())


def test_every_error_of_a_model_can_travel() -> None:
    errors = [
        ModelError("a", retryable=True, status=500, retry_after=1.5, request_id="r", exhausted=True, body="b"),
        ModelError("refused", retryable=True, is_sent=False),
        TooLongError("b", limit=4096, status=400, body="c"),
        RejectedParameterError("c", parameter="seed", status=400, request_id="q", body="d"),
    ]
    for error in errors:
        there = pickle.loads(pickle.dumps(make_error_picklable(error)))
        assert str(there) == str(error)
        facts = ("retryable", "status", "retry_after", "request_id", "exhausted", "body", "is_sent")
        assert [getattr(there, fact) for fact in facts] == [getattr(error, fact) for fact in facts]
        assert getattr(there, "limit", None) == getattr(error, "limit", None)


def make_config(address: str = "http://127.0.0.1:9/v1", version: str | None = None) -> WorkerConfig:
    card = ModelInfo("lm-planner", "m", "m", "http://127.0.0.1:9/v1")
    told = {"lm-planner/m": WorkerModelSpec(card, "m", (address,), RequestOptions())}
    return WorkerConfig(told, ArxivClient(offline=True), "/", **({"version": version} if version else {}))


def test_an_outpost_takes_its_key_from_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marker-of-this-machine")
    worker = RayWorkerActor(make_config())
    assert asyncio.run(worker.find_problem()) is None
    assert b"sk-marker" not in pickle.dumps(make_config())


def test_an_outpost_says_why_it_cannot_do_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "version" in str(asyncio.run(RayWorkerActor(make_config(version="0.0.0")).find_problem()))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere:1/v1")
    assert "elsewhere:1" in str(asyncio.run(RayWorkerActor(make_config(address="")).find_problem()))
    monkeypatch.delenv("OPENAI_BASE_URL")
    worker = RayWorkerActor(make_config(address="https://api.openai.com/v1"))
    assert "OPENAI_API_KEY" in str(asyncio.run(worker.find_problem()))
