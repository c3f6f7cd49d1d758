"""The entries of a site. An entry is the plan of a paper by a model, read from a trajectory and its record."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from planner.chat import LM_PLANNER, REUSED_NOTE
from planner.details import ALREADY_REPORTED, Details, RejectedAblation
from planner.errors import Outcome, TrajectoryError
from planner.files import walk_folders
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX, build_record_path
from planner.planning.record import PlanRecord
from planner.schema import Ablation, Task
from planner.trajectory.format import Trajectory
from planner.trajectory.reader import read_trajectory

_RUN_FOLDER: Final = "trajectories"  # in a run folder, beside the file that describes the run
_RUN_FILE: Final = "run.json"
_MAX_COST: Final = 1e9  # USD; the sum of many costs stays finite


@dataclass(frozen=True, slots=True)
class EntryFiles:
    """The files of an entry: a trajectory, a record, or both. `run` is the name of the run."""

    run: str
    trajectory_path: Path | None = None
    record_path: Path | None = None

    @property
    def path(self) -> Path:
        """The path of the trajectory, or of the record if there is no trajectory."""
        path = self.trajectory_path or self.record_path
        assert path is not None, "an entry has at least one file"
        return path


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """The plan of a paper by a model, or the failure to make this plan.

    `trajectory` is None if there is no plan. `title` is "" if no record gives a title.
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
        """The ablations of the plan, or () if there is no plan."""
        return self.trajectory.plan.ablations if self.trajectory else ()

    @property
    def has_details(self) -> bool:
        """True if the record has details for each ablation of the plan."""
        return bool(self.record and self.record.details and len(self.record.details) == len(self.ablations))

    @property
    def details(self) -> tuple[Details, ...]:
        """The details of each ablation. If the record has none, each item is an empty `Details`."""
        return self.record.details if self.record and self.has_details else (Details(),) * len(self.ablations)

    @property
    def run_order(self) -> tuple[int, ...]:
        """The indices of the ablations in the order in which to run them, or () if there are no details."""
        return self.record.order if self.record and self.has_details else ()

    @property
    def considered(self) -> tuple[RejectedAblation, ...]:
        """The candidates that the plan does not keep, or () if no candidates are recorded."""
        return self.record.considered if self.record else ()

    @property
    def review_details(self) -> tuple[Details, ...]:
        """The details of each ablation, for a review. No quote is shown if the paper seems to report the ablation."""
        return tuple(
            each.model_copy(update={"evidence": None})
            if any(finding.startswith(ALREADY_REPORTED) for finding in self.list_findings(number))
            else each
            for number, each in enumerate(self.details)
        )

    def list_findings(self, index: int) -> tuple[str, ...]:
        """Return the faults that the program found in an ablation. `index` is the ablation's index in the plan."""
        return self.record.list_findings(index, self.ablations[index].name) if self.record else ()

    def group_warnings(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return (heading, warnings) for two groups: the warnings about the plan, and all other warnings.

        A group without warnings is left out. The warning that a stored reply was used is left out too.
        """
        shown = [warning for warning in self.warnings if warning != REUSED_NOTE]
        of_plan = tuple(warning for warning in shown if warning.startswith("ablation "))
        others = tuple(warning for warning in shown if not warning.startswith("ablation "))
        groups = (("About the plan", of_plan), ("About the paper and the reply", others))
        return tuple((heading, warnings) for heading, warnings in groups if warnings)

    @property
    def model_name(self) -> str:
        """The model's name. If no model wrote the plan, the planner's name is added, as in "combined-planner/…"."""
        return self.model if self.planner == LM_PLANNER else f"{self.planner}/{self.model}"

    @property
    def shown_reason(self) -> str:
        """The reason why there is no plan, as pages show it."""
        if self.reason or self.outcome is not Outcome.INTERRUPTED:
            return self.reason or "No reason is on record."
        return (
            "The plan was cancelled, or the program was stopped. Planning again continues from the replies on record."
        )

    @property
    def paper_sha256(self) -> str:
        """The hash of the paper's text, or "" if it is unknown."""
        return self.record.paper.sha256 if self.record else ""

    @property
    def cost(self) -> float | None:
        """The cost in USD, or None if it is unknown."""
        cost = self.record.cost if self.record else None
        return cost if cost is not None and 0 <= cost < _MAX_COST else None

    def is_own_record(self, record: PlanRecord) -> bool:
        """Return whether a record has the planner, model, paper and task of this entry."""
        subject = (record.planner, record.model, record.paper.id, record.task)
        return subject == (self.planner, self.model, self.paper_id, self.task)


def read_sorted_entries(entry_files_of_paper: Iterable[EntryFiles]) -> tuple[PlanEntry, ...]:
    """Read the entries of one paper. Return them in the order in which pages show them.

    Raises:
        TrajectoryError: if a file was changed or removed after it had been found.
    """
    return tuple(
        sorted(
            map(read_plan_entry, entry_files_of_paper),
            key=lambda entry: (entry.task, entry.planner, entry.model, entry.run),
        )
    )


def create_planned_entry(trajectory: Trajectory, run: str = "") -> PlanEntry:
    """Return an entry for a trajectory, without a record."""
    subject = (trajectory.planner, trajectory.model, trajectory.paper_id, trajectory.task)
    return PlanEntry(run, *subject, Outcome.PLANNED, trajectory=trajectory, warnings=trajectory.warnings)


def read_plan_entry(entry_files: EntryFiles) -> PlanEntry:
    """Read an entry from its files. If only one of two files can be read, use this file and add a warning.

    Raises:
        TrajectoryError: if no file can be read.
    """
    if entry_files.trajectory_path is None:
        return create_entry_without_trajectory(entry_files.run, _read_record(entry_files.path))
    try:
        planned = create_planned_entry(read_trajectory(entry_files.trajectory_path), entry_files.run)
    except TrajectoryError as error:
        if entry_files.record_path is None:
            raise
        failed = create_entry_without_trajectory(entry_files.run, _read_record(entry_files.record_path))
        return _add_warning(failed, f"the trajectory could not be read: {_redact_folder(error, entry_files.path)}")
    if entry_files.record_path is None:
        return planned
    try:
        return add_record_to_entry(planned, _read_record(entry_files.record_path))
    except TrajectoryError as error:
        return _add_warning(planned, f"the record could not be read: {_redact_folder(error, entry_files.record_path)}")


def _derive_run_name(folder: Path) -> str:
    """Return a name for a folder of plans, to be shown in headings. In most cases, it is the folder's own name.

    For the folder `trajectories` of a run, the name is that of the run's folder. For any other folder `trajectories`,
    it is `PARENT/trajectories`.
    """
    path = folder.resolve()
    if path.name != _RUN_FOLDER or not path.parent.name:
        return path.name or str(path)
    return path.parent.name if (path.parent / _RUN_FILE).is_file() else f"{path.parent.name}/{path.name}"


def find_entry_files(trajectory_path: Path) -> EntryFiles:
    """Return the files of an entry: the trajectory at `trajectory_path`, and its record if there is one."""
    record_path = build_record_path(trajectory_path)
    return EntryFiles(
        _derive_run_name(trajectory_path.parent), trajectory_path, record_path if record_path.is_file() else None
    )


def _redact_folder(error: TrajectoryError, path: Path) -> str:
    """Return the text of an error without the file's folder, since names of folders may be private."""
    return str(error).replace(str(path), path.name)


def create_entry_without_trajectory(run: str, record: PlanRecord) -> PlanEntry:
    """Return an entry for a record that has no trajectory."""
    unplanned = PlanEntry(run, record.planner, record.model, record.paper.id, record.task, record.outcome)
    return add_record_to_entry(unplanned, record)


def add_record_to_entry(entry_without_record: PlanEntry, record: PlanRecord) -> PlanEntry:
    """Return the entry with the facts of its record. If the record is for another plan, add a warning."""
    entry = replace(
        entry_without_record,
        outcome=record.outcome,
        reason=record.reason,
        title=record.paper.title,
        record=record,
        warnings=tuple(dict.fromkeys((*entry_without_record.warnings, *record.warnings))),
    )
    if not entry.is_own_record(record):
        named = f"{record.planner}/{record.model}/{record.paper.id} ({record.task})"
        entry = _add_warning(entry, f"the record beside the trajectory is for another plan: {named}")
    if entry.trajectory is None and record.outcome is Outcome.PLANNED:
        entry = _add_warning(entry, "the trajectory file is missing")
    if record.cost is not None and entry.cost is None:
        entry = _add_warning(entry, f"the cost on record, {record.cost}, is not valid and was left out")
    return entry


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


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that cannot be shown, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class EntryIndex:
    """The files of all entries, and the files that cannot be read. `entry_files_by_paper` maps paper ids to files.

    The plans are not kept in memory, since a run may be large. They are read again when their page is written.
    """

    run_names: tuple[str, ...]
    entry_files_by_paper: dict[str, tuple[EntryFiles, ...]]
    unread_files: tuple[UnreadFile, ...]


def index_entries(folders: Sequence[Path], excluded_folder: Path | None = None) -> EntryIndex:
    """Find the entries in run folders, or in other folders of trajectories.

    In a run, only the folder `trajectories` is searched. Hidden files and `excluded_folder` are skipped. If
    several folders have the same paper under different ids, its id in the first of these folders is used for all.
    """
    papers: dict[str, list[EntryFiles]] = defaultdict(list)
    unread: list[UnreadFile] = []
    ids_by_text: dict[str, str] = {}
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        own_ids: dict[str, str] = {}
        for entry_files in _find_entry_files(folder, excluded_folder, unread):
            try:
                entry = read_plan_entry(entry_files)
            except TrajectoryError as error:
                name, reason = entry_files.path.relative_to(folder), _redact_folder(error, entry_files.path)
                reason = reason.removeprefix(f"{entry_files.path.name}: ")
                unread.append(UnreadFile(f"{entry_files.run}/{name.as_posix()}", reason))
                continue
            paper_id = ids_by_text.get(entry.paper_sha256, entry.paper_id)
            papers[paper_id].append(entry_files)
            own_ids |= {entry.paper_sha256: paper_id} if entry.paper_sha256 else {}
        ids_by_text = own_ids | ids_by_text
    runs = tuple(dict.fromkeys(_derive_run_name(folder) for folder in folders))
    return EntryIndex(runs, {paper_id: tuple(files) for paper_id, files in papers.items()}, tuple(unread))


def find_trajectory_paths(folder: Path) -> list[Path]:
    """Return the trajectories in a run folder or in any other folder, sorted by path."""
    return [path for files in _find_entry_files(folder, None, []) if (path := files.trajectory_path)]


def _find_entry_files(
    folder: Path, excluded_folder: Path | None, unread_files: list[UnreadFile]
) -> Iterator[EntryFiles]:
    run, start = _derive_run_name(folder), folder / _RUN_FOLDER

    def add_unreadable(error: OSError) -> None:
        path = Path(error.filename).relative_to(folder.parent)
        unread_files.append(UnreadFile(path.as_posix(), f"cannot be read: {error.strerror or error}"))

    for parent, subfolders, names in walk_folders(start if start.is_dir() else folder, add_unreadable):
        subfolders[:] = sorted(n for n in subfolders if not n.startswith(".") and parent / n != excluded_folder)
        links = (name for name in subfolders if (parent / name).is_symlink())
        unread_files.extend(UnreadFile(f"{run}/{name}", "a link to a folder is not followed") for name in links)
        yield from _pair_files(run, parent, names)


def _pair_files(run: str, folder: Path, names: Iterable[str]) -> Iterator[EntryFiles]:
    visible = {name for name in names if not name.startswith(".")}
    plans = {name.removesuffix(TRAJECTORY_SUFFIX) for name in visible if name.endswith(TRAJECTORY_SUFFIX)}
    records = {name.removesuffix(RECORD_SUFFIX) for name in visible if name.endswith(RECORD_SUFFIX)}
    for stem in sorted(plans | records):
        yield EntryFiles(
            run,
            folder / f"{stem}{TRAJECTORY_SUFFIX}" if stem in plans else None,
            folder / f"{stem}{RECORD_SUFFIX}" if stem in records else None,
        )
