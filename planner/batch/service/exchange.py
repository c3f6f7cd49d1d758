"""Plan a run with files that the user exchanges with a batch service or with another program.

vLLM's `run-batch` reads and writes files of requests and results in the same format.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import RequestFailure, UnansweredRequest
from planner.batch.run_folder import RunFolder, convert_os_errors
from planner.batch.service.engine import ReplayPlanner
from planner.batch.service.services import format_custom_id, parse_identity_prefix, require_batch_service
from planner.batch.service.submit import SUBMISSION_LIMITS
from planner.batch.spec import BatchJob
from planner.batch.status import Progress
from planner.chat import Completion, Prompt
from planner.errors import ModelError
from planner.files import require_regular_file
from planner.models.connect import ModelClient
from planner.models.openai_chat.batch_api import BatchService
from planner.models.openai_chat.stream import MAX_REPLY_BYTES
from planner.models.prompt_files import PromptFiles
from planner.names import sanitize_file_name
from planner.planning.record import create_attempt_record

log = logging.getLogger(__name__)

# Requests or results that are recorded together.
_COMMIT_SIZE: Final = 500


@dataclass(slots=True)
class ImportReport:
    """The counts of an import of results; `unknown_lines` answer no request that the run has exported."""

    new_replies: int = 0
    known_replies: int = 0
    unknown_lines: int = 0
    needed_requests: int = 0
    failure_reasons: list[str] = field(default_factory=list)

    def describe(self) -> Iterator[str]:
        """Yield the counts as sentences."""
        yield f"{self.new_replies} replies imported, {self.known_replies} were already recorded"
        if self.failure_reasons:
            yield f"{len(self.failure_reasons)} requests failed, such as: {self.failure_reasons[0]}"
        if self.unknown_lines:
            yield f"{self.unknown_lines} lines answer no request that this run has exported, and were skipped"
        if self.needed_requests:
            yield f"{self.needed_requests} further requests are needed; export the requests again"


async def export_unanswered_requests(
    job: BatchJob, run: RunFolder, ledger: Ledger, target_path: Path
) -> list[tuple[Path, int]]:
    """Write the requests without a reply to files; return (file, number of requests) for each file.

    With one model the first file is `target_path`. The names of other files are built from `target_path`.

    Raises:
        RunError: if the run or the target cannot be written.
    """
    services = {key: require_batch_service(model.client) for key, model in job.models_by_key.items()}
    exporter = _RequestExporter(target_path, ledger, services)
    await ReplayPlanner(job, run, ledger, Progress()).plan_papers_or_handle_requests(exporter.add_request)
    await exporter.record_requests()
    return list(exporter.request_counts.items())


async def import_results_and_plan(
    job: BatchJob, run: RunFolder, ledger: Ledger, result_files: Sequence[Path]
) -> ImportReport:
    """Record the results from `result_files` in the ledger, and finish the papers that now have all their replies.

    Raises:
        RunError: if the run cannot be written.
        OSError: if a file cannot be read.
    """
    report = ImportReport()
    importer = _ResultImporter(ledger, {key: model.client for key, model in job.models_by_key.items()}, report)
    for path in result_files:
        require_regular_file(path)
        with path.open("rb") as file:
            # A line that is longer than any reply is split.
            for line in iter(partial(file.readline, MAX_REPLY_BYTES), b""):
                if line.strip():
                    await importer.add_result(line)
    await importer.commit_results()

    async def count_request(_: UnansweredRequest, __: Prompt) -> None:
        report.needed_requests += 1

    await ReplayPlanner(job, run, ledger, Progress()).plan_papers_or_handle_requests(count_request)
    return report


class _RequestExporter:
    """A writer of requests to files; a file has requests to one model, within the limits of a batch service."""

    def __init__(self, target: Path, ledger: Ledger, services: Mapping[str, BatchService]) -> None:
        self.request_counts: Counter[Path] = Counter()  # by the file
        self._target = target / "requests.jsonl" if target.is_dir() else target
        self._ledger = ledger
        self._services = services
        self._sizes: Counter[Path] = Counter()  # bytes
        self._current_files: dict[str, Path] = {}  # by the model
        self._identities: set[str] = set()
        self._unrecorded: list[UnansweredRequest] = []

    async def add_request(self, request: UnansweredRequest, prompt: Prompt) -> None:
        if request.identity in self._identities:
            return
        self._identities.add(request.identity)
        custom_id = format_custom_id(request.plan_task.entry.id, request.identity)
        line = self._services[request.plan_task.model_key].format_request_line(custom_id, prompt)
        with convert_os_errors(self._target):
            self._write_line(request.plan_task.model_key, line)
        self._unrecorded.append(request)
        if len(self._unrecorded) >= _COMMIT_SIZE:
            await self.record_requests()

    async def record_requests(self) -> None:
        """Record the exported requests in the ledger."""
        requests, self._unrecorded = self._unrecorded, []
        await self._ledger.submissions.record_exported_requests(requests)

    def _write_line(self, model: str, line: bytes) -> None:
        path = self._current_files.get(model)
        if path is None or SUBMISSION_LIMITS.are_exceeded(self.request_counts[path] + 1, self._sizes[path] + len(line)):
            path = self._current_files[model] = self._choose_path(model)
        with path.open("ab" if self.request_counts[path] else "wb") as file:
            file.write(line)
        self.request_counts[path] += 1
        self._sizes[path] += len(line)

    def _choose_path(self, model: str) -> Path:
        model_part = f"-{sanitize_file_name(model.replace('/', '_'))}" if len(self._services) > 1 else ""
        stem = f"{self._target.stem}{model_part}"
        earlier_files = sum(path.name.startswith(stem) for path in self.request_counts)
        number_part = f"-{earlier_files + 1}" if earlier_files else ""
        return self._target.with_name(f"{stem}{number_part}{self._target.suffix or '.jsonl'}")


@dataclass(frozen=True, slots=True)
class _ResultImporter:
    """A reader of lines with results; `pending_results` holds (model, result) by the hash of the request."""

    ledger: Ledger
    models: dict[str, ModelClient]
    report: ImportReport
    pending_results: dict[str, tuple[str, Completion | ModelError]] = field(default_factory=dict)

    async def add_result(self, line: bytes) -> None:
        answer = require_batch_service(next(iter(self.models.values()))).parse_result_line(line)
        prefix = answer and parse_identity_prefix(answer.custom_id)
        request = prefix and self.ledger.submissions.find_request(prefix)
        if not answer or not request or request[1] not in self.models:
            self.report.unknown_lines += 1
            return
        identity, model, has_reply = request
        if has_reply or isinstance(self.pending_results.get(identity, ("", None))[1], Completion):
            self.report.known_replies += 1
            return
        self.pending_results[identity] = model, answer.result
        if len(self.pending_results) >= _COMMIT_SIZE:
            await self.commit_results()

    async def commit_results(self) -> None:
        """Record all pending results in the ledger together."""
        await asyncio.gather(
            *(self._record_result(identity, *pending) for identity, pending in self.pending_results.items())
        )
        self.pending_results.clear()

    async def _record_result(self, identity: str, model: str, result: Completion | ModelError) -> None:
        number = await self.ledger.submissions.record_external_attempt(identity)
        if isinstance(result, Completion):
            cost = self.models[model].compute_batch_request_cost(result.usage)
            await self.ledger.record_reply(number, identity, result, cost, cost)
            self.report.new_replies += 1
        else:
            await self.ledger.submissions.record_request_failure(number, RequestFailure.from_error(result))
            self.report.failure_reasons.append(str(result))


class PromptReplyFileEngine:
    """An engine that reads replies from files. If a prompt has no reply yet, it writes the prompt to a file."""

    def __init__(self, job: BatchJob, run: RunFolder, ledger: Ledger) -> None:
        self.progress = Progress()
        self._run = run
        self._ledger = ledger
        self._models = job.models_by_key
        self._replanner = ReplayPlanner(job, run, ledger, self.progress)
        self._files = PromptFiles(job.spec.prompt_folders)
        self._turn = asyncio.Lock()

    async def plan_papers(self) -> None:
        """Plan the papers that have all their replies, and write the next prompt of each other paper.

        Raises:
            RunError: if the run's folder or ledger, or the file of a prompt, cannot be written.
            PromptError: if a prompt template is faulty.
        """
        await self._replanner.recorder.record_corpus_and_restore_files()
        await self._replanner.plan_papers_or_handle_requests(self._find_reply)

    def stop(self, reason: str) -> None:
        """Plan no further paper."""
        self.progress.stop_reason = self.progress.stop_reason or reason
        self._replanner.is_stopped = True

    async def _find_reply(self, request: UnansweredRequest, prompt: Prompt) -> Completion | None:
        """Return the reply in the ledger or in a file, None if there is none; record a reply from a file."""
        async with self._turn:
            if (reply := self._ledger.reader.find_reply(request.identity)) is None:
                reply = self._read_reply(request, prompt)
                if reply is not None:
                    attempt = create_attempt_record(request.identity, prompt)
                    number = await self._ledger.record_request(request.plan_task, attempt, 0.0)
                    await self._ledger.record_reply(number, request.identity, reply, 0.0, 0.0)
                    self.progress.record_reply(reply.usage, 0.0)
            self.progress.unanswered_prompts = len(self._files.unanswered_identities)
        return reply

    def _read_reply(self, request: UnansweredRequest, prompt: Prompt) -> Completion | None:
        paper_id, info = request.plan_task.entry.id, self._models[request.plan_task.model_key].info
        try:
            with convert_os_errors(self._run.path):
                return self._files.find_reply_or_write_prompt(info, paper_id, prompt)
        except ModelError as error:
            log.warning("%s: %s", paper_id, error)
            return None
