"""Send the requests of a run to a model, within its limits, unless the ledger has the reply already."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from planner.batch.ledger.store import Ledger
from planner.batch.manifest import PlanTask
from planner.batch.rate_limit import HTTP_TOO_MANY_REQUESTS, RateLimiter, RequestSlot, RunStopped, estimate_rough_tokens
from planner.batch.spec import ASSUMED_REPLY_TOKENS, BatchJob, RunModel
from planner.batch.status import Progress
from planner.chat import REUSED_NOTE, Completion, Prompt, Usage
from planner.errors import BudgetExceeded, ModelError
from planner.models.pricing import format_usd
from planner.models.wrappers import RetryingModel, log_wait
from planner.papers.paper import Paper
from planner.planning.record import AttemptRecord, create_attempt_record

# Tokens that an endpoint may add to a prompt; those that it adds to a message are covered by the message's JSON.
_PROMPT_OVERHEAD_TOKENS: Final = 64
# HTTP statuses of timeouts and proxies: the endpoint may still have done the work, and billed it.
_POSSIBLY_BILLED_STATUSES: Final = frozenset({408, 504, 522, 524})
# HTTP statuses that every paper would get: a wrong key, an account without money, a model that does not exist.
_FATAL_STATUSES: Final = frozenset({401, 402, 404})
_FIRST_ERROR_STATUS: Final = 400


def compute_max_prompt_tokens(prompt: Prompt) -> int:
    """Return an upper limit for the tokens of a prompt: one for each byte, and some that the endpoint may add."""
    return len(prompt.messages_json) + _PROMPT_OVERHEAD_TOKENS


@dataclass(slots=True)
class CostReservation:
    """Money that is reserved for one request. The caller sets `charged_cost` to its cost in USD (None is no cost)."""

    charged_cost: float | None = None


class CostBudget:
    """The money that a run may spend: `limit` is in USD, None for no limit.

    `spent` is the sum of all charges in USD, including those of earlier commands on the run. A request in flight counts
    at its highest cost.
    """

    def __init__(self, limit: float | None, spent: float = 0.0) -> None:
        self._limit = float("inf") if limit is None else limit
        self.spent = spent
        self._reserved = 0.0
        self._reservation_count = 0
        self._released = asyncio.Condition()

    @asynccontextmanager
    async def reserve_cost(self, max_cost: float | None) -> AsyncIterator[CostReservation]:
        """Reserve `max_cost` USD for one request within the block; then add the real charge to `spent`.

        If the other requests in flight have reserved too much of the limit, wait until some of them end.

        Raises:
            BudgetExceeded: if the request could exceed the limit.
        """
        await self._wait_and_reserve(max_cost or 0.0)
        reservation = CostReservation()
        try:
            yield reservation
        finally:
            self.spent += reservation.charged_cost or 0.0
            async with self._released:
                self._reservation_count -= 1
                # Rounding may leave a tiny sum, and a request would wait for ever until it is released.
                self._reserved = self._reserved - (max_cost or 0.0) if self._reservation_count else 0.0
                self._released.notify_all()

    async def _wait_and_reserve(self, max_cost: float) -> None:
        async with self._released:
            await self._released.wait_for(
                lambda: self._can_never_fit(max_cost) or self.spent + self._reserved + max_cost <= self._limit
            )
            if self._can_never_fit(max_cost):
                raise BudgetExceeded(
                    f"--max-cost {self._limit:g} is too low for the next request: it can cost up to "
                    f"{format_usd(max_cost)} with the longest reply, and {format_usd(self.spent)} is spent; "
                    "raise --max-cost, or limit replies with --max-tokens"
                )
            self._reserved += max_cost
            self._reservation_count += 1

    def _can_never_fit(self, max_cost: float) -> bool:
        return self.spent + max_cost > self._limit


@dataclass(slots=True)
class RunState:
    """The state that all papers of a running command share; `rate_limiters` holds one limiter for each model."""

    job: BatchJob
    ledger: Ledger
    progress: Progress
    budget: CostBudget
    rate_limiters: Mapping[str, RateLimiter]
    futures_by_request_identity: dict[str, "asyncio.Future[None]"] = field(default_factory=dict)
    _waiting_tasks: set["asyncio.Task[Any]"] = field(default_factory=set)

    def stop_new_requests(self, reason: str) -> None:
        """Send no more requests, and cancel the tasks that wait; requests in flight still finish."""
        if not self.progress.stop_reason:
            self.progress.stop_reason = reason
            for rate_limiter in self.rate_limiters.values():
                rate_limiter.refuse_further_requests()
            for task in self._waiting_tasks:
                task.cancel()

    @contextmanager
    def cancel_task_on_stop(self) -> Iterator[None]:
        """Cancel the current task if the run is stopped within the block."""
        task = _get_current_task()
        self._waiting_tasks.add(task)
        try:
            yield
        finally:
            self._waiting_tasks.discard(task)

    @contextmanager
    def keep_task_on_stop(self) -> Iterator[None]:
        """Within the block the current task has a request in flight, and goes on if the run is stopped."""
        task = _get_current_task()
        self._waiting_tasks.discard(task)
        try:
            yield
        finally:
            self._waiting_tasks.add(task)


class LedgerClient:
    """A model client for one paper, which takes replies from the ledger and sends only requests without a reply."""

    def __init__(self, state: RunState, run_model: RunModel, plan_task: PlanTask, paper: Paper | None) -> None:
        self.info = run_model.info
        self._state = state
        self._sender = _RequestSender(state, run_model, plan_task, paper)
        on_wait = partial(log_wait, level=logging.DEBUG)
        self._retrying_model = RetryingModel(self._sender, state.job.retry_policy, on_wait=on_wait)
        self._has_sent_all = not plan_task.has_earlier_requests

    @property
    def attempt_records_if_sent_here(self) -> tuple[AttemptRecord, ...] | None:
        """The requests that the paper needed, oldest first; None if another client or command sent some of them."""
        return tuple(self._sender.attempt_records.values()) if self._has_sent_all else None

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the reply from the ledger; if there is none, send the request.

        Raises:
            RunStopped: if the run is being stopped, or if the endpoint cannot be reached.
        """
        state, identity = self._state, self.info.identify_request(prompt)
        while True:
            if (reply := state.ledger.reader.find_reply(identity)) is not None:
                self._has_sent_all = False
                return replace(reply, notes=(*reply.notes, REUSED_NOTE))
            if (same_request := state.futures_by_request_identity.get(identity)) is None:
                break
            with state.cancel_task_on_stop():
                await asyncio.shield(same_request)
        request_ended = state.futures_by_request_identity[identity] = asyncio.get_running_loop().create_future()
        try:
            with state.cancel_task_on_stop():
                return await self._retrying_model.complete(prompt)
        except ModelError as error:
            if error.is_sent:
                raise
            # Every paper would have this error, so the papers stay pending.
            state.stop_new_requests(str(error))
            raise RunStopped from error
        finally:
            del state.futures_by_request_identity[identity]
            request_ended.set_result(None)


class _RequestSender:
    """A model client that sends each request, and records the request and the reply in the ledger."""

    def __init__(self, state: RunState, run_model: RunModel, plan_task: PlanTask, paper: Paper | None) -> None:
        self.info = run_model.info
        self.attempt_records: dict[str, AttemptRecord] = {}
        self._state = state
        self._model = run_model.make_paper_model(paper)
        self._compute_cost = run_model.client.compute_cost
        self._rate_limiter = state.rate_limiters[plan_task.model_key]
        self._plan_task = plan_task
        self._failed_prompt: Prompt | None = None
        self._failed_at = 0.0
        self._waited = 0.0  # seconds that the prompt has waited, between its requests too

    async def complete(self, prompt: Prompt) -> Completion:
        """Wait until the limits allow the request; then record the request and send it."""
        is_repeated = prompt is self._failed_prompt
        self._waited = self._waited + time.monotonic() - self._failed_at if is_repeated else 0.0
        reply_tokens = self._state.job.spec.max_reply_tokens or ASSUMED_REPLY_TOKENS
        max_cost = self._compute_cost(Usage(compute_max_prompt_tokens(prompt), reply_tokens))
        async with (
            self._state.budget.reserve_cost(max_cost) as reservation,
            self._rate_limiter.acquire_slot(estimate_rough_tokens(prompt), self._waited) as slot,
        ):
            self._waited += slot.paused_seconds
            with self._state.keep_task_on_stop():
                reservation.charged_cost = max_cost
                request = create_attempt_record(self.info.identify_request(prompt), prompt)
                number = await self._state.ledger.record_request(self._plan_task, request, max_cost)
                self.attempt_records.setdefault(request.identity, request)
                return await self._send_recorded(prompt, number, request.identity, slot, reservation)

    async def _send_recorded(
        self, prompt: Prompt, number: int, identity: str, slot: RequestSlot, reservation: CostReservation
    ) -> Completion:
        state = self._state
        try:
            completion = await self._model.complete(prompt)
        except ModelError as error:
            error.paused = slot.paused_seconds
            self._failed_prompt, self._failed_at = prompt, time.monotonic()
            may_be_billed = _may_be_billed(error)
            reservation.charged_cost = reservation.charged_cost if may_be_billed else 0.0
            await state.ledger.record_failure(number, str(error), may_be_billed=may_be_billed)
            self._handle_error(error, slot)
            raise
        self._rate_limiter.record_success(slot, completion.usage, completion.limits)
        cost = self._compute_cost(completion.usage)
        reservation.charged_cost = reservation.charged_cost if cost is None else cost
        await state.ledger.record_reply(number, identity, completion, cost, reservation.charged_cost)
        update = {"completion": completion, "cost": cost}
        self.attempt_records[identity] = self.attempt_records[identity].model_copy(update=update)
        state.progress.record_reply(completion.usage, cost)
        return completion

    def _handle_error(self, error: ModelError, slot: RequestSlot) -> None:
        """Pause all requests if the endpoint asks for it; stop the run if every paper would have the error."""
        if error.exhausted or error.status in _FATAL_STATUSES:
            self._state.stop_new_requests(str(error))
            raise RunStopped from error
        if error.status == HTTP_TOO_MANY_REQUESTS:
            if (error.retry_after or 0.0) > self._state.job.retry_policy.max_wait:
                self._state.stop_new_requests(
                    f"{error}; the requested pause of {error.retry_after:.0f} s exceeds --max-wait"
                )
                raise RunStopped from error
            self._rate_limiter.record_rate_limit_error(slot, error.retry_after)


def _may_be_billed(error: ModelError) -> bool:
    return error.is_sent and (
        error.status is None or error.status < _FIRST_ERROR_STATUS or error.status in _POSSIBLY_BILLED_STATUSES
    )


def _get_current_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task
