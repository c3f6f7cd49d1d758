"""Sides and short ids, and what an answer means by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.judge_prompts import parse_matches, parse_review_requests
from eval.sides import Sides, build_author_verdicts, build_reviewer_verdicts, draw_sides
from planner.chat import Completion
from planner.errors import Outcome, OutputError
from tests.eval.made import verdicts

names = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True)
relations = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)))


@given(names, names, relations, st.integers(0, 50))
def test_an_answer_by_ids_decodes_to_what_was_meant(
    plan: list[str], gold: list[str], pairs: set[tuple[int, int]], repetition: int
) -> None:
    meant = {(gold[g], plan[p]) for g, p in pairs if g < len(gold) and p < len(plan)}
    if len(meant) == len(gold) * len(plan):
        meant.pop()
    sides = draw_sides(plan, gold, "paper", "judge", repetition)
    flip = sides.plan == "A"
    lines = [
        {
            "id": item,
            "matches": [
                other
                for other, right in zip(sides.b_ids, sides.b, strict=True)
                if ((right, left) if flip else (left, right)) in meant
            ],
        }
        for item, left in zip(sides.a_ids, sides.a, strict=True)
    ]
    matches = parse_matches(Completion(verdicts(lines)), Sides.model_validate_json(sides.model_dump_json()))
    found = build_author_verdicts(sides, matches, plan, gold)
    assert [verdict.name_in_paper for verdict in found] == gold, "in the paper's order"
    assert {(v.name_in_paper, p) for v in found for p in v.name_in_plan} == meant


@given(names, names)
def test_sides_are_the_same_every_time_and_show_everything(plan: list[str], gold: list[str]) -> None:
    sides = draw_sides(plan, gold, "paper", "judge", 0)
    assert sides == draw_sides(plan, gold, "paper", "judge", 0)
    assert sides.has_names(plan, gold)
    assert not sides.has_names([*plan, "more"], gold)


def test_sides_depend_on_paper_judge_and_repetition() -> None:
    plan, gold = [f"p{n}" for n in range(5)], [f"g{n}" for n in range(5)]
    seen = {
        draw_sides(plan, gold, paper, judge, repetition)
        for paper in ("one", "two")
        for judge in ("this", "that")
        for repetition in range(5)
    }
    assert len(seen) == 20


def test_both_sides_hold_the_plan_about_equally_often() -> None:
    first = sum(draw_sides(["p"], ["g"], f"paper {n}", "judge", 0).plan == "A" for n in range(400))
    assert 150 < first < 250


@given(names, st.integers(0, 2**6 - 1))
def test_answers_about_reviews_decode_in_plan_order(plan: list[str], bits: int) -> None:
    expected = {name: bool(bits >> number & 1) for number, name in enumerate(plan)}
    sides = draw_sides(plan, [], "paper", "judge", 0)
    lines = [{"id": i, "asked": expected[name]} for i, name in zip(sides.a_ids, sides.a, strict=True)]
    found = build_reviewer_verdicts(sides, parse_review_requests(Completion(verdicts(lines)), sides), plan)
    assert [(v.name_in_plan, v.appears_in_review) for v in found] == list(expected.items())


SIDES = Sides(a=("x", "y"), b=("u", "v"), plan="A")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("They are all the same to me.", "no <verdicts> block"),
        (verdicts([{"id": "A1", "matches": []}]), "no verdict for A2"),
        (verdicts([{"id": "A1", "matches": []}, {"id": "A1", "matches": []}]), "more than one verdict"),
        (verdicts([{"id": "A1", "matches": ["B9"]}, {"id": "A2", "matches": []}]), "no 'B9' among B1 to B2"),
        (verdicts([{"id": "x", "matches": []}, {"id": "A2", "matches": []}]), "no 'x' among A1 to A2"),
        (verdicts([{"id": "A1", "matches": "B1"}, {"id": "A2", "matches": []}]), "should be a list"),
        (verdicts([{"id": "A1", "matches": [], "sure": True}]), "should be a JSON object"),
        (verdicts([{"id": i, "matches": ["B1", "B2"]} for i in ("A1", "A2")]), "every item of A"),
        ("<verdicts>\n{'id': 'A1'}\n</verdicts>", "should be a JSON object"),
        ("<verdicts>" + "[" * 100_000 + "</verdicts>", "should be a JSON object"),
    ],
)
def test_a_reply_that_is_not_as_asked_says_what_is_wrong(text: str, finding: str) -> None:
    with pytest.raises(OutputError, match=finding) as caught:
        parse_matches(Completion(text, finish_reason="stop"), SIDES)
    assert caught.value.is_correctable


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        (Completion("<verdicts>", finish_reason="length"), Outcome.TRUNCATED),
        (Completion("", refusal="I would rather not."), Outcome.REFUSED),
        (Completion("", finish_reason="content_filter"), Outcome.REFUSED),
        (Completion("  "), Outcome.EMPTY),
    ],
)
def test_a_reply_without_an_answer_is_not_asked_for_again(completion: Completion, outcome: Outcome) -> None:
    with pytest.raises(OutputError) as caught:
        parse_matches(completion, SIDES)
    assert caught.value.outcome is outcome
    assert not caught.value.is_correctable


def test_the_last_verdict_counts_and_a_code_fence_is_forgiven() -> None:
    final = '<verdicts>\n```json\n{"id": "A1", "matches": ["B2"]}\n{"id": "A2", "matches": []}\n```\n</verdicts>'
    thought = verdicts([{"id": "A1", "matches": ["B1"]}, {"id": "A2", "matches": []}])
    assert parse_matches(Completion(f"{thought}\nNo, wait.\n{final}"), SIDES) == {"A1": ("B2",), "A2": ()}


def test_a_yes_in_words_is_no_verdict() -> None:
    with pytest.raises(OutputError, match="should be true or false"):
        parse_review_requests(Completion(verdicts([{"id": "A1", "asked": "yes"}])), Sides(a=("x",), plan="A"))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_matches(Completion(f"<verdicts>{text}</verdicts>"), SIDES)
    except OutputError as error:
        assert error.findings
    else:
        assert set(found) == {"A1", "A2"}
