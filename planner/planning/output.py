"""Finish papers: write their trajectories and records to a folder, and write them again from a record."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
from planner.planning.plan import PlanResult, make_trajectory, plan_paper
from planner.planning.question import PlanSettings
from planner.planning.record import PlanRecord, RecordStore, ReplyPricer, close_record, open_record
from planner.sanitize import make_printable
from planner.tokens import TokenCounter
from planner.trajectory.format import Trajectory
from planner.trajectory.writer import render_trajectory

_DRAFT_NAME: Final = re.compile(r"\.[0-9a-f]{16}\.tmp$")


@dataclass(frozen=True, slots=True)
class PlanOutput:
    """The record of a finished paper with its trajectory, and their files; `path` exists only with a trajectory."""

    record: PlanRecord
    trajectory: Trajectory | None
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
    """Plan one paper and write its trajectory and record into `folder`.

    A request whose reply is already on record there is not sent again, unless that reply made the paper fail or `force`
    is true. Pass the same `token_counter` for several papers to use the token counts of all replies.

    Raises:
        TrajectoryError: if the record's path holds another kind of file.
        OSError: if the folder cannot be written.
        PromptError: if a template cannot be rendered.
    """
    record, record_path = _open_record(folder, paper.info, model.info, settings)
    store = RecordStore(record_path, record, pricing, force)
    result = await plan_paper(paper, CachedModel(model, store), settings, store.choose_sample, token_counter)
    return write_record(folder, close_record(record, result, store.attempts), result.trajectory, durable=True)


def write_unreadable_paper(
    folder: Path, source: str, error: PaperError, info: ModelInfo, settings: PlanSettings, *, given_id: str = ""
) -> PlanOutput:
    """Write the record of a paper that cannot be read; its id is `given_id`, or is made from the source."""
    paper = PaperInfo(
        id=given_id or build_paper_id("", file_stem=strip_endings(source)), title="", format="", source=source
    )
    record, _ = _open_record(folder, paper, info, settings)
    result = PlanResult(Outcome.PAPER_ERROR, reason=make_printable(str(error)))
    return write_record(folder, close_record(record, result, record.attempts), None, durable=True)


def write_record(folder: Path, record: PlanRecord, trajectory: Trajectory | None, *, durable: bool) -> PlanOutput:
    """Write the record and trajectory of a paper; without a trajectory, delete an older one.

    Without `durable` nothing is synchronised to the disk, as in a run: its ledger is, and a file lost in a power cut is
    written again from it.

    Raises:
        OSError: if the folder cannot be written.
    """
    path, record_path = _build_paths(folder, record.planner, record.model, record.paper.id)
    # The trajectory is written first, so a record with the outcome "planned" always has its trajectory.
    if trajectory is None:
        path.unlink(missing_ok=True)
    else:
        write_file_atomically(path, render_trajectory(trajectory), durable=durable)
    write_file_atomically(record_path, record.to_json(), durable=durable)
    return PlanOutput(record, trajectory, path, record_path)


def rebuild_trajectory(record: PlanRecord) -> Trajectory | None:
    """Return the trajectory from the replies in a record; None if none of them planned the paper.

    Raises:
        OutputError: if the reply that gave a plan can no longer be parsed.
    """
    planned = [a.completion for a in record.attempts if a.outcome == record.outcome and a.completion is not None]
    if record.outcome != "planned" or not planned:
        return None
    reply = parse_reply(planned[-1], record.k)
    return make_trajectory(record.planner, record.model, record.paper.id, record.task, reply)


def _open_record(folder: Path, paper: PaperInfo, info: ModelInfo, settings: PlanSettings) -> tuple[PlanRecord, Path]:
    """Return the record of a planning that starts now, with the requests of an earlier one, and its path."""
    _, path = _build_paths(folder, info.planner, info.name, paper.id)
    return open_record(paper, info, settings, PlanRecord.read(path) if path.exists() else None), path


def _build_paths(folder: Path, planner: str, model: str, paper_id: str) -> tuple[Path, Path]:
    """Return the paths of a paper's trajectory and of its record."""
    within = build_trajectory_path(planner, model, paper_id)
    return folder / within, folder / build_record_path(within)


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
