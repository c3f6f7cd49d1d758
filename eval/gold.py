"""Read the gold data that plans are scored against: a paper's ablations, its reviews, or what was masked in it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from eval.tables import Row, TableError, is_utf8_text, parse_json, parse_json_lines, read_table_rows
from eval.verdicts import build_verdict_path
from planner.errors import UsageError
from planner.schema import PLAN_FIELDS, PUBLISHED_CONTEXT, Ablation, Task, list_validation_faults

_ABLATION_COLUMNS: Final = ("ablations_in_paper", "ablations")
_REVIEW_COLUMNS: Final = ("review_text", "reviews")
_ANSWER_COLUMNS: Final = ("answers",)
_MAX_SUGGESTIONS: Final = 1000
_EMPTY_REPLACEMENTS: Final = frozenset({"", "none", "null", "n/a"})


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
    suggestion_count: int
    warnings: tuple[str, ...] = ()


class MaskedGold(AuthorGold):
    """A paper of the reviewer task with the ablations that were taken out of its text, any of which is the answer."""

    __slots__ = ()


Gold = AuthorGold | ReviewerGold


@dataclass(frozen=True, slots=True)
class GoldSet:
    """The gold data of one task, by paper id."""

    task: Task
    source: str
    papers: Mapping[str, Gold]

    @property
    def is_masked(self) -> bool:
        """True if the papers are masked ones."""
        return any(isinstance(paper, MaskedGold) for paper in self.papers.values())


def read_gold(path: Path, task: Task | None = None) -> GoldSet:
    """Read AblationBench's gold data, or our own, from Parquet, JSONL or JSON; `task` is needed if it holds both tasks.

    AblationBench: `id`, `paper_title`, and `ablations_in_paper` (author) or `review_text` with
    `num_ablation_suggestions` (reviewer). Our own: `id`, `title`, and `ablations: […]`, `reviews: […]`, or for masked
    papers `answers: […]`. If reviews come without `num_ablation_suggestions`, one ablation for each review is assumed,
    with a warning.

    Raises:
        TableError: if a row is not of these forms, an id occurs twice, or two ids give the same file name.
        UsageError: if the file does not exist or is empty, or if it holds several kinds of gold for the task.
    """
    rows = read_table_rows(path)
    kind = _detect_kind(rows, path, task)
    papers: dict[str, Gold] = {}
    ids_by_file: dict[Path, str] = {}
    for number, row in enumerate(rows, start=1):
        paper = kind.read_row(row, f"{path}: row {number}")
        if paper.id in papers:
            raise TableError(f"{path}: row {number}: the id {paper.id!r} occurs twice")
        if (other_id := ids_by_file.setdefault(build_verdict_path(Path(), paper.id), paper.id)) != paper.id:
            raise TableError(f"{path}: row {number}: {paper.id!r} and {other_id!r} would share one file of verdicts")
        papers[paper.id] = paper
    return GoldSet(kind.task, str(path), papers)


def read_ablation(value: Any) -> Ablation:
    """Read one ablation of a published plan, of a paper's annotation, or of our own files; ignore unknown fields.

    A line break becomes a space, a single string a list of one, and a replacement such as "none" or "n/a" is dropped.

    Raises:
        ValueError: if a field is missing or has the wrong type; the text names the field.
    """
    if not isinstance(value, dict):
        raise ValueError(f"should be an object, is {type(value).__name__}")  # noqa: TRY004 - the data are wrong
    known = {field.name: value[field.name] for field in PLAN_FIELDS if field.name in value}
    for field in PLAN_FIELDS:
        if field.is_list:
            known[field.name] = tuple(_split_items(known.get(field.name)))
        elif isinstance(known.get(field.name), str):
            known[field.name] = _join_lines(known[field.name])
    known["action"] = str(known.get("action", "")).upper()
    try:
        return Ablation.model_validate(known, context=PUBLISHED_CONTEXT)
    except ValidationError as error:
        raise ValueError("; ".join(list_validation_faults(error))) from error


def make_names_unique(ablations: Iterable[Ablation]) -> tuple[tuple[Ablation, ...], tuple[str, ...]]:
    """Return the ablations with unique names, and a warning for each name that was changed.

    Verdicts refer to ablations by name, so two with one name would count as one.
    """
    seen: set[str] = set()
    renamed: list[Ablation] = []
    warnings: list[str] = []
    for ablation in ablations:
        name = next(name for name in _numbered_names(ablation.name) if name not in seen)
        if name != ablation.name:
            warnings.append(f"the name {ablation.name!r} occurs more than once; one of them is called {name!r} here")
            ablation = ablation.model_copy(update={"name": name})
        seen.add(name)
        renamed.append(ablation)
    return tuple(renamed), tuple(warnings)


def _detect_kind(rows: tuple[Row, ...], path: Path, task: Task | None) -> "_GoldKind":
    kinds = [kind for kind in _KINDS if task in (None, kind.task)]
    found = [kind for kind in kinds if any(row.get(column) is not None for row in rows for column in kind.columns)]
    if len({kind.task for kind in found}) > 1:
        raise UsageError(f"{path}: holds both tasks; choose one with --task")
    if len(found) > 1:
        raise UsageError(f"{path}: holds reviews and answers; put them into two files")
    if not found and task is None:
        columns = " or ".join(f"{kind.name} ({', '.join(kind.columns)})" for kind in kinds)
        raise UsageError(f"{path}: no row has {columns}")
    return (found or kinds)[0]


def _read_author_gold(row: Row, place: str) -> AuthorGold:
    ablations, warnings = _read_ablations(row, _ABLATION_COLUMNS, place)
    return AuthorGold(_read_id(row, place), _read_title(row, place), ablations, warnings)


def _read_masked_gold(row: Row, place: str) -> MaskedGold:
    answers, warnings = _read_ablations(row, _ANSWER_COLUMNS, place)
    if not answers:
        raise TableError(f"{place}: has no answer")
    return MaskedGold(_read_id(row, place), _read_title(row, place), answers, warnings)


def _read_ablations(row: Row, columns: tuple[str, ...], place: str) -> tuple[tuple[Ablation, ...], tuple[str, ...]]:
    values = _parse_list(_first_column(row, columns, place), place)
    try:
        return make_names_unique(read_ablation(value) for value in values)
    except ValueError as error:
        raise TableError(f"{place}: {error}") from error


def _read_reviewer_gold(row: Row, place: str) -> ReviewerGold:
    reviews = tuple(
        _check_text(review, "a review", place)
        for review in _parse_list(_first_column(row, _REVIEW_COLUMNS, place), place)
    )
    suggestions = row.get("num_ablation_suggestions")
    if suggestions is not None:
        return ReviewerGold(_read_id(row, place), _read_title(row, place), reviews, _read_count(suggestions, place))
    warning = f"num_ablation_suggestions is missing; one for each review is assumed, {len(reviews)} in all"
    return ReviewerGold(_read_id(row, place), _read_title(row, place), reviews, len(reviews), (warning,))


@dataclass(frozen=True, slots=True)
class _GoldKind:
    """A kind of gold: its task, what its rows hold, the columns that hold it, and the function that reads a row."""

    task: Task
    name: str
    columns: tuple[str, ...]
    read_row: Callable[[Row, str], Gold]


_KINDS: Final = (
    _GoldKind(Task.AUTHOR, "ablations", _ABLATION_COLUMNS, _read_author_gold),
    _GoldKind(Task.REVIEWER, "reviews", _REVIEW_COLUMNS, _read_reviewer_gold),
    _GoldKind(Task.REVIEWER, "answers", _ANSWER_COLUMNS, _read_masked_gold),
)


def _parse_list(value: Any, place: str) -> list[Any]:
    """Return a list, which AblationBench stores as a string of JSON or JSONL."""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            value = [item for _, item in parse_json_lines(value, place)]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise TableError(f"{place}: should hold a list, holds {type(value).__name__}")
    return value


def _first_column(row: Row, columns: tuple[str, ...], place: str) -> Any:
    for column in columns:
        if row.get(column) is not None:
            return row[column]
    raise TableError(f"{place}: has none of {', '.join(columns)}")


def _read_id(row: Row, place: str) -> str:
    if not isinstance(row.get("id"), str) or not row["id"].strip():
        raise TableError(f"{place}: has no id")
    return _check_text(row["id"], "the id", place)


def _read_title(row: Row, place: str) -> str:
    return _check_text(row.get("paper_title") or row.get("title") or "", "the title", place)


def _check_text(value: Any, name: str, place: str) -> str:
    if not is_utf8_text(value):
        raise TableError(f"{place}: {name} should be text, is {str(value)[:60]!r}")
    return str(value)


def _read_count(value: Any, place: str) -> int:
    is_whole = value.is_integer() if isinstance(value, float) else type(value) is int
    if not is_whole or not 0 <= value <= _MAX_SUGGESTIONS:
        raise TableError(f"{place}: num_ablation_suggestions should be a count, is {value!r}")
    return int(value)


def _numbered_names(name: str) -> Iterator[str]:
    yield name
    for number in count(start=2):
        yield f"{name} ({number})"


def _split_items(value: Any) -> Iterator[str]:
    """Yield the texts of a list, of a single value, or of nothing; values that are not text are converted by `str`."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _EMPTY_REPLACEMENTS):
        return
    for item in value if isinstance(value, list | tuple) else [value]:
        if item is not None and str(item).strip().lower() not in _EMPTY_REPLACEMENTS:
            yield _join_lines(str(item))


def _join_lines(text: str) -> str:
    return " ".join(text.split("\n")).replace("\r", " ") if "\n" in text or "\r" in text else text
