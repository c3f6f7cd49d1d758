"""Find the requests that a run still needs: plan each paper with the recorded replies, up to the first missing one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from planner.batch.client import compute_max_tokens
from planner.batch.engine import ResultRecorder
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import NewRequest
from planner.batch.manifest import PlanTask
from planner.batch.read_ahead import TaskWithPaper, read_papers_ahead
from planner.batch.spec import BatchJob
from planner.chat import Completion, FixedTokenCounter, ModelInfo, Prompt, Usage
from planner.errors import PaperError, PlannerError
from planner.models.connect import ModelClient
from planner.models.openai_chat.chat import warn_of_truncation
from planner.planning.plan import run_plan

MAX_SUBMISSIONS: Final = 3
# Papers that are planned together, so that they share the ledger's commits.
_PAPERS_AT_ONCE: Final = 32

# It is called with each request that has no reply on record, and returns the reply if there is one after all.
RequestHandler = Callable[[NewRequest, Prompt], Awaitable[Completion | None]]


class ReplyPending(Exception):  # noqa: N818 - no failure: the reply is not there yet
    """A paper needs a reply that is not recorded yet."""


@dataclass(frozen=True, slots=True)
class ReplayModel:
    """A model that answers from the ledger, and hands each request that has no recorded reply to `handle_request`.

    A request that was submitted `MAX_SUBMISSIONS` times fails as it would have live. With `submit_once`, a request that
    came back without a reply is not handed on again: the caller sends it live. Attempts up to `after_attempt` do not
    count.
    """

    ledger: Ledger
    client: ModelClient
    plan_task: PlanTask
    handle_request: RequestHandler
    after_attempt: int
    submit_once: bool
    max_completion_tokens: int | None

    @property
    def info(self) -> ModelInfo:
        """The description of the model whose replies are recorded."""
        return self.client.info

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the recorded reply to a prompt, or the one that `handle_request` has.

        Raises:
            ModelError: if the service has refused the request for good.
            ReplyPending: if there is no reply yet; the request was handed on, or is at the service.
        """
        identity, submissions = self.info.identify_request(prompt), self.ledger.submissions
        if (reply := self.ledger.find_reply(identity)) is not None:
            return replace(reply, notes=(*reply.notes, *warn_of_truncation(prompt, reply.usage)))
        if submissions.is_submitted(identity):
            raise ReplyPending
        rejections = submissions.list_rejections(identity, self.after_attempt)
        if rejections and not rejections[-1].again:
            raise rejections[-1].as_error()
        if rejections and self.submit_once:
            raise ReplyPending
        if len(rejections) >= MAX_SUBMISSIONS:
            raise rejections[-1].as_error(f"; gave up after it was submitted {len(rejections)} times")
        max_cost = self._estimate_max_cost(prompt)
        request = NewRequest(self.plan_task, identity, prompt.sha256, prompt.sample, prompt.message_count, max_cost)
        if (reply := await self.handle_request(request, prompt)) is None:
            raise ReplyPending
        return reply

    def _estimate_max_cost(self, prompt: Prompt) -> float | None:
        if self.max_completion_tokens is None:
            return None
        return self.client.price_at_batch_service(Usage(compute_max_tokens(prompt), self.max_completion_tokens))


class Replanner:
    """A search of the pending papers for missing requests; a paper that has all its replies is finished.

    A paper that failed is planned again once in the life of this object, however often it runs.
    """

    def __init__(self, job: BatchJob, ledger: Ledger, recorder: ResultRecorder, *, submit_once: bool) -> None:
        self._job = job
        self._ledger = ledger
        self._recorder = recorder
        self._submit_once = submit_once
        self._models = {model.ledger_model.key: model for model in job.models}
        self._after_attempt = ledger.submissions.find_last_attempt_number() if job.retry_failed else 0
        self._finished_tasks: set[tuple[str, str]] = set()
        self._begun_papers: set[str] = set()
        self.is_stopped = False

    async def replan_papers(self, handle_request: RequestHandler) -> None:
        """Plan the pending papers that do not wait for the service; hand every missing request to `handle_request`."""
        readers = self._job.make_readers(self._ledger.count_expected_results())
        async with read_papers_ahead(
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
        for plan_task in self._ledger.iterate_pending(retry_failed=self._job.retry_failed):
            if self.is_stopped:
                return
            if (
                (plan_task.entry.id, plan_task.model) not in self._finished_tasks
                and plan_task.model in self._models
                and not self._ledger.submissions.has_submitted_requests(plan_task)
                and self._is_within_max_papers(plan_task)
            ):
                yield plan_task

    def _is_within_max_papers(self, plan_task: PlanTask) -> bool:
        """Return whether --max-papers allows a paper; it always allows one that was begun."""
        max_papers = self._job.limits.max_papers
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
        plan_task, paper = task_with_paper.plan_task, task_with_paper.paper
        if isinstance(paper, PaperError):
            await self._recorder.record_unreadable_paper(plan_task, paper)
        else:
            run_model = self._models[plan_task.model]
            model = ReplayModel(
                self._ledger,
                run_model.client,
                plan_task,
                handle_request,
                self._after_attempt,
                self._submit_once,
                self._job.max_reply_tokens,
            )
            sample = partial(self._ledger.choose_sample, retry_failed=self._job.retry_failed)
            try:
                result = await run_plan(paper, model, run_model.settings, sample, FixedTokenCounter())
            except ReplyPending:
                return
            await self._recorder.record_result(plan_task, paper.info, result)
        self._finished_tasks.add((plan_task.entry.id, plan_task.model))
