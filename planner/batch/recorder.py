"""Record the result of each paper and write its files; write missing files again from the ledger."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from planner.batch.ledger.store import UNFINISHED_OUTCOMES, Ledger
from planner.batch.manifest import PlanTask
from planner.batch.progress import Progress
from planner.batch.run_folder import RunFolder, report_os_errors
from planner.batch.spec import BatchJob
from planner.errors import Outcome, OutputError, PaperError
from planner.papers.paper import PaperInfo
from planner.planning.output import WrittenFiles, rebuild_trajectory, write_record
from planner.planning.plan import PlanResult
from planner.planning.record import AttemptRecord, PlanRecord, close_record, open_record
from planner.trajectory.format import Trajectory

log = logging.getLogger(__name__)


class ResultRecorder:
    """The recorder of the results of a run."""

    def __init__(self, job: BatchJob, run: RunFolder, ledger: Ledger, progress: Progress) -> None:
        self._retry_failed = job.retry_failed
        self._run = run
        self._ledger = ledger
        self._progress = progress
        records = [(asked.ledger_model, asked) for asked in job.models]
        self._clients = {record.key: asked for record, asked in records}
        self._settings_hashes = {record.key: record.settings_hash for record, _ in records}

    async def record_result(
        self,
        plan_task: PlanTask,
        paper_info: PaperInfo,
        result: PlanResult,
        attempt_records: Sequence[AttemptRecord] | None = None,
    ) -> None:
        """Record the result of a paper; `attempt_records` are all that it needed, None to look them up in the ledger.

        Raises:
            RunError: if the run's folder or ledger cannot be written.
        """
        asked = self._clients[plan_task.model]
        if attempt_records is None:
            used = (attempt.identity for attempt in result.attempts)
            attempt_records = self._ledger.list_requests(plan_task.entry.id, plan_task.model, used)
        sidecar = close_record(open_record(paper_info, asked.info, asked.settings), result, attempt_records)
        # The files go first, so that a recorded result has its files; the next start writes those that are missing.
        files = partial(self._write_files, sidecar, result.trajectory)
        await self._ledger.record_result(plan_task, self._settings_hashes[plan_task.model], result, sidecar, files)
        self._progress.record_result(plan_task.entry.id, result.outcome, result.reason)
        log.debug("%s: %s %s", plan_task.entry.id, result.outcome, result.reason)

    async def record_unreadable_paper(self, plan_task: PlanTask, error: PaperError) -> None:
        """Record why a paper could not be read."""
        paper = PaperInfo(plan_task.entry.id, plan_task.entry.title, "", plan_task.entry.source)
        await self.record_result(plan_task, paper, PlanResult(Outcome.PAPER_ERROR, reason=str(error)))

    async def restore_files(self) -> None:
        """Write the files that are missing, from the replies in the ledger."""
        present = WrittenFiles(self._run.trajectory_folder)
        for paper, model, outcome in self._ledger.list_results():
            asked = self._clients.get(model)
            if asked is None or present.has_files(asked.info, paper, trajectory=outcome is Outcome.PLANNED):
                continue
            sidecar = self._ledger.load_record(paper, model)
            try:
                trajectory = rebuild_trajectory(sidecar)
            except OutputError as error:
                self._progress.problems.append(f"{paper}: its reply can no longer be read as a plan: {error}")
                continue
            await asyncio.to_thread(self._write_files, sidecar, trajectory)

    def _write_files(self, record: PlanRecord, trajectory: Trajectory | None) -> None:
        with report_os_errors(self._run.path):
            write_record(self._run.trajectory_folder, record, trajectory, durable=False)

    def load_earlier_progress(self) -> None:
        """Add the results of earlier calls to the progress."""
        again = set(Outcome) - {Outcome.PLANNED} if self._retry_failed else UNFINISHED_OUTCOMES
        self._progress.total_results = self._ledger.count_expected_results()
        self._progress.earlier_outcomes = self._ledger.count_outcomes()
        for outcome in again:
            del self._progress.earlier_outcomes[outcome]
