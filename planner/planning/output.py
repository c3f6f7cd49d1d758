"""Write the files of a run, its trajectories and records; they can be written again from the ledger at any time."""
# MERGED-DOC """Plan papers into an output folder: a trajectory and its sidecar file for each paper."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from planner.analysis.analyse import check_plan
from planner.chat import Model, ModelInfo
from planner.errors import Outcome, PaperError
from planner.files import write_file_atomically
from planner.models.cache import CachedModel
from planner.names import (
    RECORD_SUFFIX,
    TRAJECTORY_SUFFIX,
    build_model_folder,
    build_paper_id,
    build_record_path,
    build_trajectory_path,
    sanitize_file_name,
)
from planner.papers.formats import strip_endings
from planner.papers.paper import Paper, PaperInfo
from planner.parsing.reply import parse_reply
from planner.planning.plan import PlanResult, plan_paper
from planner.planning.question import PlanSettings
from planner.planning.record import PlanRecord, RecordStore, ReplyPricer, close_record, open_record
from planner.sanitize import make_printable
from planner.tokens import TokenCounter
from planner.trajectory.format import Trajectory
from planner.trajectory.writer import normalize_trajectory, render_trajectory

_DRAFT_NAME: Final = re.compile(r"\.[0-9a-f]{16}\.tmp$")


def write_record(folder: Path, record: PlanRecord, trajectory: Trajectory | None) -> None:
    """Write the record and trajectory of a paper; without a trajectory, delete an older one.

    Nothing is synchronised to the disk. The ledger is, and a file lost in a power cut is written again from it.

    Raises:
        OSError: if the folder cannot be written.
    """
    within = build_trajectory_path(record.planner, record.model, record.paper.id)
    if trajectory is None:
        (folder / within).unlink(missing_ok=True)
    else:
        write_file_atomically(folder / within, render_trajectory(trajectory), durable=False)
    write_file_atomically(folder / build_record_path(within), record.to_json(), durable=False)


def rebuild_trajectory(record: PlanRecord) -> Trajectory | None:
    """Return the trajectory from the replies in a record; None if none of them planned the paper.

    Raises:
        OutputError: if the reply that gave a plan can no longer be parsed.
    """
    planned = [a.completion for a in record.attempts if a.outcome == record.outcome and a.completion is not None]
    if record.outcome != "planned" or not planned:
        return None
    reply = parse_reply(planned[-1], record.k)
    return normalize_trajectory(
        Trajectory(record.planner, record.model, record.paper.id, record.task, reply.reasoning, reply.plan, reply.notes)
    )


class WrittenFiles:
    """The files that a run has on disk, from one listing per folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names_by_model: dict[tuple[str, str], frozenset[str]] = {}

    def has_files(self, info: ModelInfo, paper_id: str, *, trajectory: bool) -> bool:
        """Return whether the record of a paper exists, and also its trajectory if `trajectory` is true."""
        made_by = (info.planner, info.name)
        if made_by not in self._names_by_model:
            self._names_by_model[made_by] = frozenset(_list_complete_files(self._folder / build_model_folder(*made_by)))
        stem, names = sanitize_file_name(paper_id), self._names_by_model[made_by]
        return f"{stem}{RECORD_SUFFIX}" in names and (not trajectory or f"{stem}{TRAJECTORY_SUFFIX}" in names)


def _list_complete_files(folder: Path) -> Iterator[str]:
    """Yield the names of files that are not empty, and delete drafts that a killed process left."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as listing:
        for item in listing:
            if _DRAFT_NAME.match(item.name):
                Path(item.path).unlink(missing_ok=True)
            elif item.is_file() and item.stat().st_size:
                yield item.name


@dataclass(frozen=True, slots=True)
class PlanOutput:
    """The result of planning one paper and its files; `path` exists only if the outcome is planned."""

    result: PlanResult
    record: PlanRecord
    path: Path
    record_path: Path


async def plan_to_folder(
    folder: Path,
    paper: Paper,
    model: Model,
    settings: PlanSettings,
    pricing: ReplyPricer,
    *,
    force: bool = False,
    token_counter: TokenCounter | None = None,
) -> PlanOutput:
    """Plan one paper and write its trajectory and sidecar file into `folder`.

    A request whose reply is already on record there is not sent again, unless that reply made the paper fail or `force`
    is true. Pass the same `token_counter` for several papers to use the token counts of all replies.

    Raises:
        TrajectoryError: if the sidecar's path holds another kind of file.
        OSError: if the folder cannot be written.
        PromptError: if a template cannot be rendered.
    """
    path, beside = _output_paths(folder, model.info, paper.id)
    earlier = PlanRecord.read(beside) if beside.exists() else None
    opening = open_record(paper.info, model.info, settings, earlier)
    store = RecordStore(beside, opening, pricing, force)
    planning = await plan_paper(paper, CachedModel(model, store), settings, store.choose_sample, token_counter)
    if planning.trajectory is not None:
        doubts = check_plan(planning.trajectory.plan, paper, settings.task)
        planning = replace(planning, warnings=(*planning.warnings, *doubts))
    return _write_output(planning, close_record(opening, planning, store.attempts), path, beside)


def write_unreadable_paper(
    folder: Path, source: str, error: PaperError, info: ModelInfo, settings: PlanSettings, *, given_id: str = ""
) -> PlanOutput:
    """Write the sidecar file of a paper that cannot be read; its id is `given_id`, or is made from the source."""
    chosen = given_id or build_paper_id("", file_stem=strip_endings(source))
    unread = PaperInfo(id=chosen, title="", format="", source=source)
    path, beside = _output_paths(folder, info, unread.id)
    planning = PlanResult(Outcome.PAPER_ERROR, reason=make_printable(str(error)))
    earlier = PlanRecord.read(beside) if beside.exists() else None
    opening = open_record(unread, info, settings, earlier)
    return _write_output(planning, close_record(opening, planning, opening.attempts), path, beside)


def _output_paths(folder: Path, info: ModelInfo, paper: str) -> tuple[Path, Path]:
    """Return the paths of a paper's trajectory and of its sidecar file."""
    within = build_trajectory_path(info.planner, info.name, paper)
    return folder / within, folder / build_record_path(within)


def _write_output(result: PlanResult, record: PlanRecord, path: Path, record_path: Path) -> PlanOutput:
    # The trajectory is written first, so a sidecar with the outcome "planned" always has its trajectory.
    if result.trajectory is None:
        path.unlink(missing_ok=True)
    else:
        write_file_atomically(path, render_trajectory(result.trajectory))
    record.write(record_path)
    return PlanOutput(result, record, path, record_path)
