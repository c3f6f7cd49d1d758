"""Parts go to the batch service and their results come back; whatever happens between, nothing goes twice."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from planner.batch.job import UsagePrice
from planner.batch.ledger import Ledger
from planner.batch.parts import COLLECTED, RECORDED, Part, Refusal, Submitted
from planner.batch.progress import Progress
from planner.batch.service.names import identity_in
from planner.batch.service.writing import part_file
from planner.chat import Completion, Usage
from planner.errors import ModelError
from planner.openai_chat.service import BatchService, BatchState, RemoteBatch
from planner.retrying import RetryPolicy, patiently

log = logging.getLogger(__name__)

_TOGETHER: Final = 200  # results that are committed at once
_LATE_LOOKS: Final = 3  # how often a finished batch is looked at again while its output file is not there yet
_NOT_FOUND: Final = 404
_NO_ROOM: Final = "token_limit_exceeded"  # of all that may wait at the service; there is room when a batch has ended
_LISTS_NONE: Final = frozenset({404, 405, 501})
_HOPELESS: Final = frozenset({401, 402})


@dataclass(frozen=True, slots=True)
class Counterpart:
    """Where the parts of one model go; a reply costs there `share` of what it costs when it is asked live."""

    service: BatchService
    price: UsagePrice
    share: float

    def cost(self, usage: Usage) -> float | None:
        """USD of one reply, None where no price is known."""
        live = self.price(usage)
        return None if live is None else live * self.share


class Courier:
    """Carries the parts of a run; `open` are those whose results are not all in the ledger.

    `hopeless` is what the service said when nothing more is worth submitting: a wrong key, an empty account.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        ledger: Ledger,
        desks: Mapping[str, Counterpart],
        progress: Progress,
        patience: RetryPolicy,
    ) -> None:
        self._folder = folder
        self._run_id = run_id
        self._ledger = ledger
        self._desks = desks
        self._progress = progress
        self._patience = patience
        self.open = {part.number: part for part in ledger.parts.open()}
        self.hopeless = ""
        # Parts that the service may know although the ledger names no batch of theirs.
        self._doubtful = {number for number, part in self.open.items() if not part.batch}
        self._without_room: set[int] = set()
        self._looks: Counter[int] = Counter()
        self._warned: set[str] = set()

    async def submit(self, part: Part) -> None:
        """Submit a part that is on record.

        Raises:
            ModelError: the service does not take it; the part stays on record.
        """
        self.open[part.number] = part
        await patiently(partial(self._submit, part.number), self._patience)
        self._show()

    async def submit_waiting(self) -> None:
        """Submit what is on record and not at the service yet.

        Raises:
            ModelError: the service does not take it.
        """
        for part in [part for part in self.open.values() if not part.batch]:
            full = part.number in self._without_room and any(other.batch for other in self.open.values())
            if not full:
                await self.submit(part)

    async def look(self) -> bool:
        """Look once at every part, and collect those that have ended; whether there were any.

        Raises:
            ModelError: the service does not answer, or knows nothing of a batch.
        """
        ended = False
        for part in [part for part in self.open.values() if part.batch]:
            batch = await patiently(partial(self._service(part).batch, part.batch), self._patience)
            if self._has_ended(part, batch):
                await self._end(part, batch)
                ended = True
            elif batch.said != part.state:
                await self._follow(replace(part, state=batch.said))
            self._show()
        return ended

    async def _submit(self, number: int) -> None:
        """One try; after it nobody can tell what has reached the service, so the next one looks."""
        part = self.open[number]
        doubtful = number in self._doubtful
        self._doubtful.add(number)
        batch = await self._adopted(part) if doubtful else None
        if batch is None:
            part = await self._uploaded(part, doubtful)
            batch = await self._service(part).create(part.file, self._metadata(part))
        if not batch.id:
            raise ModelError(f"{self._service(part).host} named no batch", retryable=True)
        await self._follow(replace(part, batch=batch.id, state=batch.said))
        self._doubtful.discard(number)
        log.info("batch %s: %d requests of part %d", batch.id, part.requests, number)

    async def _adopted(self, part: Part) -> RemoteBatch | None:
        """The batch of a part that an earlier try, or an earlier process, has created."""
        found = [
            batch
            async for batch in self._service(part).batches()
            if self._is_of(part, batch) and _NO_ROOM not in batch.codes
        ]
        return min(found, key=lambda batch: batch.state is BatchState.FAILED, default=None)

    def _is_of(self, part: Part, batch: RemoteBatch) -> bool:
        ours = self._metadata(part)
        told = all(batch.metadata.get(name) == value for name, value in ours.items())
        return told or (bool(part.file) and batch.input_file == part.file)

    async def _uploaded(self, part: Part, doubtful: bool) -> Part:
        """The part with the file that it has at the service."""
        if part.file:
            return part
        service, name = self._service(part), f"{self._run_id}-{part.number:05}-{part.sha256[:16]}.jsonl"
        file = ""
        if doubtful:
            file = await _known(service, name)
        file = file or await service.upload(part_file(self._folder, part.number), name)
        if not file:
            raise ModelError(f"{service.host} named no file", retryable=True)
        part = replace(part, file=file)
        await self._follow(part)
        return part

    def _metadata(self, part: Part) -> dict[str, str]:
        return {"ablation_planner_run": self._run_id, "part": str(part.number), "sha256": part.sha256}

    def _has_ended(self, part: Part, batch: RemoteBatch) -> bool:
        match batch.state:
            case BatchState.VALIDATING | BatchState.IN_PROGRESS | BatchState.FINALIZING | BatchState.CANCELLING:
                return False
            case BatchState.UNKNOWN:
                self._warn(f"batch {batch.id} is {batch.said!r}, which this program does not know; it is waited for")
                return False
            case BatchState.FAILED:
                return True
            case BatchState.COMPLETED | BatchState.EXPIRED | BatchState.CANCELLED:
                self._looks[part.number] += 1
                return bool(batch.output_file) or not batch.completed or self._looks[part.number] > _LATE_LOOKS
            case _:
                assert_never(batch.state)

    async def _end(self, part: Part, batch: RemoteBatch) -> None:
        if batch.state is BatchState.FAILED and _NO_ROOM in batch.codes:
            self._without_room.add(part.number)
            log.info("batch %s: the service has no room for it now; it is submitted again later", batch.id)
            await self._follow(replace(part, batch="", state=RECORDED))
            return
        for file in filter(None, (batch.output_file, batch.error_file)):
            await self._fetch(part, batch, file)
        await self._give_up_the_rest(part, batch)
        await self._follow(replace(part, state=COLLECTED))
        del self.open[part.number]
        self._without_room.clear()
        part_file(self._folder, part.number).unlink(missing_ok=True)

    async def _fetch(self, part: Part, batch: RemoteBatch, file: str) -> None:
        """Take what is in a file; what breaks on the way is fetched again from its start."""
        try:
            await patiently(partial(self._take, part, file), self._patience)
        except ModelError as error:
            if error.status != _NOT_FOUND:
                raise
            self._warn(f"batch {batch.id}: its file {file} is gone: {error}")

    async def _take(self, part: Part, file: str) -> None:
        service, strange = self._service(part), 0
        results: dict[Submitted, Completion | ModelError] = {}
        async with aclosing(service.lines(file)) as lines:
            async for line in lines:
                answer = service.read(line)
                beginning = identity_in(answer.custom_id) if answer else ""
                asked = self._ledger.parts.attempt(part, beginning) if beginning else None
                if answer is None or asked is None:
                    strange += 1
                elif not asked.replied and not isinstance(results.get(asked), Completion):
                    results[asked] = answer.result
                if len(results) >= _TOGETHER:
                    await self._keep(part, results)
        await self._keep(part, results)
        if strange:
            self._warn(f"{strange} lines of file {file} answer none of its requests and were passed over")

    async def _keep(self, part: Part, results: dict[Submitted, Completion | ModelError]) -> None:
        """Commit what has come, before anything looks into it."""
        refusals = []
        kept = []
        for asked, result in results.items():
            if isinstance(result, Completion):
                kept.append(self._commit(part, asked, result))
            else:
                refusals.append((asked.number, self._refusal(result)))
        await asyncio.gather(*kept)
        await self._ledger.parts.refuse(refusals)
        results.clear()

    async def _commit(self, part: Part, asked: Submitted, completion: Completion) -> None:
        cost = self._desks[part.model].cost(completion.usage)
        charged = asked.upper if cost is None else cost
        await self._ledger.commit(asked.number, asked.identity, completion, cost, charged)
        self._progress.paid(completion.usage, cost)

    def _refusal(self, error: ModelError) -> Refusal:
        refusal = Refusal.of(error)
        if error.exhausted or error.status in _HOPELESS:
            self.hopeless = str(error)
            return replace(refusal, again=True)
        return refusal

    async def _give_up_the_rest(self, part: Part, batch: RemoteBatch) -> None:
        """Whatever has no result by now has none: why, and whether it may have been billed."""
        why = _missing(batch)
        together: list[tuple[int, Refusal]] = []
        count = 0
        for number in self._ledger.parts.unanswered(part):
            together.append((number, why))
            count += 1
            if len(together) >= _TOGETHER:
                await self._ledger.parts.refuse(together)
                together = []
        await self._ledger.parts.refuse(together)
        if count:
            log.warning("batch %s: %d of %d requests: %s", batch.id, count, part.requests, why.message)

    async def _follow(self, part: Part) -> None:
        await self._ledger.parts.follow(part)
        self.open[part.number] = part

    def _service(self, part: Part) -> BatchService:
        return self._desks[part.model].service

    def _warn(self, what: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            log.warning("%s", what)

    def _show(self) -> None:
        counts: Counter[str] = Counter()
        for part in self.open.values():
            counts[part.state] += part.requests
        self._progress.batches = counts


async def _known(service: BatchService, name: str) -> str:
    """The id of an input file by its name, "" where there is none; a service that lists no files gets it once more."""
    try:
        return next((id_ for named, id_ in [item async for item in service.files()] if named == name), "")
    except ModelError as error:
        if error.status in _LISTS_NONE:
            return ""
        raise


def _missing(batch: RemoteBatch) -> Refusal:
    if batch.state is BatchState.FAILED:
        problems = "; ".join(filter(None, batch.problems[:3])) or "the service does not say why"
        return Refusal(f"the batch failed before any request was made: {problems}", again=True)
    if batch.state is BatchState.COMPLETED:
        return Refusal("the results hold neither a reply nor an error", again=True, perhaps_billed=True)
    billed = bool(batch.completed) and not batch.output_file
    return Refusal(f"the batch was {batch.said} before the request was made", again=True, perhaps_billed=billed)
