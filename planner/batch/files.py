"""Write the files of a run, its trajectories and records; they can be written again from the ledger at any time."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from planner.chat import ModelCard
from planner.parsing.reply import parse
from planner.sidecar import Sidecar
from planner.trajectory.document import Trajectory
from planner.trajectory.files import write_atomically
from planner.trajectory.paths import SIDECAR_SUFFIX, SUFFIX, model_folder, relative_path, safe_segment, sidecar_path
from planner.trajectory.writer import normal_form, write

_DRAFT: Final = re.compile(r"\.[0-9a-f]{16}\.tmp$")


def write_planning(folder: Path, sidecar: Sidecar, trajectory: Trajectory | None) -> None:
    """Write the record and trajectory of a paper; without a trajectory, delete an older one.

    Nothing is synchronised to the disk. The ledger is, and a file lost in a power cut is written again from it.

    Raises:
        OSError: if the folder cannot be written.
    """
    within = relative_path(sidecar.planner, sidecar.model, sidecar.paper.id)
    if trajectory is None:
        (folder / within).unlink(missing_ok=True)
    else:
        write_atomically(folder / within, write(trajectory), durable=False)
    write_atomically(folder / sidecar_path(within), sidecar.as_text(), durable=False)


def trajectory_of(sidecar: Sidecar) -> Trajectory | None:
    """Return the trajectory from the replies in a record; None if none of them planned the paper.

    Raises:
        OutputError: if the reply that gave a plan can no longer be parsed.
    """
    planned = [a.completion for a in sidecar.attempts if a.outcome == sidecar.outcome and a.completion is not None]
    if sidecar.outcome != "planned" or not planned:
        return None
    reply = parse(planned[-1], sidecar.k)
    return normal_form(
        Trajectory(
            sidecar.planner, sidecar.model, sidecar.paper.id, sidecar.task, reply.reasoning, reply.plan, reply.notes
        )
    )


class Present:
    """The files that a run has on disk, from one listing per folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[tuple[str, str], frozenset[str]] = {}

    def has(self, card: ModelCard, paper: str, *, trajectory: bool) -> bool:
        """Return whether the record of a paper exists, and also its trajectory if `trajectory` is true."""
        made_by = (card.planner, card.name)
        if made_by not in self._listed:
            self._listed[made_by] = frozenset(_whole_files(self._folder / model_folder(*made_by)))
        stem, names = safe_segment(paper), self._listed[made_by]
        return f"{stem}{SIDECAR_SUFFIX}" in names and (not trajectory or f"{stem}{SUFFIX}" in names)


def _whole_files(folder: Path) -> Iterator[str]:
    """Yield the names of files that are not empty, and delete drafts that a killed process left."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as listing:
        for item in listing:
            if _DRAFT.match(item.name):
                Path(item.path).unlink(missing_ok=True)
            elif item.is_file() and item.stat().st_size:
                yield item.name
