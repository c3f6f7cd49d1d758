"""The gold data that plans are scored against: the ablations in a paper, or the reviews that ask for ablations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.ablations import read_ablation, unique_names
from eval.tables import Row, TableError, is_text, json_lines, json_value, read_rows
from eval.verdicts import verdict_path
from planner.errors import UsageError
from planner.schema import Ablation, Task


@dataclass(frozen=True, slots=True)
class AuthorGold:
    """A paper and the ablations that it reports, in the paper's order and with unique names."""

    id: str
    title: str
    ablations: tuple[Ablation, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewerGold:
    """A paper, its reviews, and the number of ablations that they ask for."""

    id: str
    title: str
    reviews: tuple[str, ...]
    suggestions: int
    warnings: tuple[str, ...] = ()


Gold = AuthorGold | ReviewerGold


@dataclass(frozen=True, slots=True)
class GoldSet:
    """The gold data of one task, by paper id."""

    task: Task
    source: str
    papers: Mapping[str, Gold]


def read_gold(path: Path, task: Task | None = None) -> GoldSet:
    """Read AblationBench's gold data, or our own, from Parquet, JSONL or JSON; `task` is needed if it holds both tasks.

    AblationBench: `id`, `paper_title`, and `ablations_in_paper` (author) or `review_text` with
    `num_ablation_suggestions` (reviewer). Our own: `id`, `title`, and `ablations: […]` or `reviews: […]`. If reviews
    come without `num_ablation_suggestions`, one ablation for each review is assumed, with a warning.

    Raises:
        TableError: if a row is not of these forms, an id occurs twice, or two ids give the same file name.
        UsageError: if the file does not exist or is empty, or if it holds both tasks and `task` is None.
    """
    rows = read_rows(path)
    found = task or _task(rows, path)
    read = _author if found is Task.AUTHOR else _reviewer
    papers: dict[str, Gold] = {}
    files: dict[Path, str] = {}
    for number, row in enumerate(rows, start=1):
        paper = read(row, f"{path}: row {number}")
        if paper.id in papers:
            raise TableError(f"{path}: row {number}: the id {paper.id!r} occurs twice")
        if (taken := files.setdefault(verdict_path(Path(), paper.id), paper.id)) != paper.id:
            raise TableError(f"{path}: row {number}: {paper.id!r} and {taken!r} would share one file of verdicts")
        papers[paper.id] = paper
    return GoldSet(found, str(path), papers)


def _task(rows: tuple[Row, ...], path: Path) -> Task:
    tasks = {
        task
        for row in rows
        for task, columns in ((Task.AUTHOR, _ABLATIONS), (Task.REVIEWER, _REVIEWS))
        if any(row.get(column) is not None for column in columns)
    }
    if len(tasks) != 1:
        raise UsageError(
            f"{path}: holds both tasks; choose one with --task"
            if tasks
            else f"{path}: no row has ablations ({', '.join(_ABLATIONS)}) or reviews ({', '.join(_REVIEWS)})"
        )
    return tasks.pop()


_ABLATIONS = ("ablations_in_paper", "ablations")
_REVIEWS = ("review_text", "reviews")
_MOST_SUGGESTIONS = 1000


def _author(row: Row, place: str) -> AuthorGold:
    found = _listed(_first(row, _ABLATIONS, place), place)
    try:
        ablations, warnings = unique_names(read_ablation(value) for value in found)
    except ValueError as error:
        raise TableError(f"{place}: {error}") from error
    return AuthorGold(_id(row, place), _title(row, place), ablations, warnings)


def _reviewer(row: Row, place: str) -> ReviewerGold:
    reviews = tuple(_text(review, "a review", place) for review in _listed(_first(row, _REVIEWS, place), place))
    count = row.get("num_ablation_suggestions")
    if count is not None:
        return ReviewerGold(_id(row, place), _title(row, place), reviews, _count(count, place))
    assumed = f"num_ablation_suggestions is missing; one for each review is assumed, {len(reviews)} in all"
    return ReviewerGold(_id(row, place), _title(row, place), reviews, len(reviews), (assumed,))


def _listed(value: Any, place: str) -> list[Any]:
    """Return a list, which AblationBench stores as a string of JSON or JSONL."""
    if isinstance(value, str):
        try:
            value = json_value(value)
        except ValueError:
            value = [item for _, item in json_lines(value, place)]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise TableError(f"{place}: should hold a list, holds {type(value).__name__}")
    return value


def _first(row: Row, columns: tuple[str, ...], place: str) -> Any:
    for column in columns:
        if row.get(column) is not None:
            return row[column]
    raise TableError(f"{place}: has none of {', '.join(columns)}")


def _id(row: Row, place: str) -> str:
    if not isinstance(row.get("id"), str) or not row["id"].strip():
        raise TableError(f"{place}: has no id")
    return _text(row["id"], "the id", place)


def _title(row: Row, place: str) -> str:
    return _text(row.get("paper_title") or row.get("title") or "", "the title", place)


def _text(value: Any, what: str, place: str) -> str:
    if not is_text(value):
        raise TableError(f"{place}: {what} should be text, is {str(value)[:60]!r}")
    return str(value)


def _count(value: Any, place: str) -> int:
    is_whole = value.is_integer() if isinstance(value, float) else type(value) is int
    if not is_whole or not 0 <= value <= _MOST_SUGGESTIONS:
        raise TableError(f"{place}: num_ablation_suggestions should be a count, is {value!r}")
    return int(value)
