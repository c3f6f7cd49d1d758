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
from planner.schema import Task, list_validation_faults


@dataclass(frozen=True, slots=True)
class LabelledPlan:
    """A plan that a person judged: `id` is "<model>/<paper id>", `labels` pair an ablation's name with yes or no."""

    id: str
    task: Task
    labels: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """The precision, recall and F1 of a judge on one labelled plan.

    `published_scores` counts missing verdicts as no; `judged_scores` leaves them out, and is None without verdicts.
    `missing_count` of the `label_count` labels have no verdict.
    """

    id: str
    published_scores: tuple[float, float, float]
    judged_scores: tuple[float, float, float] | None
    label_count: int
    missing_count: int


@dataclass(frozen=True, slots=True)
class MeanScores:
    """The macro means of precision, recall and F1 over labelled plans."""

    precision: Mean
    recall: Mean
    f1: Mean


def read_labelled_plans(path: Path) -> tuple[LabelledPlan, ...]:
    """Read a judge-eval set: rows of `id` and `labels`, where `labels` is JSONL text.

    Raises:
        TableError: if a row is not of this form.
        UsageError: if the file does not exist or has no row.
    """
    rows = read_table_rows(path)
    if not rows:
        raise UsageError(f"{path}: holds no labels")
    plans = []
    for number, row in enumerate(rows, start=1):
        place = f"{path}: row {number}"
        if not isinstance(row.get("id"), str) or not isinstance(row.get("labels"), str):
            raise TableError(f"{place}: should have `id` and `labels`, both text")
        plans.append(_read_labelled_plan(row["id"], row["labels"], place))
    return tuple(plans)


def compare_with_labels(plan: LabelledPlan, folder: Path) -> LabelAgreement:
    """Compare a judge's verdicts, `<model>/<paper id>.jsonl` below the folder, with the labels of one plan.

    Raises:
        TableError: if the file of verdicts is damaged.
    """
    decisions = _read_decisions(plan, folder)
    pairs = [(label, decision) for name, label in plan.labels for decision in decisions.get(name, [None])]
    judged_pairs = [pair for pair in pairs if pair[1] is not None]
    return LabelAgreement(
        id=plan.id,
        # The published code scores a plan without a file as 0, whatever its labels are.
        published_scores=_score_pairs(pairs),
        judged_scores=_score_pairs(judged_pairs) if judged_pairs else None,
        label_count=len(plan.labels),
        missing_count=sum(name not in decisions for name, _ in plan.labels),
    )


def average_scores(scores: Sequence[tuple[float, float, float]]) -> MeanScores:
    """Return the macro means of triples of precision, recall and F1."""
    return MeanScores(*(statistics.compute_mean([value[number] for value in scores]) for number in range(3)))


def _read_labelled_plan(plan_id: str, labels: str, place: str) -> LabelledPlan:
    values = [value for _, value in parse_json_lines(labels, place)]
    is_author = any(isinstance(value, dict) and "name_in_paper" in value for value in values)
    kind: type[Verdict] = AuthorVerdict if is_author else ReviewerVerdict
    try:
        verdicts = [kind.model_validate(value) for value in values]
    except ValidationError as error:
        raise TableError(f"{place}: {'; '.join(list_validation_faults(error)[:3])}") from error
    pairs = tuple((verdict.judged_name, verdict.is_positive) for verdict in verdicts)
    return LabelledPlan(plan_id, Task.AUTHOR if is_author else Task.REVIEWER, pairs)


def _read_decisions(plan: LabelledPlan, folder: Path) -> Mapping[str, list[bool | None]]:
    if not build_verdict_path(folder, plan.id).is_file():
        return {}
    decisions: dict[str, list[bool | None]] = {}
    for verdict in read_verdicts(folder, plan.id, plan.task):
        decisions.setdefault(verdict.judged_name, []).append(verdict.is_positive)
    return decisions


def _score_pairs(pairs: Sequence[tuple[bool, bool | None]]) -> tuple[float, float, float]:
    labels, decisions = (tuple(bool(pair[number]) for pair in pairs) for number in (0, 1))
    return compute_precision_recall_f1(LabelPairs(labels, decisions))
