"""Find the files that a client names, in the folders that the user named at the start and nowhere else."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from planner.errors import UsageError
from planner.files import refuse_special_file


@dataclass(frozen=True, slots=True)
class NamedFolders:
    """The folders that the user named, as absolute paths: `named` as they were given, `real` without links."""

    named: tuple[Path, ...]
    real: tuple[Path, ...]

    @classmethod
    def resolve(cls, folders: Iterable[Path]) -> Self:
        """Return the folders with their links resolved."""
        named = tuple(dict.fromkeys(Path(os.path.normpath(folder.absolute())) for folder in folders))
        return cls(named, tuple(folder.resolve() for folder in named))

    def find_path(self, name: str) -> Path:
        """Return the real path of a file or folder; a relative name is looked for in each folder, in their order.

        Raises:
            UsageError: if it is outside the folders, also by a link, or hidden, or if there is none.
            OSError: if it is a pipe, a socket or a device; `strerror` is one sentence.
        """
        if not name.strip() or "\0" in name or ".." in Path(name).parts:
            raise UsageError(f"{name!r} is no path in the named folders: it is empty, or has `..` or a null character")
        candidates = [folder / name for folder in self.named if self._is_inside(folder / name)]
        if not candidates:
            raise UsageError(f"{name!r} is outside the named folders: {self}")
        found = next(filter(None, map(_find_real_path, candidates)), None)
        if found is None:
            raise UsageError(f"{name!r}: no such file or folder in the named folders: {self}")
        if not self._is_inside(found):
            raise UsageError(f"{name!r} leads out of the named folders by a link: {self}")
        if any(part.startswith(".") for part in self._list_inner_parts(found)):
            raise UsageError(f"{name!r} is hidden, or in a hidden folder; hidden files are not read")
        if not found.is_dir():
            refuse_special_file(found)
        return found

    def __str__(self) -> str:
        return ", ".join(map(str, self.named))

    def _is_inside(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in (*self.named, *self.real))

    def _list_inner_parts(self, path: Path) -> tuple[str, ...]:
        """Return the parts of a real path below the innermost folder that holds it."""
        return min((path.relative_to(each).parts for each in self.real if path.is_relative_to(each)), key=len)


def _find_real_path(path: Path) -> Path | None:
    """Return a path without links; None if there is nothing, also where links go round or the name is too long."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except (OSError, ValueError):
        return None
