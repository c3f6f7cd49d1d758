"""The strategy `revise`, killed at chosen points and resumed: each request once, and the plan of an unbroken run."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.batch.program import Program, make_papers, trajectories
from tests.scripted import contract
from tests.server.batches import Batches
from tests.server.http import Request, Response
from tests.server.provider import prompt_sha256, reply_to
from tests.server.replies import as_asked, error
from tests.server.server import Answer, Server

SOUND = contract("Why.", [{"name": "No gate", "ablated_part": "residual", "action": "REMOVE", "metrics": ["run time"]}])
FIELDS = ("outcome", "considered", "details", "reported", "order", "revisions", "strategy")


@dataclass
class KillingEndpoint:
    """An endpoint that kills the program at some numbers of calls, before the call is carried out or before its end."""

    answer: Answer
    points: list[int]
    process: subprocess.Popen[str] | None = None
    calls: int = 0
    kills: list[int] = field(default_factory=list)
    is_carried_out: Callable[[int], bool] = lambda _: False

    def __call__(self, request: Request) -> Response:
        self.calls += 1
        if self.calls not in self.points or self.process is None:
            return self.answer(request)
        self.kills.append(self.calls)
        response = self.answer(request) if self.is_carried_out(self.calls) else error(503, "nobody hears this")
        os.kill(self.process.pid, signal.SIGKILL)
        return response.late(0.2)


@dataclass
class Drafts:
    """A model whose drafts have faults, but for every fourth; it mends them when it is shown them."""

    answered: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: Request) -> Response:
        digest = prompt_sha256(request)
        self.answered[digest] += 1
        is_sound = len(request.json["messages"]) == 2 and digest[0] in "0123"
        return as_asked(request, SOUND if is_sound else reply_to(request))


def command(server: Server, run: str, *more: str) -> tuple[str, ...]:
    words = ("batch", "papers", "-o", run, "-m", "m", "--base-url", server.base_url, "--strategy", "revise", "-q")
    return (*words, "--concurrency", "1", *more)


def run_until_done(program: Program, endpoint: KillingEndpoint, *calls: tuple[str, ...]) -> None:
    """Run the first call, and after each kill the next one; the last one again until it is not killed."""
    for call in (*calls, *[calls[-1]] * (len(endpoint.points) + 1)):
        endpoint.process = program.start(*call)
        out, err = endpoint.process.communicate(timeout=120)
        if endpoint.process.returncode != -signal.SIGKILL:
            assert endpoint.process.returncode == 0, f"{out}\n{err}"
            if call == calls[-1]:
                return
    raise AssertionError("it was killed at every call")


def details(run: Path) -> dict[str, dict[str, Any]]:
    """Return what the records of a run say of each plan, but for times and what a resumed run has used again."""
    records = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in run.rglob("trajectories/**/*.json")}
    return {name: {key: record.get(key) for key in FIELDS} for name, record in records.items()}


def assert_same_plans(folder: Path) -> None:
    assert trajectories(folder / "run") == trajectories(folder / "unbroken")
    found = details(folder / "run")
    assert found == details(folder / "unbroken")
    responses = {each["response"] for record in found.values() for each in record["revisions"] or ()}
    assert responses == {"mended"}


PAPERS_AND_KILLS = pytest.mark.parametrize(
    ("papers", "kills"), [(4, 3), pytest.param(16, 20, marks=pytest.mark.slow)], ids=["small", "whole"]
)


@PAPERS_AND_KILLS
def test_a_killed_run_asks_each_request_once(
    papers: int, kills: int, program: Program, server: Server, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", papers)
    server.answer = Drafts()
    program.run(*command(server, "unbroken"))
    expected = server.answer.answered

    drafts = Drafts()
    server.answer = endpoint = KillingEndpoint(drafts, list(range(1, 2 * kills, 2)))
    run_until_done(program, endpoint, command(server, "run"))

    assert endpoint.kills == endpoint.points
    assert drafts.answered == expected
    assert set(expected.values()) == {1}
    assert_same_plans(tmp_path)


@PAPERS_AND_KILLS
def test_a_killed_batch_submits_each_request_once(
    papers: int, kills: int, program: Program, server: Server, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", papers)
    server.answer = Batches().answer
    program.run(*command(server, "unbroken"))

    service = Batches()
    step = 2 if kills > 3 else 4
    server.answer = endpoint = KillingEndpoint(
        service.answer, list(range(1, step * kills, step)), is_carried_out=lambda number: number % 4 == 1
    )
    batch = command(server, "run", "--engine", "openai-batch", "--submit-only")
    run_until_done(program, endpoint, batch, batch, ("collect", "run", "--poll", "0.02", "-q"))

    assert endpoint.kills == endpoint.points
    submitted = Counter(entry.custom_id for entry in service.entries)
    assert set(submitted.values()) == {1}
    assert len(submitted) == 2 * papers
    assert_same_plans(tmp_path)


def test_shards_revise_as_one_run_does(program: Program, server: Server, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 6)
    server.answer = Drafts()
    program.invoke(*command(server, "unbroken"))
    expected = server.answer.answered
    server.answer = drafts = Drafts()
    for shard in ("1/2", "2/2"):
        program.invoke(*command(server, "run", "--shard", shard))
    program.invoke("merge", "run")
    program.invoke(*command(server, "run"))
    assert drafts.answered == expected
    assert_same_plans(tmp_path)
