"""Copies of a model: the load is spread, and a broken copy is passed over until it answers again."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.chat import Completion, Message, ModelInfo, Prompt
from planner.errors import ModelError
from planner.models.wrappers import ReplicatedModel, RetryingModel
from tests.batch.conftest import program, serve
from tests.batch.program import Program, Serve, make_papers

__all__ = ["program", "serve"]

PROMPT = Prompt.from_messages((Message("user", "x"),), "t")


class Copy:
    def __init__(self, address: str, error: ModelError | None = None) -> None:
        self.info = ModelInfo("lm-planner", "m", "m", address)
        self.error = error
        self.asked = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked += 1
        await self.hold.wait()
        if self.error:
            raise self.error
        return Completion(self.info.endpoint)


def broken(status: int | None = None) -> ModelError:
    return ModelError("refused", retryable=True, status=status)


@given(st.integers(1, 7), st.integers(0, 40))
def test_requests_one_after_the_other_go_round(copies: int, requests: int) -> None:
    async def work() -> None:
        replicas = [Copy(f"http://{n}/v1") for n in range(copies)]
        model = ReplicatedModel(replicas)
        for _ in range(requests):
            await model.complete(PROMPT)
        asked = [replica.asked for replica in replicas]
        assert sum(asked) == requests
        assert max(asked) - min(asked) <= 1

    asyncio.run(work())


def test_a_slow_copy_gets_less() -> None:
    async def work() -> None:
        slow, quick = Copy("a"), Copy("b")
        slow.hold.clear()
        model = ReplicatedModel([slow, quick])
        waiting = asyncio.create_task(model.complete(PROMPT))
        await asyncio.sleep(0)
        for _ in range(5):
            await model.complete(PROMPT)
        assert (slow.asked, quick.asked) == (1, 5)
        slow.hold.set()
        await waiting

    asyncio.run(work())


@pytest.mark.parametrize("status", [None, 500, 503])
def test_a_broken_copy_rests_and_comes_back(status: int | None) -> None:
    async def work() -> None:
        now = 0.0
        bad, good = Copy("a", broken(status)), Copy("b")
        model = ReplicatedModel([bad, good], clock=lambda: now)
        with pytest.raises(ModelError):
            await model.complete(PROMPT)
        for _ in range(4):
            await model.complete(PROMPT)
        assert (bad.asked, good.asked) == (1, 4)
        now, bad.error = 5.0, None
        answers = Counter([(await model.complete(PROMPT)).text for _ in range(4)])
        assert answers["a"] >= 1

    asyncio.run(work())


def test_a_failure_of_the_request_is_no_fault_of_the_copy() -> None:
    async def work() -> None:
        one, two = Copy("a", broken(429)), Copy("b", broken(400))
        model = ReplicatedModel([one, two])
        for _ in range(6):
            with pytest.raises(ModelError):
                await model.complete(PROMPT)
        assert (one.asked, two.asked) == (3, 3)

    asyncio.run(work())


def test_when_all_are_broken_one_is_tried() -> None:
    async def work() -> None:
        copies = [Copy("a", broken()), Copy("b", broken())]
        model = ReplicatedModel(copies)
        for _ in range(6):
            with pytest.raises(ModelError):
                await model.complete(PROMPT)
        assert sum(replica.asked for replica in copies) == 6

    asyncio.run(work())


def test_with_patience_the_next_copy_answers() -> None:
    async def work() -> None:
        async def at_once(_: float) -> None:
            return

        copies = [Copy("a", broken()), Copy("b")]
        model = RetryingModel(ReplicatedModel(copies), on_wait=lambda _: None, sleep=at_once)
        assert [(await model.complete(PROMPT)).text for _ in range(3)] == ["b"] * 3
        assert copies[0].asked == 1

    asyncio.run(work())


def test_one_more_copy_changes_no_identity() -> None:
    one, two = ReplicatedModel([Copy("a")]), ReplicatedModel([Copy("a"), Copy("b")])
    assert one.info.identify_request(PROMPT) == two.info.identify_request(PROMPT)


def test_several_addresses_share_a_run(serve: Serve, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 20)
    one, two = serve(), serve()
    urls = ("--base-url", one.url, "--base-url", two.url, "--base-url", "http://127.0.0.1:9/v1")
    program.run("batch", "papers", "-o", "run", "-m", "m", *urls, "--concurrency", "4", "-q")
    assert one.count + two.count == 20
    assert min(one.count, two.count) >= 5
    assert program.status()["planned"] == 20
