"""Measure how well a judge agrees with human labels, on AblationBench's judge-eval sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from eval import statistics
from eval.metrics import LabelPairs, compute_precision_recall_f1
from eval.runs import read_verdicts
from eval.statistics import Mean
from eval.tables import TableError, parse_json_lines, read_table_rows
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict, build_verdict_path
from planner.errors import UsageError
from planner.schema import Task, describe_validation_error


@dataclass(frozen=True, slots=True)
class LabelledPlan:
    """A plan that a person judged: `id` is "<model>/<paper id>", `label_count` pair an ablation's name with yes or no."""

    id: str
    task: Task
    labels: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """The precision, recall and F1 of a judge on one instance.

    `published_scores` counts missing verdicts as no; `judged_scores` leaves them out, and is None without verdicts. `missing_count` of the
    `label_count` have no verdict.
    """

    id: str
    published_scores: tuple[float, float, float]
    judged_scores: tuple[float, float, float] | None
    label_count: int
    missing_count: int


@dataclass(frozen=True, slots=True)
class MeanScores:
    """The macro means of precision, recall and F1 over instances."""

    precision: Mean
    recall: Mean
    f1: Mean


def read_labelled_plans(path: Path) -> tuple[LabelledPlan, ...]:
    """Read a judge-eval set: rows of `id` and `label_count`, where `label_count` is JSONL text.

    Raises:
        TableError: if a row is not of this form.
        UsageError: if the file does not exist or has no row.
    """
    rows = read_table_rows(path)
    if not rows:
        raise UsageError(f"{path}: holds no labels")
    found = []
    for number, row in enumerate(rows, start=1):
        place = f"{path}: row {number}"
        if not isinstance(row.get("id"), str) or not isinstance(row.get("labels"), str):
            raise TableError(f"{place}: should have `id` and `labels`, both text")
        found.append(_read_labelled_plan(row["id"], row["labels"], place))
    return tuple(found)


def compare_with_labels(plan: LabelledPlan, folder: Path) -> LabelAgreement:
    """Compare a judge's verdicts, `<model>/<paper id>.jsonl` below the folder, with the labels of one instance.

    Raises:
        TableError: if the file of verdicts is damaged.
    """
    verdicts = _read_decisions(plan, folder)
    rows = [(true, said) for name, true in plan.labels for said in verdicts.get(name, [None])]
    known = [(true, said) for true, said in rows if said is not None]
    return LabelAgreement(
        id=plan.id,
        # The published code scores an instance without a file as 0, whatever its labels are.
        published_scores=_score_pairs([(true, bool(said)) for true, said in rows]),
        judged_scores=_score_pairs(known) if known else None,
        label_count=len(plan.labels),
        missing_count=sum(name not in verdicts for name, _ in plan.labels),
    )


def average_scores(scores: Sequence[tuple[float, float, float]]) -> MeanScores:
    """Return the macro means of triples of precision, recall and F1."""
    return MeanScores(*(statistics.compute_mean([value[number] for value in scores]) for number in range(3)))


def _read_labelled_plan(instance_id: str, labels: str, place: str) -> LabelledPlan:
    values = [value for _, value in parse_json_lines(labels, place)]
    author = any(isinstance(value, dict) and "name_in_paper" in value for value in values)
    read = _read_author_label if author else _read_reviewer_label
    try:
        pairs = tuple(read(value) for value in values)
    except ValidationError as error:
        raise TableError(f"{place}: {'; '.join(describe_validation_error(error)[:3])}") from error
    return LabelledPlan(instance_id, Task.AUTHOR if author else Task.REVIEWER, pairs)


def _read_author_label(value: object) -> tuple[str, bool]:
    return _named_decision(AuthorVerdict.model_validate(value))


def _read_reviewer_label(value: object) -> tuple[str, bool]:
    return _named_decision(ReviewerVerdict.model_validate(value))


def _named_decision(verdict: Verdict) -> tuple[str, bool]:
    if isinstance(verdict, AuthorVerdict):
        return verdict.name_in_paper, bool(verdict.name_in_plan)
    return verdict.name_in_plan, verdict.appears_in_review


def _read_decisions(instance: LabelledPlan, folder: Path) -> Mapping[str, list[bool | None]]:
    if not build_verdict_path(folder, instance.id).is_file():
        return {}
    found: dict[str, list[bool | None]] = {}
    for name, said in map(_named_decision, read_verdicts(folder, instance.id, instance.task)):
        found.setdefault(name, []).append(said)
    return found


def _score_pairs(rows: Sequence[tuple[bool, bool | None]]) -> tuple[float, float, float]:
    return compute_precision_recall_f1(
        LabelPairs(tuple(true for true, _ in rows), tuple(bool(said) for _, said in rows))
    )
