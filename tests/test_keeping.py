"""A reply that was paid for is kept: in whatever order things happen, no request with a kept reply is sent again."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from planner.chat import REUSED_NOTE, Completion, Message, ModelInfo, Prompt, Usage
from planner.errors import BudgetExceeded, ModelError, Outcome, TooLongError
from planner.models.fake import FakeModel
from planner.models.wrappers import CachedModel
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import plan_to_folder
from planner.planning.plan_files import RecordStore
from planner.planning.record import PlanRecord, begin_record
from planner.schema import Task
from tests.papers_made import paper
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract

REVIEW = PlanSettings(Task.REVIEWER, k=2)
CARD = ModelInfo("lm-planner", "m", "m", endpoint="http://nowhere/v1")
INVALID = contract("Why.", [{**GOOD_ABLATION, "metrics": []}])
PROMPTS = tuple(
    Prompt.from_messages((Message("user", f"question {number}"),), "", sample)
    for number in range(3)
    for sample in range(2)
)

Answer = Callable[[int], Completion]


def reply(number: int) -> Completion:
    """A reply that differs from all others."""
    return Completion(f"reply {number}", usage=Usage(number, 1), raw={"number": number})


def no_price(_: Completion) -> None:
    return None


class Endpoint:
    """Answers the number of the request, or fails as it is told, and counts what each identity was asked for."""

    info = CARD

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()
        self.sent = 0
        self.failing: Exception | None = None

    async def complete(self, prompt: Prompt) -> Completion:
        self.sent += 1
        if self.failing:
            raise self.failing
        self.paid[CARD.identify_request(prompt)] += 1
        return reply(self.sent)


class PaidOnce(RuleBasedStateMachine):
    """Requests, failures, crashes and restarts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.path = Path(self._folder.name) / "lm" / "paper.json"
        self.endpoint = Endpoint()
        self.replies: dict[str, Completion] = {}
        self.store = RecordStore(self.path, begin_record(paper().info, CARD, REVIEW), no_price)

    def teardown(self) -> None:
        self._folder.cleanup()

    @rule(prompt=st.sampled_from(PROMPTS))
    def ask(self, prompt: Prompt) -> None:
        sent = self.endpoint.sent
        identity = CARD.identify_request(prompt)
        completion = asyncio.run(CachedModel(self.endpoint, self.store).complete(prompt))
        if identity in self.replies:
            assert self.endpoint.sent == sent
            assert completion.text == self.replies[identity].text
            assert REUSED_NOTE in completion.notes
        else:
            assert self.endpoint.sent == sent + 1
            self.replies[identity] = completion

    @rule(
        prompt=st.sampled_from(PROMPTS),
        error=st.sampled_from([ModelError("gone", status=500), TooLongError("long", limit=9), KeyboardInterrupt()]),
    )
    def fail(self, prompt: Prompt, error: Exception) -> None:
        self.endpoint.failing = error
        identity = CARD.identify_request(prompt)
        if identity in self.replies:
            asyncio.run(CachedModel(self.endpoint, self.store).complete(prompt))
        else:
            with pytest.raises(type(error)):
                asyncio.run(CachedModel(self.endpoint, self.store).complete(prompt))
            assert self.store.attempts[-1].completion is None
            assert self.store.reuse_reply(identity) is None
        self.endpoint.failing = None

    @rule()
    def crash(self) -> None:
        """The program is gone, and another one reads what is on disk."""
        on_disk = PlanRecord.read(self.path) if self.path.exists() else begin_record(paper().info, CARD, REVIEW)
        self.store = RecordStore(self.path, on_disk, no_price)

    @invariant()
    def nothing_is_paid_for_twice(self) -> None:
        assert set(self.endpoint.paid.values()) <= {1}

    @invariant()
    def every_reply_is_on_disk(self) -> None:
        kept = PlanRecord.read(self.path).attempts if self.path.exists() else ()
        found = {attempt.identity: attempt.completion for attempt in kept if attempt.completion}
        assert found == self.replies
        assert len([attempt for attempt in kept if attempt.completion]) == len(self.replies)


PaidOnce.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestPaidOnce = PaidOnce.TestCase


ANSWERS = st.sampled_from(
    [
        GOOD_REPLY,
        INVALID,
        Completion("", finish_reason="stop"),
        Completion(GOOD_REPLY, finish_reason="length"),
        Completion("", refusal="No.", finish_reason="stop"),
        ModelError("gone", status=500),
        TooLongError("too long", limit=None),
        BudgetExceeded("it would cost more"),
    ]
)


SUMS = {"attempts": (), "cost": None, "usage": Usage()}  # of all requests, also those after the plan


@settings(max_examples=25, deadline=None)
@given(runs=st.lists(st.tuples(st.lists(ANSWERS, min_size=4, max_size=4), st.booleans()), min_size=1, max_size=4))
def test_whatever_the_replies_a_plan_that_was_paid_for_is_never_asked_for_again(
    runs: list[tuple[list[str | Completion | Exception], bool]],
) -> None:
    with TemporaryDirectory() as folder:
        planned, earlier = False, None
        for answers, anew in runs:
            model = FakeModel(*answers)
            done = asyncio.run(plan_to_folder(Path(folder), paper(), model, REVIEW, no_price, force=anew))
            if planned and not anew:
                assert not model.prompts, "the reply on record planned the paper"
                assert done.record.outcome is Outcome.PLANNED
            answered = Counter(attempt.identity for attempt in done.record.attempts if attempt.completion)
            assert set(answered.values()) <= {1}
            planned = done.record.outcome is Outcome.PLANNED
            kept = PlanRecord.read(done.record_path)
            earlier = done.record if planned else earlier
            assert done.trajectory_path.exists() == (earlier is not None)
            assert kept.attempts == done.record.attempts
            assert kept.model_copy(update=SUMS) == (earlier or done.record).model_copy(update=SUMS)


def test_a_kept_reply_says_that_nothing_was_sent(tmp_path: Path) -> None:
    asyncio.run(plan_to_folder(tmp_path, paper(), FakeModel(GOOD_REPLY), REVIEW, no_price))
    again = asyncio.run(plan_to_folder(tmp_path, paper(), FakeModel(), REVIEW, no_price))
    assert REUSED_NOTE in again.record.warnings
    kept = PlanRecord.read(again.record_path).attempts[0].completion
    assert kept is not None
    assert REUSED_NOTE not in kept.notes, "the reply on record stays as it came"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, asyncio.CancelledError, BudgetExceeded])
def test_a_request_that_was_cut_short_is_on_record_without_a_reply(tmp_path: Path, stop: type[Exception]) -> None:
    store = RecordStore(tmp_path / "x.json", begin_record(paper().info, CARD, REVIEW), no_price)
    endpoint = Endpoint()
    endpoint.failing = stop()
    with pytest.raises(stop):
        asyncio.run(CachedModel(endpoint, store).complete(PROMPTS[0]))
    [attempt] = PlanRecord.read(tmp_path / "x.json").attempts
    assert (attempt.completion, attempt.outcome, attempt.identity) == (None, None, CARD.identify_request(PROMPTS[0]))


def test_an_error_is_on_record_with_its_outcome_and_words(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "x.json", begin_record(paper().info, CARD, REVIEW), no_price)
    for error in (ModelError("the server is down", status=503), TooLongError("9 tokens at most", limit=9)):
        endpoint = Endpoint()
        endpoint.failing = error
        with pytest.raises(type(error)):
            asyncio.run(CachedModel(endpoint, store).complete(PROMPTS[0]))
    kept = PlanRecord.read(tmp_path / "x.json").attempts
    assert [attempt.outcome for attempt in kept] == [Outcome.MODEL_ERROR, Outcome.TOO_LONG]
    assert [attempt.findings for attempt in kept] == [("the server is down",), ("9 tokens at most",)]


def test_a_reply_that_cannot_be_kept_is_not_read(tmp_path: Path) -> None:
    """If the disk is gone, the run ends before anybody parses a reply that nobody could find again."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder belongs", encoding="utf-8")
    model = FakeModel(GOOD_REPLY)
    with pytest.raises(OSError, match="blocked"):
        asyncio.run(plan_to_folder(blocked, paper(), model, REVIEW, no_price))
    assert model.prompts == [], "nothing is sent that could not be kept"


def test_the_store_of_one_model_answers_no_other(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "x.json", begin_record(paper().info, CARD, REVIEW), no_price)
    asyncio.run(CachedModel(Endpoint(), store).complete(PROMPTS[0]))
    others = (
        ModelInfo("lm-planner", "m", "m", endpoint="http://elsewhere/v1"),
        ModelInfo("lm-planner", "m", "n", endpoint=CARD.endpoint),
        ModelInfo("lm-planner", "m", "m", endpoint=CARD.endpoint, parameters=(("temperature", 0.5),)),
    )
    assert store.reuse_reply(CARD.identify_request(PROMPTS[0])) is not None
    for other in others:
        assert store.reuse_reply(other.identify_request(PROMPTS[0])) is None


@given(
    first=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), max_size=3),
    second=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), max_size=3),
    samples=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_two_requests_have_one_identity_only_if_they_are_the_same(
    first: list[tuple[str, str]], second: list[tuple[str, str]], samples: tuple[int, int]
) -> None:
    prompts = [
        Prompt.from_messages(tuple(Message(role, text) for role, text in messages), "", sample)  # type: ignore[arg-type]
        for messages, sample in zip((first, second), samples, strict=True)
    ]
    same = (first, samples[0]) == (second, samples[1])
    assert (CARD.identify_request(prompts[0]) == CARD.identify_request(prompts[1])) == same


def test_the_facts_of_a_closed_sidecar_add_up(tmp_path: Path) -> None:
    done = asyncio.run(plan_to_folder(tmp_path, paper(), FakeModel(INVALID, GOOD_REPLY), REVIEW, lambda _: 0.25))
    told = json.loads(done.record_path.read_text(encoding="utf-8"))
    assert (told["cost"], told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]) == (0.5, 200, 20)
    assert [attempt["messages"] for attempt in told["attempts"]] == [2, 4]
    assert [attempt["outcome"] for attempt in told["attempts"]] == ["invalid", "planned"]
    assert told["attempts"][0]["findings"]
    again = asyncio.run(plan_to_folder(tmp_path, paper(), FakeModel(), REVIEW, lambda _: 0.25))
    assert again.record.attempts == done.record.attempts, "planning again changes no request"
