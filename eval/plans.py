"""Read systems' plans from a run folder, trajectories or AblationBench's files, and pair them with gold papers."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any, Final

from eval.gold import Gold, GoldSet, MaskedGold, make_names_unique, read_ablation
from eval.tables import TableError, is_utf8_text, parse_json, read_json, read_text
from planner.chat import Usage
from planner.details import Details, RejectionReason
from planner.errors import Outcome, TrajectoryError, UsageError
from planner.files import walk_folders
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX, build_paper_id
from planner.planning.record import PlanRecord
from planner.schema import Ablation, Task
from planner.trajectory.format import Trajectory
from planner.trajectory.reader import read_trajectory

PLANS_FILE: Final = "plans.json"

# As `planner.analysis.check` words it in the record of a plan.
_ALREADY_REPORTED: Final = re.compile(
    r"ablation (\d+) \(.*\): the paper seems to report an ablation of .* already", re.S
)
_COMBINED: Final = "combine"  # a strategy that reads no paper


@dataclass(frozen=True, slots=True)
class PlannedPaper:
    """A system's plan for one paper: ablations with unique names, or the outcome and reason why there are none.

    `details` are as long as the plan, or empty. `considered` are the candidates that the plan does not keep, best
    first, with their chances in percent. `reported_count` is the number of planned ablations that the paper's text
    seems to report already, None if they were not checked. `cost` is in USD and `tokens` counts those of all requests,
    each None if unknown. `source` is the file from which the plan was read, and `paper_file` the name of the paper's
    file without its ending, "" if unknown.
    """

    id: str
    source: str
    outcome: Outcome = Outcome.PLANNED
    reason: str = ""
    title: str = ""
    paper_file: str = ""
    ablations: tuple[Ablation, ...] = ()
    details: tuple[Details, ...] = ()
    considered: tuple[tuple[Ablation, int | None], ...] = ()
    reported_count: int | None = None
    reasoning: str = ""
    cost: float | None = None
    tokens: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """A planner with a model on one task, and its papers by id; the task is None if the files do not name it."""

    name: str
    task: Task | None
    papers: Mapping[str, PlannedPaper]
    warnings: tuple[str, ...] = ()


class PaperStatus(StrEnum):
    """The state of a gold paper; only scored papers enter a mean, unless scores are computed as published."""

    SCORED = "scored"
    UNSCORED = "unscored"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class GoldPair:
    """A gold paper and the system's plan for it; `planned_paper` is None where the system does not have the paper."""

    gold: Gold
    planned_paper: PlannedPaper | None

    @property
    def plan(self) -> tuple[Ablation, ...]:
        """The ablations to judge: those of the plan if there is one, and for a masked paper those considered too."""
        if self.planned_paper is None:
            return ()
        considered = self.planned_paper.considered if isinstance(self.gold, MaskedGold) else ()
        return (*self.planned_paper.ablations, *(ablation for ablation, _ in considered))

    @property
    def status(self) -> PaperStatus | None:
        """The status failed or absent, None if there is a plan to judge."""
        if self.planned_paper is None:
            return PaperStatus.ABSENT
        return None if self.planned_paper.outcome is Outcome.PLANNED else PaperStatus.FAILED


def read_systems(folder: Path, task: Task | None = None, name: str = "") -> tuple[System, ...]:
    """Read every system with plans below a folder; `task` and `name` select some.

    The name is that of a system or of its model, or else a part of a system's name.

    Raises:
        UsageError: if the folder does not exist or has no such plan.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of plans")
    systems = _read_trajectories(folder) or _read_published_plans(folder)
    of_task = [s for s in systems if task is None or s.task in (task, None)]
    exact = [s for s in of_task if name in (s.name, s.name.partition("/")[2])]
    chosen = exact or [s for s in of_task if name in s.name]
    if not chosen:
        selection = " ".join(filter(None, (f"of the {task} task" if task else "", f"named {name!r}" if name else "")))
        names = ", ".join(f"{s.name} ({s.task or 'task not known'})" for s in systems)
        raise UsageError(f"{folder}: no plans {selection}".rstrip() + (f"; it holds plans of {names}" if names else ""))
    return tuple(chosen)


def read_system(folder: Path, task: Task | None = None, name: str = "") -> System:
    """Read the only system below a folder that has the task and the name.

    Raises:
        UsageError: if there is none or more than one.
    """
    systems = read_systems(folder, task, name)
    if len(systems) > 1:
        listed = ", ".join(f"{s.name} ({s.task})" for s in systems)
        raise UsageError(f"{folder}: holds {len(systems)} systems, choose one with --system: {listed}")
    return systems[0]


def pair_papers(gold: GoldSet, system: System) -> tuple[tuple[GoldPair, ...], tuple[PlannedPaper, ...]]:
    """Pair each gold paper with its plan, in the gold's order; also return the plans of papers that have no gold.

    A paper is found by its id, or by the name of the file that was planned, or else by the gold's title or the id that
    is made from it, if no other gold paper has this title, as two masked copies of a paper do.
    """
    unpaired = dict(system.papers)
    ids_by_file = {planned.paper_file: paper_id for paper_id, planned in system.papers.items()}
    ids_by_title = {build_paper_id(planned.title): key for key, planned in system.papers.items() if planned.title}
    titles = Counter(paper.title for paper in gold.papers.values())
    pairs = []
    for paper in gold.papers.values():
        title_ids = tuple(_list_title_ids(paper)) if titles[paper.title] == 1 else ()
        ids = (paper.id, build_paper_id("", given_id=paper.id), ids_by_file.get(paper.id), *title_ids)
        ids = (*ids, *map(ids_by_title.get, title_ids))
        found_id = next((paper_id for paper_id in ids if paper_id in unpaired), None)
        pairs.append(GoldPair(paper, None if found_id is None else unpaired.pop(found_id)))
    return tuple(pairs), tuple(unpaired.values())


@dataclass(slots=True)
class _PaperCollector:
    """A collection of the papers of each system, filled while a folder is read."""

    papers: dict[tuple[str, Task], dict[str, PlannedPaper]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add_paper(self, system: str, task: Task, paper: PlannedPaper) -> None:
        papers = self.papers.setdefault((system, task), {})
        if (earlier := papers.setdefault(paper.id, paper)) is not paper:
            self.warnings.append(f"{paper.source}: {paper.id!r} was already read from {earlier.source}; left out")

    def build_systems(self) -> tuple[System, ...]:
        return tuple(
            System(name, task, papers, tuple(self.warnings)) for (name, task), papers in sorted(self.papers.items())
        )


def find_files(root: Path, ending: str) -> list[Path]:
    """Return the files below a folder whose names end in `ending`, sorted; "a.md" comes before "a--b.md"."""
    found = (folder / name for folder, _, names in walk_folders(root) for name in names if name.endswith(ending))
    return sorted(found, key=lambda path: (path.parent, path.stem))


def _read_trajectories(folder: Path) -> tuple[System, ...]:
    """Read trajectories with their records, and the records of papers that have no trajectory."""
    collector = _PaperCollector()
    for path in find_files(folder, TRAJECTORY_SUFFIX):
        try:
            trajectory = read_trajectory(path)
        except TrajectoryError as error:
            collector.warnings.append(f"left out: {error}")
            continue
        paper = _read_planned_paper(trajectory, path, collector.warnings)
        collector.add_paper(f"{trajectory.planner}/{trajectory.model}", trajectory.task, paper)
    for path in find_files(folder, RECORD_SUFFIX):
        if not path.with_suffix(TRAJECTORY_SUFFIX).exists() and (record := _read_record(path, [])) is not None:
            collector.add_paper(f"{record.planner}/{record.model}", record.task, _failed_paper(record, path))
    return collector.build_systems()


def _read_planned_paper(trajectory: Trajectory, path: Path, warnings: list[str]) -> PlannedPaper:
    """Return the plan of a trajectory, with what the record beside it adds."""
    ablations, name_warnings = make_names_unique(trajectory.plan.ablations)
    paper = PlannedPaper(
        id=trajectory.paper_id,
        source=str(path),
        ablations=ablations,
        reasoning=trajectory.reasoning,
        warnings=(*trajectory.warnings, *name_warnings),
    )
    record = _read_record(path.with_suffix(RECORD_SUFFIX), warnings)
    if record is None:
        return paper
    return replace(
        paper,
        id=record.paper.id,
        title=record.paper.title,
        paper_file=PurePath(record.paper.source).stem,
        cost=record.cost,
        tokens=_count_tokens(record.usage),
        details=record.details if len(record.details) == len(ablations) else (),
        considered=_list_considered(record, ablations),
        reported_count=_count_reported(record),
    )


def _list_considered(record: PlanRecord, plan: tuple[Ablation, ...]) -> tuple[tuple[Ablation, int | None], ...]:
    """Return the candidates that are not in the plan and that the model did not withdraw, with unique names."""
    candidates = [candidate for candidate in record.considered if candidate.why is not RejectionReason.WITHDRAWN]
    named, _ = make_names_unique((*plan, *candidates))
    chances = [candidate.details.chance for candidate in candidates]
    return tuple(zip(named[len(plan) :], chances, strict=True))


def _count_reported(record: PlanRecord) -> int | None:
    if record.task is not Task.REVIEWER or record.strategy == _COMBINED:
        return None
    return len({match[1] for warning in record.warnings if (match := _ALREADY_REPORTED.match(warning))})


def _read_record(path: Path, warnings: list[str]) -> PlanRecord | None:
    if not path.is_file():
        return None
    try:
        return PlanRecord.read(path)
    except TrajectoryError as error:
        warnings.append(str(error))
        return None


def _count_tokens(usage: Usage) -> int | None:
    counts = [count for count in (usage.prompt_tokens, usage.completion_tokens) if count is not None]
    return sum(counts) if counts else None


def _failed_paper(record: PlanRecord, path: Path) -> PlannedPaper:
    """Return a paper without a trajectory; if its record says "planned", the trajectory's file is missing."""
    is_lost = record.outcome is Outcome.PLANNED
    return PlannedPaper(
        id=record.paper.id,
        source=str(path),
        outcome=Outcome.INTERRUPTED if is_lost else record.outcome,
        reason="its trajectory is missing" if is_lost else record.reason,
        title=record.paper.title,
        paper_file=PurePath(record.paper.source).stem,
        cost=record.cost,
    )


def _read_published_plans(folder: Path) -> tuple[System, ...]:
    """Read AblationBench's `<id>.jsonl` files; plans.json has the costs, and the plans of papers without a file."""
    entries = _read_plans_file(folder / PLANS_FILE)
    paths = {str(path.relative_to(folder).with_suffix("")): path for path in find_files(folder, ".jsonl")}
    papers: dict[str, PlannedPaper] = {}
    warnings: list[str] = []
    for paper_id in dict.fromkeys([*paths, *entries]):
        if not is_utf8_text(paper_id):
            warnings.append(f"left out: the id {paper_id!r} is not Unicode")
            continue
        entry, path = entries.get(paper_id, {}), paths.get(paper_id)
        source = str(path or folder / PLANS_FILE)
        try:
            text = read_text(path) if path else str(entry.get("predictions") or "")
            paper = _read_published_paper(paper_id, source, text)
        except TableError as error:
            paper = PlannedPaper(paper_id, source, Outcome.INVALID, str(error))
        papers[paper_id] = replace(paper, cost=_parse_cost(entry.get("cost")))
    return (System(folder.resolve().name, None, papers, tuple(warnings)),) if papers else ()


def _parse_cost(value: Any) -> float | None:
    """Return a cost in USD, None for anything that is not one, such as NaN."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= sys.float_info.max else None


def _read_plans_file(path: Path) -> dict[str, Mapping[str, Any]]:
    if not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        raise TableError(f"{path}: should be an object with one object for each paper")
    return value


def _read_published_paper(paper_id: str, source: str, text: str) -> PlannedPaper:
    """Read one paper; skip a line that is no ablation, with a warning, and fail the paper if there is no ablation."""
    if not text.strip():
        return PlannedPaper(paper_id, source, Outcome.EMPTY, "the file is empty")
    warnings: list[str] = []
    ablations, name_warnings = make_names_unique(_parse_ablation_lines(text, warnings))
    if not ablations:
        return PlannedPaper(paper_id, source, Outcome.INVALID, "; ".join(warnings))
    return PlannedPaper(paper_id, source, ablations=ablations, warnings=(*warnings, *name_warnings))


def _parse_ablation_lines(text: str, warnings: list[str]) -> Iterator[Ablation]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield read_ablation(parse_json(line))
            except ValueError as error:
                warnings.append(f"line {number} is no ablation: {error}")


def _list_title_ids(gold: Gold) -> Iterator[str]:
    if gold.title:
        yield build_paper_id(gold.title)
        # AblationBench shortens no id.
        yield build_paper_id("", given_id=re.sub(r"\W", "_", gold.title.strip()))
