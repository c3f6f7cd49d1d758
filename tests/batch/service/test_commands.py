"""Submitting and leaving, collecting, and results that someone else has had computed."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.batch.program import Program, trajectories, wait_until
from tests.batch.service.conftest import Corpus, ServeBatches
from tests.server.batches import Batches, answer_as_run_batch_does
from tests.server.http import Request, Response
from tests.server.server import Server

POLL = ("--poll", "0.02")


def test_submit_leave_and_collect_from_another_folder(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches("--fates")
    stderr = corpus.batch(service, "--submit-only")
    assert "at the batch service: 12 requests" in stderr
    assert corpus.program.status()["pending"] == 12
    assert service.entries == []
    elsewhere = corpus.folder / "elsewhere"
    elsewhere.mkdir()
    done = Program(elsewhere).invoke("collect", "../run", *POLL, "--json", code=1)
    corpus.live(service, code=1)
    assert json.loads(done.stdout)["outcomes"] == corpus.program.status("live")["outcomes"]
    assert trajectories(corpus.folder / "run") == trajectories(corpus.folder / "live")


def test_collecting_without_waiting_takes_what_is_there(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.batch(service, "--submit-only")
    pending = []
    for _ in range(4):
        corpus.program.invoke("collect", "run", "--no-wait")
        pending.append(corpus.program.status()["pending"])
    assert pending[0] == 12
    assert pending[-1] == 0
    assert len(service.entries) == 12


def test_collecting_begins_no_papers_beyond_those_asked_for(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.batch(service, "--max-papers", "5")
    corpus.batch(service, "--max-papers", "4", "--submit-only")
    corpus.program.invoke("collect", "run", *POLL)
    assert corpus.program.status()["planned"] == 9
    assert len(service.entries) == 9


def test_submitting_twice_submits_once(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.batch(service, "--submit-only")
    corpus.batch(service, "--submit-only")
    corpus.program.invoke("collect", "run", *POLL)
    corpus.program.invoke("collect", "run", *POLL)
    assert len(service.entries) == 12


def test_nothing_is_asked_live_while_it_is_submitted(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.batch(service, "--submit-only")
    stderr = corpus.live(service, run="run", code=1)
    assert "12 requests of run to lm-planner/m: still at a batch service; collect the results first" in stderr
    other = ("batch", "papers", "-o", "run", "--model", "other", "--base-url", service.url, "--engine", "openai-batch")
    assert "collect the results first" in corpus.program.invoke(*other, code=1).stderr
    corpus.program.invoke("collect", "run", *POLL)
    corpus.program.invoke(*other, *POLL)
    assert corpus.program.status()["planned"] == 24


def test_what_failed_is_submitted_again_only_when_asked(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches("--fates")
    corpus.batch(service, code=1)
    failed = corpus.program.status()["failed"]
    count = len(service.entries)
    assert failed > 0
    corpus.batch(service, code=1)
    assert len(service.entries) == count
    corpus.batch(service, "--retry-failed", "--submit-only", code=1)
    corpus.program.invoke("collect", "run", *POLL, code=1)
    assert len(service.entries) == count + failed
    corpus.program.invoke("collect", "run", *POLL, code=1)
    assert len(service.entries) == count + failed


def test_a_folder_that_is_no_run_cannot_be_collected(corpus: Corpus) -> None:
    assert "is not the folder of a run" in corpus.program.invoke("collect", "nowhere", code=1).stderr


def test_requests_are_exported_and_their_results_imported(corpus: Corpus, serve_batches: ServeBatches) -> None:
    service = serve_batches()
    corpus.live(service)
    corpus.batch(service, "--prepare")
    printed = corpus.program.invoke("export", "run", "--to", "openai-batch", "requests.jsonl").stdout
    requests = corpus.folder / "requests.jsonl"
    assert printed.strip() == str(requests)
    lines = [json.loads(line) for line in requests.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len({line["custom_id"] for line in lines}) == 12
    assert all(len(line["custom_id"]) <= 64 and line["custom_id"].startswith("paper00") for line in lines)
    assert {(line["method"], line["url"], line["body"]["model"]) for line in lines} == {
        ("POST", "/v1/chat/completions", "m")
    }
    assert all("stream" not in line["body"] for line in lines)
    answer_as_run_batch_does(requests, corpus.folder / "results.jsonl")

    stderr = corpus.program.invoke("import", "run", "results.jsonl").stderr
    assert "12 replies imported" in stderr
    assert trajectories(corpus.folder / "run") == trajectories(corpus.folder / "live")
    stderr = corpus.program.invoke("import", "run", "results.jsonl").stderr
    assert "0 replies imported, 12 were already recorded" in stderr
    assert "no further requests" in corpus.program.invoke("export", "run", "--to", "openai-batch", "more.jsonl").stderr
    assert service.entries == []
    assert corpus.program.status()["requests"] == 12


def test_what_is_no_result_is_said_and_invalid_replies_need_another_round(
    corpus: Corpus, serve_batches: ServeBatches
) -> None:
    corpus.batch(serve_batches(), "--prepare")
    corpus.program.invoke("export", "run", "--to", "openai-batch", "requests.jsonl")
    first, second, *_ = (corpus.folder / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    invalid = {"choices": [{"message": {"content": "do less"}, "finish_reason": "stop"}]}
    results = [
        {"custom_id": json.loads(first)["custom_id"], "response": {"status_code": 200, "body": invalid}, "error": None},
        {"custom_id": json.loads(second)["custom_id"], "response": {"status_code": 500, "body": {"error": "no"}}},
        {"custom_id": "somebody-else's", "response": {"status_code": 200, "body": invalid}},
        "no object",
    ]
    (corpus.folder / "results.jsonl").write_text("\n".join(map(json.dumps, results)) + "\n{", encoding="utf-8")
    stderr = corpus.program.invoke("import", "run", "results.jsonl", code=1).stderr
    assert "1 replies imported" in stderr
    assert "1 requests failed, such as: " in stderr
    assert "3 lines answer no request" in stderr
    assert "12 further requests are needed" in stderr
    corpus.program.invoke("export", "run", "--to", "openai-batch", "again.jsonl")
    again = [json.loads(line) for line in (corpus.folder / "again.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(len(line["body"]["messages"]) for line in again) == [2] * 11 + [4]


def test_a_key_is_in_no_file_of_the_run(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-marker-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    service = Batches()
    with Server(lambda request: _echoing(service, request)) as server:
        command = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", server.base_url)
        corpus.program.invoke(*command, "--engine", "openai-batch", *POLL)
        assert all(request.headers["authorization"] == f"Bearer {key}" for request in server.journal)
    files = [path for path in (corpus.folder / "run").rglob("*") if path.is_file()]
    assert [path for path in files if key.encode() in path.read_bytes()] == []
    assert corpus.program.status()["planned"] == 12


def _echoing(service: Batches, request: Request) -> Response:
    """The answer, with the key in every reply of an output file."""
    key = request.headers["authorization"].removeprefix("Bearer ").encode()
    response = service.answer(request)
    if "/content" not in request.path:
        return response
    parts = tuple(part.replace(b'"chatcmpl-1"', b'"chatcmpl-' + key + b'"') for part in response.parts)
    return Response(response.status, parts, response.content_type)


SIGNALS = pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


def end_by(sign: signal.Signals, process: subprocess.Popen[str], run: Path) -> tuple[int, str]:
    """Send a signal to a command that has locked its run; return its exit code and stderr."""
    wait_until(lambda: str(process.pid) in (run / ".lock").read_text(encoding="utf-8"), process)
    process.send_signal(sign)
    _, stderr = process.communicate(timeout=30)
    assert "Traceback" not in stderr
    assert "run the same command again to continue" in stderr
    return process.returncode, stderr


@SIGNALS
def test_a_signal_ends_collect(corpus: Corpus, serve_batches: ServeBatches, sign: signal.Signals, code: int) -> None:
    service = serve_batches()
    corpus.batch(service, "--submit-only")
    process = corpus.program.start("collect", "run", "--poll", "600")
    assert end_by(sign, process, corpus.folder / "run")[0] == code
    corpus.program.invoke("collect", "run", *POLL)
    assert (corpus.program.status()["planned"], len(service.entries)) == (12, 12)


@SIGNALS
def test_a_signal_ends_import(corpus: Corpus, serve_batches: ServeBatches, sign: signal.Signals, code: int) -> None:
    corpus.batch(serve_batches(), "--prepare")
    corpus.program.invoke("export", "run", "--to", "openai-batch", "requests.jsonl")
    results = corpus.folder / "results.jsonl"
    answer_as_run_batch_does(corpus.folder / "requests.jsonl", results)
    whole = results.read_bytes()
    results.write_bytes(whole + b"{}\n" * 5_000_000)
    process = corpus.program.start("import", "run", "results.jsonl")
    assert end_by(sign, process, corpus.folder / "run")[0] == code
    results.write_bytes(whole)
    corpus.program.invoke("import", "run", "results.jsonl")
    assert corpus.program.status()["planned"] == 12


def test_a_pipe_is_no_file_of_results(corpus: Corpus, serve_batches: ServeBatches) -> None:
    corpus.batch(serve_batches(), "--prepare")
    os.mkfifo(corpus.folder / "results.jsonl")
    assert "it is a pipe, not a file" in corpus.program.invoke("import", "run", "results.jsonl", code=1).stderr
