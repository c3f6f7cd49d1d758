"""Ctrl-C and SIGTERM: the first asks, the second does not."""

import asyncio
import signal

import pytest

from planner.cli.terminal.console import run_for_exit_code


@pytest.mark.parametrize(("first", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_lets_what_is_under_way_clean_up(first: signal.Signals, code: int) -> None:
    steps = []

    async def work() -> int:
        signal.raise_signal(first)
        steps.append("a step that awaits nothing is finished")
        try:
            await asyncio.sleep(60)
        finally:
            steps.append("cleaned up")
        return 0

    assert run_for_exit_code(work()) == code
    assert steps == ["a step that awaits nothing is finished", "cleaned up"]


@pytest.mark.parametrize(("first", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_ends_what_awaits_nothing(first: signal.Signals, code: int) -> None:
    async def work() -> int:
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it went on")

    assert run_for_exit_code(work()) == code


def test_the_handlers_of_before_are_put_back() -> None:
    before = [signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)]

    async def work() -> int:
        return 7

    assert run_for_exit_code(work()) == 7
    assert [signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)] == before
