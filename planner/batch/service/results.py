"""Name requests for a batch service, and record their results in the ledger.

A name consists of the paper's id and the beginning of the request's hash, by which the request is found again.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import RequestFailure, Submission, SubmittedRequest
from planner.batch.status import Progress
from planner.chat import Completion
from planner.errors import ModelError, UsageError
from planner.models.connect import ModelClient
from planner.models.openai_chat.batch_api import BatchService
from planner.models.pricing import UsagePrice
from planner.models.wrappers import RetryPolicy, call_with_retry

log = logging.getLogger(__name__)

# Results that are committed together.
_COMMIT_SIZE: Final = 200
_ACCOUNT_ERRORS: Final = frozenset({401, 402})
# Characters of the longest name that all services accept.
_MAX_LENGTH: Final = 64
# Hexadecimal digits of an identity that a name holds, 128 bits, so that no two names are the same.
_IDENTITY_DIGITS: Final = 32
_MAX_PAPER_LENGTH: Final = _MAX_LENGTH - _IDENTITY_DIGITS - 1
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_CUSTOM_ID: Final = re.compile(rf"(?s:.*)-([0-9a-f]{{{_IDENTITY_DIGITS}}})")


def format_custom_id(paper_id: str, identity: str) -> str:
    """Return the name of a request: the paper's id and the beginning of the request's hash (`identity`)."""
    return f"{_UNSAFE.sub('_', paper_id)[:_MAX_PAPER_LENGTH]}-{identity[:_IDENTITY_DIGITS]}"


def parse_identity_prefix(custom_id: str) -> str:
    """Return the beginning of the request's hash in a name, "" if this program did not make the name."""
    match = _CUSTOM_ID.fullmatch(custom_id)
    return match[1] if match else ""


class PricedService(NamedTuple):
    """The batch service of a model; `compute_cost` takes a token count and returns its price there in USD."""

    service: BatchService
    compute_cost: UsagePrice


def require_batch_service(client: ModelClient) -> BatchService:
    """Return the batch service of a model.

    Raises:
        UsageError: if the model has no batch service.
    """
    if client.batch_service is None:
        raise UsageError(
            f"{client.info.asked!r} has no batch service; --engine openai-batch needs a model at an endpoint"
        )
    return client.batch_service


@dataclass(slots=True)
class ResultCollector:
    """A collector that records the results of submissions in the ledger.

    `fatal_error` is the service's message if every further submission would fail, as when the key is wrong; else "".
    """

    ledger: Ledger
    services: Mapping[str, PricedService]
    progress: Progress
    retry_policy: RetryPolicy
    fatal_error: str = ""

    async def collect_result_file(self, submission: Submission, file_id: str) -> None:
        """Download a file of results and record the results; if the download breaks, begin it again.

        Raises:
            ModelError: if the file cannot be downloaded.
        """
        collect = partial(self._collect_file_once, submission, file_id)
        if unknown_lines := await call_with_retry(collect, self.retry_policy):
            log.warning("skipped %d lines of file %s, which answer no request of the batch", unknown_lines, file_id)

    async def _collect_file_once(self, submission: Submission, file_id: str) -> int:
        """Download a file and record its results; return the number of lines that answer no submitted request."""
        service, unknown_lines = self.services[submission.model].service, 0
        results: dict[SubmittedRequest, Completion | ModelError] = {}
        async with aclosing(service.download_lines(file_id)) as lines:
            async for line in lines:
                answer = service.parse_result_line(line)
                prefix = parse_identity_prefix(answer.custom_id) if answer else ""
                request = self.ledger.submissions.find_submitted_request(submission, prefix) if prefix else None
                if answer is None or request is None:
                    unknown_lines += 1
                elif not request.has_reply and not isinstance(results.get(request), Completion):
                    results[request] = answer.result
                if len(results) >= _COMMIT_SIZE:
                    await self._record_results(submission.model, results)
        await self._record_results(submission.model, results)
        return unknown_lines

    async def _record_results(self, model: str, results: dict[SubmittedRequest, Completion | ModelError]) -> None:
        await asyncio.gather(*(self._record_result(model, *item) for item in results.items()))
        results.clear()

    async def _record_result(self, model: str, request: SubmittedRequest, result: Completion | ModelError) -> None:
        if isinstance(result, ModelError):
            await self.ledger.submissions.record_request_failure(request.attempt_number, self._convert_error(result))
            return
        cost = self.services[model].compute_cost(result.usage)
        charged = request.max_cost if cost is None else cost
        await self.ledger.record_reply(request.attempt_number, request.identity, result, cost, charged)
        self.progress.record_reply(result.usage, cost)

    def _convert_error(self, error: ModelError) -> RequestFailure:
        rejection = RequestFailure.from_error(error)
        if error.exhausted or error.status in _ACCOUNT_ERRORS:
            self.fatal_error = str(error)
            return replace(rejection, again=True)
        return rejection
