"""A person sees a live view on a terminal, and plain lines elsewhere."""

import os
import pty
import re
import signal
from pathlib import Path

import pytest

from planner.batch.rate_limit import RateLimiter
from planner.batch.status import Progress
from planner.chat import Usage
from planner.cli.terminal.progress import format_duration, format_progress
from planner.errors import Outcome
from tests.batch.program import Program, Serve, make_papers


def on_terminal(program: Program, *words: str, interrupt: bool = False) -> tuple[str, int]:
    """Run the program with a pseudo-terminal as its stderr; what it showed, and its exit code."""
    ours, theirs = pty.openpty()
    process = program.start(*words, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not piece:
            break
        shown += piece
        if interrupt and b"in flight" in shown:
            process.send_signal(signal.SIGINT)
            interrupt = False
    os.close(ours)
    process.wait(60)
    return shown.decode("utf-8"), process.returncode


def test_a_terminal_gets_a_live_view(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 30)
    served = serve("--fates", "--latency", "0.3")
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--concurrency", "4")
    shown, code = on_terminal(program, *words, "--price", "1,4")
    assert code == 1
    assert "\x1b[" in shown, "it is drawn over and over"
    for what in ("planned, ", "failed, ", " left", "in flight", "waiting for the limit", "plans/min", "$", "to go"):
        assert what in shown
    assert re.search(r"paper\d{4}: (the model or its provider refused|a token limit truncated)", shown), (
        "the last problems are shown"
    )
    assert "30 papers:" in shown, "the summary comes at the end"
    assert "\x1b[?25h" in shown, "the cursor is given back"


def test_ctrl_c_on_a_terminal_gives_it_back_clean(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 30)
    served = serve("--latency", "0.3")
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--concurrency", "4")
    shown, code = on_terminal(program, *words, interrupt=True)
    assert code == 130
    assert "stopping" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_a_pipe_gets_plain_lines(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 30)
    served = serve("--latency", "0.5")
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--concurrency", "4")
    done = program.run(*words)
    assert "\x1b" not in done.stderr
    assert re.search(r"\d+ planned, 0 failed, \d+ left; \d in flight", done.stderr)
    assert "30 papers: 30 planned, 0 failed, 0 left" in done.stderr
    assert "out, cost unknown" in done.stderr, "an unknown price is no price"
    assert done.stdout == ""


def test_quiet_says_nothing(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 3)
    done = program.run("batch", "papers", "-o", "run", "--model", "m", "--base-url", serve().url, "-q")
    assert done.stderr == done.stdout == ""


def test_a_paper_does_not_steer_the_terminal(program: Program, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "evil\x1b]0;owned\x07.md").write_text("short", encoding="utf-8")
    shown, code = on_terminal(program, "batch", "papers", "-o", "run", "--model", "m", "--base-url", serve().url)
    assert code == 1
    assert "\x1b]0;" not in shown


def test_costs_and_times_are_projected() -> None:
    progress = Progress(total_results=10)
    progress.rate_limiters = [RateLimiter(4)]
    assert progress.seconds_left is None
    assert "cost not known yet" in format_progress(progress), "nothing was answered, which is no cost of 0"
    progress.record_reply(Usage(1000, 200), 0.5)
    progress.record_result("a", Outcome.PLANNED, "")
    progress.record_reply(Usage(1000, 200), 0.5)
    progress.record_result("b", Outcome.REFUSED, "no")
    assert progress.expected_cost == pytest.approx(5.0)
    assert (progress.planned, progress.failed, progress.remaining) == (1, 1, 8)
    assert "1 planned, 1 failed, 8 left" in format_progress(progress)
    progress.record_reply(Usage(1000, 200), None)
    assert progress.cost is None, "a sum with something unknown in it is unknown"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (40, "40 s"), (720, "12 min"), (11100, "3 h 05 min")])
def test_durations_are_said_as_people_do(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
