"""A sidecar's answers decide which answer is asked for next; the cost is that of all of them."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from planner.chat import Completion, Message, ModelInfo, Prompt, Usage
from planner.errors import Outcome, TrajectoryError
from planner.planning.first_prompt import PlanSettings
from planner.planning.plan_files import choose_sample_number
from planner.planning.record import (
    REPLY_FAILURES,
    AttemptRecord,
    PlanRecord,
    begin_record,
    sum_costs_if_all_known,
    sum_known_usage,
)
from planner.schema import Task
from tests.papers_made import paper

CARD = ModelInfo("lm-planner", "m", "m")
ASKED = Prompt.from_messages((Message("system", "Plan."), Message("user", "A paper.")), "")
OTHER = Prompt.from_messages((Message("system", "Plan."), Message("user", "Another paper.")), "")
WHEN = datetime(2026, 3, 2, tzinfo=UTC)

JUDGED = st.sampled_from([None, *Outcome])
SAMPLES = st.integers(0, 5)


def attempt(
    prompt: Prompt,
    outcome: Outcome | None,
    sample: int = 0,
    *,
    messages: int = 2,
    answered: bool = True,
    step: str = "",
) -> AttemptRecord:
    return AttemptRecord(
        identity="",
        prompt_sha256=prompt.sha256,
        sample=sample,
        messages=messages,
        started=WHEN,
        outcome=outcome,
        completion=Completion("reply") if answered else None,
        step=step,
    )


def reasked(prompt: Prompt, outcome: Outcome | None, messages: int = 4) -> AttemptRecord:
    """A further question in the conversation that the prompt began."""
    further = Prompt.from_messages((*prompt.messages, Message("user", f"again {messages}")))
    return attempt(further, outcome, messages=messages)


@pytest.mark.parametrize(
    ("on_record", "wanted"),
    [
        ((), 0),
        ((attempt(OTHER, Outcome.INVALID, 3),), 0),
        ((attempt(ASKED, Outcome.PLANNED),), 0),
        ((attempt(ASKED, None),), 0),
        ((attempt(ASKED, Outcome.TRUNCATED),), 1),
        ((attempt(ASKED, Outcome.MODEL_ERROR, answered=False),), 0),
        ((attempt(ASKED, Outcome.INVALID), reasked(ASKED, Outcome.PLANNED)), 0),
        ((attempt(ASKED, Outcome.INVALID), reasked(ASKED, Outcome.INVALID), reasked(ASKED, Outcome.INVALID, 6)), 1),
        ((attempt(ASKED, Outcome.INVALID), reasked(ASKED, Outcome.MODEL_ERROR)), 0),
        ((attempt(ASKED, Outcome.INVALID), attempt(OTHER, Outcome.PLANNED)), 1),
        ((attempt(ASKED, Outcome.REFUSED), attempt(ASKED, Outcome.PLANNED, 1)), 1),
        ((attempt(ASKED, Outcome.PLANNED), attempt(OTHER, Outcome.INVALID)), 0),
        ((attempt(ASKED, Outcome.PLANNED), attempt(OTHER, Outcome.INVALID, step="revise")), 0),
        ((attempt(ASKED, Outcome.INVALID), attempt(OTHER, Outcome.PLANNED, step="revise")), 0),
        ((attempt(ASKED, Outcome.INVALID), attempt(OTHER, Outcome.REFUSED, step="revise")), 1),
        ((attempt(ASKED, Outcome.PLANNED), attempt(ASKED, Outcome.INVALID, 1), attempt(OTHER, None, step="revise")), 1),
    ],
)
def test_the_answer_that_is_asked_for_next(on_record: tuple[AttemptRecord, ...], wanted: int) -> None:
    assert choose_sample_number(on_record, ASKED) == wanted


@given(st.lists(st.builds(attempt, st.sampled_from([ASKED, OTHER]), JUDGED, SAMPLES, answered=st.booleans())))
def test_anew_always_asks_for_an_answer_that_is_not_the_last_one(on_record: list[AttemptRecord]) -> None:
    answered = [a.sample for a in on_record if a.prompt_sha256 == ASKED.sha256 and a.completion]
    wanted = choose_sample_number(on_record, ASKED, force=True)
    assert wanted == (answered[-1] + 1 if answered else 0)


@given(st.lists(st.builds(attempt, st.just(OTHER), JUDGED, SAMPLES)), JUDGED, SAMPLES)
def test_only_what_follows_in_its_conversation_judges_an_answer(
    between: list[AttemptRecord], outcome: Outcome | None, sample: int
) -> None:
    on_record = [attempt(ASKED, outcome, sample), *between]
    wanted = choose_sample_number(on_record, ASKED)
    assert wanted == sample + (outcome in REPLY_FAILURES)
    assert choose_sample_number([*between, on_record[0]], ASKED) == wanted


@given(st.lists(JUDGED, min_size=1, max_size=4))
def test_replanning_again_and_again_counts_up_and_ends_at_a_plan(outcomes: list[Outcome | None]) -> None:
    """The numbers asked for one after the other never fall, and stand still once an answer is good."""
    on_record: list[AttemptRecord] = []
    wanted = []
    for outcome in outcomes:
        wanted.append(choose_sample_number(on_record, ASKED))
        on_record.append(attempt(ASKED, outcome, wanted[-1]))
    assert wanted == list(accumulate((o in REPLY_FAILURES for o in outcomes[:-1]), initial=0))


@given(st.lists(st.one_of(st.none(), st.decimals(0, 1000, places=4).map(float))))
def test_a_sum_with_something_unknown_in_it_is_unknown(costs: list[float | None]) -> None:
    total = sum_costs_if_all_known(iter(costs))
    if None in costs:
        assert total is None
    else:
        assert total == pytest.approx(float(sum(map(Decimal, map(str, costs)))))


COUNTS = st.one_of(st.none(), st.integers(0, 10**9))
USAGES = st.lists(st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS))


@given(USAGES, st.randoms())
def test_token_counts_add_up_in_any_order(usages: list[Usage], chance: object) -> None:
    total = sum_known_usage(usages)
    shuffled = usages.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sum_known_usage(shuffled) == total
    for name in Usage.__dataclass_fields__:
        counts = [count for usage in usages if (count := getattr(usage, name)) is not None]
        assert getattr(total, name) == (sum(counts) if counts else None)


@given(USAGES, USAGES)
def test_totals_of_parts_are_the_total_of_the_whole(first: list[Usage], second: list[Usage]) -> None:
    assert sum_known_usage([sum_known_usage(first), sum_known_usage(second)]) == sum_known_usage(first + second)


ATTEMPTS = st.lists(
    st.builds(
        attempt,
        st.sampled_from([ASKED, OTHER]),
        JUDGED,
        SAMPLES,
        messages=st.integers(1, 9),
        answered=st.booleans(),
        step=st.sampled_from(["", "revise"]),
    ),
    max_size=3,
)


@given(ATTEMPTS, st.text(), st.text(), st.floats(0, 1e6))
def test_a_sidecar_reads_back_whatever_it_holds(
    attempts: list[AttemptRecord], title: str, reason: str, cost: float
) -> None:
    opening = begin_record(paper(title=title).info, CARD, PlanSettings(Task.AUTHOR, k=5))
    whole = opening.model_copy(update={"attempts": tuple(attempts), "reason": reason, "cost": cost})
    assert PlanRecord.model_validate_json(whole.to_json()) == whole


def test_the_step_of_a_first_request_is_not_written() -> None:
    assert "step" not in attempt(ASKED, Outcome.PLANNED).model_dump_json()
    assert '"step":"revise"' in attempt(ASKED, Outcome.PLANNED, step="revise").model_dump_json()


def test_a_sidecar_of_a_later_version_is_read_for_what_is_known(tmp_path: Path) -> None:
    sidecar = begin_record(paper().info, CARD, PlanSettings(Task.REVIEWER, k=2))
    later = sidecar.to_json().replace('"planner":', '"mood": "good",\n "planner":', 1)
    (tmp_path / "x.json").write_text(later, encoding="utf-8")
    assert PlanRecord.read(tmp_path / "x.json") == sidecar


@pytest.mark.parametrize("outcome", ["fine", "", "PLANNED"])
def test_an_outcome_that_is_none_of_the_closed_list_is_refused(tmp_path: Path, outcome: str) -> None:
    sidecar = begin_record(paper().info, CARD, PlanSettings(Task.REVIEWER, k=2))
    text = sidecar.to_json().replace('"outcome": "interrupted"', f'"outcome": "{outcome}"')
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(TrajectoryError, match=r"x\.json: not the record"):
        PlanRecord.read(tmp_path / "x.json")


def test_facts_on_record_cannot_be_changed_in_place() -> None:
    sidecar = begin_record(paper().info, CARD, PlanSettings(Task.REVIEWER, k=2))
    with pytest.raises(ValidationError, match="frozen"):
        sidecar.outcome = Outcome.PLANNED  # type: ignore[misc]
