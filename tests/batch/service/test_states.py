"""Every state that a batch can be in, and what becomes of its requests."""

import sqlite3
from typing import Any

import pytest

from tests.batch.outside import trajectories
from tests.batch.service.conftest import Corpus, ServeBatches


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
    assert "submitted 3 times" in status["failures"][0]["reason"]


def test_a_batch_without_room_waits_and_costs_no_try(corpus: Corpus, serve_batches: ServeBatches) -> None:
    corpus.batch(serve_batches("--ends", *["no room"] * 5))
    assert corpus.program.status()["planned"] == 12
    assert _rows(corpus, "SELECT count(*) FROM parts") == [1]


def test_half_the_price_is_paid(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.live(service, "--price", "1,4")
    corpus.batch(service, "--price", "1,4")
    assert corpus.program.status("run")["cost"] == pytest.approx(corpus.program.status("live")["cost"] / 2)
    assert trajectories(corpus.folder / "run") == trajectories(corpus.folder / "live")


def test_a_cost_limit_holds_for_what_is_submitted(corpus: Corpus, serve_batches: ServeBatches) -> None:
    limit = ("--price", "1,4", "--max-tokens", "200", "--max-cost")
    said = corpus.batch(serve_batches(), *limit, "0.008", code=1)
    status = corpus.program.status()
    assert "--max-cost" in said
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
    said = corpus.program.run("batch", "papers", "-o", "run", "--engine", "openai-batch", code=2).stderr
    assert "needs a model at an endpoint" in said


def _rows(corpus: Corpus, query: str) -> list[Any]:
    db = sqlite3.connect(corpus.folder / "run" / "ledger.sqlite")
    try:
        return [value for (value,) in db.execute(query)]
    finally:
        db.close()
