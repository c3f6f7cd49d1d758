"""The trajectories and records that are on disk already, so that none is written twice, and no paper gets two ids."""

import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from planner.chat import ModelInfo
from planner.errors import TrajectoryError
from planner.files import DRAFT_NAME
from planner.names import (
    RECORD_SUFFIX,
    TRAJECTORY_SUFFIX,
    build_model_folder,
    build_record_path,
    build_trajectory_path,
    sanitize_file_name,
)
from planner.papers.paper import PaperInfo
from planner.papers.sources import propose_paper_id
from planner.planning.record import PaperRecord, PlanRecord

_MAX_HEAD_BYTES: Final = 65_536  # bytes at the beginning of a record, in which the hash of its paper stands


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


def find_paper_id(folder: Path, paper: PaperInfo, info: ModelInfo) -> str:
    """Return the id that a paper has in a folder of plans, or is to get there.

    A paper whose id is the name of its file keeps the id under which its text is on record, such as one from its title,
    as earlier versions gave it. If another paper has its name, it gets `-2`.

    Raises:
        TrajectoryError: if the record under one of its names is no record, or is damaged.
        OSError: if a record cannot be read.
    """
    if paper.id != propose_paper_id(paper.source):
        return paper.id
    names = itertools.chain((paper.id,), (f"{paper.id}-{number}" for number in itertools.count(2)))
    for name in names:
        path = folder / build_record_path(build_trajectory_path(info.planner, info.name, name))
        earlier = PlanRecord.read(path).paper if path.exists() else None
        if earlier is None:
            return _find_id_by_text(path.parent, paper) or name
        if _is_same_paper(earlier, paper):
            return name
    raise AssertionError("there are endless numbers")


def _find_id_by_text(model_folder: Path, paper: PaperInfo) -> str:
    """Return the id of the first record of a text in the folder of a model, "" if there is none."""
    for path in sorted(model_folder.glob(f"*{RECORD_SUFFIX}")) if paper.sha256 else ():
        with suppress(TrajectoryError, OSError):  # a damaged record, or none: it says nothing about this paper
            with path.open("rb") as file:
                may_be_same = paper.sha256.encode() in file.read(_MAX_HEAD_BYTES)
            if may_be_same and (earlier := PlanRecord.read(path).paper).sha256 == paper.sha256:
                return earlier.id
    return ""


def _is_same_paper(earlier: PaperRecord, paper: PaperInfo) -> bool:
    """Return whether a record is about this paper: of the same text, or of the same source in an earlier state."""
    if earlier.sha256 and earlier.sha256 == paper.sha256:
        return True
    is_unread = not (earlier.sha256 and paper.sha256)
    return os.path.realpath(earlier.source) == os.path.realpath(paper.source) and (
        is_unread or earlier.title == paper.title
    )


def _list_complete_files(folder: Path) -> Iterator[str]:
    """Yield the names of files that are not empty, and delete drafts that a killed process left."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as listing:
        for item in listing:
            if DRAFT_NAME.fullmatch(item.name):
                Path(item.path).unlink(missing_ok=True)
            elif item.is_file() and item.stat().st_size:
                yield item.name
