"""The entries of a site: one for each planning of a paper by a model, read from a trajectory and its sidecar."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from planner.controls import clean
from planner.errors import Outcome, TrajectoryError
from planner.schema import Ablation, Task
from planner.sidecar import Sidecar
from planner.trajectory.document import Trajectory
from planner.trajectory.reader import read_file

LM_PLANNER: Final = "lm-planner"
MAX_COST: Final = 1e9  # USD; the sum of many costs stays finite
MAX_SIDECAR_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """The files of an entry: a trajectory, a sidecar, or both, with the name of the run."""

    run: str
    trajectory: Path | None = None
    sidecar: Path | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper planned by a model, or the failure to do so.

    `title` is "" if no sidecar gives one; `trajectory` is None if there is no plan.
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
    sidecar: Sidecar | None = None
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


_WAYS: Final[tuple[Callable[[Entry], str], ...]] = (
    lambda entry: entry.model_name,
    lambda entry: f"{entry.planner}/{entry.model}",
    lambda entry: f"{entry.planner}/{entry.model} ({entry.task})",
    lambda entry: f"{entry.planner}/{entry.model} ({entry.task}, {entry.run})",
)


def from_trajectory(trajectory: Trajectory, run: str = "") -> Entry:
    """Return the entry of a trajectory that has no sidecar."""
    return Entry(
        run=run,
        planner=trajectory.planner,
        model=trajectory.model,
        paper_id=trajectory.paper_id,
        task=trajectory.task,
        outcome=Outcome.PLANNED,
        trajectory=trajectory,
        warnings=trajectory.warnings,
    )


def read(source: Source) -> Entry:
    """Read an entry; if only one of its files can be read, use that one and add a warning.

    Raises:
        TrajectoryError: if no file can be read.
    """
    if source.trajectory is None:
        assert source.sidecar is not None, "a source has a file"
        return _failed(source.run, _sidecar(source.sidecar))
    try:
        planned = from_trajectory(read_file(source.trajectory), source.run)
    except TrajectoryError as error:
        if source.sidecar is None:
            raise
        failed = _failed(source.run, _sidecar(source.sidecar))
        return _warned(failed, f"the trajectory could not be read: {said(error, source.trajectory)}")
    if source.sidecar is None:
        return planned
    try:
        return _joined(planned, _sidecar(source.sidecar))
    except TrajectoryError as error:
        return _warned(planned, f"the run facts could not be read: {said(error, source.sidecar)}")


def said(error: TrajectoryError, path: Path) -> str:
    """Return an error's text with the file's name instead of its path: pages are shared, folders are private."""
    return str(error).replace(str(path), path.name)


def title_of(entries: Sequence[Entry]) -> str:
    """Return the paper's title, or its id in words if no title is known."""
    paper_id = entries[0].paper_id
    texts = (*(entry.title for entry in entries), re.sub(r"[_\s]+", " ", paper_id), paper_id)
    return next((title for text in texts if (title := clean(text).text.strip())), "?")


def labels_of(entries: Sequence[Entry]) -> list[str]:
    """Return a label for each entry of a paper: the model's name, and what distinguishes it from the others."""
    counts = [Counter(map(way, entries)) for way in _WAYS]
    labels: dict[str, None] = {}
    for entry in entries:
        names = [way(entry) for way in _WAYS]
        alone = (name for name, count in zip(names, counts, strict=True) if count[name] == 1)
        label = next((name for name in (*alone, names[-1]) if name not in labels), names[-1])
        number = 2
        while label in labels:
            label, number = f"{names[-1]} #{number}", number + 1
        labels[label] = None
    return list(labels)


def _failed(run: str, sidecar: Sidecar) -> Entry:
    entry = Entry(
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
        entry = _warned(entry, "the trajectory file is missing")
    return _doubted(entry, sidecar)


def _joined(planned: Entry, sidecar: Sidecar) -> Entry:
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
        entry = _warned(entry, f"the run facts are those of {'/'.join(told[:3])} ({sidecar.task})")
    return _doubted(entry, sidecar)


def _doubted(entry: Entry, sidecar: Sidecar) -> Entry:
    known = sidecar.cost is None or _is_cost(sidecar.cost)
    return entry if known else _warned(entry, f"the cost on record, {sidecar.cost}, is not valid and was left out")


def _is_cost(usd: float | None) -> bool:
    return usd is not None and 0 <= usd < MAX_COST


def _warned(entry: Entry, warning: str) -> Entry:
    return replace(entry, warnings=(*entry.warnings, warning))


def _sidecar(path: Path) -> Sidecar:
    try:
        if path.stat().st_size > MAX_SIDECAR_BYTES:
            raise TrajectoryError(f"{path}: larger than {MAX_SIDECAR_BYTES // 1024**2} MiB, which no sidecar is")
        return _without_folders(Sidecar.read(path))
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror or error}") from None


def _without_folders(facts: Sidecar) -> Sidecar:
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
