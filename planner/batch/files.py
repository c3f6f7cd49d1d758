"""The product of a run: trajectories and sidecars, which can be written anew from the ledger at any time."""

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
    """Write what came of a paper; without a trajectory an older one is taken away.

    Nothing is synchronised to the disk: the ledger is, and a file that a power cut has eaten is written from it.

    Raises:
        OSError: the folder cannot be written.
    """
    within = relative_path(sidecar.planner, sidecar.model, sidecar.paper.id)
    if trajectory is None:
        (folder / within).unlink(missing_ok=True)
    else:
        write_atomically(folder / within, write(trajectory), durable=False)
    write_atomically(folder / sidecar_path(within), sidecar.as_text(), durable=False)


def trajectory_of(sidecar: Sidecar) -> Trajectory | None:
    """The trajectory that the replies on record give; None where none of them planned the paper.

    Raises:
        OutputError: the reply that once gave a plan gives none any more.
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
    """Which files a run has on disk, told from one listing a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[tuple[str, str], frozenset[str]] = {}

    def has(self, card: ModelCard, paper: str, *, trajectory: bool) -> bool:
        """Whether the sidecar of a paper is there, and its trajectory where there is to be one."""
        made_by = (card.planner, card.name)
        if made_by not in self._listed:
            self._listed[made_by] = frozenset(_whole_files(self._folder / model_folder(*made_by)))
        stem, names = safe_segment(paper), self._listed[made_by]
        return f"{stem}{SIDECAR_SUFFIX}" in names and (not trajectory or f"{stem}{SUFFIX}" in names)


def _whole_files(folder: Path) -> Iterator[str]:
    """The names of files that are not empty; drafts that a kill has left are taken away."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as listing:
        for item in listing:
            if _DRAFT.match(item.name):
                Path(item.path).unlink(missing_ok=True)
            elif item.is_file() and item.stat().st_size:
                yield item.name
