"""Looks after the parts of a run from their submission until their results are in the ledger."""

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

# How often what should be there is looked for again: the files of a batch that has ended, or the batch itself.
_LATE_LOOKS: Final = 3
_NOT_FOUND: Final = 404
# How often a part alone finds no room until it is taken for too large.
_TOO_LARGE: Final = 3
_LARGEST: Final = "requests in a part"


class Courier:
    """Carries the parts of a run; `open` are those whose results are not all in the ledger.

    `strays` are parts whose batches the service does not know, with what it says; `largest` is how many requests a part
    may hold, None where the service has not refused any for its size.
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
        self._full = False  # since a batch found no room, until one ends
        self._careful = False
        self._warned: set[str] = set()

    @property
    def hopeless(self) -> str:
        """What the service said when nothing more is worth submitting."""
        return self._results.hopeless

    @property
    def under_way(self) -> list[Part]:
        """The parts that the service has, and answers for."""
        return [part for part in self.open.values() if part.batch and part.number not in self.strays]

    @property
    def waiting(self) -> list[Part]:
        """The parts that are on record and not at the service."""
        return [part for part in self.open.values() if not part.batch]

    @property
    def late(self) -> bool:
        """Whether something is missing that may be there at the next look."""
        return any(0 < self._looks[part.number] <= _LATE_LOOKS for part in self.under_way)

    async def submit(self, part: Part) -> None:
        """Submit a part that is on record, unless the service is full.

        Raises:
            ModelError: the service does not take it; the part stays on record.
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
        """Submit what is on record and not at the service yet; one at a time once there was no room.

        Raises:
            ModelError: the service does not take it.
        """
        for part in self.waiting[: 1 if self._careful else None]:
            await self.submit(part)

    async def look(self) -> bool:
        """Look once at every part, and collect those that have ended; whether there were any.

        Raises:
            ModelError: the service does not answer.
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
        """Give up the batches that the service does not know: their requests may be submitted, and paid for, again."""
        for number in list(self.strays):
            why = Refusal("the service does not know the batch any more", again=True, perhaps_billed=True)
            await self._close(self.open[number], why)
            del self.strays[number]

    async def _seen(self, part: Part) -> RemoteBatch | None:
        """The batch of a part as it is now, None where the service does not know it."""
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
                self._warn(f"batch {batch.id} is {batch.said!r}, which this program does not know; it is waited for")
                return False
            case BatchState.FAILED:
                return True
            case BatchState.COMPLETED | BatchState.EXPIRED | BatchState.CANCELLED:
                missing = (batch.completed and not batch.output_file) or (batch.failed and not batch.error_file)
                return not missing or self._is_given_up(part)
            case _:
                assert_never(batch.state)

    def _is_given_up(self, part: Part) -> bool:
        """Whether what is not there has been looked for often enough, this time included."""
        self._looks[part.number] += 1
        return self._looks[part.number] > _LATE_LOOKS

    async def _end(self, part: Part, batch: RemoteBatch) -> bool:
        """Collect a batch that has ended; False where a file is not there yet."""
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
                gone = Refusal(f"file {file} of its results is gone", again=True, perhaps_billed=True)
        await self._close(part, gone or _missing(batch))
        self._full = False
        return True

    async def _is_too_large(self, part: Part, batch: RemoteBatch) -> bool:
        """Submit again later what had no room; what has none though nothing else is there goes in smaller files."""
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
        why = f"there is no room for so many at once ({said}); they go in files of {self.largest}"
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
