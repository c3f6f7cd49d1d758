"""Plan the papers of a run on this machine.

The engine reads papers in advance, sends requests as fast as the limits allow, and stores the results. Other engines
use `ResultRecorder` too. `estimate_remaining_requests` reads the papers and sends nothing.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from planner.batch.client import CostBudget, LedgerClient, RunState
from planner.batch.ledger.records import LatestResult
from planner.batch.ledger.store import UNFINISHED_OUTCOMES, Ledger
from planner.batch.manifest import PlanTask
from planner.batch.rate_limit import RateLimiter, RunStopped
from planner.batch.read_ahead import PaperWithPrompt, ReadAheadQueue, TaskWithPaper
from planner.batch.run_folder import RunFolder
from planner.batch.spec import BatchJob, RunLimits, RunModel
from planner.batch.status import Progress
from planner.chat import FixedTokenCounter, TokenCounter, Usage
from planner.errors import Outcome, PaperError, PlannerError, TooLongError
from planner.models.connect import log_request_host
from planner.models.pricing import UsagePrice
from planner.papers.paper import PaperInfo
from planner.planning.plan import PlanResult, plan_paper
from planner.planning.record import AttemptRecord, begin_record, finish_record
from planner.planning.strategies import STRATEGIES

# Papers that are read in advance; at least as many as are planned at once.
_READ_AHEAD_PAPERS: Final = 128
TYPICAL_REPLY_SECONDS: Final = 30.0  # seconds until the reply of a current model is complete


log = logging.getLogger(__name__)


class LocalEngine:
    """The engine that plans papers on this machine; `progress` counts the results."""

    def __init__(self, job: BatchJob, run: RunFolder, ledger: Ledger) -> None:
        self._job = job
        self._ledger = ledger
        self._failure: PlannerError | None = None
        self._run_models = job.models_by_key
        limits, max_wait = job.spec.limits, job.retry_policy.max_wait
        limiters = {key: RateLimiter(limits.concurrency, limits.rpm, limits.tpm, max_wait) for key in self._run_models}
        self.progress = Progress(rate_limiters=[*limiters.values()])
        self._state = RunState(job, ledger, self.progress, CostBudget(limits.max_cost, ledger.sum_charges()), limiters)
        self._recorder = ResultRecorder(job, run, ledger, self.progress)

    async def plan_papers(self) -> None:
        """Plan papers until all have a result, a limit is reached, or `stop` is called.

        Raises:
            RunError: if the run's folder or ledger cannot be written; earlier records are safe.
            PromptError: if a prompt template is faulty.
        """
        limits = self._job.spec.limits
        await self._recorder.record_corpus_and_restore_files()
        pending = _limit_papers(
            self._ledger.iterate_pending_tasks(retry_failed=self._job.spec.retry_failed), limits.max_papers
        )
        wanted = min(self.progress.remaining, (limits.max_papers or self.progress.remaining) * len(self._run_models))
        if not wanted:
            return
        for model in self._run_models.values():
            log_request_host(model.client)
        at_once = min(limits.concurrency * len(self._run_models), wanted)
        readers, max_ahead = self._job.make_readers(wanted), max(_READ_AHEAD_PAPERS, at_once)
        async with ReadAheadQueue(pending, self._run_models, readers=readers, max_ahead=max_ahead) as papers:
            # Meanwhile the reader processes start, and read the first papers.
            await asyncio.gather(*(asyncio.to_thread(model.client.warm_up) for model in self._run_models.values()))
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(self._plan_until_done(papers))
        if self._failure:
            raise self._failure

    def stop(self, reason: str) -> None:
        """Send no more requests; the requests in flight still finish, and their replies are stored."""
        self._state.stop_new_requests(reason)

    async def _plan_until_done(self, papers: AsyncIterator[TaskWithPaper]) -> None:
        while not self.progress.stop_reason:
            try:
                with self._state.cancel_task_on_stop():
                    read = await anext(papers, None)
                if read is None:
                    return
                await self._plan_one(read)
            except RunStopped:
                return
            except PlannerError as error:
                # The error is about the whole run, so all tasks end, but requests in flight are paid for and finish.
                self._failure = self._failure or error
                self.stop(str(error))

    async def _plan_one(self, item: TaskWithPaper) -> None:
        plan_task, paper, started = item.plan_task, item.paper_or_error, datetime.now(UTC)
        if isinstance(paper, PaperError):
            await self._recorder.record_unreadable_paper(plan_task, paper)
            return
        choose_sample_number = partial(self._ledger.choose_sample_number, retry_failed=self._job.spec.retry_failed)
        run_model = self._run_models[plan_task.model_key]
        model = LedgerClient(self._state, run_model, plan_task, paper.read_result.paper)
        result = await plan_paper(paper, model, run_model.settings, choose_sample_number, FixedTokenCounter())
        await self._recorder.record_result(plan_task, paper.info, result, model.attempt_records_if_sent_here, started)
        if result.outcome is Outcome.BUDGET:
            self.stop(result.reason)


def _limit_papers(pending: Iterator[PlanTask], max_papers: int | None) -> Iterator[PlanTask]:
    """Yield the tasks of the first `max_papers` papers, or all tasks if `max_papers` is None."""
    begun: set[str] = set()
    for plan_task in pending:
        begun.add(plan_task.entry.id)
        if max_papers is not None and len(begun) > max_papers:
            return
        yield plan_task


class ResultRecorder:
    """A recorder that stores the results of papers in the run's ledger and files."""

    def __init__(self, job: BatchJob, run: RunFolder, ledger: Ledger, progress: Progress) -> None:
        self._job = job
        self._run = run
        self._ledger = ledger
        self._progress = progress
        self._run_models = job.models_by_key

    async def record_corpus_and_restore_files(self) -> None:
        """Record the papers and models of the command, write missing files, and count earlier results in the progress.

        Raises:
            RunError: if the run's folder or ledger cannot be used.
        """
        models = [run_model.ledger_model for run_model in self._job.models]
        await self._ledger.begin_command(self._job.models[0].settings.task, self._job.corpus.entries, models)
        infos = {key: run_model.info for key, run_model in self._run_models.items()}
        for paper, model in self._run.iterate_results_without_files(infos, self._ledger.iterate_results()):
            problem = self._run.restore_plan_files(self._ledger.reader.load_latest_record(paper, model))
            self._progress.last_problems += filter(None, [problem])
            await asyncio.sleep(0)  # so that signals are handled meanwhile
        self._progress.total_results = self._ledger.count_expected_results()
        self._progress.earlier_outcomes = self._ledger.count_outcomes()
        for outcome in _list_outcomes_to_repeat(self._job):
            del self._progress.earlier_outcomes[outcome]

    async def record_result(
        self,
        plan_task: PlanTask,
        paper_info: PaperInfo,
        result: PlanResult,
        attempt_records: Sequence[AttemptRecord] | None = None,
        started: datetime | None = None,
    ) -> None:
        """Record the result of a paper.

        `attempt_records` are the requests that the paper needed; if None, they are read from the ledger. `started` is
        the time at which planning the paper began; if None, the time of the first request is used.

        Raises:
            RunError: if the run's folder or ledger cannot be written.
        """
        run_model = self._run_models[plan_task.model_key]
        if attempt_records is None:
            used = (attempt.identity for attempt in result.attempts)
            attempt_records = self._ledger.list_requests(plan_task.entry.id, plan_task.model_key, used)
        started = started or min((attempt.started for attempt in attempt_records), default=None)
        begun = begin_record(paper_info, run_model.info, run_model.settings, started=started)
        record = finish_record(begun, result, attempt_records)
        # The files are written first, so that a recorded result has its files; the next command writes missing files.
        files = partial(self._run.write_plan_files, record, result.trajectory)
        await self._ledger.record_result(plan_task, run_model.ledger_model.settings_hash, result, record, files)
        self._progress.record_result(plan_task.entry.id, result.outcome, result.reason)
        log.debug("%s: %s %s", plan_task.entry.id, result.outcome, result.reason)

    async def record_unreadable_paper(self, plan_task: PlanTask, error: PaperError) -> None:
        """Record why a paper could not be read."""
        paper = PaperInfo(plan_task.entry.id, plan_task.entry.title, "", plan_task.entry.source)
        await self.record_result(plan_task, paper, PlanResult(Outcome.PAPER_ERROR, reason=str(error)))


def _list_outcomes_to_repeat(job: BatchJob) -> Set[Outcome]:
    return set(Outcome) - {Outcome.PLANNED} if job.spec.retry_failed else set(UNFINISHED_OUTCOMES)


@dataclass(slots=True)
class ModelEstimate:
    """The requests and tokens that a command will probably need for its papers, with one model.

    `paper_errors` are the errors of papers that cannot be planned. `finished_paper_count` counts the papers that
    already have a result; the other fields leave these papers out.
    """

    model: RunModel
    compute_cost: UsagePrice
    limits: RunLimits
    paper_count: int = 0
    request_count: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    paper_errors: list[str] = field(default_factory=list)
    finished_paper_count: int = 0

    @property
    def cost(self) -> float | None:
        """The estimated cost of the requests in USD, None if no price is known."""
        return self.compute_cost(Usage(self.prompt_tokens, self.reply_tokens))

    @property
    def seconds(self) -> float:
        """The estimated time in seconds that the requests take under the limits of the command."""
        waits = [
            self.request_count * TYPICAL_REPLY_SECONDS / self.limits.concurrency if self.model.client.host else 0.0
        ]
        if self.limits.rpm:
            waits.append(60 * self.request_count / self.limits.rpm)
        if self.limits.tpm:
            waits.append(60 * (self.prompt_tokens + self.reply_tokens) / self.limits.tpm)
        return max(waits)

    def add_paper(self, paper: PaperWithPrompt | PaperError) -> None:
        """Add the requests and tokens of a paper, or the error if its prompt could not be built.

        Raises:
            PromptError: if a prompt template is faulty.
        """
        paper_prompt = paper if isinstance(paper, PaperError) else paper.built_prompt_or_error
        if isinstance(paper_prompt, PaperError | TooLongError):
            self.paper_errors.append(str(paper_prompt))
        elif isinstance(paper_prompt, PlannerError):
            raise paper_prompt
        else:
            self.paper_count += 1
            strategy = STRATEGIES[self.model.settings.strategy]
            estimate = strategy.estimate(TokenCounter().count_prompt(paper_prompt.prompt))
            self.request_count += estimate.requests
            self.prompt_tokens += estimate.prompt_tokens
            self.reply_tokens += estimate.reply_tokens


async def estimate_remaining_requests(
    job: BatchJob, earlier_results: Mapping[tuple[str, str], LatestResult]
) -> list[ModelEstimate]:
    """Read the papers and estimate the requests to each model.

    `earlier_results` are the results of earlier commands, by (paper, model). Papers with a result are not estimated.
    Papers that could not be read are read again.

    Raises:
        PromptError: if a prompt template is faulty.
    """
    models = job.models_by_key
    estimates = {
        key: ModelEstimate(
            model,
            model.client.compute_batch_request_cost if job.spec.uses_batch_service else model.client.compute_cost,
            job.spec.limits,
        )
        for key, model in models.items()
    }
    outcomes_to_repeat, left = {Outcome.PAPER_ERROR, *_list_outcomes_to_repeat(job)}, list[PlanTask]()
    for entry, (key, model) in itertools.product(job.corpus.entries, models.items()):
        last = earlier_results.get((entry.id, key))
        current = (model.ledger_model.settings_hash, entry.change_mark)
        if last is None or (last.settings_hash, last.change_mark) != current or last.outcome in outcomes_to_repeat:
            left.append(PlanTask(entry, key))
        else:
            estimates[key].finished_paper_count += 1
    tasks, readers = _limit_papers(iter(left), job.spec.limits.max_papers), job.make_readers(max(1, len(left)))
    async with ReadAheadQueue(tasks, models, readers=readers, max_ahead=8) as papers:
        async for item in papers:
            estimates[item.plan_task.model_key].add_paper(item.paper_or_error)
    return list(estimates.values())
