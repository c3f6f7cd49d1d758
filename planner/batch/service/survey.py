"""Find the requests that a run still needs: plan each paper with the recorded replies, up to the first missing one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from planner.batch.budget import most_tokens
from planner.batch.entry import Work
from planner.batch.job import Asked, Job
from planner.batch.ledger import Ledger
from planner.batch.parts import Wanted
from planner.batch.products import Products
from planner.batch.reading import Read, reading
from planner.chat import Completion, ModelCard, Prompt, Usage
from planner.errors import PaperError, PlannerError
from planner.gauge import FixedGauge
from planner.openai_chat.windows import cut_notes
from planner.pipeline import plan_subject

MOST_SUBMISSIONS: Final = 3
_AT_ONCE: Final = 32  # papers that are planned together, so that they share the ledger's commits

# A function that takes a request which has no reply.
Take = Callable[[Wanted, Prompt], Awaitable[None]]


class NotYet(Exception):  # noqa: N818 - no failure: the reply is not there yet
    """The exception for a paper that needs a reply which is not recorded yet."""


@dataclass(frozen=True, slots=True)
class Noting:
    """A model that answers from the ledger, and hands each request that has no recorded reply to `take`.

    A request that was submitted MOST_SUBMISSIONS times fails as it would have live. With `once`, a request that came
    back without a reply is not handed on again: the caller sends it live.
    """

    ledger: Ledger
    asked: Asked
    work: Work
    take: Take
    since: int
    once: bool
    most_completion: int | None
    share: float

    @property
    def card(self) -> ModelCard:
        """The description of the model whose replies are recorded."""
        return self.asked.card

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the recorded reply to a prompt.

        Raises:
            ModelError: if the service has refused the request for good.
            NotYet: if there is no reply yet; the request was handed on, or is at the service.
        """
        identity, parts = self.card.identity(prompt), self.ledger.parts
        if (kept := self.ledger.reply(identity)) is not None:
            return replace(kept, notes=(*kept.notes, *cut_notes(prompt, kept.usage)))
        if parts.submitted(identity):
            raise NotYet
        refusals = parts.refusals(identity, self.since)
        if refusals and not refusals[-1].again:
            raise refusals[-1].as_error()
        if refusals and self.once:
            raise NotYet
        if len(refusals) >= MOST_SUBMISSIONS:
            raise refusals[-1].as_error(f"; gave up after it was submitted {len(refusals)} times")
        wanted = Wanted(self.work, identity, prompt.sha256, prompt.sample, prompt.turns, self._most(prompt))
        await self.take(wanted, prompt)
        raise NotYet

    def _most(self, prompt: Prompt) -> float | None:
        if self.most_completion is None:
            return None
        most = self.asked.price(Usage(most_tokens(prompt), self.most_completion))
        return None if most is None else most * self.share


class Survey:
    """A search of the pending papers for missing requests; a paper that has all its replies is finished.

    A paper that failed is planned again once in the life of this object, however often it runs. `share` is the price
    of a request at the service as a fraction of the price of a live request.
    """

    def __init__(self, job: Job, ledger: Ledger, products: Products, *, once: bool, share: float) -> None:
        self._job = job
        self._ledger = ledger
        self._products = products
        self._once = once
        self._share = share
        self._asked = {asked.record.key: asked for asked in job.models}
        self._since = ledger.parts.last_attempt() if job.retry_failed else 0
        self._ended: set[tuple[str, str]] = set()
        self._taken_up: set[str] = set()
        self.stopped = False

    async def run(self, take: Take) -> None:
        """Plan the pending papers that do not wait for the service; hand every missing request to `take`."""
        works = self._works()
        readers = self._job.readers(self._ledger.total())
        async with reading(works, self._asked, readers=readers, ahead=_AT_ONCE) as papers:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(_AT_ONCE):
                        group.create_task(self._plan_some(papers, take))
            except* PlannerError as errors:
                # All tasks share the run, so an error that ends one of them ends all.
                raise errors.exceptions[0] from None

    def _works(self) -> Iterator[Work]:
        for work in self._ledger.pending(retry_failed=self._job.retry_failed):
            key = (work.entry.id, work.model)
            if self.stopped:
                return
            if key in self._ended or work.model not in self._asked or self._ledger.parts.waits_for(work):
                continue
            if self._within_bounds(work):
                yield work

    def _within_bounds(self, work: Work) -> bool:
        """Return whether --max-papers allows a paper; it always allows one that was begun."""
        most = self._job.bounds.max_papers
        if most is None or work.entry.id in self._taken_up:
            return True
        if len(self._taken_up) >= most and not self._ledger.parts.begun(work):
            return False
        self._taken_up.add(work.entry.id)
        return True

    async def _plan_some(self, papers: AsyncIterator[Read], take: Take) -> None:
        async for read in papers:
            if self.stopped:
                return
            await self._plan_one(read, take)

    async def _plan_one(self, read: Read, take: Take) -> None:
        work, asked = read.work, self._asked[read.work.model]
        if not isinstance(read.paper, PaperError):
            cap = self._job.bounds.most_completion
            model = Noting(self._ledger, asked, work, take, self._since, self._once, cap, self._share)
            sample = partial(self._ledger.sample, retry=self._job.retry_failed)
            try:
                planning = await plan_subject(read.paper, model, asked.settings, sample, FixedGauge())
            except NotYet:
                return
            await self._products.keep(work, read.paper.head, planning)
        else:
            await self._products.keep_unreadable(work, read.paper)
        self._ended.add((work.entry.id, work.model))
