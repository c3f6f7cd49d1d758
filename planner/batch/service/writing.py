"""Write requests to files for a batch service, split at its limits and never held in memory."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planner.batch.ledger import Ledger
from planner.batch.parts import Part, Wanted
from planner.batch.run import telling
from planner.batch.service.names import custom_id
from planner.chat import Prompt

if TYPE_CHECKING:
    from planner.openai_chat.service import BatchService

_DRAFT: Final = ".draft"


@dataclass(frozen=True, slots=True)
class PartLimits:
    """The limits of a file, in requests and bytes."""

    requests: int = 50_000
    size: int = 200_000_000


def part_file(folder: Path, number: int) -> Path:
    """Return the path of the file that holds the requests of a submission until its results are in."""
    return folder / f"part-{number:05}.jsonl"


@dataclass(slots=True)
class _Draft:
    """A file that is being written."""

    path: Path
    model: str
    wanted: list[Wanted] = field(default_factory=list)
    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def append(self, wanted: Wanted, line: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(line)
        self.digest.update(line)
        self.size += len(line)
        self.wanted.append(wanted)


class PartWriter:
    """A writer of requests to files; a full file is recorded in the ledger and then handed to `submit`.

    `most` is the most that the run may cost, in USD; `unaffordable` counts the requests left out because of it.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        services: Mapping[str, "BatchService"],
        submit: Callable[[Part], Awaitable[None]],
        *,
        most: float | None = None,
        limits: PartLimits | None = None,
    ) -> None:
        self.unaffordable = 0
        self._folder = folder
        self._ledger = ledger
        self._services = services
        self._submit = submit
        self._most = most
        self._spent = ledger.charged()
        self._limits = limits or PartLimits()
        self._drafts: dict[str, _Draft] = {}
        self._waiting: set[str] = set()
        self._turn = asyncio.Lock()

    async def take(self, wanted: Wanted, prompt: Prompt) -> None:
        """Write a request to the file of its model, unless it is in one already.

        Raises:
            RunError: if the run's folder or ledger cannot be written.
        """
        async with self._turn:
            if wanted.identity in self._waiting or self._ledger.parts.submitted(wanted.identity):
                return
            if not self._affords(wanted):
                self.unaffordable += 1
                return
            name = custom_id(wanted.work.entry.id, wanted.identity)
            line = self._services[wanted.work.model].line(name, prompt)
            draft = await self._room_for(wanted.work.model, len(line))
            self._waiting.add(wanted.identity)
            with telling(draft.path):
                draft.append(wanted, line)

    async def finish(self) -> None:
        """Record and hand on the files that are not full."""
        async with self._turn:
            for model in list(self._drafts):
                await self._close(model)

    def _affords(self, wanted: Wanted) -> bool:
        if self._most is None:
            return True
        if self._spent + (wanted.upper or 0.0) > self._most:
            return False
        self._spent += wanted.upper or 0.0
        return True

    async def _room_for(self, model: str, size: int) -> _Draft:
        draft = self._drafts.get(model)
        if draft and (len(draft.wanted) >= self._limits.requests or draft.size + size > self._limits.size):
            await self._close(model)
            draft = None
        if draft is None:
            path = self._folder / f"{len(self._drafts)}{_DRAFT}"
            with telling(path):
                self._folder.mkdir(exist_ok=True)
                path.unlink(missing_ok=True)
            draft = self._drafts[model] = _Draft(path, model)
        return draft

    async def _close(self, model: str) -> None:
        """Store the file safely on disk, then record it in the ledger, then hand it on: in this order."""
        draft = self._drafts.pop(model)
        part = Part(self._ledger.parts.next_number(), model, draft.digest.hexdigest(), len(draft.wanted))
        with telling(draft.path):
            await asyncio.to_thread(_make_durable, draft.path, part_file(self._folder, part.number))
        await self._ledger.parts.record(part, draft.wanted)
        self._waiting.difference_update(wanted.identity for wanted in draft.wanted)
        await self._submit(part)


def _make_durable(draft: Path, path: Path) -> None:
    handle = os.open(draft, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
