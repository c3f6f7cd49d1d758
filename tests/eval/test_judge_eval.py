"""Judges against human labels, worked by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval.judge_eval import compare_with_labels, read_labelled_plans
from tests.eval.conftest import Run


def jsonl(*lines: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, lines))


AUTHOR = jsonl(
    {"name_in_paper": "g1", "name_in_plan": "p1"},
    {"name_in_paper": "g2", "name_in_plan": None},
    {"name_in_paper": "g3", "name_in_plan": "p2"},
    {"name_in_paper": "g4", "name_in_plan": ["p3", "p4"]},
)
REVIEWER = jsonl(
    {"name_in_plan": "p1", "appears_in_review": True},
    {"name_in_plan": "p2", "appears_in_review": False},
)


@pytest.fixture
def labels(workdir: Path) -> Path:
    rows = [
        {"id": "gpt-4o/one", "labels": AUTHOR},
        {"id": "o3/one", "labels": AUTHOR},
        {"id": "gpt-4o/r", "labels": REVIEWER},
    ]
    (workdir / "labels.jsonl").write_text(jsonl(*rows), encoding="utf-8")
    for name, text in {
        # One hit, one false, one miss, one without a verdict; names need not be the labelled ones.
        "one": jsonl(
            {"name_in_paper": "g1", "name_in_plan": "p9"},
            {"name_in_paper": "g2", "name_in_plan": "p1"},
            {"name_in_paper": "g3", "name_in_plan": None},
        ),
        "r": jsonl({"name_in_plan": "p1", "appears_in_review": True}, {"name_in_plan": "x", "appears_in_review": True}),
    }.items():
        (workdir / "judged" / "gpt-4o").mkdir(parents=True, exist_ok=True)
        (workdir / "judged" / "gpt-4o" / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return workdir


def test_a_missing_verdict_is_no_as_published_and_beside_it_left_out(labels: Path) -> None:
    one, lost, reviews = (
        compare_with_labels(i, labels / "judged") for i in read_labelled_plans(labels / "labels.jsonl")
    )
    assert one.published_scores == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert one.judged_scores == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (one.label_count, one.missing_count) == (4, 1)
    assert lost.published_scores == (0.0, 0.0, 0.0)
    assert lost.judged_scores is None
    assert reviews.published_scores == (1.0, 1.0, 1.0)
    assert reviews.missing_count == 1


def test_the_command(run: Run, labels: Path) -> None:
    result = run("judge-eval", "judged", "--labels", "labels.jsonl", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["instances"], summary["labels"], summary["missing"]) == (3, 10, 6)
    assert summary["published"]["f1_score"]["mean"] == pytest.approx((2 / 5 + 0 + 1) / 3)
    assert summary["judged"]["f1_score"] | {"low": 0, "high": 0} == pytest.approx(
        {"mean": 0.75, "sd": 0.5**0.5 / 2, "low": 0, "high": 0, "n": 2}
    )
    assert "6 labels without a verdict" in run("judge-eval", "judged", "--labels", "labels.jsonl").stdout


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"id": "a/b"}, "should have `id` and `labels`"),
        ({"id": "a/b", "labels": "{"}, "not JSON"),
        ({"id": "a/b", "labels": "{}"}, "name_in_plan"),
    ],
)
def test_labels_that_cannot_be_read_are_named(run: Run, workdir: Path, row: dict[str, Any], complaint: str) -> None:
    (workdir / "labels.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (workdir / "judged").mkdir()
    result = run("judge-eval", "judged", "--labels", "labels.jsonl")
    assert result.exit_code == 1
    assert complaint in result.stderr
