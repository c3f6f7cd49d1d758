"""The entries of a site: one for each planning of a paper by a model, read from a trajectory and its sidecar."""
# MERGED-DOC """Find the trajectories and sidecars in folders, and group them by paper."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from planner.errors import Outcome, TrajectoryError
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX
from planner.planning.record import PlanRecord
from planner.sanitize import clean_text
from planner.schema import Ablation, Task
from planner.trajectory.format import Trajectory
from planner.trajectory.reader import read_trajectory

LM_PLANNER: Final = "lm-planner"
MAX_COST: Final = 1e9  # USD; the sum of many costs stays finite
MAX_SIDECAR_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EntrySource:
    """The files of an entry: a trajectory, a sidecar, or both, with the name of the run."""

    run: str
    trajectory_path: Path | None = None
    sidecar_path: Path | None = None


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A paper planned by a model, or the failure to do so.

    `title` is "" if no sidecar gives one; `trajectory_path` is None if there is no plan.
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
    sidecar: PlanRecord | None = None
    warnings: tuple[str, ...] = ()

    @property
    def ablations(self) -> tuple[Ablation, ...]:
        """The ablations of the plan, empty if there is no plan."""
        return self.trajectory.plan.ablations if self.trajectory else ()

    @property
    def model_name(self) -> str:
        """The model, or the planner and its model if no language model planned."""
        return self.model if self.planner == LM_PLANNER else f"{self.planner}/{self.model}"

    @property
    def cost(self) -> float | None:
        """The cost in USD, None if it is not known."""
        return self.sidecar.cost if self.sidecar and _is_cost(self.sidecar.cost) else None


_LABEL_FORMS: Final[tuple[Callable[[PlanEntry], str], ...]] = (
    lambda entry: entry.model_name,
    lambda entry: f"{entry.planner}/{entry.model}",
    lambda entry: f"{entry.planner}/{entry.model} ({entry.task})",
    lambda entry: f"{entry.planner}/{entry.model} ({entry.task}, {entry.run})",
)


def create_entry(trajectory: Trajectory, run: str = "") -> PlanEntry:
    """Return the entry of a trajectory that has no sidecar."""
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
        assert source.sidecar_path is not None, "a source has a file"
        return _create_failed_entry(source.run, _read_record(source.sidecar_path))
    try:
        planned = create_entry(read_trajectory(source.trajectory_path), source.run)
    except TrajectoryError as error:
        if source.sidecar_path is None:
            raise
        failed = _create_failed_entry(source.run, _read_record(source.sidecar_path))
        return _add_warning(failed, f"the trajectory could not be read: {redact_folder(error, source.trajectory_path)}")
    if source.sidecar_path is None:
        return planned
    try:
        return _join_record(planned, _read_record(source.sidecar_path))
    except TrajectoryError as error:
        return _add_warning(planned, f"the run facts could not be read: {redact_folder(error, source.sidecar_path)}")


def redact_folder(error: TrajectoryError, path: Path) -> str:
    """Return an error's text with the file's name instead of its path: pages are shared, folders are private."""
    return str(error).replace(str(path), path.name)


def choose_title(entries: Sequence[PlanEntry]) -> str:
    """Return the paper's title, or its id in words if no title is known."""
    paper_id = entries[0].paper_id
    texts = (*(entry.title for entry in entries), re.sub(r"[_\s]+", " ", paper_id), paper_id)
    return next((title for text in texts if (title := clean_text(text).text.strip())), "?")


def label_entries(entries: Sequence[PlanEntry]) -> list[str]:
    """Return a label for each entry of a paper: the model's name, and what distinguishes it from the others."""
    counts = [Counter(map(way, entries)) for way in _LABEL_FORMS]
    labels: dict[str, None] = {}
    for entry in entries:
        names = [way(entry) for way in _LABEL_FORMS]
        alone = (name for name, count in zip(names, counts, strict=True) if count[name] == 1)
        label = next((name for name in (*alone, names[-1]) if name not in labels), names[-1])
        number = 2
        while label in labels:
            label, number = f"{names[-1]} #{number}", number + 1
        labels[label] = None
    return list(labels)


def _create_failed_entry(run: str, sidecar: PlanRecord) -> PlanEntry:
    entry = PlanEntry(
        run=run,
        planner=sidecar.planner,
        model=sidecar.model,
        paper_id=sidecar.paper.id,
        task=sidecar.task,
        outcome=sidecar.outcome,
        reason=sidecar.reason,
        title=sidecar.paper.title,
        sidecar=sidecar,
        warnings=sidecar.warnings,
    )
    if sidecar.outcome is Outcome.PLANNED:
        entry = _add_warning(entry, "the trajectory file is missing")
    return _check_cost(entry, sidecar)


def _join_record(planned: PlanEntry, sidecar: PlanRecord) -> PlanEntry:
    entry = replace(
        planned,
        outcome=sidecar.outcome,
        reason=sidecar.reason,
        title=sidecar.paper.title,
        sidecar=sidecar,
        warnings=tuple(dict.fromkeys((*planned.warnings, *sidecar.warnings))),
    )
    told = (sidecar.planner, sidecar.model, sidecar.paper.id, sidecar.task)
    if told != (planned.planner, planned.model, planned.paper_id, planned.task):
        entry = _add_warning(entry, f"the run facts are those of {'/'.join(told[:3])} ({sidecar.task})")
    return _check_cost(entry, sidecar)


def _check_cost(entry: PlanEntry, sidecar: PlanRecord) -> PlanEntry:
    known = sidecar.cost is None or _is_cost(sidecar.cost)
    return entry if known else _add_warning(entry, f"the cost on record, {sidecar.cost}, is not valid and was left out")


def _is_cost(usd: float | None) -> bool:
    return usd is not None and 0 <= usd < MAX_COST


def _add_warning(entry: PlanEntry, warning: str) -> PlanEntry:
    return replace(entry, warnings=(*entry.warnings, warning))


def _read_record(path: Path) -> PlanRecord:
    try:
        if path.stat().st_size > MAX_SIDECAR_BYTES:
            raise TrajectoryError(f"{path}: larger than {MAX_SIDECAR_BYTES // 1024**2} MiB, which no sidecar is")
        return _remove_folders(PlanRecord.read(path))
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror or error}") from None


def _remove_folders(facts: PlanRecord) -> PlanRecord:
    source = facts.paper.source
    if not (PurePosixPath(source).is_absolute() or PureWindowsPath(source).is_absolute()):
        return facts
    name = PureWindowsPath(source).name
    return facts.model_copy(
        update={
            "paper": facts.paper.model_copy(update={"source": name}),
            "reason": facts.reason.replace(source, name),
            "warnings": tuple(warning.replace(source, name) for warning in facts.warnings),
        }
    )


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that cannot be shown, and the reason."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class EntryIndex:
    """The files of each paper's entries, by the paper's id, and the files that cannot be read.

    Entries are read again when their page is written, so that a run of any size fits into memory.
    """

    runs: tuple[str, ...]
    papers: dict[str, tuple[EntrySource, ...]]
    unread_files: tuple[UnreadFile, ...]


def index_entries(folders: Sequence[Path], excluded_folder: Path | None = None) -> EntryIndex:
    """Find the entries in run folders, or in other folders of trajectories.

    Of a run, search only its folder `trajectories`. Skip hidden files and the folder `excluded_folder`.
    """
    papers: dict[str, list[EntrySource]] = defaultdict(list)
    unread: list[UnreadFile] = []
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        for source in _find_sources(folder, excluded_folder, unread):
            try:
                papers[read_plan_entry(source).paper_id].append(source)
            except TrajectoryError as error:
                unread.append(_describe_unread_file(folder, source, error))
    runs = tuple(dict.fromkeys(derive_run_name(folder) for folder in folders))
    return EntryIndex(runs, {paper_id: tuple(found) for paper_id, found in papers.items()}, tuple(unread))


def read_plan_entries(sources: Iterable[EntrySource]) -> tuple[PlanEntry, ...]:
    """Read the entries of one paper, in the order in which the site shows them.

    Raises:
        TrajectoryError: if a file is no longer as it was when it was found.
    """
    return tuple(
        sorted(map(read_plan_entry, sources), key=lambda entry: (entry.task, entry.planner, entry.model, entry.run))
    )


def derive_run_name(folder: Path) -> str:
    """Return the name of a run, which is its folder's name."""
    whole = folder.resolve()
    return whole.parent.name if whole.name == "trajectories" and whole.parent.name else whole.name or str(whole)


def _find_sources(folder: Path, excluded_folder: Path | None, unread_files: list[UnreadFile]) -> Iterator[EntrySource]:
    run, start = derive_run_name(folder), folder / "trajectories"

    def unreadable(error: OSError) -> None:
        place = Path(error.filename).relative_to(folder.parent)
        unread_files.append(UnreadFile(place.as_posix(), f"cannot be read: {error.strerror or error}"))

    for place, below, names in os.walk(start if start.is_dir() else folder, onerror=unreadable):
        here = Path(place)
        below[:] = sorted(name for name in below if not name.startswith(".") and here / name != excluded_folder)
        unread_files.extend(
            UnreadFile(f"{run}/{name}", "a link to a folder is not followed") for name in _find_links(here, below)
        )
        yield from _pair_files(run, here, names)


def _find_links(folder: Path, names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if (folder / name).is_symlink())


def _pair_files(run: str, folder: Path, names: Iterable[str]) -> Iterator[EntrySource]:
    visible = {name for name in names if not name.startswith(".")}
    plans = {name.removesuffix(TRAJECTORY_SUFFIX) for name in visible if name.endswith(TRAJECTORY_SUFFIX)}
    facts = {name.removesuffix(RECORD_SUFFIX) for name in visible if name.endswith(RECORD_SUFFIX)}
    for stem in sorted(plans | facts):
        yield EntrySource(
            run,
            folder / f"{stem}{TRAJECTORY_SUFFIX}" if stem in plans else None,
            folder / f"{stem}{RECORD_SUFFIX}" if stem in facts else None,
        )


def _describe_unread_file(folder: Path, source: EntrySource, error: TrajectoryError) -> UnreadFile:
    path = source.trajectory_path or source.sidecar_path
    assert path is not None, "a source has a file"
    return UnreadFile(
        f"{source.run}/{path.relative_to(folder).as_posix()}", redact_folder(error, path).removeprefix(f"{path.name}: ")
    )
