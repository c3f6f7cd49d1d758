"""Send submissions to the batch service; whatever happens on the way, send none twice."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from planner.batch.ledger import Ledger
from planner.batch.parts import RECORDED, SUBMITTING, Part
from planner.batch.service.writing import part_file
from planner.errors import ModelError
from planner.openai_chat.remote import BatchState, Page, RemoteBatch
from planner.retrying import RetryPolicy, patiently

if TYPE_CHECKING:
    from planner.openai_chat.service import BatchService

log = logging.getLogger(__name__)

NO_ROOM: Final = "token_limit_exceeded"  # of all waiting requests; there is room when a batch has ended
# Seconds between checks for a batch that may have been created: a list may show it only after a while.
HESITATION: Final = (1.0, 2.0, 4.0)

_LISTS_NONE: Final = frozenset({404, 405, 501})
_UNDECIDED: Final = frozenset({408, 409})  # the service may still carry out the request
_NOT_FOUND: Final = 404


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)


@dataclass(frozen=True, slots=True)
class Manner:
    """Options for submitting: the retries of a failing call, and the seconds between checks for a batch that may exist.

    `again` permits submitting, and paying for, a batch once more if it is unknown whether the service has it.
    """

    patience: RetryPolicy
    hesitation: Sequence[float] = HESITATION
    again: bool = False


class Sender:
    """A sender that uploads submissions, creates their batches, and keeps the given open submissions up to date."""

    def __init__(
        self,
        folder: Path,
        run_id: str,
        ledger: Ledger,
        services: Mapping[str, "BatchService"],
        manner: Manner,
        open_parts: dict[int, Part],
    ) -> None:
        self._folder = folder
        self._run_id = run_id
        self._ledger = ledger
        self._services = services
        self._manner = manner
        self._open = open_parts
        # Submissions whose file the service may have though the ledger has no id of it; those whose file it surely has.
        self._perhaps_uploaded = {number for number, part in open_parts.items() if not part.file}
        self._surely_uploaded: set[int] = set()

    async def send(self, number: int) -> None:
        """Send an open submission; if the outcome of an earlier try is unknown, look for its batch first.

        Raises:
            ModelError: if the service does not accept it; it stays recorded.
            FileNotFoundError: if its file is gone; it has no batch.
        """
        await patiently(partial(self._try, number), self._manner.patience)

    async def _try(self, number: int) -> None:
        part = self._open[number]
        batch = await self._adopted(part) if part.state == SUBMITTING else None
        batch = batch or await self._created(number)
        if not batch.id:
            raise ModelError(f"{self._service(part).host} gave no id for the batch", retryable=True)
        await self._follow(replace(self._open[number], batch=batch.id, state=batch.said))
        log.info("batch %s: %d requests of part %d", batch.id, part.requests, number)

    async def _adopted(self, part: Part) -> RemoteBatch | None:
        """Return the batch that an earlier try or process created for a submission, None if there is none."""
        for pause in (0.0, *self._manner.hesitation):
            await asyncio.sleep(pause)
            if found := await self._listed(part):
                return min(found, key=lambda batch: batch.state is BatchState.FAILED)
        return None

    async def _listed(self, part: Part) -> list[RemoteBatch]:
        service = self._service(part)
        try:
            return [batch async for batch in self._every(service.batches) if self._is_of(part, batch)]
        except ModelError as error:
            if error.status not in _LISTS_NONE:
                raise
            if self._manner.again:
                return []
            raise ModelError(
                f"{service.host} lists no batches, so it is unknown whether it has the batch of {part.requests} "
                "requests whose submission was interrupted; to submit them again anyway: batch --retry-failed",
                status=error.status,
            ) from None

    def _is_of(self, part: Part, batch: RemoteBatch) -> bool:
        ours = self._metadata(part)
        told = all(batch.metadata.get(name) == value for name, value in ours.items())
        return (told or batch.input_file == part.file) and NO_ROOM not in batch.codes

    async def _created(self, number: int) -> RemoteBatch:
        part = await self._uploaded(number)
        await self._follow(part := replace(part, state=SUBMITTING))
        try:
            return await self._service(part).create(part.file, self._metadata(part))
        except ModelError as error:
            if not _is_refusal(error):
                raise
            named = error.status == _NOT_FOUND or part.file in error.body
            gone = named and number not in self._surely_uploaded
            await self._follow(replace(part, file="" if gone else part.file, state=RECORDED))
            if not gone:
                raise
        return await self._created(number)

    async def _uploaded(self, number: int) -> Part:
        """Upload the file of a submission if needed; return the submission with the id of its file."""
        part = self._open[number]
        if part.file:
            return part
        service, path = self._service(part), part_file(self._folder, number)
        name, size = f"{self._run_id}-{number:05}-{part.sha256[:16]}.jsonl", path.stat().st_size
        file = await self._known(service, name, size) if number in self._perhaps_uploaded else ""
        self._perhaps_uploaded.add(number)
        file = file or await service.upload(path, name)
        if not file:
            raise ModelError(f"{service.host} gave no id for the file", retryable=True)
        self._surely_uploaded.add(number)
        await self._follow(part := replace(part, file=file))
        return part

    async def _known(self, service: "BatchService", name: str, size: int) -> str:
        """Return the id of an uploaded file, "" if the service lists no such file or no files at all."""
        try:
            async for file in self._every(service.files):
                if file.name == name and file.size in (size, None) and not file.broken:
                    return file.id
        except ModelError as error:
            if error.status not in _LISTS_NONE:
                raise
        return ""

    async def _every(self, page: Callable[[str], Awaitable[Page[_Item]]]) -> AsyncIterator[_Item]:
        """Yield the items of a list, with retries for each page; stop at a page without a new item."""
        seen: set[str] = set()
        after, more = "", True
        while more:
            try:
                shown = await patiently(partial(page, after), self._manner.patience)
            except ModelError as error:
                error.retryable = False  # the caller must not read the whole list again
                raise
            fresh = [item for item in shown.items if item.id not in seen]
            for item in fresh:
                seen.add(item.id)
                yield item
            more = shown.more and bool(fresh)
            after = shown.items[-1].id if shown.items else ""

    async def _follow(self, part: Part) -> None:
        await self._ledger.parts.follow(part)
        self._open[part.number] = part

    def _metadata(self, part: Part) -> dict[str, str]:
        return {"ablation_planner_run": self._run_id, "part": str(part.number), "sha256": part.sha256}

    def _service(self, part: Part) -> "BatchService":
        return self._services[part.model]


def _is_refusal(error: ModelError) -> bool:
    """Return whether the service has surely not carried out the request."""
    return error.status is not None and 400 <= error.status < 500 and error.status not in _UNDECIDED
