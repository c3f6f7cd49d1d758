"""Measure how well a judge agrees with human labels, on AblationBench's judge-eval sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from eval import statistics
from eval.metrics import Labels, precision_recall_f1
from eval.runs import read_verdicts
from eval.statistics import Mean
from eval.tables import TableError, json_lines, read_rows
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict, verdict_path
from planner.errors import UsageError
from planner.schema import Task, findings


@dataclass(frozen=True, slots=True)
class Instance:
    """A plan that a person judged: `id` is "<model>/<paper id>", `labels` pair an ablation's name with yes or no."""

    id: str
    task: Task
    labels: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The precision, recall and F1 of a judge on one instance.

    `published` counts missing verdicts as no; `judged` leaves them out, and is None without verdicts. `missing` of the
    `labels` have no verdict.
    """

    id: str
    published: tuple[float, float, float]
    judged: tuple[float, float, float] | None
    labels: int
    missing: int


@dataclass(frozen=True, slots=True)
class Means:
    """The macro means of precision, recall and F1 over instances."""

    precision: Mean
    recall: Mean
    f1: Mean


def read_labels(path: Path) -> tuple[Instance, ...]:
    """Read a judge-eval set: rows of `id` and `labels`, where `labels` is JSONL text.

    Raises:
        TableError: if a row is not of this form.
        UsageError: if the file does not exist or has no row.
    """
    rows = read_rows(path)
    if not rows:
        raise UsageError(f"{path}: holds no labels")
    found = []
    for number, row in enumerate(rows, start=1):
        place = f"{path}: row {number}"
        if not isinstance(row.get("id"), str) or not isinstance(row.get("labels"), str):
            raise TableError(f"{place}: should have `id` and `labels`, both text")
        found.append(_instance(row["id"], row["labels"], place))
    return tuple(found)


def agreement(instance: Instance, folder: Path) -> Agreement:
    """Compare a judge's verdicts, `<model>/<paper id>.jsonl` below the folder, with the labels of one instance.

    Raises:
        TableError: if the file of verdicts is damaged.
    """
    verdicts = _verdicts(instance, folder)
    rows = [(true, said) for name, true in instance.labels for said in verdicts.get(name, [None])]
    known = [(true, said) for true, said in rows if said is not None]
    return Agreement(
        id=instance.id,
        # The published code scores an instance without a file as 0, whatever its labels are.
        published=_scores([(true, bool(said)) for true, said in rows]),
        judged=_scores(known) if known else None,
        labels=len(instance.labels),
        missing=sum(name not in verdicts for name, _ in instance.labels),
    )


def means(values: Sequence[tuple[float, float, float]]) -> Means:
    """Return the macro means of triples of precision, recall and F1."""
    return Means(*(statistics.mean([value[number] for value in values]) for number in range(3)))


def _instance(instance_id: str, labels: str, place: str) -> Instance:
    values = [value for _, value in json_lines(labels, place)]
    author = any(isinstance(value, dict) and "name_in_paper" in value for value in values)
    read = _author_label if author else _reviewer_label
    try:
        pairs = tuple(read(value) for value in values)
    except ValidationError as error:
        raise TableError(f"{place}: {'; '.join(findings(error)[:3])}") from error
    return Instance(instance_id, Task.AUTHOR if author else Task.REVIEWER, pairs)


def _author_label(value: object) -> tuple[str, bool]:
    return _named(AuthorVerdict.model_validate(value))


def _reviewer_label(value: object) -> tuple[str, bool]:
    return _named(ReviewerVerdict.model_validate(value))


def _named(verdict: Verdict) -> tuple[str, bool]:
    if isinstance(verdict, AuthorVerdict):
        return verdict.name_in_paper, bool(verdict.name_in_plan)
    return verdict.name_in_plan, verdict.appears_in_review


def _verdicts(instance: Instance, folder: Path) -> Mapping[str, list[bool | None]]:
    if not verdict_path(folder, instance.id).is_file():
        return {}
    found: dict[str, list[bool | None]] = {}
    for name, said in map(_named, read_verdicts(folder, instance.id, instance.task)):
        found.setdefault(name, []).append(said)
    return found


def _scores(rows: Sequence[tuple[bool, bool | None]]) -> tuple[float, float, float]:
    return precision_recall_f1(Labels(tuple(true for true, _ in rows), tuple(bool(said) for _, said in rows)))
