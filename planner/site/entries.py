"""The entries of a site: one for each paper planned by a model, read from a trajectory and its record."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from planner.chat import LM_PLANNER
from planner.details import ALREADY_REPORTED, Details
from planner.errors import Outcome, TrajectoryError
from planner.names import build_record_path
from planner.planning.record import PlanRecord
from planner.sanitize import clean_text, shorten_name
from planner.schema import Ablation, Task
from planner.site.titles import format_title
from planner.trajectory.format import Trajectory
from planner.trajectory.reader import read_trajectory

MAX_COST: Final = 1e9  # USD; the sum of many costs stays finite


@dataclass(frozen=True, slots=True)
class EntrySource:
    """The files of an entry: a trajectory, its record, or both, with the name of the run."""

    run: str
    trajectory_path: Path | None = None
    record_path: Path | None = None


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A paper planned by a model, or the failure to do so.

    `title` is "" if no record gives one; `trajectory` is None if there is no plan.
    """

    run: str
    planner: str
    model: str
    paper_id: str
    task: Task
    outcome: Outcome
    reason: str = ""
    title: str = ""
    trajectory: Trajectory | None = None
    record: PlanRecord | None = None
    warnings: tuple[str, ...] = ()

    @property
    def ablations(self) -> tuple[Ablation, ...]:
        """The ablations of the plan, empty if there is no plan."""
        return self.trajectory.plan.ablations if self.trajectory else ()

    @property
    def details(self) -> tuple[Details, ...]:
        """The details of each ablation, empty if the record has none or is not that of this plan."""
        details = self.record.details if self.record else ()
        return details if len(details) == len(self.ablations) else ()

    @property
    def review_details(self) -> tuple[Details, ...]:
        """The details for a review: without the quote where the paper seems to report the ablation already."""
        return tuple(
            each.model_copy(update={"evidence": None}) if _is_reported(self.list_findings(number)) else each
            for number, each in enumerate(self.details)
        )

    def list_findings(self, number: int) -> tuple[str, ...]:
        """Return the faults that the program found in an ablation, which is given by its index."""
        return self.record.list_findings(number + 1, self.ablations[number].name) if self.record else ()

    @property
    def model_name(self) -> str:
        """The model, or the planner and its model if no language model planned."""
        return self.model if self.planner == LM_PLANNER else f"{self.planner}/{self.model}"

    @property
    def limit(self) -> str:
        """The number of ablations that were asked for, in words, "" if it is not known."""
        return f"up to {self.record.k}" if self.record else ""

    @property
    def cost(self) -> float | None:
        """The cost in USD, None if it is not known."""
        return self.record.cost if self.record and _is_valid_cost(self.record.cost) else None


_LABEL_FORMATS: Final[tuple[Callable[[PlanEntry], str], ...]] = (
    lambda entry: entry.model_name,
    lambda entry: f"{entry.planner}/{entry.model}",
    lambda entry: f"{entry.planner}/{entry.model} ({entry.task})",
    lambda entry: f"{entry.planner}/{entry.model} ({entry.task}, {entry.run})",
    lambda entry: f"{entry.planner}/{entry.model} ({', '.join(filter(None, (entry.task, entry.run, entry.limit)))})",
)


def read_plan_entries(sources: Iterable[EntrySource]) -> tuple[PlanEntry, ...]:
    """Read the entries of one paper, in the order in which the site shows them.

    Raises:
        TrajectoryError: if a file was changed or removed since it was found.
    """
    return tuple(
        sorted(map(read_plan_entry, sources), key=lambda entry: (entry.task, entry.planner, entry.model, entry.run))
    )


def create_entry(trajectory: Trajectory, run: str = "") -> PlanEntry:
    """Return the entry of a trajectory that has no record."""
    return PlanEntry(
        run=run,
        planner=trajectory.planner,
        model=trajectory.model,
        paper_id=trajectory.paper_id,
        task=trajectory.task,
        outcome=Outcome.PLANNED,
        trajectory=trajectory,
        warnings=trajectory.warnings,
    )


def read_plan_entry(source: EntrySource) -> PlanEntry:
    """Read an entry; if only one of its files can be read, use that one and add a warning.

    Raises:
        TrajectoryError: if no file can be read.
    """
    if source.trajectory_path is None:
        assert source.record_path is not None, "a source has a file"
        return create_failed_entry(source.run, _read_record(source.record_path))
    try:
        planned = create_entry(read_trajectory(source.trajectory_path), source.run)
    except TrajectoryError as error:
        if source.record_path is None:
            raise
        failed = create_failed_entry(source.run, _read_record(source.record_path))
        return _add_warning(failed, f"the trajectory could not be read: {redact_folder(error, source.trajectory_path)}")
    if source.record_path is None:
        return planned
    try:
        return join_record(planned, _read_record(source.record_path))
    except TrajectoryError as error:
        return _add_warning(planned, f"the record could not be read: {redact_folder(error, source.record_path)}")


def choose_title(entries: Sequence[PlanEntry]) -> str:
    """Return the paper's title, or its id in words if no title is known; one in capitals gets small letters."""
    paper_id = entries[0].paper_id
    candidates = (*(entry.title for entry in entries), re.sub(r"[_\s]+", " ", paper_id), paper_id)
    title = next((title for text in candidates if (title := clean_text(text).text.strip())), "?")
    return format_title(shorten_name(title), _list_texts(entries))


def _list_texts(entries: Sequence[PlanEntry]) -> Iterator[str]:
    """Yield the texts about a paper, which show how its words are written."""
    for entry in entries:
        yield entry.record.paper.abstract if entry.record else ""
        yield entry.trajectory.reasoning if entry.trajectory else ""
        yield from (f"{ablation.name}\n{ablation.ablated_part}" for ablation in entry.ablations)


def label_entries(entries: Sequence[PlanEntry]) -> list[str]:
    """Return a label for each entry of a paper: the model's name, and what distinguishes it from the others."""
    counts = [Counter(map(format_label, entries)) for format_label in _LABEL_FORMATS]
    labels: dict[str, None] = {}
    for entry in entries:
        names = [format_label(entry) for format_label in _LABEL_FORMATS]
        unique = (name for name, count in zip(names, counts, strict=True) if count[name] == 1)
        label = next((name for name in (*unique, names[-1]) if name not in labels), names[-1])
        number = 2
        while label in labels:
            label, number = f"{names[-1]} #{number}", number + 1
        labels[label] = None
    return list(labels)


def derive_run_name(folder: Path) -> str:
    """Return the name of a run, which is its folder's name."""
    path = folder.resolve()
    return path.parent.name if path.name == "trajectories" and path.parent.name else path.name or str(path)


def pair_file(path: Path) -> EntrySource:
    """Return the files of the entry of one trajectory: the file, and the record beside it if there is one."""
    record_path = build_record_path(path)
    return EntrySource(derive_run_name(path.parent), path, record_path if record_path.is_file() else None)


def redact_folder(error: TrajectoryError, path: Path) -> str:
    """Return an error's text with the file's name instead of its path: pages are shared, folders are private."""
    return str(error).replace(str(path), path.name)


def create_failed_entry(run: str, record: PlanRecord) -> PlanEntry:
    """Return the entry of a record without a trajectory."""
    entry = PlanEntry(
        run=run,
        planner=record.planner,
        model=record.model,
        paper_id=record.paper.id,
        task=record.task,
        outcome=record.outcome,
        reason=record.reason,
        title=record.paper.title,
        record=record,
        warnings=record.warnings,
    )
    if record.outcome is Outcome.PLANNED:
        entry = _add_warning(entry, "the trajectory file is missing")
    return _check_cost(entry, record)


def join_record(planned: PlanEntry, record: PlanRecord) -> PlanEntry:
    """Return the entry of a trajectory with the facts of its record."""
    entry = replace(
        planned,
        outcome=record.outcome,
        reason=record.reason,
        title=record.paper.title,
        record=record,
        warnings=tuple(dict.fromkeys((*planned.warnings, *record.warnings))),
    )
    subject = (record.planner, record.model, record.paper.id, record.task)
    if subject != (planned.planner, planned.model, planned.paper_id, planned.task):
        entry = _add_warning(entry, f"the record is that of {'/'.join(subject[:3])} ({record.task})")
    return _check_cost(entry, record)


def _check_cost(entry: PlanEntry, record: PlanRecord) -> PlanEntry:
    known = record.cost is None or _is_valid_cost(record.cost)
    return entry if known else _add_warning(entry, f"the cost on record, {record.cost}, is not valid and was left out")


def _is_reported(findings: Iterable[str]) -> bool:
    return any(finding.startswith(ALREADY_REPORTED) for finding in findings)


def _is_valid_cost(usd: float | None) -> bool:
    return usd is not None and 0 <= usd < MAX_COST


def _add_warning(entry: PlanEntry, warning: str) -> PlanEntry:
    return replace(entry, warnings=(*entry.warnings, warning))


def _read_record(path: Path) -> PlanRecord:
    try:
        return _remove_folders(PlanRecord.read(path))
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror or error}") from None


def _remove_folders(record: PlanRecord) -> PlanRecord:
    source = record.paper.source
    if not (PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute()):
        return record
    name = PureWindowsPath(source).name
    whole_source = re.compile(rf"(?<!\w){re.escape(source)}(?!\w)")  # "/paper" is no part of "/papers"
    return record.model_copy(
        update={
            "paper": record.paper.model_copy(update={"source": name}),
            "reason": whole_source.sub(lambda _: name, record.reason),
            "warnings": tuple(whole_source.sub(lambda _: name, warning) for warning in record.warnings),
        }
    )
