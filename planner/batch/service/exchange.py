"""Export requests to files and import their results: for a batch service used by hand, or for vLLM's run-batch."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from planner.batch.job import Asked, Job
from planner.batch.ledger import Ledger
from planner.batch.parts import SHARE, Refusal, Wanted
from planner.batch.products import Products
from planner.batch.progress import Progress
from planner.batch.run import RunFolder, telling
from planner.batch.service.engine import service_of
from planner.batch.service.names import custom_id, identity_in
from planner.batch.service.survey import Survey
from planner.batch.service.writing import PartLimits
from planner.chat import Completion, Prompt
from planner.errors import ModelError
from planner.openai_chat.arrival import LARGEST
from planner.trajectory.paths import safe_segment

_TOGETHER: Final = 500  # requests or results that are recorded in one go


@dataclass(slots=True)
class Imported:
    """The counts of an import: new and known replies, failed requests, lines of no request, requests still needed."""

    replies: int = 0
    known: int = 0
    failed: int = 0
    strange: int = 0
    wanted: int = 0
    reasons: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the counts as sentences."""
        yield f"{self.replies} replies imported, {self.known} were already recorded"
        if self.failed:
            yield f"{self.failed} requests failed, such as: {self.reasons[0]}"
        if self.strange:
            yield f"{self.strange} lines answer no request that this run has exported, and were skipped"
        if self.wanted:
            yield f"{self.wanted} further requests are needed; export them again"


async def export_requests(
    job: Job, run: RunFolder, ledger: Ledger, target: Path, limits: PartLimits | None = None
) -> list[tuple[Path, int]]:
    """Write the requests that a run needs to `target`; return the files and the number of requests in each.

    Requests that do not fit into one file, and those to further models, go to files with similar names.

    Raises:
        RunError: if the run or the target cannot be written.
    """
    products = Products(job, run, ledger, Progress())
    writer = _Exporter(target, ledger, job.models, limits or PartLimits())
    await Survey(job, ledger, products, once=False, share=SHARE).run(writer.take)
    await writer.finish()
    return writer.files


async def import_results(job: Job, run: RunFolder, ledger: Ledger, files: Sequence[Path]) -> Imported:
    """Record results in the ledger, and finish the papers that now have all their replies.

    Raises:
        RunError: if the run cannot be written.
        OSError: if a file cannot be read.
    """
    imported = Imported()
    importer = _Importer(ledger, {asked.record.key: asked for asked in job.models}, imported)
    for path in files:
        with path.open("rb") as file:
            for line in _lines(file):
                await importer.take(line)
    await importer.finish()

    async def count(_: Wanted, __: Prompt) -> None:
        imported.wanted += 1

    products = Products(job, run, ledger, Progress())
    await Survey(job, ledger, products, once=False, share=SHARE).run(count)
    return imported


class _Exporter:
    """A writer of requests to files, each for one model and within the limits of a batch service."""

    def __init__(self, target: Path, ledger: Ledger, models: Sequence[Asked], limits: PartLimits) -> None:
        self.files: list[tuple[Path, int]] = []
        self._target = target / "requests.jsonl" if target.is_dir() else target
        self._ledger = ledger
        self._services = {asked.record.key: service_of(asked.service, asked.card.asked) for asked in models}
        self._limits = limits
        self._at: dict[str, tuple[int, int]] = {}  # by model: the index of its file in `files`, and its size
        self._seen: set[str] = set()
        self._unnamed: list[Wanted] = []

    async def take(self, wanted: Wanted, prompt: Prompt) -> None:
        if wanted.identity in self._seen:
            return
        self._seen.add(wanted.identity)
        line = self._services[wanted.work.model].line(custom_id(wanted.work.entry.id, wanted.identity), prompt)
        with telling(self._target):
            self._write(wanted.work.model, line)
        self._unnamed.append(wanted)
        if len(self._unnamed) >= _TOGETHER:
            await self.finish()

    async def finish(self) -> None:
        """Record in the ledger the requests that were written."""
        together, self._unnamed = self._unnamed, []
        await self._ledger.parts.name(together)

    def _write(self, model: str, line: bytes) -> None:
        number, size = self._at.get(model, (-1, 0))
        full = number >= 0 and (self.files[number][1] >= self._limits.requests or size + len(line) > self._limits.size)
        if number < 0 or full:
            number, size = len(self.files), 0
            self.files.append((self._path(model), 0))
        path, requests = self.files[number]
        with path.open("ab" if requests else "wb") as file:
            file.write(line)
        self.files[number] = path, requests + 1
        self._at[model] = number, size + len(line)

    def _path(self, model: str) -> Path:
        several = f"-{safe_segment(model.replace('/', '_'))}" if len(self._services) > 1 else ""
        earlier = sum(path.name.startswith(f"{self._target.stem}{several}") for path, _ in self.files)
        more = f"-{earlier + 1}" if earlier else ""
        return self._target.with_name(f"{self._target.stem}{several}{more}{self._target.suffix or '.jsonl'}")


@dataclass(frozen=True, slots=True)
class _Importer:
    ledger: Ledger
    asked: dict[str, Asked]
    imported: Imported
    together: dict[str, tuple[str, Completion | ModelError]] = field(
        default_factory=dict
    )  # by identity: its model and its result

    async def take(self, line: bytes) -> None:
        service = next(iter(self.asked.values()))
        answer = service_of(service.service, service.card.asked).read(line)
        beginning = identity_in(answer.custom_id) if answer else ""
        request = self.ledger.parts.request(beginning) if beginning else None
        if answer is None or request is None or request[1] not in self.asked:
            self.imported.strange += 1
            return
        identity, model, replied = request
        if replied or isinstance(self.together.get(identity, ("", None))[1], Completion):
            self.imported.known += 1
            return
        self.together[identity] = model, answer.result
        if len(self.together) >= _TOGETHER:
            await self.finish()

    async def finish(self) -> None:
        """Commit the pending results all at once, so that they wait for the disk once."""
        await asyncio.gather(*(self._keep(identity, *found) for identity, found in self.together.items()))
        self.together.clear()

    async def _keep(self, identity: str, model: str, result: Completion | ModelError) -> None:
        number = await self.ledger.parts.import_attempt(identity)
        if isinstance(result, Completion):
            live = self.asked[model].price(result.usage)
            cost = None if live is None else live * SHARE
            await self.ledger.commit(number, identity, result, cost, cost)
            self.imported.replies += 1
        else:
            await self.ledger.parts.refuse([(number, Refusal.of(result))])
            self.imported.failed += 1
            self.imported.reasons.append(str(result))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that are not blank; a line longer than any reply can be comes in pieces, none valid."""
    while line := file.readline(LARGEST):
        if line.strip():
            yield line
