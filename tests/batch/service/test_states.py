"""Every state that a batch can be in, and what becomes of its requests."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.batch.program import trajectories
from tests.batch.service.conftest import Corpus, ServeBatches
from tests.server.batches import Batches
from tests.server.http import Request, Response
from tests.server.replies import error
from tests.server.server import Server


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_what_an_unfinished_batch_did_is_kept_and_the_rest_goes_again(
    end: str, corpus: Corpus, serve_batches: ServeBatches
) -> None:
    service = serve_batches("--ends", end, "--seed", "1")
    corpus.batch(service)
    first = [entry for entry in service.entries if entry.batch == "batch_1"]
    kept = {entry.custom_id for entry in first if entry.what == "ok"}
    again = {entry.custom_id for entry in service.entries if entry.batch == "batch_2"}
    assert len(kept) > 0
    assert again == {entry.custom_id for entry in first} - kept
    assert corpus.program.status()["planned"] == 12


def test_the_rest_is_asked_live_when_that_is_wanted(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches("--ends", "expired", "--seed", "1")
    corpus.batch(service, "--finish-live", "--price", "1,4")
    assert {entry.batch for entry in service.entries} == {"batch_1"}
    assert corpus.program.status()["planned"] == 12
    kept = sum(entry.what == "ok" for entry in service.entries)
    costs = sorted(_rows(corpus, "SELECT cost FROM requests"))
    assert costs == [pytest.approx(costs[0])] * kept + [pytest.approx(2 * costs[0])] * (12 - kept)


def test_a_batch_that_fails_goes_again_and_three_failures_are_the_papers(
    corpus: Corpus, serve_batches: ServeBatches
) -> None:
    corpus.batch(serve_batches("--ends", "failed"))
    assert corpus.program.status()["planned"] == 12
    corpus.batch(serve_batches("--ends", "failed", "failed", "failed"), run="other", code=1)
    status = corpus.program.status("other", "--failed")
    assert status["outcomes"] == {"model_error": 12}
    assert "the batch is invalid" in status["failures"][0]["reason"]
    assert "gave up after 3 submissions" in status["failures"][0]["reason"]


def test_a_batch_without_room_waits_and_costs_no_try(corpus: Corpus, serve_batches: ServeBatches) -> None:
    corpus.batch(serve_batches("--ends", *["no room"] * 2))
    assert corpus.program.status()["planned"] == 12
    assert _rows(corpus, "SELECT count(*) FROM parts") == [1]


def test_what_has_never_room_goes_in_smaller_files(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches("--room", "4")
    stderr = corpus.batch(service)
    assert "no room for so many requests (the batch is token_limit_exceeded); files of 6 will be submitted" in stderr
    assert corpus.program.status()["planned"] == 12
    done = [entry.custom_id for entry in service.entries if entry.what == "ok"]
    assert len(done) == len(set(done)) == 12
    assert len({entry.batch for entry in service.entries}) <= 6 + 4 * 3, "it is not tried over and over"


def test_a_batch_that_the_service_no_longer_knows_is_given_up_only_on_demand(
    corpus: Corpus, serve_batches: ServeBatches
) -> None:
    corpus.batch(serve_batches(), "--submit-only")
    other = serve_batches()
    with closing(sqlite3.connect(corpus.folder / "run" / "ledger.sqlite")) as db, db:
        db.execute("UPDATE parts SET batch = 'batch_of_another_account'")
    for _ in range(2):
        stderr = corpus.program.invoke("collect", "run", "--poll", "0.02", code=1).stderr
        assert "does not know batch batch_of_another_account, with 12 requests" in stderr
    corpus.batch(other, "--retry-failed")
    assert corpus.program.status()["planned"] == 12
    assert corpus.program.status()["lost_requests"] == 12


def test_what_is_at_the_service_is_collected_though_it_takes_no_more(
    corpus: Corpus, server: Server, tmp_path: Path
) -> None:
    batches = Batches()

    def answer(request: Request) -> Response:
        if batches.batches and (request.method, request.path) == ("POST", "/v1/batches"):
            return error(400, "Billing hard limit has been reached", code="billing_hard_limit_reached")
        return batches.answer(request)

    server.answer = answer
    command = ("batch", "papers", "-m", "m", "--base-url", server.base_url, "--engine", "openai-batch", "-o", "run")
    corpus.program.invoke(*command, "--poll", "0.02", "--max-papers", "5", "--submit-only")
    stderr = corpus.program.invoke(*command, "--poll", "0.02", code=1).stderr
    assert "Billing hard limit" in stderr
    assert "get the results with" not in stderr
    assert corpus.program.status()["planned"] == 5
    # What was never taken may be asked live, and is not submitted afterwards.
    corpus.program.invoke("batch", "papers", "-m", "m", "--base-url", server.base_url, "-o", "run")
    assert batches.live == 7
    server.answer = batches.answer
    corpus.program.invoke(*command, "--poll", "0.02")
    assert corpus.program.status()["planned"] == 12
    assert len(batches.batches) == 1
    assert list((corpus.folder / "run" / "service").iterdir()) == []


@pytest.mark.parametrize(("looks", "code"), [(5, 0), (100, 1)])
def test_a_service_may_be_out_for_a_while(looks: int, code: int, corpus: Corpus, server: Server) -> None:
    batches, missed = Batches(), 0

    def answer(request: Request) -> Response:
        nonlocal missed
        if request.path.startswith("/v1/batches/") and missed < looks:
            missed += 1
            return error(503, "out of order")
        return batches.answer(request)

    server.answer = answer
    command = ("batch", "papers", "-m", "m", "--base-url", server.base_url, "--engine", "openai-batch", "-o", "run")
    stderr = corpus.program.invoke(*command, "--poll", "0.02", "--max-wait", "0.001", code=code).stderr
    assert "out of order" in stderr
    assert missed == min(looks, 13)
    assert corpus.program.status()["planned"] == (12 if code == 0 else 0)


@pytest.mark.parametrize("what", ["output", "content"])
def test_a_result_that_comes_late_is_waited_for(what: str, corpus: Corpus, server: Server) -> None:
    batches, missed = Batches(), 0

    def answer(request: Request) -> Response:
        nonlocal missed
        response = batches.answer(request)
        if what == "content" and "/content" in request.path and missed < 2:
            missed += 1
            return error(404, "no such file")
        if what == "output" and b'"output_file_id": "' in response.body and missed < 2:
            missed += 1
            return Response(200, (response.body.replace(b'"output_file_id": "file-2"', b'"output_file_id": null'),))
        return response

    server.answer = answer
    command = ("batch", "papers", "-m", "m", "--base-url", server.base_url, "--engine", "openai-batch", "-o", "run")
    corpus.program.invoke(*command, "--poll", "0.02")
    assert missed == 2
    assert len(batches.batches) == 1
    assert corpus.program.status()["planned"] == 12


def test_half_the_price_is_paid(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.live(service, "--price", "1,4")
    corpus.batch(service, "--price", "1,4")
    assert corpus.program.status("run")["cost"] == pytest.approx(corpus.program.status("live")["cost"] / 2)
    assert trajectories(corpus.folder / "run") == trajectories(corpus.folder / "live")


def test_a_cost_limit_holds_for_what_is_submitted(corpus: Corpus, serve_batches: ServeBatches) -> None:
    limit = ("--price", "1,4", "--max-tokens", "200", "--max-cost")
    stderr = corpus.batch(serve_batches(), *limit, "0.008", code=1)
    status = corpus.program.status()
    assert "--max-cost" in stderr
    assert 0 < status["planned"] < 12
    assert status["pending"] == 12 - status["planned"]
    assert status["cost"] <= 0.008


def test_the_same_text_twice_is_submitted_once(corpus: Corpus, serve_batches: ServeBatches) -> None:
    text = (corpus.folder / "papers" / "paper0000.md").read_bytes()
    (corpus.folder / "papers" / "copy.md").write_bytes(text)
    service = serve_batches()
    corpus.batch(service)
    assert len(service.entries) == 12
    assert corpus.program.status()["planned"] == 13


def test_the_built_in_planner_has_no_batch_service(corpus: Corpus) -> None:
    stderr = corpus.program.invoke("batch", "papers", "-o", "run", "--engine", "openai-batch", code=2).stderr
    assert "needs a model at an endpoint" in stderr


def _rows(corpus: Corpus, query: str) -> list[Any]:
    db = sqlite3.connect(corpus.folder / "run" / "ledger.sqlite")
    try:
        return [value for (value,) in db.execute(query)]
    finally:
        db.close()
