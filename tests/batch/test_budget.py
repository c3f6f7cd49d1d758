"""A cost limit that is never passed, whatever is in flight, is killed or is lost."""

import asyncio
import random
import signal
import socket
from pathlib import Path

import pytest

from planner.batch.client import CostBudget, compute_max_prompt_tokens
from planner.chat import Message, Prompt
from planner.errors import BudgetExceeded
from tests.batch.program import Program, Serve, make_papers, wait_until
from tests.server.provider import Provider
from tests.server.server import Server

PRICE = "1,4"  # as the provider bills


def test_what_is_in_flight_counts_at_its_most() -> None:
    async def check() -> None:
        budget = CostBudget(1.0)
        async with budget.reserve_cost(0.6) as first:
            waiting = asyncio.create_task(spend(budget, 0.6, 0.1))
            await asyncio.sleep(0)
            assert not waiting.done(), "it may fit once the first has ended"
            first.charged_cost = 0.2
        await waiting
        assert budget.spent == pytest.approx(0.3)
        with pytest.raises(BudgetExceeded, match="raise --max-cost"):
            await spend(budget, 0.9, 0.1)

    asyncio.run(check())


def test_many_at_once_never_pass_the_limit() -> None:
    async def check() -> None:
        budget, chance = CostBudget(1.0), random.Random(1)
        ended = await asyncio.gather(
            *(spend(budget, 0.05, chance.uniform(0, 0.05)) for _ in range(200)), return_exceptions=True
        )
        assert any(isinstance(outcome, BudgetExceeded) for outcome in ended)
        assert 0.9 <= budget.spent <= 1.0

    asyncio.run(check())


def test_the_whole_limit_fits_once_nothing_is_in_flight() -> None:
    async def check() -> None:
        budget = CostBudget(0.3)
        async with budget.reserve_cost(0.1), budget.reserve_cost(0.2 - 1e-16):
            pass
        async with asyncio.timeout(5), budget.reserve_cost(0.3):  # not 2.8e-17 dollars too much
            pass

    asyncio.run(check())


async def spend(budget: CostBudget, max_cost: float, charged: float) -> None:
    async with budget.reserve_cost(max_cost) as reservation:
        await asyncio.sleep(0)
        reservation.charged_cost = charged


@pytest.mark.parametrize("text", ["plain words", "é" * 50, "漢字" * 50, "\ud800", "👩‍👩‍👧" * 20])
def test_a_token_is_at_least_a_byte(text: str) -> None:
    assert compute_max_prompt_tokens(Prompt.from_messages((Message("user", text),), "")) >= len(text)


def test_the_bill_never_passes_the_limit_with_faults_and_kills(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 80)
    served = serve("--faults", "0.3", "--latency", "0.05")
    limit = 0.3
    command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--price", PRICE)
    command += ("--max-cost", str(limit), "--max-tokens", "400", "--concurrency", "16", "--timeout", "1.5")
    for moment in (5, 12):
        process = program.start(*command)
        wait_until(lambda moment=moment: served.count >= moment, process)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert served.cost <= limit
    stderr = program.run(*command, code=1).stderr
    assert "raise --max-cost" in stderr
    assert 0 < served.cost <= limit
    status = program.status()
    assert status["pending"] + status["outcomes"].get("budget", 0) > 0
    program.run(*(word if word != str(limit) else "10" for word in command))
    assert program.status()["planned"] == 80


def test_a_limit_set_later_pays_nothing_twice(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 10)
    served = serve()
    command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--price", PRICE)
    program.run(*command, "--max-papers", "5")
    program.run(*command, "--max-cost", "5")
    assert served.count == 10
    assert program.status()["cost"] == pytest.approx(served.cost)


def test_what_a_kill_lost_before_there_was_a_limit_counts_too(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 4)
    slow = serve("--latency", "600")
    command = ("batch", "papers", "-o", "run", "--model", "m", "--price", PRICE)
    process = program.start(*command, "--base-url", slow.url)
    wait_until(lambda: slow.count == 4, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    served = serve()
    limit = str(slow.cost + 0.01)
    stderr = program.run(*command, "--base-url", served.url, "--max-tokens", "400", "--max-cost", limit, code=1).stderr
    assert "raise --max-cost" in stderr
    assert slow.cost + served.cost <= float(limit)


def test_a_server_that_comes_up_later_is_paid_within_the_same_limit(program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 16)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", f"http://127.0.0.1:{port}/v1")
        command += ("--price", PRICE, "--max-cost", "0.15", "--max-tokens", "400", "--max-wait", "1")
        stderr = program.run(*command, code=1).stderr
    assert "is the server running?" in stderr
    assert "--max-cost" not in stderr
    status = program.status()
    assert (status["planned"], status["failed"], status["pending"], status["lost_requests"]) == (0, 0, 16, 0)
    provider = Provider()
    with Server(provider.answer, port=port) as server:
        program.run(*command)
        assert len(server.journal) == 16
    assert program.status()["planned"] == 16


def test_a_limit_without_a_price_is_wrong_usage(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 2)
    served = serve()
    command = ("batch", "papers", "-o", "run", "--model", "nobody-knows-me", "--base-url", served.url)
    assert "--price" in program.run(*command, "--max-cost", "1", code=2).stderr
    assert served.count == 0
    program.run(*command)
    assert program.status()["cost"] is None
