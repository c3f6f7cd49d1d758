"""A request that was in flight when the program was killed: it may be billed, so its cost is unknown, never 0."""

import json
from collections.abc import Callable

from tests.batch.program import wait_until
from tests.cli.conftest import Run, Start
from tests.scripted import GOOD_REPLY
from tests.server.http import Request, Response
from tests.server.replies import as_asked
from tests.server.server import Server

LOST = "the reply to 1 request was lost, so its cost is unknown"
PRICE = ("--price", "1,4")


def answer(request: Request) -> Response:
    return as_asked(request, GOOD_REPLY)


def kill_while_asking(
    start: Start, server: Server, *words: str, before_kill: Callable[[], object] = lambda: None
) -> None:
    server.answer = lambda request: answer(request).hanging()
    before, process = len(server.journal), start(*words)
    wait_until(lambda: len(server.journal) > before, process)
    before_kill()
    process.kill()
    process.communicate()
    server.answer = answer


def test_plan_tells_of_it_with_every_later_result(run: Run, start: Start, server: Server) -> None:
    words = ("plan", "paper.md", "--model", "m", "--base-url", server.base_url, *PRICE)
    kill_while_asking(start, server, *words)
    assert f"planned 1 ablation (1,000 tokens in, 20 out, $0.0011; {LOST})" in run(*words).stderr
    again = run(*words).stderr
    assert "stored reply" not in again, "nothing was sent, which is no reason for a warning"
    assert f"(nothing was sent; earlier commands: 1,000 tokens in, 20 out, $0.0011; {LOST})" in again


def test_a_paper_with_only_such_requests_has_no_known_cost(run: Run, start: Start, server: Server) -> None:
    words = ("--model", "m", "--base-url", server.base_url, *PRICE)
    kill_while_asking(start, server, "plan", "paper.md", *words)
    server.answer = lambda request: Response(401, (b"{}",))
    failed = run("plan", "paper.md", *words, "--json")
    assert json.loads(failed.stdout)["cost"] is None
    assert f"no reply came; {LOST}" in failed.stderr


def test_status_tells_of_it_at_once_and_after_the_run_goes_on(run: Run, start: Start, server: Server) -> None:
    words = ("batch", "paper.md", "-o", "run", "--model", "m", "--base-url", server.base_url)

    def read_status() -> None:
        told = run("status", "run")
        assert "1 request, 0 tokens in, 0 out, cost unknown; 1 in flight\n" in told.stdout
        assert told.stderr == "the run is in progress now\n"

    kill_while_asking(start, server, *words, before_kill=read_status)
    assert f"1 request, 0 tokens in, 0 out, cost unknown; {LOST}" in run("status", "run").stdout
    assert json.loads(run("status", "run", "--json").stdout)["cost"] is None
    assert f"2 requests, 1,000 tokens in, 20 out, cost unknown; {LOST}" in run(*words).stderr
    assert "in this command: nothing was left to do\n" in run(*words).stderr
