"""Record the result of each paper and write its files; write missing files again from the ledger."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from planner.batch.entry import Work
from planner.batch.files import Present, trajectory_of, write_planning
from planner.batch.job import Job
from planner.batch.ledger import UNSETTLED, Ledger
from planner.batch.progress import Progress
from planner.batch.run import RunFolder, telling
from planner.errors import Outcome, OutputError, PaperError
from planner.papers.paper import PaperHead
from planner.pipeline import Planning
from planner.sidecar import AttemptFacts, Sidecar, closed, opened
from planner.trajectory.document import Trajectory

log = logging.getLogger(__name__)


class Products:
    """The recorder of the results of a run."""

    def __init__(self, job: Job, run: RunFolder, ledger: Ledger, progress: Progress) -> None:
        self._retry_failed = job.retry_failed
        self._run = run
        self._ledger = ledger
        self._progress = progress
        records = [(asked.record, asked) for asked in job.models]
        self._asked = {record.key: asked for record, asked in records}
        self._how = {record.key: record.asked for record, _ in records}

    async def keep(
        self, work: Work, paper: PaperHead, planning: Planning, requests: Sequence[AttemptFacts] | None = None
    ) -> None:
        """Record the result of a paper; `requests` are all that it needed, None to look them up in the ledger.

        Raises:
            RunError: if the run's folder or ledger cannot be written.
        """
        asked = self._asked[work.model]
        if requests is None:
            used = (attempt.identity for attempt in planning.attempts)
            requests = self._ledger.requests_of(work.entry.id, work.model, used)
        sidecar = closed(opened(paper, asked.card, asked.settings), planning, requests)
        # The files go first, so that a recorded result has its files; the next start writes those that are missing.
        files = partial(self._write, sidecar, planning.trajectory)
        await self._ledger.settle(work, self._how[work.model], planning, sidecar, files)
        self._progress.ended(work.entry.id, planning.outcome, planning.reason)
        log.debug("%s: %s %s", work.entry.id, planning.outcome, planning.reason)

    async def keep_unreadable(self, work: Work, error: PaperError) -> None:
        """Record why a paper could not be read."""
        paper = PaperHead(work.entry.id, work.entry.title, "", work.entry.source)
        await self.keep(work, paper, Planning(Outcome.PAPER_ERROR, reason=str(error)))

    async def restore(self) -> None:
        """Write the files that are missing, from the replies in the ledger."""
        present = Present(self._run.trajectories)
        for paper, model, outcome in self._ledger.settled():
            asked = self._asked.get(model)
            if asked is None or present.has(asked.card, paper, trajectory=outcome is Outcome.PLANNED):
                continue
            sidecar = self._ledger.kept(paper, model)
            try:
                trajectory = trajectory_of(sidecar)
            except OutputError as error:
                self._progress.problems.append(f"{paper}: its reply can no longer be read as a plan: {error}")
                continue
            await asyncio.to_thread(self._write, sidecar, trajectory)

    def _write(self, sidecar: Sidecar, trajectory: Trajectory | None) -> None:
        with telling(self._run.path):
            write_planning(self._run.trajectories, sidecar, trajectory)

    def begin_progress(self) -> None:
        """Add the results of earlier calls to the progress."""
        again = set(Outcome) - {Outcome.PLANNED} if self._retry_failed else UNSETTLED
        self._progress.total = self._ledger.total()
        self._progress.before = self._ledger.tally()
        for outcome in again:
            del self._progress.before[outcome]
