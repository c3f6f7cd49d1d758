"""Write requests to files for a batch service, and submit each file only once.

A file is not submitted twice even if the program fails or is killed. Files are split at the limits of the service.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import RECORDED, SUBMITTING, Submission, UnansweredRequest
from planner.batch.run_folder import convert_os_errors
from planner.batch.service.services import PricedService, format_custom_id
from planner.chat import Prompt
from planner.errors import ModelError
from planner.models.openai_chat.batch_api import BatchService, BatchState, Page, RemoteBatch, RemoteItem
from planner.models.wrappers import RetryPolicy, call_with_retry

log = logging.getLogger(__name__)

# The error code for too many waiting tokens of the account; when a batch has ended, there is room again.
NO_ROOM_CODE: Final = "token_limit_exceeded"

_NOT_FOUND: Final = 404
_LIST_UNSUPPORTED: Final = frozenset({404, 405, 501})
# HTTP statuses after which the service may still carry out the request.
_AMBIGUOUS_STATUSES: Final = frozenset({408, 409})


@dataclass(frozen=True, slots=True)
class SubmissionLimits:
    """The limits of a file, in requests and bytes."""

    max_requests: int = 50_000
    max_bytes: int = 200_000_000

    def are_exceeded(self, request_count: int, size: int) -> bool:
        """Return whether a file of so many requests and bytes is too large."""
        return request_count > self.max_requests or size > self.max_bytes


SUBMISSION_LIMITS: Final = SubmissionLimits()


def build_submission_path(folder: Path, number: int) -> Path:
    """Return the path of the file with the requests of the submission `number`."""
    return folder / f"part-{number:05}.jsonl"


@dataclass(slots=True)
class _DraftFile:
    """A file of requests that is being written."""

    path: Path
    requests: dict[str, UnansweredRequest] = field(default_factory=dict)  # by their identity
    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def append_request(self, request: UnansweredRequest, line: bytes) -> None:
        with self.path.open("ab" if self.requests else "wb") as file:
            file.write(line)
        self.digest.update(line)
        self.size += len(line)
        self.requests[request.identity] = request


class RequestFileWriter:
    """A writer of requests to files; a full file is recorded in the ledger and then passed to `submit`.

    `max_cost` is the cost limit of the run in USD. `unaffordable_requests` counts the requests that were left out
    because they could exceed this limit.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        services: Mapping[str, PricedService],
        submit: Callable[[Submission], Awaitable[None]],
        *,
        max_cost: float | None = None,
        limits: SubmissionLimits = SUBMISSION_LIMITS,
    ) -> None:
        self.unaffordable_requests = 0
        self._folder = folder
        self._ledger = ledger
        self._services = services
        self._submit = submit
        self._max_cost = max_cost
        self._spent = ledger.sum_charges()
        self._limits = limits
        self._drafts: dict[str, _DraftFile] = {}
        self._lock = asyncio.Lock()

    async def add_request(self, request: UnansweredRequest, prompt: Prompt) -> None:
        """Write a request to the file of its model, unless a file already holds the request.

        Raises:
            RunError: if the run's folder or ledger cannot be written.
        """
        async with self._lock:
            model, identity = request.plan_task.model_key, request.identity
            is_in_draft = model in self._drafts and identity in self._drafts[model].requests
            if is_in_draft or self._ledger.submissions.is_request_submitted(identity):
                return
            max_cost = request.max_cost or 0.0
            if self._max_cost is not None and self._spent + max_cost > self._max_cost:
                self.unaffordable_requests += 1
                return
            self._spent += max_cost
            custom_id = format_custom_id(request.plan_task.entry.id, identity)
            line = self._services[model].service.format_request_line(custom_id, prompt)
            draft = await self._open_draft(model, len(line))
            with convert_os_errors(draft.path):
                draft.append_request(request, line)

    async def submit_partial_files(self) -> None:
        """Record and submit the files that are not full yet."""
        async with self._lock:
            for model in list(self._drafts):
                await self._submit_draft(model)

    async def _open_draft(self, model: str, size: int) -> _DraftFile:
        draft = self._drafts.get(model)
        if draft and self._limits.are_exceeded(len(draft.requests) + 1, draft.size + size):
            await self._submit_draft(model)
        if model not in self._drafts:
            with convert_os_errors(self._folder):
                self._folder.mkdir(exist_ok=True)
            self._drafts[model] = _DraftFile(self._folder / f"{[*self._services].index(model)}.draft")
        return self._drafts[model]

    async def _submit_draft(self, model: str) -> None:
        """Store the model's file on the disk, record the submission in the ledger, and submit the file."""
        draft = self._drafts.pop(model)
        number = self._ledger.submissions.find_next_number()
        submission = Submission(number, model, draft.digest.hexdigest(), len(draft.requests))
        with convert_os_errors(draft.path):
            await asyncio.to_thread(_store_durably, draft.path, build_submission_path(self._folder, number))
        await self._ledger.submissions.record_submission(submission, tuple(draft.requests.values()))
        await self._submit(submission)


def _store_durably(draft: Path, path: Path) -> None:
    with draft.open("r+b") as file:
        os.fsync(file.fileno())
    draft.replace(path)


@dataclass(frozen=True, slots=True)
class SubmissionRetryOptions:
    """The options for submitting files; `retry_policy` says how often a request to the service is repeated.

    After a failure it may be unknown whether the service created a batch. `lookup_pauses` are the seconds between the
    checks for this batch, since a list may not show a new batch at once. If the service cannot list its batches,
    `allow_resubmission` permits submitting the file again, although it may then be paid for twice.
    """

    retry_policy: RetryPolicy
    lookup_pauses: Sequence[float] = (1.0, 2.0, 4.0)
    allow_resubmission: bool = False


@dataclass(slots=True)
class BatchSubmitter:
    """A sender of submissions, which uploads files, creates batches and updates `open_submissions`."""

    folder: Path
    run_id: str
    ledger: Ledger
    services: Mapping[str, PricedService]
    options: SubmissionRetryOptions
    open_submissions: dict[int, Submission]
    # The numbers of submissions whose file may have been uploaded although the ledger has no id of the file, and of
    # those whose file was certainly uploaded.
    _perhaps_uploaded: set[int] = field(init=False)
    _surely_uploaded: set[int] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._perhaps_uploaded = {number for number, each in self.open_submissions.items() if not each.file_id}

    async def submit(self, number: int) -> None:
        """Send the submission `number`, unless an earlier try has created its batch already.

        Raises:
            ModelError: if the service does not accept the submission.
            FileNotFoundError: if the file of the submission is needed and missing.
        """
        await call_with_retry(partial(self._submit_once, number), self.options.retry_policy)

    async def update_submission(self, submission: Submission) -> None:
        """Record the state, file and batch of a submission in the ledger and in `open_submissions`."""
        await self.ledger.submissions.update_submission(submission)
        self.open_submissions[submission.number] = submission

    async def _submit_once(self, number: int) -> None:
        submission = self.open_submissions[number]
        batch = await self._find_batch(submission) if submission.state == SUBMITTING else None
        batch = batch or await self._create_batch(number)
        if not batch.id:
            raise ModelError(f"{self.services[submission.model].service.host} gave no id for the batch", retryable=True)
        await self.update_submission(replace(self.open_submissions[number], batch_id=batch.id, state=batch.state_name))
        log.info("batch %s: submitted %d requests as submission %d", batch.id, submission.request_count, number)

    async def _find_batch(self, submission: Submission) -> RemoteBatch | None:
        """Return the batch that an earlier try created for a submission, None if there is none."""
        for pause in (0.0, *self.options.lookup_pauses):
            await asyncio.sleep(pause)
            if batches := await self._list_batches(submission):
                return min(batches, key=lambda batch: batch.state is BatchState.FAILED)
        return None

    async def _list_batches(self, submission: Submission) -> list[RemoteBatch]:
        service = self.services[submission.model].service
        try:
            batches = self._list_items(service.list_batches)
            return [batch async for batch in batches if self._is_batch_of(submission, batch)]
        except ModelError as error:
            if error.status not in _LIST_UNSUPPORTED:
                raise
            if self.options.allow_resubmission:
                return []
            raise ModelError(
                f"{service.host} cannot list its batches, so it is unknown whether {submission.request_count} requests "
                "arrived there before the command was interrupted; `batch --retry-failed` submits them again, but "
                "then they may be paid for twice",
                status=error.status,
            ) from None

    def _is_batch_of(self, submission: Submission, batch: RemoteBatch) -> bool:
        metadata = self._build_metadata(submission)
        is_same_metadata = all(batch.metadata.get(name) == value for name, value in metadata.items())
        is_same_batch = is_same_metadata or batch.input_file_id == submission.file_id
        return is_same_batch and NO_ROOM_CODE not in batch.error_codes

    async def _create_batch(self, number: int) -> RemoteBatch:
        submission = replace(await self._upload_file(number), state=SUBMITTING)
        await self.update_submission(submission)
        service, file_id = self.services[submission.model].service, submission.file_id
        try:
            return await service.create_batch(file_id, self._build_metadata(submission))
        except ModelError as error:
            if not _is_definite_rejection(error):
                raise
            is_about_file = error.status == _NOT_FOUND or file_id in error.body
            is_file_gone = is_about_file and number not in self._surely_uploaded
            await self.update_submission(replace(submission, file_id="" if is_file_gone else file_id, state=RECORDED))
            if not is_file_gone:
                raise
        return await self._create_batch(number)

    async def _upload_file(self, number: int) -> Submission:
        """Upload the file of a submission unless it has been uploaded; return the submission with the file's id."""
        submission = self.open_submissions[number]
        if submission.file_id:
            return submission
        service, path = self.services[submission.model].service, build_submission_path(self.folder, number)
        name, size = f"{self.run_id}-{number:05}-{submission.sha256[:16]}.jsonl", path.stat().st_size
        file_id = await self._find_file(service, name, size) if number in self._perhaps_uploaded else ""
        self._perhaps_uploaded.add(number)
        file_id = file_id or await service.upload_file(path, name)
        if not file_id:
            raise ModelError(f"{service.host} gave no id for the file", retryable=True)
        self._surely_uploaded.add(number)
        submission = replace(submission, file_id=file_id)
        await self.update_submission(submission)
        return submission

    async def _find_file(self, service: BatchService, name: str, size: int) -> str:
        """Return the id of the uploaded file with this name and size, "" if the service lists no such file."""
        try:
            async for file in self._list_items(service.list_files):
                if file.name == name and file.size in (size, None) and not file.is_broken:
                    return file.id
        except ModelError as error:
            if error.status not in _LIST_UNSUPPORTED:
                raise
        return ""

    async def _list_items(self, fetch_page: Callable[[str], Awaitable[Page[RemoteItem]]]) -> AsyncIterator[RemoteItem]:
        """Yield the items on all pages that `fetch_page` returns; after an error, fetch the page again."""
        seen_ids: set[str] = set()
        last_id, has_more = "", True
        while has_more:
            try:
                page = await call_with_retry(partial(fetch_page, last_id), self.options.retry_policy)
            except ModelError as error:
                # The caller must not read the whole list again.
                error.retryable = False
                raise
            new_items = [item for item in page.items if item.id not in seen_ids]
            for item in new_items:
                seen_ids.add(item.id)
                yield item
            has_more = page.has_more and bool(new_items)
            last_id = page.items[-1].id if page.items else ""

    def _build_metadata(self, submission: Submission) -> dict[str, str]:
        return {"ablation_planner_run": self.run_id, "part": str(submission.number), "sha256": submission.sha256}


def _is_definite_rejection(error: ModelError) -> bool:
    """Return whether the service has certainly not carried out the request."""
    return error.status is not None and 400 <= error.status < 500 and error.status not in _AMBIGUOUS_STATUSES
