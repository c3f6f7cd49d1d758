"""A stormy provider and a program that is killed: every paper ends as it would have in calm, and is paid for once."""

import random
import signal
import sqlite3
import subprocess
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.batch.program import Program, Serve, Served, fill_disk, make_papers, trajectories, wait_until

COMPLETE = ("ok", "fate")  # what the provider calls an answer that it sent whole


@pytest.mark.parametrize(
    ("papers", "kills", "concurrency", "strategy"),
    [
        (60, 3, 16, "single"),
        pytest.param(1000, 10, 64, "single", marks=pytest.mark.slow),
        pytest.param(200, 20, 16, "revise", marks=pytest.mark.slow),
    ],
    ids=["small", "whole", "revise"],
)
def test_a_storm_with_kills_ends_as_calm_does(
    papers: int, kills: int, concurrency: int, strategy: str, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", papers)
    calm, storm = serve("--fates"), serve("--fates", "--faults", "0.3", "--latency", "0.05", "--seed", str(papers))
    timeout = "1.5" if papers < 100 else "5"  # seconds, as sixty requests at once take longer on a busy machine
    command = ("--model", "m", "--concurrency", str(concurrency), "--timeout", timeout, "--strategy", strategy, "-q")
    program.run("batch", "papers", "-o", "calm", "--base-url", calm.url, *command, code=1)

    moments = sorted(random.Random(papers).sample(range(1, papers), kills))
    for moment in moments:
        process = program.start("batch", "papers", "-o", "run", "--base-url", storm.url, *command)
        wait_until(lambda moment=moment: storm.count >= moment, process)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
    program.run("batch", "papers", "-o", "run", "--base-url", storm.url, *command, code=1)

    assert trajectories(tmp_path / "run") == trajectories(tmp_path / "calm")
    assert program.status("run")["outcomes"] == program.status("calm")["outcomes"]
    assert set(program.status("run")["outcomes"]) >= {"planned", "truncated", "refused"}
    assert_nothing_is_paid_twice(tmp_path / "run", storm)


@pytest.mark.parametrize(
    ("papers", "kills", "concurrency"),
    [(40, 4, 8), pytest.param(1000, 50, 16, marks=pytest.mark.slow)],
    ids=["small", "whole"],
)
def test_kills_while_the_disk_has_room_or_none_lose_no_reply(
    papers: int, kills: int, concurrency: int, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", papers)
    served, chance = serve("--latency", "0.3"), random.Random(papers)
    words = ("--model", "m", "--base-url", served.url, "--concurrency", str(concurrency), "-q")
    for number in range(kills):
        process = program.start("batch", "papers", "-o", "run", *words)
        moment = served.count + chance.randint(1, concurrency)
        wait_until(lambda moment=moment: served.count >= moment, process)  # type: ignore[misc]
        if number % 2:
            fill_disk(process)
        kill_after(chance.uniform(0, 0.5), process)
    program.run("batch", "papers", "-o", "run", *words)

    status = program.status("run")
    assert (status["planned"], status["requests"]) == (papers, papers + status["lost_requests"])
    assert papers <= served.count <= status["requests"]
    assert status["lost_requests"] <= kills * concurrency
    assert_nothing_is_paid_twice(tmp_path / "run", served)
    assert not (tmp_path / "run" / "kept-replies").exists()


def kill_after(seconds: float, process: subprocess.Popen[str]) -> None:
    """Kill a program after a while, if it has not ended by itself, as it does once its disk is full."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def assert_nothing_is_paid_twice(run: Path, served: Served) -> None:
    """The provider's journal joined with the ledger, request by request."""
    db = sqlite3.connect(run / "ledger.sqlite")
    replied = {
        prompt: (identity, datetime.fromisoformat(at).timestamp())
        for prompt, identity, at in db.execute("SELECT prompt, identity, replied FROM requests WHERE reply IS NOT NULL")
    }
    lost = Counter(
        identity for (identity,) in db.execute("SELECT identity FROM attempts WHERE said = 'in flight at a kill'")
    )
    db.close()
    answered = Counter(entry.prompt for entry in served.entries if entry.what in COMPLETE)
    for entry in served.entries:
        if entry.prompt in replied:
            assert entry.at <= replied[entry.prompt][1] + 0.001, "asked again after its reply was on record"
    for prompt, (identity, _) in replied.items():
        assert answered[prompt] - 1 <= lost[identity], "answered twice without a kill between"
