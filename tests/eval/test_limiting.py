"""A judge's requests keep the limits."""

import asyncio

import pytest

from eval.model_judge import RateLimitedModel
from planner.batch.rate_limit import RateLimiter
from planner.chat import Completion, Message, ModelInfo, Prompt, Usage
from planner.errors import ModelError
from planner.models.fake import FakeModel

PROMPT = Prompt.from_messages((Message("user", "word " * 80),), "")


class Counting:
    """Counts how many are asked at once."""

    info = ModelInfo("judge", "m", "m")

    def __init__(self) -> None:
        self.now = self.most = 0

    async def complete(self, prompt: Prompt) -> Completion:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return Completion("yes", usage=Usage(100, 10))


def test_no_more_at_once_than_allowed() -> None:
    model = Counting()

    async def ask() -> None:
        limited = RateLimitedModel(model, RateLimiter(3))
        await asyncio.gather(*(limited.complete(PROMPT) for _ in range(20)))

    asyncio.run(ask())
    assert model.most == 3


def test_a_429_pauses_everybody_and_a_spent_quota_nobody() -> None:
    async def paused(error: ModelError) -> float:
        limits = RateLimiter(4)
        with pytest.raises(ModelError):
            await RateLimitedModel(FakeModel(error), limits).complete(PROMPT)
        return limits.pause_seconds

    busy = ModelError("slow down", status=429, retryable=True, retry_after=30)
    assert 29 < asyncio.run(paused(busy)) <= 30
    assert asyncio.run(paused(ModelError("no money", status=429, exhausted=True))) == 0
    assert asyncio.run(paused(ModelError("broken", status=500))) == 0


def test_the_card_is_that_of_the_model() -> None:
    assert RateLimitedModel(Counting(), RateLimiter(1)).info == Counting.info


def test_nobody_waits_in_a_pause_for_longer_than_allowed() -> None:
    refusal = ModelError("slow down", status=429, retryable=True, retry_after=30)

    async def ask_twice() -> None:
        model = RateLimitedModel(FakeModel(refusal, Completion("yes")), RateLimiter(4, max_pause=8))
        with pytest.raises(ModelError, match="slow down"):
            await model.complete(PROMPT)
        with pytest.raises(ModelError, match=r"gave up: .* limit of 8 s in total \(--max-wait\)"):
            await asyncio.wait_for(model.complete(PROMPT), 5)

    asyncio.run(ask_twice())
