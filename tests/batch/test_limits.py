"""Requests are let out one by one, fewer after a 429, and none during a pause."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from planner.batch.rate_limit import RateLimiter, RunStopped
from planner.chat import RateLimits, Usage
from planner.errors import ModelError


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


def test_never_more_at_once_than_allowed() -> None:
    async def work() -> None:
        limits, most = RateLimiter(3), 0

        async def one() -> None:
            nonlocal most
            async with limits.acquire_slot(10):
                most = max(most, limits.in_flight)
                await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(20)))
        assert most == 3
        assert (limits.in_flight, limits.waiting) == (0, 0)

    run(work)


def test_a_429_halves_once_however_many_were_in_flight() -> None:
    async def work() -> None:
        limits = RateLimiter(16)
        async with limits.acquire_slot(1) as first, limits.acquire_slot(1) as second:
            limits.record_rate_limit_error(first, 0.0)
            limits.record_rate_limit_error(second, 0.0)
        assert limits.max_in_flight == 8

    run(work)


def test_a_burst_of_refusals_is_one_pause() -> None:
    async def work() -> None:
        limits = RateLimiter(8)
        async with AsyncExitStack() as stack:
            slots = [await stack.enter_async_context(limits.acquire_slot(1)) for _ in range(8)]
            for slot in slots:
                limits.record_rate_limit_error(slot, None)
        assert 0 < limits.pause_seconds <= 1
        assert not limits.has_endpoint_asked

    run(work)


def test_the_longest_pause_that_the_endpoint_names_in_a_burst_holds() -> None:
    async def work() -> None:
        limits = RateLimiter(8)
        async with limits.acquire_slot(1) as first, limits.acquire_slot(1) as second, limits.acquire_slot(1) as third:
            limits.record_rate_limit_error(first, None)
            limits.record_rate_limit_error(second, 30.0)
            limits.record_rate_limit_error(third, 20.0)
        assert 29 < limits.pause_seconds <= 30
        assert limits.has_endpoint_asked

    run(work)


def test_pauses_end_where_patience_ends() -> None:
    async def work() -> None:
        limits = RateLimiter(4, max_pause=0.2)
        async with limits.acquire_slot(1) as slot:
            limits.record_rate_limit_error(slot, None)
            assert limits.pause_seconds <= 0.2, "a pause of its own choice is within the limit"
        with pytest.raises(ModelError, match="--max-wait"):
            async with limits.acquire_slot(1, waited=0.1):
                pass
        async with limits.acquire_slot(1) as slot:
            assert 0.1 < slot.paused_seconds <= 0.2

    run(work)


def test_it_never_falls_below_one_and_climbs_back() -> None:
    async def work() -> None:
        limits = RateLimiter(4)
        for _ in range(5):
            async with limits.acquire_slot(1) as slot:
                limits.record_rate_limit_error(slot, 0.0)
        assert limits.max_in_flight == 1
        for _ in range(20):
            async with limits.acquire_slot(1) as slot:
                limits.record_success(slot, Usage(), None)
        assert limits.max_in_flight == 4

    run(work)


def test_a_pause_holds_everybody_back() -> None:
    async def work() -> None:
        limits, loop = RateLimiter(4), asyncio.get_running_loop()
        async with limits.acquire_slot(1) as slot:
            limits.record_rate_limit_error(slot, 0.2)
        began = loop.time()
        assert 0 < limits.pause_seconds <= 0.2
        async with limits.acquire_slot(1):
            assert loop.time() - began >= 0.19

    run(work)


def test_headers_set_what_flags_left_open() -> None:
    async def work() -> None:
        limits, loop = RateLimiter(4, rpm=6000), asyncio.get_running_loop()
        async with limits.acquire_slot(1) as slot:
            limits.record_success(slot, Usage(280, 20), RateLimits(requests=1, tokens=90_000))
        began = loop.time()
        async with asyncio.timeout(10), limits.acquire_slot(1):  # a flag stands above a header, of one a minute
            assert loop.time() - began >= 0.19, "the time of 300 tokens"

    run(work)


def test_closing_turns_away_who_waits() -> None:
    async def work() -> None:
        limits = RateLimiter(1)

        async def wait() -> None:
            async with limits.acquire_slot(1):
                pass

        async with limits.acquire_slot(1):
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            limits.refuse_further_requests()
            with pytest.raises(RunStopped):
                await waiting
        with pytest.raises(RunStopped):
            await wait()

    run(work)


def test_tokens_are_paced_by_what_requests_really_took() -> None:
    async def work() -> None:
        limits = RateLimiter(4, tpm=60_000)
        for _ in range(60):
            async with limits.acquire_slot(100) as slot:
                limits.record_success(slot, Usage(20, 0), None)
        assert slot.corrected_tokens < 50, "the guess has come down to what was counted"

    run(work)
