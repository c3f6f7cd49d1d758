"""Find the requests that a run still needs: plan each paper with the recorded replies, up to the first missing one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from planner.batch.client import estimate_max_tokens
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import NewRequest
from planner.batch.manifest import PlanTask
from planner.batch.read_ahead import TaskWithPaper, read_papers_ahead
from planner.batch.recorder import ResultRecorder
from planner.batch.spec import BatchJob
from planner.chat import Completion, ModelInfo, Prompt, Usage
from planner.errors import PaperError, PlannerError
from planner.models.connect import ModelClient
from planner.models.openai_chat.chat import find_truncation
from planner.planning.plan import run_plan
from planner.tokens import FixedTokenCounter

MAX_SUBMISSIONS: Final = 3
_PAPERS_AT_ONCE: Final = 32  # papers that are planned together, so that they share the ledger's commits

# A function that takes a request which has no reply.
RequestHandler = Callable[[NewRequest, Prompt], Awaitable[None]]


class ReplyPending(Exception):  # noqa: N818 - no failure: the reply is not there yet
    """The exception for a paper that needs a reply which is not recorded yet."""


@dataclass(frozen=True, slots=True)
class ReplayModel:
    """A model that answers from the ledger, and hands each request that has no recorded reply to `handle_request`.

    A request that was submitted MOST_SUBMISSIONS times fails as it would have live. With `submit_once`, a request that came
    back without a reply is not handed on again: the caller sends it live.
    """

    ledger: Ledger
    client: ModelClient
    task: PlanTask
    handle_request: RequestHandler
    after_attempt: int
    submit_once: bool
    max_completion_tokens: int | None

    @property
    def info(self) -> ModelInfo:
        """The description of the model whose replies are recorded."""
        return self.client.info

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the recorded reply to a prompt.

        Raises:
            ModelError: if the service has refused the request for good.
            ReplyPending: if there is no reply yet; the request was handed on, or is at the service.
        """
        identity, parts = self.info.identify_request(prompt), self.ledger.submissions
        if (kept := self.ledger.find_reply(identity)) is not None:
            return replace(kept, notes=(*kept.notes, *find_truncation(prompt, kept.usage)))
        if parts.is_submitted(identity):
            raise ReplyPending
        refusals = parts.list_rejections(identity, self.after_attempt)
        if refusals and not refusals[-1].again:
            raise refusals[-1].as_error()
        if refusals and self.submit_once:
            raise ReplyPending
        if len(refusals) >= MAX_SUBMISSIONS:
            raise refusals[-1].as_error(f"; gave up after it was submitted {len(refusals)} times")
        wanted = NewRequest(
            self.task, identity, prompt.sha256, prompt.sample, prompt.message_count, self._estimate_max_cost(prompt)
        )
        await self.handle_request(wanted, prompt)
        raise ReplyPending

    def _estimate_max_cost(self, prompt: Prompt) -> float | None:
        if self.max_completion_tokens is None:
            return None
        return self.client.price_at_batch_service(Usage(estimate_max_tokens(prompt), self.max_completion_tokens))


class Replanner:
    """A search of the pending papers for missing requests; a paper that has all its replies is finished.

    A paper that failed is planned again once in the life of this object, however often it runs.
    """

    def __init__(self, job: BatchJob, ledger: Ledger, products: ResultRecorder, *, submit_once: bool) -> None:
        self._job = job
        self._ledger = ledger
        self._products = products
        self._submit_once = submit_once
        self._clients = {asked.ledger_model.key: asked for asked in job.models}
        self._after_attempt = ledger.submissions.find_last_attempt_number() if job.retry_failed else 0
        self._finished_tasks: set[tuple[str, str]] = set()
        self._begun_papers: set[str] = set()
        self.is_stopped = False

    async def replan_papers(self, handle_request: RequestHandler) -> None:
        """Plan the pending papers that do not wait for the service; hand every missing request to `handle_request`."""
        works = self._list_tasks()
        readers = self._job.make_readers(self._ledger.count_expected_results())
        async with read_papers_ahead(works, self._clients, readers=readers, max_ahead=_PAPERS_AT_ONCE) as papers:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(_PAPERS_AT_ONCE):
                        group.create_task(self._plan_papers(papers, handle_request))
            except* PlannerError as errors:
                # All tasks share the run, so an error that ends one of them ends all.
                raise errors.exceptions[0] from None

    def _list_tasks(self) -> Iterator[PlanTask]:
        for work in self._ledger.iterate_pending(retry_failed=self._job.retry_failed):
            key = (work.entry.id, work.model)
            if self.is_stopped:
                return
            if (
                key in self._finished_tasks
                or work.model not in self._clients
                or self._ledger.submissions.has_submitted_requests(work)
            ):
                continue
            if self._is_within_max_papers(work):
                yield work

    def _is_within_max_papers(self, task: PlanTask) -> bool:
        """Return whether --max-papers allows a paper; it always allows one that was begun."""
        most = self._job.limits.max_papers
        if most is None or task.entry.id in self._begun_papers:
            return True
        if len(self._begun_papers) >= most and not self._ledger.submissions.has_sent_requests(task):
            return False
        self._begun_papers.add(task.entry.id)
        return True

    async def _plan_papers(self, papers: AsyncIterator[TaskWithPaper], handle_request: RequestHandler) -> None:
        async for read in papers:
            if self.is_stopped:
                return
            await self._plan_paper(read, handle_request)

    async def _plan_paper(self, loaded_paper: TaskWithPaper, handle_request: RequestHandler) -> None:
        work, asked = loaded_paper.plan_task, self._clients[loaded_paper.plan_task.model]
        if not isinstance(loaded_paper.paper, PaperError):
            cap = self._job.max_reply_tokens
            model = ReplayModel(
                self._ledger, asked.client, work, handle_request, self._after_attempt, self._submit_once, cap
            )
            sample = partial(self._ledger.choose_sample, retry_failed=self._job.retry_failed)
            try:
                planning = await run_plan(loaded_paper.paper, model, asked.settings, sample, FixedTokenCounter())
            except ReplyPending:
                return
            await self._products.record_result(work, loaded_paper.paper.info, planning)
        else:
            await self._products.record_unreadable_paper(work, loaded_paper.paper)
        self._finished_tasks.add((work.entry.id, work.model))
