"""A batch service with every bad habit, and a program that is killed: nothing goes twice, nothing finished is lost."""

import random
import signal
import sqlite3
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from planner.batch.service.services import parse_identity_prefix
from tests.batch.program import make_papers, trajectories
from tests.batch.service.conftest import Corpus, ServeBatches, Service


@pytest.mark.parametrize(
    ("papers", "kills", "faults", "strategy"),
    [
        (20, 3, "0.03", "single"),
        pytest.param(60, 30, "0.05", "single", marks=pytest.mark.slow),
        pytest.param(200, 30, "0.2", "single", marks=pytest.mark.slow),
        pytest.param(60, 20, "0.05", "revise", marks=pytest.mark.slow),
    ],
    ids=["small", "whole", "stormy", "revise"],
)
def test_odd_batches_and_kills_end_as_live_does(
    papers: int, kills: int, faults: str, strategy: str, corpus: Corpus, serve_batches: ServeBatches
) -> None:
    make_papers(corpus.folder / "papers", papers)
    service = serve_batches("--odd", "--fates", "--faults", faults, "--seed", str(papers))
    corpus.live(serve_batches("--fates"), "--strategy", strategy, "-q", code=1)

    for moment in _moments(kills, papers):
        _killed_after(moment, corpus, service, strategy)
    _to_the_end(corpus, service, strategy)

    assert trajectories(corpus.folder / "run") == trajectories(corpus.folder / "live")
    assert corpus.program.status("run")["outcomes"] == corpus.program.status("live")["outcomes"]
    assert_each_request_is_submitted_once(service)
    assert_each_result_is_used(service, corpus.folder / "run")


def _moments(kills: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.uniform(0.3, 3.0) for _ in range(kills)]


def _killed_after(seconds: float, corpus: Corpus, service: Service, strategy: str) -> None:
    command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", service.url)
    process = corpus.program.start(*command, "--engine", "openai-batch", "--poll", "0.1", "--strategy", strategy, "-q")
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def _to_the_end(corpus: Corpus, service: Service, strategy: str) -> None:
    """A request that was refused three times is given up, as it would be live; asking again brings it in the end."""
    corpus.batch(service, "-q", "--strategy", strategy, code=1)
    for _ in range(20):
        if "model_error" not in corpus.program.status("run")["outcomes"]:
            return
        corpus.batch(service, "-q", "--retry-failed", "--strategy", strategy, code=1)
    raise AssertionError("the service never answers")


def assert_each_request_is_submitted_once(service: Service) -> None:
    """A request is in a further batch only if no earlier one delivered a reply to it."""
    batches: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for entry in service.entries:
        batches[entry.custom_id].setdefault(entry.batch, set()).add(entry.what)
    for name, by_batch in batches.items():
        *earlier, _ = by_batch.values()
        assert not any("ok" in what for what in earlier), f"{name} was submitted again after a reply: {by_batch}"


def assert_each_result_is_used(service: Service, run: Path) -> None:
    db = sqlite3.connect(run / "ledger.sqlite")
    replied = {identity[:32] for (identity,) in db.execute("SELECT identity FROM requests WHERE reply IS NOT NULL")}
    left = db.execute("SELECT count(*) FROM attempts WHERE state = 'submitted'").fetchone()[0]
    db.close()
    delivered = {parse_identity_prefix(entry.custom_id) for entry in service.entries if entry.what == "ok"}
    assert replied == delivered
    assert left == 0
