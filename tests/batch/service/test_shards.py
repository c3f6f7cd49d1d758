"""Shards that use the batch service, and shards of a run that has used it: nothing is paid for twice."""

from tests.batch.program import trajectories
from tests.batch.service.conftest import Corpus, ServeBatches, Service

SHARDS = ("1/2", "2/2")


def requests_of(service: Service) -> list[str]:
    return [entry.custom_id for entry in service.entries if entry.what == "ok"]


def test_each_shard_submits_its_own_part(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.live(service)
    corpus.batch(service, "--shard", "1/2")
    corpus.batch(service, "--shard", "2/2", "--submit-only")
    stderr = corpus.program.invoke("merge", "run", code=1).stderr
    assert "2-of-2 was left out: " in stderr
    assert "requests of the shard are at a batch service" in stderr
    assert "each of which is a run" in corpus.program.invoke("collect", "run", code=1).stderr
    corpus.program.invoke("collect", "run/shards/2-of-2", "--poll", "0.02")
    assert not list((corpus.folder / "run" / "shards").rglob("*-wal")), "no write-ahead log on a shared disk"
    corpus.program.invoke("merge", "run")
    assert trajectories(corpus.folder / "run") == trajectories(corpus.folder / "live")
    corpus.batch(service)
    assert len(requests_of(service)) == len(set(requests_of(service))) == 12


def test_a_shard_does_not_ask_for_what_the_run_has_submitted(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.batch(service, "--submit-only")
    stderr = corpus.live(service, "--shard", "1/2", run="run", code=1)
    assert "12 requests of run are on their way through a batch service" in stderr
    corpus.program.invoke("collect", "run", "--poll", "0.02")
    for shard in SHARDS:
        corpus.live(service, "--shard", shard, run="run")
    corpus.program.invoke("merge", "run")
    assert len(requests_of(service)) == 12
    assert corpus.program.status()["requests"] == 12
