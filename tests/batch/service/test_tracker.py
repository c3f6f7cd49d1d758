"""One submission on its way: what is lost on the way there is looked for, and nothing is submitted again."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import UnansweredRequest
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.batch.service.services import PricedService
from planner.batch.service.submit import SUBMISSION_LIMITS, RequestFileWriter, SubmissionLimits, SubmissionRetryOptions
from planner.batch.service.tracker import BatchTracker
from planner.batch.status import Progress
from planner.chat import Message, Prompt
from planner.errors import ModelError
from planner.models.openai_chat.batch_api import BatchService
from planner.models.openai_chat.chat import RequestOptions
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.wrappers import RetryPolicy
from tests.batch.service.carry import count_replies
from tests.server.batches import Batches, Line
from tests.server.http import Request, Response
from tests.server.replies import error
from tests.server.server import Server

MODEL = "lm-planner/m"
QUICK = SubmissionRetryOptions(RetryPolicy(max_failures=3, first_wait=0.01), lookup_pauses=(0.01, 0.01))


def carry(
    server: Server,
    folder: Path,
    *,
    requests: int = 5,
    models: tuple[str, ...] = (MODEL,),
    limits: SubmissionLimits = SUBMISSION_LIMITS,
    seconds: float | None = None,
    max_wait: float | None = None,
    allow_resubmission: bool = False,
) -> int:
    """Write requests (unless the ledger has them), submit and collect them; return the number of replies."""
    options = QUICK if max_wait is None else replace(QUICK, retry_policy=replace(QUICK.retry_policy, max_wait=max_wait))
    options = replace(options, allow_resubmission=allow_resubmission)

    async def carry_all() -> int:
        service = BatchService(Endpoint("m", server.base_url), RequestOptions(timeout=5))
        async with service, Ledger(folder / "ledger.sqlite") as ledger:
            services = dict.fromkeys(models, PricedService(service, lambda _: 0.5))
            tracker = BatchTracker(folder, "run", ledger, services, Progress(), options)
            writer = RequestFileWriter(folder, ledger, services, tracker.submit, limits=limits)
            if not tracker.open_submissions:
                for number in range(requests):
                    await writer.add_request(*_make_request(number, models[number % len(models)]))
                await writer.submit_partial_files()
            await tracker.submit_waiting()
            for _ in range(20):
                await tracker.collect_ended_batches()
            assert not tracker.open_submissions
            return count_replies(folder / "ledger.sqlite")

    return asyncio.run(asyncio.wait_for(carry_all(), seconds))


def _make_request(number: int, model: str = MODEL) -> tuple[UnansweredRequest, Prompt]:
    prompt = Prompt.from_messages((Message("user", f"Plan {number}."),), "")
    plan_task = PlanTask(CorpusEntry(f"paper{number}", "", "", "text"), model)
    return UnansweredRequest(plan_task, prompt.sha256, prompt.sha256, 0, 1), prompt


def is_creation(request: Request) -> bool:
    return (request.method, request.path) == ("POST", "/v1/batches")


def lost_once(batches: Batches, method: str, path: str) -> Callable[[Request], Response]:
    """The service does what it is asked, and once its answer to that is lost."""
    lost: list[Request] = []

    def answer(request: Request) -> Response:
        response = batches.answer(request)
        if not lost and (request.method, request.path) == (method, f"/v1/{path}"):
            lost.append(request)
            return error(502, "lost on the way")
        return response

    return answer


@pytest.mark.parametrize("path", ["files", "batches"])
def test_what_the_service_did_without_saying_so_is_found(path: str, server: Server, tmp_path: Path) -> None:
    batches = Batches()
    server.answer = lost_once(batches, "POST", path)
    assert carry(server, tmp_path) == 5
    assert len(batches.batches) == 1
    assert sum(file.purpose == "batch" for file in batches.files.values()) == 1


def test_a_process_that_died_at_the_creation_adopts_its_batch(server: Server, tmp_path: Path) -> None:
    batches = Batches(page=1, hidden_from=1)
    for _ in range(3):  # of other people
        stored = batches._store("other.jsonl", "batch", b"")
        batches._create({"input_file_id": stored.id, "metadata": {"part": "1"}})
    dying = lost_once(batches, "POST", "batches")
    server.answer = lambda request: dying(request).hanging() if is_creation(request) else dying(request)
    with pytest.raises(TimeoutError):
        carry(server, tmp_path, seconds=1.0)
    server.answer = batches.answer
    assert carry(server, tmp_path) == 5
    assert len(batches.batches) == 3 + 1


def test_where_nothing_is_listed_a_doubtful_submission_is_repeated_only_on_demand(
    server: Server, tmp_path: Path
) -> None:
    batches = Batches()
    losing = lost_once(batches, "POST", "batches")
    server.answer = lambda r: error(405, "no lists") if r.path.startswith("/v1/batches?") else losing(r)
    for _ in range(2):
        with pytest.raises(ModelError, match="cannot list its batches"):
            carry(server, tmp_path)
    assert len(batches.batches) == 1
    assert carry(server, tmp_path, allow_resubmission=True) == 5
    assert len(batches.batches) == 2


def test_a_list_that_breaks_goes_on_from_its_page(server: Server, tmp_path: Path) -> None:
    batches = Batches(page=1)
    for _ in range(12):
        stored = batches._store("other.jsonl", "batch", b"")
        batches._create({"input_file_id": stored.id})
    losing = lost_once(batches, "POST", "batches")
    failed: set[str] = set()

    def breaking(request: Request) -> Response:
        if request.path.startswith("/v1/batches?") and request.path not in failed:
            failed.add(request.path)
            return error(500, "not now")
        return losing(request)

    server.answer = breaking
    assert carry(server, tmp_path) == 5
    assert len(batches.batches) == 12 + 1
    assert len(failed) > QUICK.retry_policy.max_failures, "a list is not begun anew whenever a page of it fails"


def test_a_service_that_is_out_is_given_up_after_so_many_tries(server: Server, tmp_path: Path) -> None:
    server.answer = lambda _: error(500, "out of order")
    with pytest.raises(ModelError, match="gave up after 3 requests"):
        carry(server, tmp_path)
    assert len(server.journal) == 1 + QUICK.retry_policy.max_failures


def test_a_file_that_the_service_has_lost_is_uploaded_again(server: Server, tmp_path: Path) -> None:
    batches = Batches()
    server.answer = lambda request: error(429, "not now") if is_creation(request) else batches.answer(request)
    with pytest.raises(ModelError, match="not now"):
        carry(server, tmp_path, max_wait=0.001)
    batches.files.clear()
    server.answer = batches.answer
    assert carry(server, tmp_path) == 5
    assert len(batches.batches) == 1


def test_a_refused_creation_is_not_looked_for(server: Server, tmp_path: Path) -> None:
    batches, listed = Batches(), 0

    def answer(request: Request) -> Response:
        nonlocal listed
        listed += request.path.startswith("/v1/batches?")
        return error(400, "no") if is_creation(request) else batches.answer(request)

    server.answer = answer
    for _ in range(2):
        with pytest.raises(ModelError, match="no"):
            carry(server, tmp_path)
    assert listed == 0


def test_what_was_never_uploaded_and_is_gone_is_written_again(server: Server, tmp_path: Path) -> None:
    server.answer = lambda _: error(400, "no")
    with pytest.raises(ModelError, match="no"):
        carry(server, tmp_path)
    (tmp_path / "part-00001.jsonl").unlink()
    server.answer = Batches().answer
    assert carry(server, tmp_path) == 0
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM attempts WHERE state = 'refused'").fetchone() == (5,)
    assert carry(server, tmp_path) == 5


def test_a_batch_without_metadata_is_known_by_its_file(server: Server, tmp_path: Path) -> None:
    batches = Batches()
    losing = lost_once(batches, "POST", "batches")

    def forgetful(request: Request) -> Response:
        response = losing(request)
        for batch in batches.batches.values():
            batch.metadata = None
        return response

    server.answer = forgetful
    assert carry(server, tmp_path) == 5
    assert len(batches.batches) == 1


def test_a_state_that_nobody_knows_is_waited_for_with_a_warning(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batches = Batches()
    looks: list[str] = []

    def odd(request: Request) -> Response:
        response = batches.answer(request)
        looks.append(request.path)
        if "/batches/" in request.path and len(looks) < 6:
            return Response(200, (response.body.replace(b'"in_progress"', b'"paused"'),))
        return response

    server.answer = odd
    with caplog.at_level(logging.WARNING):
        assert carry(server, tmp_path) == 5
    assert "'paused', which this program does not know" in caplog.text


def test_results_out_of_order_twice_missing_and_of_others(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def altered(lines: list[Line]) -> list[Line]:
        other = {**lines[0], "custom_id": "other-" + "0" * 32}
        return [other, *lines[:0:-1], *lines[1:]]

    server.answer = Batches(alter=altered).answer
    with caplog.at_level(logging.WARNING):
        assert carry(server, tmp_path) == 4
    assert "1 of 5 requests: the results hold neither a reply nor an error" in caplog.text
    assert "1 lines of file" in caplog.text


def test_files_are_split_by_requests_and_by_bytes(server: Server, tmp_path: Path) -> None:
    for number, (limits, parts) in enumerate(
        [(SubmissionLimits(max_requests=2), 3), (SubmissionLimits(max_bytes=400), 3)]
    ):
        batches = Batches()
        server.answer = batches.answer
        folder = tmp_path / str(number)
        folder.mkdir()
        assert carry(server, folder, limits=limits) == 5
        assert len(batches.batches) == parts
        sent = [batch.input.content for batch in batches.batches.values()]
        assert all(content.count(b"\n") <= limits.max_requests and len(content) <= limits.max_bytes for content in sent)
        assert list(folder.glob("*.jsonl")) == []


def test_the_files_of_two_models_do_not_mix(server: Server, tmp_path: Path) -> None:
    batches = Batches()
    server.answer = batches.answer
    models, limits = (MODEL, "lm-planner/other"), SubmissionLimits(max_requests=2)
    assert carry(server, tmp_path, requests=6, models=models, limits=limits) == 6
    assert len(batches.batches) == 4


def test_a_file_that_is_gone_loses_only_its_results(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batches = Batches()
    server.answer = lambda request: error(404, "gone") if "/content" in request.path else batches.answer(request)
    with caplog.at_level(logging.WARNING):
        assert carry(server, tmp_path) == 0
    assert "5 of 5 requests: the result file file-2 is missing" in caplog.text
