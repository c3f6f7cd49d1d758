"""Follow the submissions of a run until their results are in the ledger."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import RECORDED, RequestFailure, Submission, SubmittedRequest
from planner.batch.service.services import PricedService, parse_identity_prefix
from planner.batch.service.submit import (
    NO_ROOM_CODE,
    SUBMISSION_LIMITS,
    BatchSubmitter,
    SubmissionRetryOptions,
    build_submission_path,
)
from planner.batch.status import Progress
from planner.chat import Completion
from planner.errors import ModelError
from planner.models.openai_chat.batch_api import BatchState, RemoteBatch
from planner.models.wrappers import call_with_retry

log = logging.getLogger(__name__)

# The number of further checks for a missing batch or result file, until the results are assumed to be lost.
_MAX_MISSING_CHECKS: Final = 3
_NOT_FOUND: Final = 404
# Statuses after which every further submission would fail too, as when the key is wrong.
_ACCOUNT_ERRORS: Final = frozenset({401, 402})
# Results that are committed together.
_COMMIT_SIZE: Final = 200
# A submission counts as too large if the service has no room for it this often, although no other one is running.
_MAX_NO_ROOM: Final = 3
_MAX_REQUESTS_KEY: Final = "requests in a part"


class BatchTracker:
    """A tracker of submissions; `open_submissions` holds, by number, the submissions with missing results.

    `unknown_batches` holds, by the number of the submission, a message about each batch that the service does not know.
    `max_requests` is the most requests that a submission may have; it falls when the service has no room for so many.
    `fatal_error` is the service's error message if no further submission can succeed, otherwise "".
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        ledger: Ledger,
        services: Mapping[str, PricedService],
        progress: Progress,
        options: SubmissionRetryOptions,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._services = services
        self._progress = progress
        self._options = options
        self.open_submissions = {
            submission.number: submission
            for submission in ledger.submissions.list_open_submissions()
            if submission.model in services
        }
        self.unknown_batches: dict[int, str] = {}
        self.max_requests = int(ledger.read_fact(_MAX_REQUESTS_KEY) or SUBMISSION_LIMITS.max_requests)
        self._submitter = BatchSubmitter(folder, run_id, ledger, services, options, self.open_submissions)
        self.fatal_error = ""
        self._missing_checks: Counter[int] = Counter()
        self._no_room_counts: Counter[int] = Counter()
        # True from when a batch finds no room until a batch ends.
        self._is_service_full = False
        self._one_at_a_time = False
        self._warned: set[str] = set()

    @property
    def running_submissions(self) -> list[Submission]:
        """The submissions with a batch that the service knows."""
        return [s for s in self.open_submissions.values() if s.batch_id and s.number not in self.unknown_batches]

    @property
    def waiting_submissions(self) -> list[Submission]:
        """The submissions that are recorded and have no batch yet."""
        return [s for s in self.open_submissions.values() if not s.batch_id]

    @property
    def has_late_results(self) -> bool:
        """True if a batch or a result file is missing and may still appear."""
        return any(0 < self._missing_checks[s.number] <= _MAX_MISSING_CHECKS for s in self.running_submissions)

    async def submit(self, submission: Submission) -> None:
        """Submit a recorded submission if the service has room for it.

        Raises:
            ModelError: if the service does not accept the submission.
        """
        self.open_submissions[submission.number] = submission
        if self._is_service_full and self.running_submissions:
            return
        try:
            await self._submitter.submit(submission.number)
        except FileNotFoundError as error:
            failure = RequestFailure(
                f"the file {error.filename} is missing; its requests are written again", again=True, was_sent=False
            )
            await self._close_submission(self.open_submissions[submission.number], failure)
        self._update_progress()

    async def submit_waiting(self) -> None:
        """Submit the submissions that have no batch; if the service had no room before, submit only the first.

        Raises:
            ModelError: if the service does not accept a submission.
        """
        for submission in self.waiting_submissions[: 1 if self._one_at_a_time else None]:
            await self.submit(submission)

    async def collect_ended_batches(self) -> bool:
        """Check every batch once, and collect the results of ended batches; return whether there were any.

        Raises:
            ModelError: if the service does not answer.
        """
        ended = False
        for submission in self.running_submissions:
            batch = await self._fetch_batch(submission)
            if batch and self._has_ended(submission, batch):
                ended |= await self._collect_batch(submission, batch)
            elif batch and batch.state_name != submission.state:
                await self._submitter.update_submission(replace(submission, state=batch.state_name))
            self._update_progress()
        return ended

    async def give_up_unknown_batches(self) -> None:
        """Give up the batches that the service does not know; their requests may be submitted, and paid for, again."""
        for number in list(self.unknown_batches):
            failure = RequestFailure("the service does not know the batch any more", again=True, perhaps_billed=True)
            await self._close_submission(self.open_submissions[number], failure)
            del self.unknown_batches[number]

    async def _fetch_batch(self, submission: Submission) -> RemoteBatch | None:
        """Return the batch of a submission as it is now, None if the service does not know the batch."""
        service = self._services[submission.model].service
        try:
            return await call_with_retry(partial(service.fetch_batch, submission.batch_id), self._options.retry_policy)
        except ModelError as error:
            if error.status != _NOT_FOUND:
                raise
            if self._is_last_check(submission):
                self.unknown_batches[submission.number] = (
                    f"{service.host} does not know batch {submission.batch_id}, with {submission.request_count} "
                    "requests: use the key and the project with which it was submitted; if the batch is lost, "
                    "submit its requests again with `batch --retry-failed`"
                )
            return None

    def _has_ended(self, submission: Submission, batch: RemoteBatch) -> bool:
        match batch.state:
            case BatchState.VALIDATING | BatchState.IN_PROGRESS | BatchState.FINALIZING | BatchState.CANCELLING:
                self._missing_checks[submission.number] = 0
                return False
            case BatchState.UNKNOWN:
                message = f"batch {batch.id} has state {batch.state_name!r}, which this program does not know"
                if message not in self._warned:
                    self._warned.add(message)
                    log.warning("%s; waiting for it", message)
                return False
            case BatchState.FAILED:
                return True
            case BatchState.COMPLETED | BatchState.EXPIRED | BatchState.CANCELLED:
                is_file_missing = (batch.completed_requests and not batch.output_file_id) or (
                    batch.failed_requests and not batch.error_file_id
                )
                return not is_file_missing or self._is_last_check(submission)
            case _:
                assert_never(batch.state)

    def _is_last_check(self, submission: Submission) -> bool:
        """Count a check that found a file or batch missing; return True if there will be no further check."""
        self._missing_checks[submission.number] += 1
        return self._missing_checks[submission.number] > _MAX_MISSING_CHECKS

    async def _collect_batch(self, submission: Submission, batch: RemoteBatch) -> bool:
        """Collect the results of an ended batch, and return whether its submission is now closed.

        The submission stays open if a result file may still appear, or if the service had no room for the batch.
        """
        if batch.state is BatchState.FAILED and NO_ROOM_CODE in batch.error_codes:
            return await self._requeue_batch(submission, batch)
        failure = _explain_missing_results(batch)
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            try:
                await self._collect_result_file(submission, file_id)
            except ModelError as error:
                if error.status != _NOT_FOUND:
                    raise
                if not self._is_last_check(submission):
                    return False
                failure = RequestFailure(f"the result file {file_id} is missing", again=True, perhaps_billed=True)
        await self._close_submission(submission, failure)
        self._is_service_full = False
        return True

    async def _collect_result_file(self, submission: Submission, file_id: str) -> None:
        """Download a file of results and record the results; if the download breaks, begin it again."""
        collect = partial(self._collect_file_once, submission, file_id)
        if unknown_lines := await call_with_retry(collect, self._options.retry_policy):
            log.warning("skipped %d lines of file %s, which answer no request of the batch", unknown_lines, file_id)

    async def _collect_file_once(self, submission: Submission, file_id: str) -> int:
        """Download a file and record its results; return the number of lines that answer no submitted request."""
        service, unknown_lines = self._services[submission.model].service, 0
        results: dict[SubmittedRequest, Completion | ModelError] = {}
        async with aclosing(service.download_lines(file_id)) as lines:
            async for line in lines:
                answer = service.parse_result_line(line)
                prefix = answer and parse_identity_prefix(answer.custom_id)
                request = prefix and self._ledger.submissions.find_submitted_request(submission, prefix)
                if not answer or not request:
                    unknown_lines += 1
                elif not request.has_reply and not isinstance(results.get(request), Completion):
                    results[request] = answer.result
                if len(results) >= _COMMIT_SIZE:
                    await self._record_results(submission.model, results)
        await self._record_results(submission.model, results)
        return unknown_lines

    async def _record_results(self, model: str, results: dict[SubmittedRequest, Completion | ModelError]) -> None:
        await asyncio.gather(*(self._record_result(model, *item) for item in results.items()))
        results.clear()

    async def _record_result(self, model: str, request: SubmittedRequest, result: Completion | ModelError) -> None:
        if isinstance(result, ModelError):
            failure = RequestFailure.from_error(result)
            if result.exhausted or result.status in _ACCOUNT_ERRORS:
                self.fatal_error, failure = str(result), replace(failure, again=True)
            await self._ledger.submissions.record_request_failure(request.attempt_number, failure)
            return
        cost = self._services[model].compute_cost(result.usage)
        charged = request.max_cost if cost is None else cost
        await self._ledger.record_reply(request.attempt_number, request.identity, result, cost, charged)
        self._progress.record_reply(result.usage, cost)

    async def _requeue_batch(self, submission: Submission, batch: RemoteBatch) -> bool:
        """Make a submission wait again, since the service had no room for its batch; return False.

        If this happens several times while no other batch runs, the submission is too large. Then close the submission
        and return True; its requests are submitted in smaller files.
        """
        log.info("batch %s: the service has no room for the batch now; it will be submitted again later", batch.id)
        await self._submitter.update_submission(replace(submission, batch_id="", state=RECORDED))
        self._is_service_full = self._one_at_a_time = True
        if self.running_submissions or submission.request_count == 1:
            return False
        self._no_room_counts[submission.number] += 1
        if self._no_room_counts[submission.number] < _MAX_NO_ROOM:
            return False
        self.max_requests = (submission.request_count + 1) // 2
        await self._ledger.write_fact(_MAX_REQUESTS_KEY, str(self.max_requests))
        error = "; ".join(batch.error_messages[:1])
        reason = (
            f"the service has no room for so many requests ({error}); files of {self.max_requests} will be submitted"
        )
        failure = RequestFailure(reason, again=True, was_sent=False)
        await self._close_submission(self.open_submissions[submission.number], failure)
        return True

    async def _close_submission(self, submission: Submission, failure: RequestFailure) -> None:
        count = await self._ledger.submissions.close_submission(submission.number, failure)
        if count:
            name = f"batch {submission.batch_id}" if submission.batch_id else f"part {submission.number}"
            log.warning("%s: %d of %d requests: %s", name, count, submission.request_count, failure.message)
        del self.open_submissions[submission.number]
        build_submission_path(self._folder, submission.number).unlink(missing_ok=True)

    def _update_progress(self) -> None:
        counts: Counter[str] = Counter()
        for submission in self.open_submissions.values():
            counts[submission.state] += submission.request_count
        self._progress.batch_requests_by_state = counts


def _explain_missing_results(batch: RemoteBatch) -> RequestFailure:
    if batch.state is BatchState.FAILED:
        problems = "; ".join(filter(None, batch.error_messages[:3])) or "the service does not say why"
        return RequestFailure(f"the batch failed before any request was made: {problems}", again=True)
    if batch.state is BatchState.COMPLETED:
        return RequestFailure("the results hold neither a reply nor an error", again=True, perhaps_billed=True)
    billed = bool(batch.completed_requests) and not batch.output_file_id
    return RequestFailure(
        f"the batch was {batch.state_name} before the request was made", again=True, perhaps_billed=billed
    )
