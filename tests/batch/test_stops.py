"""Everything that may end a run early, and what it leaves behind."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.batch.run_folder import RunFolder
from planner.errors import RunError
from tests.batch.program import Program, Serve, Served, make_papers, trajectories, wait_until
from tests.server.http import Request, Response
from tests.server.replies import error
from tests.server.server import Server

PAPERS = 40


def batch_command(served: Served, *more: str, run: str = "run") -> tuple[str, ...]:
    return ("batch", "papers", "-o", run, "--model", "m", "--base-url", served.url, "--concurrency", "4", *more)


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Served:
    make_papers(tmp_path / "papers", PAPERS)
    return serve("--latency", "0.3")


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_once_finishes_what_is_in_flight(sign: signal.Signals, code: int, program: Program, served: Served) -> None:
    process = program.start(*batch_command(served))
    wait_until(lambda: served.count >= 6, process)
    process.send_signal(sign)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert "run the same command again to continue" in stderr
    status = program.status()
    assert status["planned"] == served.count == status["requests"]
    assert status["lost_requests"] == 0
    assert 0 < status["pending"] < PAPERS
    program.run(*batch_command(served))
    assert served.count == PAPERS


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_dry_run_ends_at_once(sign: signal.Signals, code: int, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 1000)
    process = program.start("batch", "papers", "-o", "run", "--model", "extractive", "--dry-run", "-v")
    assert process.stderr is not None
    wait_until(lambda: "extractive planner" in process.stderr.readline(), process)  # type: ignore[union-attr]
    process.send_signal(sign)
    out, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert not out
    assert "Traceback" not in stderr


def test_twice_stops_at_once(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", PAPERS)
    slow = serve("--latency", "600")
    process = program.start(*batch_command(slow))
    wait_until(lambda: slow.count >= 4, process)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    wait_until(lambda: "interrupt again" in process.stderr.readline(), process)  # type: ignore[union-attr]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert program.status()["lost_requests"] == 4
    program.run(*batch_command(serve()))
    assert program.status()["planned"] == PAPERS


def test_a_second_process_is_refused(program: Program, served: Served) -> None:
    first = program.start(*batch_command(served))
    wait_until(lambda: served.count >= 1, first)
    second = program.run(*batch_command(served), code=1)
    assert f"in use by process {first.pid}" in second.stderr
    assert program.status()["papers"] == PAPERS, "a run can be looked at while it is under way"
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert served.count == PAPERS


def test_a_ledger_of_another_version_is_refused(program: Program, served: Served, tmp_path: Path) -> None:
    program.run(*batch_command(served, "--max-papers", "1"))
    db = sqlite3.connect(tmp_path / "run" / "ledger.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    for command in (batch_command(served), ("status", "run"), ("export", "run", "--to", "csv", "out.csv")):
        assert "version 99" in program.run(*command, code=1).stderr
    assert served.count == 1


def test_a_file_that_is_no_ledger_is_refused(program: Program, served: Served, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ledger.sqlite").write_text("a note to myself\n" * 100, encoding="utf-8")
    assert "file is not a database" in program.run(*batch_command(served), code=1).stderr
    assert served.count == 0


def test_a_spent_quota_stops_the_run_with_that_message(program: Program, serve: Serve, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", PAPERS)
    poor = serve("--quota", "10")
    stderr = program.run(*batch_command(poor), code=1).stderr
    assert "quota" in stderr
    status = program.status()
    assert status["planned"] == 10
    assert status["failed"] == 0
    assert status["pending"] == PAPERS - 10
    assert poor.count <= 10 + 4
    program.run(*batch_command(serve()))
    assert program.status()["planned"] == PAPERS


def test_a_spent_quota_in_the_words_of_a_proxy_stops_the_run(program: Program, server: Server, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", PAPERS)
    server.answer = lambda _: error(429, "You exceeded your current quota", code="429", type="throttling_error")
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url, "--concurrency", "4")
    assert "quota" in program.run(*words, code=1).stderr
    status = program.status()
    assert (status["failed"], status["pending"]) == (0, PAPERS)
    assert len(server.journal) <= 4


def test_a_pause_that_nobody_would_wait_for_stops_the_run(program: Program, server: Server, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", PAPERS)
    server.answer = lambda _: error(429, "the day is over", headers={"Retry-After": "3600"})
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url, "--max-wait", "60")
    stderr = program.run(*words, code=1).stderr
    assert "the day is over" in stderr
    assert "3600 s" in stderr
    assert "--max-wait" in stderr
    assert program.status()["pending"] == PAPERS


def test_no_paper_waits_longer_than_allowed(program: Program, server: Server, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 8)
    times: list[float] = []

    def refuse(_: Request) -> Response:
        times.append(time.monotonic())
        return error(429, "slow down")

    server.answer = refuse
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url, "--concurrency", "8")
    stderr = program.run(*words, "--max-wait", "3", "-v", code=1).stderr
    assert times[-1] - times[0] < 3 + 1, "the limit, and a second of a busy machine"
    assert "asked to wait" not in stderr
    assert program.status()["failed"] == 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("mounting a small disk needs root on Linux")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_the_run_and_tears_nothing(
    program: Program, serve: Serve, small_disk: Path, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", 150)
    served = serve()
    stderr = program.run(*batch_command(served, run="disk/run"), code=1).stderr
    assert "space" in stderr or "disk is full" in stderr
    run = small_disk / "run"
    assert all(text.endswith(b"</div>") for text in trajectories(run).values())
    paid = served.count
    assert paid < 150

    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    kept = program.status("disk/run")
    assert kept["planned"] > 0
    program.run(*batch_command(served, run="disk/run"))
    assert program.status("disk/run")["planned"] == 150
    assert len(trajectories(run)) == 150
    assert program.status("disk/run")["lost_requests"] == 0
    assert served.count == 150, "what was in flight was waited for and kept"


@pytest.fixture
def unprivileged() -> tuple[str, ...]:
    """Return the words that start a program as somebody who is not root, since root may write anywhere."""
    if os.geteuid() != 0:
        return ()
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    child = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', 'import openai']).returncode)"
    try:
        if subprocess.run([*prefix, sys.executable, "-c", child], capture_output=True, check=False).returncode == 0:
            return prefix
    except OSError:
        pass
    pytest.skip("no unprivileged user can run the program here")


def test_a_folder_that_loses_its_permission_stops_the_run(
    program: Program, serve: Serve, unprivileged: tuple[str, ...], tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", PAPERS)
    served = serve("--latency", "0.2")
    run = tmp_path / "run"
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o777)
    process = program.start(*batch_command(served), prefix=unprivileged)
    wait_until(lambda: len(trajectories(run)) >= 4, process)
    model = run / "trajectories" / "lm-planner" / "m"
    model.chmod(0o555)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be written" in stderr
    model.chmod(0o777)
    program.run(*batch_command(served), prefix=unprivileged)
    assert len(trajectories(run)) == PAPERS
    assert served.count == PAPERS


def test_a_lock_that_is_a_pipe_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(RunError, match=r"\.lock cannot be written"), RunFolder(tmp_path).lock_folder():
        pass
