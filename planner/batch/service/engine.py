"""The engine: find the missing requests, submit them, wait, collect, and repeat until every paper is finished."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from planner.batch.job import Job
from planner.batch.ledger import Ledger
from planner.batch.parts import SHARE, Part, Wanted
from planner.batch.products import Products
from planner.batch.progress import Progress
from planner.batch.run import RunFolder
from planner.batch.service.courier import Courier
from planner.batch.service.results import Counterpart
from planner.batch.service.sending import Manner
from planner.batch.service.survey import Survey
from planner.batch.service.writing import PartLimits, PartWriter
from planner.chat import Prompt
from planner.errors import ModelError, UsageError

if TYPE_CHECKING:
    from planner.openai_chat.service import BatchService

log = logging.getLogger(__name__)

# Tolerated checks in a row that the service does not answer: about an hour with the default pauses.
_IN_VAIN: Final = 12


@dataclass(frozen=True, slots=True)
class Course:
    """Options for checking a batch service.

    `first` is the first pause between two checks, in seconds, doubled up to `longest`. With `wait` false there is one
    check. With `finish_live` a request that came back without a reply is not submitted again: the caller sends it live.
    `limits` bounds the files of requests.
    """

    first: float = 2.0
    longest: float = 300.0
    wait: bool = True
    finish_live: bool = False
    limits: PartLimits = field(default_factory=PartLimits)


class ServiceEngine:
    """An engine that plans the pending papers of a run through a batch service; `progress` counts what is done."""

    def __init__(self, job: Job, run: RunFolder, ledger: Ledger, course: Course) -> None:
        self._job = job
        self._ledger = ledger
        self._course = course
        self._folder = run.service
        self.progress = Progress()
        self._products = Products(job, run, ledger, self.progress)
        self._survey = Survey(job, ledger, self._products, once=course.finish_live, share=SHARE)
        self._services = {asked.record.key: service_of(asked.service, asked.card.asked) for asked in job.models}
        self._prices = {asked.record.key: asked.price for asked in job.models}
        self._stopped = asyncio.Event()
        self._in_vain = 0
        self._refused = ""  # the service's message if it did not accept the last submission

    async def plan(self) -> None:
        """Plan everything that is pending, or as much as the limits, `stop` and the service allow.

        Raises:
            RunError: if the run's folder or ledger cannot be used; what was recorded is safe.
            PromptError: if a prompt template is faulty.
        """
        records = [asked.record for asked in self._job.models]
        await self._ledger.begin(self._job.models[0].settings.task, self._job.corpus.entries, records)
        await self._products.restore()
        self._products.begin_progress()
        courier = await self._courier()
        try:
            await self._rounds(courier)
        except ModelError as error:
            self.stop(str(error))

    def stop(self, reason: str) -> None:
        """Submit nothing more; batches that the service has already continue there."""
        if not self.progress.stopping:
            self.progress.stopping = reason
            self._survey.stopped = True
            self._stopped.set()

    async def _rounds(self, courier: Courier) -> None:
        pause, surveyed = self._course.first, False
        while not self._stopped.is_set():
            await self._submit_waiting(courier)
            ended = await self._look(courier)
            if self._job.retry_failed and courier.strays:
                await courier.forget_strays()
                ended = True
            if courier.hopeless:
                await self._survey.run(_nobody_takes)
                self.stop(courier.hopeless)
                return
            if ended or not surveyed:
                await self._survey_with(courier)
                pause, surveyed = self._course.first, True
            if self._is_over(courier):
                return
            await self._pause(pause)
            pause = min(2 * pause, self._course.longest)

    async def _look(self, courier: Courier) -> bool:
        """Check the batches; a service that does not answer for a while is tolerated if the engine waits."""
        try:
            ended = await courier.look()
        except ModelError as error:
            self._in_vain += 1
            if not (error.retryable and self._course.wait and self._in_vain <= _IN_VAIN):
                raise
            log.warning("%s; looking again later", error)
            return False
        self._in_vain = 0
        return ended

    def _is_over(self, courier: Courier) -> bool:
        """Return whether there is nothing to wait for; only then stop for what the service does not accept or know."""
        more_to_come = courier.under_way or (courier.waiting and not self._refused)
        if more_to_come and (self._course.wait or courier.late):
            return False
        if stuck := self._refused or next(iter(courier.strays.values()), ""):
            self.stop(stuck)
        return True

    async def _submit_waiting(self, courier: Courier) -> None:
        try:
            await courier.submit_waiting()
            self._refused = ""
        except ModelError as error:
            # The batches that the service already has are still followed.
            self._refused = str(error)

    async def _survey_with(self, courier: Courier) -> None:
        async def submit(part: Part) -> None:
            # The paper whose request filled the file must not fail by this: the submission is recorded.
            try:
                await courier.submit(part)
            except ModelError as error:
                self._refused = str(error)
                self._survey.stopped = True

        if self._refused:
            await self._survey.run(_nobody_takes)
            return
        most, limits = self._job.bounds.max_cost, self._course.limits
        if courier.largest is not None:
            limits = replace(limits, requests=min(limits.requests, courier.largest))
        writer = PartWriter(self._folder, self._ledger, self._services, submit, most=most, limits=limits)
        await self._survey.run(writer.take)
        if not self._survey.stopped:
            await writer.finish()
        self._survey.stopped = self._stopped.is_set()
        if writer.unaffordable and not courier.open:
            self.stop(f"{writer.unaffordable} further requests could pass --max-cost {most:g}; raise it to go on")

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def _courier(self) -> Courier:
        if (run_id := self._ledger.recall("id")) is None:
            run_id = f"ablation-planner-{secrets.token_hex(8)}"
            await self._ledger.remember("id", run_id)
        desks = {key: Counterpart(service, self._prices[key], SHARE) for key, service in self._services.items()}
        return Courier(
            self._folder,
            run_id,
            self._ledger,
            desks,
            self.progress,
            Manner(self._job.patience, again=self._job.retry_failed),
        )


async def _nobody_takes(_: Wanted, __: Prompt) -> None:
    """Leave a request for a later call."""


def service_of(service: "BatchService | None", model: str) -> "BatchService":
    """Return the batch service of a model.

    Raises:
        UsageError: if it has none.
    """
    if service is None:
        raise UsageError(f"{model!r} has no batch service; --engine openai-batch needs a model at an endpoint")
    return service
