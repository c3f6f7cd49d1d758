"""`--engine ray` on a real cluster of two nodes: what is killed costs time, and nothing else."""

import os
import signal
import sqlite3
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.batch.program import Program, Serve, Served, make_papers, trajectories, wait_until
from tests.cluster.conftest import TwoNodes
from tests.scripted import GOOD_REPLY
from tests.server.http import Request, Response
from tests.server.replies import as_asked
from tests.server.server import Server

pytestmark = pytest.mark.slow

PAPERS = 1000
RPM = 3000


def words(url: str, run: str, *more: str) -> tuple[str, ...]:
    return ("batch", "papers", "-o", run, "-m", "m", "--base-url", url, "-q", *more)


def test_a_node_and_the_driver_are_killed_and_nothing_is_lost(
    two_nodes: TwoNodes, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", PAPERS)
    calm = serve("--fates")
    program.run(*words(calm.url, "calm"), code=1)
    served = serve("--fates", "--latency", "0.2", "--rpm", str(RPM))
    asked = words(served.url, "run", "--engine", "ray", "--ray-address", two_nodes.address, "--rpm", str(RPM))

    process = program.start(*asked)
    wait_until(lambda: served.count >= PAPERS // 4, process)
    two_nodes.tell("kill")
    wait_until(lambda: served.count >= PAPERS // 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    two_nodes.tell("add")
    program.run(*asked, code=1)

    assert trajectories(tmp_path / "run") == trajectories(tmp_path / "calm")
    assert program.status("run")["outcomes"] == program.status("calm")["outcomes"]
    assert_nothing_is_asked_after_its_reply(tmp_path / "run", served)
    assert_the_limit_holds_in_sum(served)


def assert_nothing_is_asked_after_its_reply(run: Path, served: Served) -> None:
    db = sqlite3.connect(run / "ledger.sqlite")
    replies = db.execute("SELECT prompt, identity, replied FROM requests WHERE reply IS NOT NULL").fetchall()
    lost = Counter(identity for (identity,) in db.execute("SELECT identity FROM attempts WHERE state = 'lost'"))
    db.close()
    at = {prompt: (identity, datetime.fromisoformat(when).timestamp()) for prompt, identity, when in replies}
    answered = Counter(entry.prompt for entry in served.entries if entry.what in ("ok", "fate"))
    assert set(answered) == set(at)
    for entry in served.entries:
        assert entry.at <= at[entry.prompt][1] + 0.001, "asked again after its reply was on record"
    for prompt, (identity, _) in at.items():
        assert answered[prompt] - 1 <= lost[identity], "answered twice without a loss between"
    assert sum(lost.values()) > 0, "nothing was in flight when the node and the driver were killed"


def assert_the_limit_holds_in_sum(served: Served) -> None:
    refused = sum(entry.what == "429" for entry in served.entries)
    assert refused < 0.01 * served.count


def test_the_key_is_the_machines_own_and_is_written_nowhere(
    two_nodes: TwoNodes, server: Server, program: Program, tmp_path: Path, key: str
) -> None:
    heard = set()

    def answer(request: Request) -> Response:
        heard.add(request.headers.get("authorization"))
        return as_asked(request, GOOD_REPLY)

    server.answer = answer
    make_papers(tmp_path / "papers", 6)
    asked = words(server.base_url, "run", "--engine", "ray", "--ray-address", two_nodes.address)
    program.run(*asked)
    assert heard == {f"Bearer {key}"}
    everywhere = [path for folder in (two_nodes.files, tmp_path) for path in folder.rglob("*") if path.is_file()]
    assert len(everywhere) > 20
    assert not [path for path in everywhere if key.encode() in path.read_bytes()]


def test_local_starts_a_cluster_of_its_own_whatever_is_recorded(
    ray_files: Path, serve: Serve, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = ray_files / "ray" / "ray_current_cluster"
    recorded.parent.mkdir(parents=True)
    recorded.write_text("127.0.0.1:1", encoding="utf-8")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    make_papers(tmp_path / "papers", 12)
    served = serve()
    done = program.run(*words(served.url, "run", "--engine", "ray"), "--json")
    assert '"planned": 12' in done.stdout
    assert done.stdout.startswith("{"), "stdout carries data only"


def test_one_paper_that_cannot_be_read_is_one_failed_paper(
    ray_files: Path, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", 5)
    (tmp_path / "papers" / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of a PDF")
    program.run(*words(serve().url, "run", "--engine", "ray"), code=1)
    assert program.status("run")["outcomes"] == {"planned": 5, "paper_error": 1}


def test_a_cluster_that_is_not_there_is_said_in_one_line(ray_files: Path, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 2)
    asked = words("http://127.0.0.1:9/v1", "run", "--engine", "ray", "--ray-address")
    said = program.run(*asked, "127.0.0.1:1", code=1).stderr.strip()
    assert "no Ray cluster at 127.0.0.1:1" in said
    assert "HOST:PORT" in program.run(*asked, "nowhere", code=2).stderr
    assert "ray://" in program.run(*asked, "ray://127.0.0.1:1", code=2).stderr


def test_ctrl_c_finishes_what_is_in_flight_and_goes_on_later(
    ray_files: Path, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", 40)
    served = serve("--latency", "1")
    asked = words(served.url, "run", "--engine", "ray", "--concurrency", "8")
    process = program.start(*asked, start_new_session=True)
    wait_until(lambda: served.count >= 4, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the cluster's processes hear it too
    process.communicate(timeout=60)
    assert process.returncode == 130
    status = program.status("run")
    assert 4 <= status["planned"] == status["requests"] < 40
    assert status["lost_requests"] == 0
    program.run(*asked)
    assert served.count == 40


def test_a_killed_driver_revises_each_plan_once(
    two_nodes: TwoNodes, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", 60)
    strategy = ("--strategy", "revise")
    program.run(*words(serve().url, "calm", *strategy))
    served = serve("--latency", "0.2")
    ray = ("--engine", "ray", "--ray-address", two_nodes.address, "--concurrency", "8")
    asked = words(served.url, "run", *strategy, *ray)
    process = program.start(*asked)
    wait_until(lambda: served.count >= 60, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    program.run(*asked)
    assert trajectories(tmp_path / "run") == trajectories(tmp_path / "calm")
    status = program.status("run")
    assert status["requests"] - status["lost_requests"] == 120
    assert_nothing_is_asked_after_its_reply(tmp_path / "run", served)
