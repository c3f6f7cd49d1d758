"""A run keeps the plan of a paper when a later call on it fails."""

from pathlib import Path

from tests.batch.program import Program, make_papers, trajectories
from tests.scripted import GOOD_REPLY
from tests.server.replies import stream
from tests.server.server import Server


def test_a_paper_that_can_no_longer_be_read_keeps_its_plan(program: Program, server: Server, tmp_path: Path) -> None:
    server.answer = lambda _: stream(GOOD_REPLY)
    make_papers(tmp_path / "papers", 2)
    call = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url)
    program.run(*call)
    plans = trajectories(tmp_path / "run")
    assert len(plans) == 2
    next((tmp_path / "papers").iterdir()).write_bytes(b"\0\0\0\1")
    program.run(*call, code=1)
    assert program.status()["failed"] == 1
    assert trajectories(tmp_path / "run") == plans


def test_a_reply_that_cannot_be_used_leaves_the_plan_of_an_earlier_call(
    program: Program, server: Server, tmp_path: Path
) -> None:
    server.answer = lambda _: stream(GOOD_REPLY)
    make_papers(tmp_path / "papers", 2)
    call = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url)
    program.run(*call)
    plans = trajectories(tmp_path / "run")
    server.answer = lambda _: stream("I cannot.")
    program.run(*call, "-k", "8", code=1)
    assert trajectories(tmp_path / "run") == plans
