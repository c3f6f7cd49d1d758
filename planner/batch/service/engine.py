"""Plan a run through a batch service.

The engine plans each paper with the replies in the ledger. It submits the requests without a reply, waits, collects the
results, and plans the papers again. To send a request live means to send it directly to the model's endpoint.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from planner.batch.client import compute_max_prompt_tokens
from planner.batch.engine import ResultRecorder
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import Submission, UnansweredRequest
from planner.batch.manifest import PlanTask
from planner.batch.read_ahead import ReadAheadQueue, TaskWithPaper
from planner.batch.run_folder import RunFolder
from planner.batch.service.services import PricedService, require_batch_service
from planner.batch.service.submit import RequestFileWriter, SubmissionLimits, SubmissionRetryOptions
from planner.batch.service.tracker import BatchTracker
from planner.batch.spec import BatchJob
from planner.batch.status import Progress
from planner.chat import Completion, FixedTokenCounter, ModelInfo, Prompt, Usage
from planner.errors import ModelError, PaperError, PlannerError
from planner.models.connect import log_request_host
from planner.models.openai_chat.chat import build_truncation_warnings
from planner.planning.plan import plan_paper

log = logging.getLogger(__name__)

# A request that was submitted so often without a reply is given up.
_MAX_SUBMISSIONS: Final = 3
# The number of failed checks in a row that are tolerated: about an hour with the default pauses.
_MAX_FAILED_CHECKS: Final = 12
# The first and the longest pause between two checks; in between, each pause is twice as long as the one before.
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 300.0
# Papers that are planned together, so that they share the ledger's commits.
_PAPERS_AT_ONCE: Final = 32

# A function that gets each request without a recorded reply, and returns a reply if it has one.
RequestHandler = Callable[[UnansweredRequest, Prompt], Awaitable[Completion | None]]


class _ReplyPending(Exception):  # noqa: N818 - no failure: the reply is not there yet
    """The signal that a paper needs a reply that is not recorded yet."""


@dataclass(frozen=True, slots=True)
class _ReplayModel:
    """A model whose replies are those that `find_reply` returns."""

    info: ModelInfo
    find_reply: Callable[[Prompt], Awaitable[Completion]]

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the reply to a prompt."""
        return await self.find_reply(prompt)


class ReplayPlanner:
    """A planner that uses the replies in the ledger, and finds the requests that have no reply.

    A paper that lacks a reply is planned again at each call of `plan_papers_or_handle_requests`. A paper with a result,
    even a failure, is not. If `submit_once` is true, a request is submitted only once, and then the caller sends it
    live.
    """

    def __init__(
        self, job: BatchJob, run: RunFolder, ledger: Ledger, progress: Progress, *, submit_once: bool = False
    ) -> None:
        self.recorder = ResultRecorder(job, run, ledger, progress)
        self._job = job
        self._ledger = ledger
        self._submit_once = submit_once
        self._models = job.models_by_key
        # Rejections of attempts up to this one do not count.
        self._last_ignored_attempt = ledger.submissions.find_last_attempt_number() if job.spec.retry_failed else 0
        self._finished_tasks: set[tuple[str, str]] = set()
        self._begun_papers: set[str] = set()
        self.is_stopped = False

    async def plan_papers_or_handle_requests(self, handle_request: RequestHandler) -> None:
        """Plan the papers that have no request at the service; pass requests without a reply to `handle_request`."""
        readers = self._job.make_readers(self._ledger.count_expected_results())
        async with ReadAheadQueue(
            self._list_tasks(), self._models, readers=readers, max_ahead=_PAPERS_AT_ONCE
        ) as papers:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(_PAPERS_AT_ONCE):
                        group.create_task(self._plan_papers(papers, handle_request))
            except* PlannerError as errors:
                # All tasks share the run, so an error that ends one of them ends all.
                raise errors.exceptions[0] from None

    def _list_tasks(self) -> Iterator[PlanTask]:
        for plan_task in self._ledger.iterate_pending_tasks(retry_failed=self._job.spec.retry_failed):
            if self.is_stopped:
                return
            if (
                (plan_task.entry.id, plan_task.model_key) not in self._finished_tasks
                and plan_task.model_key in self._models
                and not self._ledger.submissions.has_submitted_requests(plan_task)
                and self._is_within_max_papers(plan_task)
            ):
                yield plan_task

    def _is_within_max_papers(self, plan_task: PlanTask) -> bool:
        """Return whether --max-papers allows a paper; a paper that was begun is always allowed."""
        max_papers = self._job.spec.limits.max_papers
        if max_papers is None or plan_task.entry.id in self._begun_papers:
            return True
        if len(self._begun_papers) >= max_papers and not self._ledger.submissions.has_sent_requests(plan_task):
            return False
        self._begun_papers.add(plan_task.entry.id)
        return True

    async def _plan_papers(self, papers: AsyncIterator[TaskWithPaper], handle_request: RequestHandler) -> None:
        async for task_with_paper in papers:
            if self.is_stopped:
                return
            await self._plan_paper(task_with_paper, handle_request)

    async def _plan_paper(self, task_with_paper: TaskWithPaper, handle_request: RequestHandler) -> None:
        plan_task, paper = task_with_paper.plan_task, task_with_paper.paper_or_error
        if isinstance(paper, PaperError):
            await self.recorder.record_unreadable_paper(plan_task, paper)
        else:
            run_model = self._models[plan_task.model_key]
            model = _ReplayModel(run_model.info, partial(self._find_reply, plan_task, handle_request))
            sample = partial(self._ledger.choose_sample_number, retry_failed=self._job.spec.retry_failed)
            try:
                result = await plan_paper(paper, model, run_model.settings, sample, FixedTokenCounter())
            except _ReplyPending:
                return
            await self.recorder.record_result(plan_task, paper.info, result)
        self._finished_tasks.add((plan_task.entry.id, plan_task.model_key))

    async def _find_reply(self, plan_task: PlanTask, handle_request: RequestHandler, prompt: Prompt) -> Completion:
        """Return the reply in the ledger, or else the reply that `handle_request` returns.

        Raises:
            ModelError: if the service has refused the request for good.
            _ReplyPending: if there is no reply yet.
        """
        client, submissions = self._models[plan_task.model_key].client, self._ledger.submissions
        identity = client.info.identify_request(prompt)
        if (reply := self._ledger.reader.find_reply(identity)) is not None:
            return replace(reply, notes=(*reply.notes, *build_truncation_warnings(prompt, reply.usage)))
        if submissions.is_request_submitted(identity):
            raise _ReplyPending
        failures = submissions.list_service_failures(identity, self._last_ignored_attempt)
        if failures and not failures[-1].again:
            raise failures[-1].as_error()
        if failures and self._submit_once:
            raise _ReplyPending
        if len(failures) >= _MAX_SUBMISSIONS:
            raise failures[-1].as_error(f"; gave up after {len(failures)} submissions of the request")
        most_tokens = Usage(compute_max_prompt_tokens(prompt), self._job.spec.max_reply_tokens)
        max_cost = client.compute_batch_request_cost(most_tokens)
        request = UnansweredRequest(plan_task, identity, prompt.sha256, prompt.sample, prompt.message_count, max_cost)
        if (reply := await handle_request(request, prompt)) is None:
            raise _ReplyPending
        return reply


class BatchServiceEngine:
    """An engine that plans the papers of a run through a batch service; `progress` counts the results."""

    def __init__(self, job: BatchJob, run: RunFolder, ledger: Ledger) -> None:
        options = job.spec.submission
        self._job = job
        self._ledger = ledger
        self._wait = not options.submit_only
        self._first_pause = options.poll or _FIRST_PAUSE_SECONDS
        self._longest_pause = options.poll or _LONGEST_PAUSE_SECONDS
        self._folder = run.request_folder
        self.progress = Progress()
        self._replanner = ReplayPlanner(job, run, ledger, self.progress, submit_once=options.finish_live)
        self._services = {
            key: PricedService(require_batch_service(model.client), model.client.compute_batch_request_cost)
            for key, model in job.models_by_key.items()
        }
        self._stopped = asyncio.Event()
        self._failed_checks = 0
        # The service's message if it did not accept the last submission.
        self._submit_error = ""

    async def plan_papers(self) -> None:
        """Plan papers until all have a result, a limit is reached, `stop` is called, or the service refuses requests.

        Raises:
            RunError: if the run's folder or ledger cannot be used; earlier records are safe.
            PromptError: if a prompt template is faulty.
        """
        for model in self._job.models:
            log_request_host(model.client)
        await self._replanner.recorder.record_corpus_and_restore_files()
        try:
            await self._run_rounds(await self._create_tracker())
        except ModelError as error:
            self.stop(str(error))

    def stop(self, reason: str) -> None:
        """Submit nothing more; batches that are already at the service continue."""
        if not self.progress.stop_reason:
            self.progress.stop_reason = reason
            self._replanner.is_stopped = True
            self._stopped.set()

    async def _run_rounds(self, tracker: BatchTracker) -> None:
        pause, has_replanned = self._first_pause, False
        while not self._stopped.is_set():
            await self._submit_waiting(tracker)
            ended = await self._collect_ended_batches(tracker)
            if self._job.spec.retry_failed and tracker.unknown_batches:
                await tracker.give_up_unknown_batches()
                ended = True
            if tracker.fatal_error:
                await self._replanner.plan_papers_or_handle_requests(_leave_request)
                self.stop(tracker.fatal_error)
                return
            if ended or not has_replanned:
                await self._submit_missing_requests(tracker)
                pause, has_replanned = self._first_pause, True
            if self._is_finished(tracker):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), pause)
            pause = min(2 * pause, self._longest_pause)

    async def _collect_ended_batches(self, tracker: BatchTracker) -> bool:
        """Collect the results of ended batches, and return whether there were any.

        If the service does not answer, an engine that waits for results tries again later.
        """
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
        """Return whether there is nothing to wait for; if that is due to an error, stop the run with its message."""
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
            # The batches that are already at the service are still checked.
            self._submit_error = str(error)

    async def _submit_missing_requests(self, tracker: BatchTracker) -> None:
        async def submit(submission: Submission) -> None:
            # The submission is recorded, so the paper whose request filled the file must not fail by this error.
            try:
                await tracker.submit(submission)
            except ModelError as error:
                self._submit_error = str(error)
                self._replanner.is_stopped = True

        if self._submit_error:
            await self._replanner.plan_papers_or_handle_requests(_leave_request)
            return
        max_cost, limits = self._job.spec.limits.max_cost, SubmissionLimits(tracker.max_requests)
        writer = RequestFileWriter(self._folder, self._ledger, self._services, submit, max_cost=max_cost, limits=limits)
        await self._replanner.plan_papers_or_handle_requests(writer.add_request)
        if not self._replanner.is_stopped:
            await writer.submit_partial_files()
        self._replanner.is_stopped = self._stopped.is_set()
        if writer.unaffordable_requests and not tracker.open_submissions:
            self.stop(
                f"{writer.unaffordable_requests} further requests could exceed --max-cost {max_cost:g}; raise the limit"
            )

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
            SubmissionRetryOptions(self._job.retry_policy, allow_resubmission=self._job.spec.retry_failed),
        )


async def _leave_request(_: UnansweredRequest, __: Prompt) -> None:
    """Do nothing; a later command submits the request."""
