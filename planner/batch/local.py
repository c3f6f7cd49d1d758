"""Plan a run on this machine: read papers ahead, plan them as fast as the limits allow, and store the results."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Final

from planner.batch.asking import Asking, Desk, Idlers
from planner.batch.budget import Budget
from planner.batch.entry import Work
from planner.batch.job import Asked, Job
from planner.batch.ledger import Ledger
from planner.batch.limits import Closed, Limits
from planner.batch.products import Products
from planner.batch.progress import Progress
from planner.batch.reading import Read, reading
from planner.batch.run import RunFolder
from planner.errors import Outcome, PaperError, PlannerError
from planner.gauge import FixedGauge
from planner.pipeline import plan_subject
from planner.retrying import Retrying, Wait

# Papers that are read in advance; at least as many as are planned at once.
_AHEAD: Final = 128


log = logging.getLogger(__name__)


class LocalEngine:
    """The engine that plans the pending papers of a run; `progress` shows how far it is, `stop` ends it early."""

    def __init__(self, job: Job, run: RunFolder, ledger: Ledger) -> None:
        self._job = job
        self._ledger = ledger
        self.progress = Progress()
        self._idlers = Idlers()
        self._budget = Budget(job.bounds.max_cost, ledger.charged())
        self._records = [asked.record for asked in job.models]
        self._asked = {record.key: asked for record, asked in zip(self._records, job.models, strict=True)}
        self._products = Products(job, run, ledger, self.progress)
        self._desks = {key: self._desk(asked) for key, asked in self._asked.items()}
        self.progress.limits = [desk.limits for desk in self._desks.values()]

    async def plan(self) -> None:
        """Plan everything that is pending, or as much as the limits and `stop` allow.

        Raises:
            RunError: if the run's folder or ledger fails; what was recorded is safe.
            PromptError: if the templates are at fault, whatever the paper.
        """
        bounds = self._job.bounds
        task = self._job.models[0].settings.task
        await self._ledger.begin(task, self._job.corpus.entries, self._records)
        await self._products.restore()
        self._products.begin_progress()
        pending = _of_first(self._ledger.pending(retry_failed=self._job.retry_failed), bounds.max_papers)
        wanted = min(self.progress.left, (bounds.max_papers or self.progress.left) * len(self._desks))
        if not wanted:
            return
        at_once = min(bounds.concurrency * len(self._desks), wanted)
        async with reading(
            pending, self._asked, readers=self._job.readers(wanted), ahead=max(_AHEAD, at_once)
        ) as papers:
            # In the meantime the reader processes start, and read the first papers.
            await asyncio.gather(*(asyncio.to_thread(asked.prepare) for asked in self._asked.values()))
            await self._plan_all(papers, at_once)

    def stop(self, reason: str) -> None:
        """Send no further request; those in flight are finished and stored."""
        if not self.progress.stopping:
            self.progress.stopping = reason
            for desk in self._desks.values():
                desk.limits.close()
            self._idlers.dismiss()

    async def _plan_all(self, papers: AsyncIterator[Read], at_once: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(self._plan_some(papers))
        except* PlannerError as errors:
            # All tasks share the run, so an error that ended one of them ends them all.
            raise errors.exceptions[0] from None

    async def _plan_some(self, papers: AsyncIterator[Read]) -> None:
        while not self.progress.stopping:
            with self._idlers.waiting():
                read = await anext(papers, None)
            if read is None:
                return
            try:
                await self._plan_one(read)
            except Closed:
                return

    async def _plan_one(self, read: Read) -> None:
        work, asked = read.work, self._asked[read.work.model]
        desk = self._desks[work.model]
        paper = read.paper
        if isinstance(paper, PaperError):
            await self._products.keep_unreadable(work, paper)
            return
        sample = partial(self._ledger.sample, retry=self._job.retry_failed)
        model = Asking(desk, asked.sender(paper.paper), work)
        planning = await plan_subject(paper, model, asked.settings, sample, FixedGauge())
        await self._products.keep(work, paper.head, planning, model.requests)
        if planning.outcome is Outcome.BUDGET:
            self.stop(planning.reason)

    def _desk(self, asked: Asked) -> Desk:
        bounds = self._job.bounds
        return Desk(
            card=asked.card,
            ledger=self._ledger,
            limits=Limits(bounds.concurrency, bounds.rpm, bounds.tpm),
            budget=self._budget,
            progress=self.progress,
            idlers=self._idlers,
            patience=lambda model: Retrying(model, self._job.patience, on_wait=_tell),
            price=asked.price,
            halt=self.stop,
            most_completion=bounds.most_completion,
            longest_pause=self._job.patience.max_wait,
        )


def _of_first(pending: Iterator[Work], papers: int | None) -> Iterator[Work]:
    """Yield the tasks of the first `papers` papers, whichever models they are for; all tasks for None."""
    begun: set[str] = set()
    for work in pending:
        begun.add(work.entry.id)
        if papers is not None and len(begun) > papers:
            return
        yield work


def _tell(wait: Wait) -> None:
    log.debug("waiting %.1f s: %s", wait.seconds, wait.reason)
