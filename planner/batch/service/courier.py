"""Follow the submissions of a run until their results are in the ledger."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from planner.batch.ledger import Ledger
from planner.batch.parts import COLLECTED, RECORDED, Part, Refusal
from planner.batch.progress import Progress
from planner.batch.service.results import Counterpart, Results
from planner.batch.service.sending import NO_ROOM, Manner, Sender
from planner.batch.service.writing import part_file
from planner.errors import ModelError
from planner.openai_chat.remote import BatchState, RemoteBatch
from planner.retrying import patiently

log = logging.getLogger(__name__)

# Further checks for a missing batch, or for a missing result file of an ended one, until it is taken as lost.
_LATE_LOOKS: Final = 3
_NOT_FOUND: Final = 404
# A submission that is alone at the service and finds no room this often is taken as too large.
_TOO_LARGE: Final = 3
_LARGEST: Final = "requests in a part"


class Courier:
    """A tracker of submissions; `open` holds, by number, those whose results are not all in the ledger.

    `strays` holds the numbers of submissions whose batch the service does not know, each with a message for the user.
    `largest` is the most requests that a submission may have, None unless the service refused one for its size.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        ledger: Ledger,
        desks: Mapping[str, Counterpart],
        progress: Progress,
        manner: Manner,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._services = {model: desk.service for model, desk in desks.items()}
        self._progress = progress
        self._manner = manner
        self.open = {part.number: part for part in ledger.parts.open() if part.model in desks}
        self.strays: dict[int, str] = {}
        self.largest = int(known) if (known := ledger.recall(_LARGEST)) else None
        self._sender = Sender(folder, run_id, ledger, self._services, manner, self.open)
        self._results = Results(ledger, desks, progress, manner.patience)
        self._looks: Counter[int] = Counter()
        self._refused_alone: Counter[int] = Counter()
        self._full = False  # true from when a batch finds no room until a batch ends
        self._careful = False
        self._warned: set[str] = set()

    @property
    def hopeless(self) -> str:
        """The service's error message if no further submission can succeed, otherwise ""."""
        return self._results.hopeless

    @property
    def under_way(self) -> list[Part]:
        """The submissions that have a batch which the service knows."""
        return [part for part in self.open.values() if part.batch and part.number not in self.strays]

    @property
    def waiting(self) -> list[Part]:
        """The submissions that are recorded and have no batch yet."""
        return [part for part in self.open.values() if not part.batch]

    @property
    def late(self) -> bool:
        """True if something that is missing may still appear by the next check."""
        return any(0 < self._looks[part.number] <= _LATE_LOOKS for part in self.under_way)

    async def submit(self, part: Part) -> None:
        """Submit a recorded submission, unless the service is full.

        Raises:
            ModelError: if the service does not accept it; it stays recorded.
        """
        self.open[part.number] = part
        if self._full and self.under_way:
            return
        try:
            await self._sender.send(part.number)
        except FileNotFoundError as error:
            why = Refusal(f"{error.filename} is gone; its requests are written again", again=True, tried=False)
            await self._close(self.open[part.number], why)
        self._show()

    async def submit_waiting(self) -> None:
        """Submit everything that is recorded and has no batch; one at a time after the service had no room.

        Raises:
            ModelError: if the service does not accept a submission.
        """
        for part in self.waiting[: 1 if self._careful else None]:
            await self.submit(part)

    async def look(self) -> bool:
        """Check every batch once and collect those that have ended; return whether there were any.

        Raises:
            ModelError: if the service does not answer.
        """
        ended = False
        for part in self.under_way:
            batch = await self._seen(part)
            if batch and self._has_ended(part, batch):
                ended |= await self._end(part, batch)
            elif batch and batch.said != part.state:
                await self._follow(replace(part, state=batch.said))
            self._show()
        return ended

    async def forget_strays(self) -> None:
        """Give up the batches that the service does not know; their requests may be submitted, and paid for, again."""
        for number in list(self.strays):
            why = Refusal("the service does not know the batch any more", again=True, perhaps_billed=True)
            await self._close(self.open[number], why)
            del self.strays[number]

    async def _seen(self, part: Part) -> RemoteBatch | None:
        """Return the batch of a submission in its present state, None if the service does not know it."""
        try:
            return await patiently(partial(self._services[part.model].batch, part.batch), self._manner.patience)
        except ModelError as error:
            if error.status != _NOT_FOUND:
                raise
            self._looks[part.number] += 1
            if self._looks[part.number] > _LATE_LOOKS:
                self.strays[part.number] = (
                    f"{self._services[part.model].host} does not know batch {part.batch}, with {part.requests} "
                    "requests: use the key and the project that it was submitted with, or give it up and submit its "
                    "requests again with: batch --retry-failed"
                )
            return None

    def _has_ended(self, part: Part, batch: RemoteBatch) -> bool:
        match batch.state:
            case BatchState.VALIDATING | BatchState.IN_PROGRESS | BatchState.FINALIZING | BatchState.CANCELLING:
                self._looks[part.number] = 0
                return False
            case BatchState.UNKNOWN:
                self._warn(f"batch {batch.id} is {batch.said!r}, which this program does not know; waiting for it")
                return False
            case BatchState.FAILED:
                return True
            case BatchState.COMPLETED | BatchState.EXPIRED | BatchState.CANCELLED:
                missing = (batch.completed and not batch.output_file) or (batch.failed and not batch.error_file)
                return not missing or self._is_given_up(part)
            case _:
                assert_never(batch.state)

    def _is_given_up(self, part: Part) -> bool:
        """Count one more check that found something missing; return whether that was the last one."""
        self._looks[part.number] += 1
        return self._looks[part.number] > _LATE_LOOKS

    async def _end(self, part: Part, batch: RemoteBatch) -> bool:
        """Collect a batch that has ended; return False if a result file is not there yet."""
        if batch.state is BatchState.FAILED and NO_ROOM in batch.codes:
            return await self._is_too_large(part, batch)
        gone = None
        for file in filter(None, (batch.output_file, batch.error_file)):
            try:
                await self._results.take(part, file)
            except ModelError as error:
                if error.status != _NOT_FOUND:
                    raise
                if not self._is_given_up(part):
                    return False
                gone = Refusal(f"its result file {file} is gone", again=True, perhaps_billed=True)
        await self._close(part, gone or _missing(batch))
        self._full = False
        return True

    async def _is_too_large(self, part: Part, batch: RemoteBatch) -> bool:
        """Queue a batch that had no room again; close one that is too large for smaller files, and return True."""
        log.info("batch %s: the service has no room for it now; it is submitted again later", batch.id)
        await self._follow(replace(part, batch="", state=RECORDED))
        self._full = self._careful = True
        if self.under_way or part.requests == 1:
            return False
        self._refused_alone[part.number] += 1
        if self._refused_alone[part.number] < _TOO_LARGE:
            return False
        self.largest = (part.requests + 1) // 2
        await self._ledger.remember(_LARGEST, str(self.largest))
        said = "; ".join(batch.problems[:1])
        why = f"the service has no room for so many at once ({said}); submitted again in files of {self.largest}"
        await self._close(self.open[part.number], Refusal(why, again=True, tried=False))
        return True

    async def _close(self, part: Part, why: Refusal) -> None:
        await self._results.give_up(part, why)
        await self._follow(replace(part, state=COLLECTED))
        del self.open[part.number]
        part_file(self._folder, part.number).unlink(missing_ok=True)

    async def _follow(self, part: Part) -> None:
        await self._ledger.parts.follow(part)
        self.open[part.number] = part

    def _warn(self, what: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            log.warning("%s", what)

    def _show(self) -> None:
        counts: Counter[str] = Counter()
        for part in self.open.values():
            counts[part.state] += part.requests
        self._progress.batches = counts


def _missing(batch: RemoteBatch) -> Refusal:
    if batch.state is BatchState.FAILED:
        problems = "; ".join(filter(None, batch.problems[:3])) or "the service does not say why"
        return Refusal(f"the batch failed before any request was made: {problems}", again=True)
    if batch.state is BatchState.COMPLETED:
        return Refusal("the results hold neither a reply nor an error", again=True, perhaps_billed=True)
    billed = bool(batch.completed) and not batch.output_file
    return Refusal(f"the batch was {batch.said} before the request was made", again=True, perhaps_billed=billed)
