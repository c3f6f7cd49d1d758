"""What a run makes: each planning on record, its files beside; missing files are written anew from the ledger."""

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
    """The plannings of a run, kept as they end."""

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
        """Keep how the planning of a paper ended; `requests` are those that it needed, where all of them are known.

        Raises:
            RunError: the run's folder or ledger cannot be written.
        """
        asked = self._asked[work.model]
        if requests is None:
            used = (attempt.identity for attempt in planning.attempts)
            requests = self._ledger.requests_of(work.entry.id, work.model, used)
        sidecar = closed(opened(paper, asked.card, asked.settings), planning, requests)
        # The files go first: a planning on record then always has them, or they are missed at the next start.
        files = partial(self._write, sidecar, planning.trajectory)
        await self._ledger.settle(work, self._how[work.model], planning, sidecar, files)
        self._progress.ended(work.entry.id, planning.outcome, planning.reason)
        log.debug("%s: %s %s", work.entry.id, planning.outcome, planning.reason)

    async def keep_unreadable(self, work: Work, error: PaperError) -> None:
        """Keep why a paper could not be read."""
        paper = PaperHead(work.entry.id, work.entry.title, "", work.entry.source)
        await self.keep(work, paper, Planning(Outcome.PAPER_ERROR, reason=str(error)))

    async def restore(self) -> None:
        """Write the files that are missing anew, from the replies on record."""
        present = Present(self._run.trajectories)
        for paper, model, outcome in self._ledger.settled():
            asked = self._asked.get(model)
            if asked is None or present.has(asked.card, paper, trajectory=outcome is Outcome.PLANNED):
                continue
            sidecar = self._ledger.kept(paper, model)
            try:
                trajectory = trajectory_of(sidecar)
            except OutputError as error:
                self._progress.problems.append(f"{paper}: its reply gives no plan any more: {error}")
                continue
            await asyncio.to_thread(self._write, sidecar, trajectory)

    def _write(self, sidecar: Sidecar, trajectory: Trajectory | None) -> None:
        with telling(self._run.path):
            write_planning(self._run.trajectories, sidecar, trajectory)

    def begin_progress(self) -> None:
        """Tell how far earlier calls have come."""
        again = set(Outcome) - {Outcome.PLANNED} if self._retry_failed else UNSETTLED
        self._progress.total = self._ledger.total()
        self._progress.before = self._ledger.tally()
        for outcome in again:
            del self._progress.before[outcome]
