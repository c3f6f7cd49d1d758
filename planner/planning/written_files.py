"""The trajectories and records that a run has on disk already, so that none is written twice."""

import os
from collections.abc import Iterator
from pathlib import Path

from planner.chat import ModelInfo
from planner.files import DRAFT_NAME
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX, build_model_folder, sanitize_file_name


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
            if DRAFT_NAME.fullmatch(item.name):
                Path(item.path).unlink(missing_ok=True)
            elif item.is_file() and item.stat().st_size:
                yield item.name
