"""Plan a run through a batch service: submit the missing requests, wait, collect, and repeat until all is done."""

import asyncio
import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from planner.batch.engine import ResultRecorder
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import NewRequest, Submission
from planner.batch.progress import Progress
from planner.batch.run_folder import RunFolder
from planner.batch.service.replan import Replanner
from planner.batch.service.results import PricedService
from planner.batch.service.submit import SubmissionLimits, SubmissionWriter, SubmitOptions
from planner.batch.service.tracker import BatchTracker
from planner.batch.spec import BatchJob, SubmissionOptions
from planner.chat import Prompt
from planner.errors import ModelError, UsageError
from planner.models.connect import ModelClient

if TYPE_CHECKING:
    from planner.models.openai_chat.batch_api import BatchService

log = logging.getLogger(__name__)

# Tolerated checks in a row that the service does not answer: about an hour with the default pauses.
_MAX_FAILED_CHECKS: Final = 12
# The first pause between two checks, and the longest, up to which it is doubled.
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 300.0


class BatchServiceEngine:
    """An engine that plans the pending papers of a run through a batch service; `progress` counts what is done."""

    def __init__(self, job: BatchJob, run: RunFolder, ledger: Ledger, options: SubmissionOptions) -> None:
        self._job = job
        self._ledger = ledger
        self._wait = not options.submit_only
        self._first_pause = options.poll or _FIRST_PAUSE_SECONDS
        self._longest_pause = options.poll or _LONGEST_PAUSE_SECONDS
        self._folder = run.request_folder
        self.progress = Progress()
        self._recorder = ResultRecorder(job, run, ledger, self.progress)
        self._replanner = Replanner(job, ledger, self._recorder, submit_once=options.finish_live)
        self._services = {
            model.ledger_model.key: PricedService(
                require_batch_service(model.client), model.client.price_at_batch_service
            )
            for model in job.models
        }
        self._stopped = asyncio.Event()
        self._failed_checks = 0
        # The service's message if it did not accept the last submission.
        self._submit_error = ""

    async def plan(self) -> None:
        """Plan everything that is pending, or as much as the limits, `stop` and the service allow.

        Raises:
            RunError: if the run's folder or ledger cannot be used; what was recorded is safe.
            PromptError: if a prompt template is faulty.
        """
        await self._recorder.begin_call()
        try:
            await self._run_rounds(await self._create_tracker())
        except ModelError as error:
            self.stop(str(error))

    def stop(self, reason: str) -> None:
        """Submit nothing more; batches that the service has already continue there."""
        if not self.progress.stop_reason:
            self.progress.stop_reason = reason
            self._replanner.is_stopped = True
            self._stopped.set()

    async def _run_rounds(self, tracker: BatchTracker) -> None:
        pause, has_replanned = self._first_pause, False
        while not self._stopped.is_set():
            await self._submit_waiting(tracker)
            ended = await self._collect_ended_batches(tracker)
            if self._job.retry_failed and tracker.unknown_batches:
                await tracker.give_up_unknown_batches()
                ended = True
            if tracker.fatal_error:
                await self._replanner.replan_papers(_leave_request)
                self.stop(tracker.fatal_error)
                return
            if ended or not has_replanned:
                await self._submit_missing_requests(tracker)
                pause, has_replanned = self._first_pause, True
            if self._is_finished(tracker):
                return
            await self._wait_unless_stopped(pause)
            pause = min(2 * pause, self._longest_pause)

    async def _collect_ended_batches(self, tracker: BatchTracker) -> bool:
        """Check the batches; a service that does not answer for a while is tolerated if the engine waits."""
        try:
            ended = await tracker.collect_ended_batches()
        except ModelError as error:
            self._failed_checks += 1
            if not (error.retryable and self._wait and self._failed_checks <= _MAX_FAILED_CHECKS):
                raise
            log.warning("%s; trying again later", error)
            return False
        self._failed_checks = 0
        return ended

    def _is_finished(self, tracker: BatchTracker) -> bool:
        """Return whether there is nothing to wait for; then stop with the reason why requests are left, if any."""
        more_to_come = tracker.running_submissions or (tracker.waiting_submissions and not self._submit_error)
        if more_to_come and (self._wait or tracker.has_late_results):
            return False
        if reason := self._submit_error or next(iter(tracker.unknown_batches.values()), ""):
            self.stop(reason)
        return True

    async def _submit_waiting(self, tracker: BatchTracker) -> None:
        try:
            await tracker.submit_waiting()
            self._submit_error = ""
        except ModelError as error:
            # The batches that the service already has are still followed.
            self._submit_error = str(error)

    async def _submit_missing_requests(self, tracker: BatchTracker) -> None:
        async def submit(submission: Submission) -> None:
            # The paper whose request filled the file must not fail by this: the submission is recorded.
            try:
                await tracker.submit(submission)
            except ModelError as error:
                self._submit_error = str(error)
                self._replanner.is_stopped = True

        if self._submit_error:
            await self._replanner.replan_papers(_leave_request)
            return
        max_cost, limits = self._job.limits.max_cost, SubmissionLimits()
        if tracker.max_requests is not None:
            limits = replace(limits, max_requests=min(limits.max_requests, tracker.max_requests))
        services = {key: priced.service for key, priced in self._services.items()}
        writer = SubmissionWriter(self._folder, self._ledger, services, submit, max_cost=max_cost, limits=limits)
        await self._replanner.replan_papers(writer.add_request)
        if not self._replanner.is_stopped:
            await writer.submit_drafts()
        self._replanner.is_stopped = self._stopped.is_set()
        if writer.unaffordable_requests and not tracker.open_submissions:
            self.stop(
                f"{writer.unaffordable_requests} further requests could pass --max-cost {max_cost:g}; raise it to go on"
            )

    async def _wait_unless_stopped(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def _create_tracker(self) -> BatchTracker:
        if (run_id := self._ledger.read_fact("id")) is None:
            run_id = f"ablation-planner-{secrets.token_hex(8)}"
            await self._ledger.write_fact("id", run_id)
        return BatchTracker(
            self._folder,
            run_id,
            self._ledger,
            self._services,
            self.progress,
            SubmitOptions(self._job.retry_policy, allow_resubmission=self._job.retry_failed),
        )


async def _leave_request(_: NewRequest, __: Prompt) -> None:
    """Leave a request for a later call."""


def require_batch_service(client: ModelClient) -> "BatchService":
    """Return the batch service of a model.

    Raises:
        UsageError: if it has none.
    """
    if client.batch_api is None:
        raise UsageError(
            f"{client.info.asked!r} has no batch service; --engine openai-batch needs a model at an endpoint"
        )
    return client.batch_api
