"""Retries of failed requests: their waits and their reports; no test really waits."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.chat import Completion, Message, Prompt
from planner.errors import BudgetExceeded, ModelError, TooLongError
from planner.models.fake import FakeModel
from planner.models.openai_chat.chat import OpenAIChat
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.models.wrappers import RetryingModel, RetryPolicy, RetryWait
from tests.server.replies import as_asked, error, reply, stream
from tests.server.server import Server

PROMPT = Prompt.from_messages((Message("user", "?"),), "0" * 64)
AT_LAST = Completion("at last", notes=("own note",))
BUSY = ModelError("busy", retryable=True, status=503)
LIMIT = ModelError("slow down", retryable=True, status=429)


@dataclass
class Run:
    """A retrying model with its waits written down."""

    failures: Sequence[Exception]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    chance: float = 0.0
    waits: list[RetryWait] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = FakeModel(*self.failures, AT_LAST)

    def complete(self) -> Completion:
        async def sleep(seconds: float) -> None:
            assert self.waits[-1].seconds == seconds, "a wait is reported before it begins"
            self.slept.append(seconds)

        retrying = RetryingModel(
            self.model, self.policy, on_wait=self.waits.append, sleep=sleep, jitter=lambda: self.chance
        )
        return asyncio.run(retrying.complete(PROMPT))

    def error(self) -> ModelError:
        with pytest.raises(ModelError) as caught:
            self.complete()
        return caught.value


def limited(seconds: float | None) -> ModelError:
    return ModelError("slow down", retryable=True, status=429, retry_after=seconds)


def test_success_needs_no_wait_and_no_note() -> None:
    run = Run([])
    assert run.complete().notes == ("own note",)
    assert run.waits == []


def test_failures_are_waited_out_with_growing_waits() -> None:
    run = Run([BUSY, BUSY, BUSY, BUSY])
    completion = run.complete()
    assert run.slept == [0.5, 1.0, 2.0, 4.0]
    assert completion.text == "at last"
    assert completion.notes[0] == "own note"
    assert "sent 5 requests, waited 7.5 s" in completion.notes[1]
    assert "busy" in completion.notes[1]


def test_after_so_many_attempts_the_error_says_so() -> None:
    run = Run([BUSY] * 10)
    failed = run.error()
    assert len(run.model.prompts) == 5
    assert "busy" in str(failed)
    assert "gave up after 5 requests" in str(failed)
    assert (failed.status, failed.retryable) == (503, True)


def test_waits_stay_within_the_longest() -> None:
    run = Run([BUSY] * 9, RetryPolicy(max_failures=10, longest_wait=3.0), chance=1.0)
    run.complete()
    assert run.slept == [1.0, 2.0] + [3.0] * 7


def test_a_rate_limit_is_a_pause_and_no_failed_attempt() -> None:
    run = Run([*[limited(2.0)] * 20, BUSY, BUSY, BUSY, BUSY])
    assert run.complete().text == "at last"
    assert run.slept[:20] == [2.0] * 20
    assert [wait.error.status == 429 for wait in run.waits] == [True] * 20 + [False] * 4


@given(st.floats(0, 100), st.floats(0, 1))
def test_what_the_endpoint_asked_is_the_floor(asked: float, chance: float) -> None:
    for failed in (limited(asked), ModelError("busy", retryable=True, status=503, retry_after=asked)):
        run = Run([failed], chance=chance)
        run.complete()
        assert asked <= run.slept[0] <= asked + 0.25


def test_limits_without_end_end_with_patience() -> None:
    run = Run([limited(0.0)] * 10_000, chance=0.5)
    assert "--max-wait" in str(run.error())
    assert sum(run.slept) <= 600
    assert len(run.model.prompts) < 200


def test_a_wait_beyond_patience_is_not_begun() -> None:
    run = Run([limited(900.0)])
    failed = run.error()
    assert run.slept == []
    assert len(run.model.prompts) == 1
    assert "900 s" in str(failed)
    assert "600 s" in str(failed)
    assert "--max-wait" in str(failed)
    assert failed.retry_after == 900.0


def test_a_wait_that_just_fits_is_not_spoilt_by_chance() -> None:
    run = Run([limited(10.0)], RetryPolicy(max_wait=10.0), chance=1.0)
    assert run.complete().text == "at last"
    assert run.slept == [10.0]


def test_patience_is_for_all_waits_together() -> None:
    run = Run([limited(4.0)] * 5, RetryPolicy(max_wait=10.0))
    run.error()
    assert run.slept == [4.0, 4.0]


@pytest.mark.parametrize(
    "final",
    [
        ModelError("no", status=400),
        ModelError("no", status=401),
        ModelError("no", status=403),
        ModelError("no", status=404),
        ModelError("no", status=429, retryable=True, exhausted=True),
        TooLongError("no", limit=5),
    ],
)
def test_what_no_wait_mends_is_not_asked_again(final: ModelError) -> None:
    run = Run([BUSY, final])
    assert run.error() is final
    assert len(run.model.prompts) == 2


@pytest.mark.parametrize("other", [BudgetExceeded("stop"), RuntimeError("a fault of ours")])
def test_other_errors_pass_through(other: Exception) -> None:
    run = Run([other])
    with pytest.raises(type(other)) as caught:
        run.complete()
    assert caught.value is other
    assert len(run.model.prompts) == 1


def test_the_info_is_that_of_the_model() -> None:
    model = FakeModel()
    assert RetryingModel(model).info is model.info


def test_waits_are_logged_unless_someone_listens(caplog: pytest.LogCaptureFixture) -> None:
    async def at_once(seconds: float) -> None:
        return None

    asyncio.run(RetryingModel(FakeModel(LIMIT, AT_LAST), sleep=at_once).complete(PROMPT))
    assert "slow down" in caplog.text


def test_cancelling_ends_the_waiting() -> None:
    async def waiting() -> None:
        await asyncio.wait_for(RetryingModel(FakeModel(limited(60.0))).complete(PROMPT), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(waiting())


def over_http(server: Server) -> tuple[Completion, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def asking() -> Completion:
        async with OpenAIChat(resolve_endpoint("m", server.base_url, {})) as chat:
            return await RetryingModel(chat, sleep=sleep, jitter=lambda: 0.0).complete(PROMPT)

    return asyncio.run(asking()), slept


def test_over_http_a_limit_in_seconds_and_as_a_date(server: Server) -> None:
    dates = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}
    server.script(error(429, "slow", headers={"Retry-After": "3"}), error(429, "slow", headers=dates), stream("yes"))
    completion, slept = over_http(server)
    assert completion.text == "yes"
    assert slept == [3.0, 30.0]
    assert len(server.journal) == 3


def test_over_http_trouble_then_success(server: Server) -> None:
    server.script(error(500, "oops"), reply("x").cut(20), stream("half").cut(300), reply("yes"))
    completion, slept = over_http(server)
    assert completion.text == "yes"
    assert len(server.journal) == 4
    assert len(slept) == 3
    bodies = {request.body for request in server.journal}
    assert len(bodies) == 1, "the same request each time"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_over_http_one_request_where_waiting_is_useless(server: Server, status: int) -> None:
    server.answer = lambda request: error(status, "no")
    with pytest.raises(ModelError):
        over_http(server)
    assert len(server.journal) == 1


def test_over_http_a_spent_quota_ends(server: Server) -> None:
    server.answer = lambda request: error(429, "quota", code="insufficient_quota", headers={"Retry-After": "1"})
    with pytest.raises(ModelError) as caught:
        over_http(server)
    assert caught.value.exhausted
    assert len(server.journal) == 1


def test_over_http_a_storm_of_limits_loses_nothing(server: Server) -> None:
    server.script(*[error(429, "slow", headers={"Retry-After": "1"})] * 30)
    server.answer = as_asked
    completion, slept = over_http(server)
    assert slept == [1.0] * 30
    assert len(server.journal) == 31
    assert "sent 31 requests" in completion.notes[0]
