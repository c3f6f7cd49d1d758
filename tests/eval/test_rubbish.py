"""Files that other people and programs wrote: whatever they hold, a reader gives values or an error of ours."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.gold import read_gold
from eval.judge_eval import compare_with_labels, read_labelled_plans
from eval.judge_prompts import parse_matches, parse_review_requests
from eval.judging import build_unjudged_run
from eval.plans import pair_papers, read_systems
from eval.replies import ReplyRecord
from eval.runs import read_judging_record
from eval.sides import Sides
from eval.tables import read_table_rows
from eval.verdicts import detect_verdict_task, read_author_verdicts, read_reviewer_verdicts
from planner.chat import Completion
from planner.errors import Outcome, OutputError, PlannerError
from planner.schema import Task
from tests.eval.made import GATE, author_gold, dumped, write_plans

anything = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

DEEP = "[" * 100_000
FIELDS = (
    "id", "title", "paper_title", "ablations", "ablations_in_paper", "reviews", "review_text", "labels", "name",
    "num_ablation_suggestions", "ablated_part", "action", "replacement", "metrics", "name_in_paper", "name_in_plan",
    "appears_in_review", "predictions", "cost",
)  # fmt: skip
texts = st.text(st.characters(), max_size=8) | st.sampled_from(["REMOVE", "REPLACE", "a", "a/b", ".."])
scalars = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=6),
    max_leaves=12,
)
rows = st.fixed_dictionaries({"id": texts | values}, optional=dict.fromkeys(FIELDS[1:], values))
written = st.one_of(
    st.binary(max_size=60),
    st.lists(rows | values, max_size=3).map(lambda lines: "\n".join(map(json.dumps, lines)).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    st.just(DEEP.encode()),
)


def gold_of_author(path: Path) -> object:
    return read_gold(path, Task.AUTHOR)


def gold_of_reviewer(path: Path) -> object:
    return read_gold(path, Task.REVIEWER)


@pytest.mark.parametrize(
    "read",
    [
        read_table_rows,
        read_gold,
        gold_of_author,
        gold_of_reviewer,
        read_labelled_plans,
        read_author_verdicts,
        read_reviewer_verdicts,
        detect_verdict_task,
    ],
)
@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.parquet"])
@anything
@given(content=written)
def test_tables(tmp_path: Path, read: Callable[[Path], Any], name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        json.dumps(str(read(tmp_path / name))).encode()
    except PlannerError as error:
        assert name in str(error)


@anything
@given(plan=written, facts=written)
def test_plans_as_published(tmp_path: Path, plan: bytes, facts: bytes) -> None:
    (tmp_path / "one.jsonl").write_bytes(plan)
    (tmp_path / "plans.json").write_bytes(facts)
    try:
        (system,) = read_systems(tmp_path)
    except PlannerError as error:
        assert "plans.json" in str(error)
        return
    build_unjudged_run(system, Task.AUTHOR).record.model_dump_json()
    pairs, _ = pair_papers(author_gold(one=[GATE]), system)
    assert pairs[0].planned_paper is not None
    assert bool(pairs[0].plan) == (pairs[0].planned_paper.outcome is Outcome.PLANNED)


@anything
@given(sidecar=written, trajectory=written, run=written)
def test_folders_of_ours(tmp_path: Path, sidecar: bytes, trajectory: bytes, run: bytes) -> None:
    write_plans(tmp_path, {"kept": [GATE]})
    for name, content in (("one.md", trajectory), ("one.json", sidecar), ("judging.json", run)):
        (tmp_path / name).write_bytes(content)
    assert read_systems(tmp_path)
    with pytest.raises(PlannerError):
        read_judging_record(tmp_path)


@anything
@given(verdicts=written)
def test_a_judge_to_be_evaluated(tmp_path: Path, verdicts: bytes) -> None:
    (tmp_path / "labels.jsonl").write_text(
        json.dumps({"id": "m/one", "labels": '{"name_in_paper": "g", "name_in_plan": "p"}'}), encoding="utf-8"
    )
    (tmp_path / "m").mkdir(exist_ok=True)
    (tmp_path / "m" / "one.jsonl").write_bytes(verdicts)
    (instance,) = read_labelled_plans(tmp_path / "labels.jsonl")
    try:
        assert compare_with_labels(instance, tmp_path).label_count == 1
    except PlannerError as error:
        assert "one.jsonl" in str(error)


@anything
@given(content=written)
def test_replies_on_record(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one.json").write_bytes(content)
    with pytest.raises(PlannerError, match=r"one\.json"):
        ReplyRecord.read(tmp_path / "one.json")


replies = st.one_of(
    texts,
    st.just(DEEP),
    st.lists(st.fixed_dictionaries({"id": st.sampled_from(["A1", "A2", "B1"]) | values, "matches": values})).map(
        lambda lines: "\n".join(map(json.dumps, lines))
    ),
    st.lists(st.fixed_dictionaries({"id": st.sampled_from(["A1", "A2"]), "asked": st.booleans() | values})).map(
        lambda lines: "\n".join(map(json.dumps, lines))
    ),
)


@anything
@given(reply=replies, block=st.booleans())
def test_what_a_judge_says(reply: str, block: bool) -> None:
    """Verdicts for just the ids that were shown, or an error with its findings."""
    completion = Completion(f"<verdicts>{reply}</verdicts>" if block else reply)
    sides = Sides(a=("gate", "loss"), b=("loss", "depth"), plan="B")
    try:
        matches = parse_matches(completion, sides)
    except OutputError as error:
        assert error.findings
    else:
        assert matches.keys() == {"A1", "A2"}
        assert {"B1", "B2"}.issuperset(*matches.values())
    try:
        asked = parse_review_requests(completion, sides)
    except OutputError as error:
        assert error.findings
    else:
        assert asked.keys() == {"A1", "A2"}
        assert {bool} == set(map(type, asked.values()))


def test_a_plan_that_is_not_text_fails_alone(tmp_path: Path) -> None:
    write_plans(tmp_path, {"one": [GATE]})
    (tmp_path / "two.jsonl").write_bytes(b"\xff\xfe")
    (system,) = read_systems(tmp_path)
    assert system.papers["one"].ablations == (GATE,)
    assert system.papers["two"].outcome is Outcome.INVALID
    assert "not UTF-8" in system.papers["two"].reason


@pytest.mark.parametrize("cost", ["true", "NaN", "Infinity", "-1", '"0.5"', "1" + "0" * 400])
def test_a_cost_that_is_none_is_not_known(tmp_path: Path, cost: str) -> None:
    write_plans(tmp_path, {"one": [GATE]})
    (tmp_path / "plans.json").write_text(f'{{"one": {{"cost": {cost}}}}}', encoding="utf-8")
    assert read_systems(tmp_path)[0].papers["one"].cost is None


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"id": "a\ud800", "ablations": dumped([GATE])}, "the id should be text"),
        ({"id": "a", "title": "\udc00", "ablations": dumped([GATE])}, "the title should be text"),
        ({"id": "a", "reviews": [None]}, "a review should be text"),
        (
            {"id": "a", "reviews": ["x"], "num_ablation_suggestions": 10**9},
            "num_ablation_suggestions should be a count",
        ),
        (
            {"id": "a", "reviews": ["x"], "num_ablation_suggestions": "two"},
            "num_ablation_suggestions should be a count",
        ),
        (
            {"id": "a", "reviews": ["x"], "num_ablation_suggestions": float("nan")},
            "num_ablation_suggestions should be a count",
        ),
    ],
)
def test_gold_that_cannot_be_written_again_is_named(tmp_path: Path, row: dict[str, Any], complaint: str) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(PlannerError, match=f"row 1: {complaint}"):
        read_gold(tmp_path / "mine.jsonl")
