"""Read the files of a paper from a folder or an archive, and nothing outside its root."""

import errno
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Final

from planner.errors import PaperError
from planner.files import MAX_FOLDER_DEPTH, read_bounded_file
from planner.papers.characters import MAX_TEXT_BYTES

MAX_FILE_BYTES: Final = 300_000_000  # bytes of a PDF or an archive
MAX_FILES: Final = 20_000
IGNORED_FOLDERS: Final = frozenset({"__MACOSX", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The files of a paper by relative path with `/`, sorted; `warnings` has warnings about skipped files."""

    name: str
    files: Mapping[str, Callable[[], bytes]]
    warnings: tuple[str, ...] = ()
    _names_by_folded: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names_by_folded", {name.casefold(): name for name in reversed(list(self.files))})

    def list_names(self, *endings: str) -> tuple[str, ...]:
        """Return all names, or those that end in one of `endings` (in lower case), in any case."""
        return tuple(name for name in self.files if not endings or name.lower().endswith(endings))

    def read_bytes(self, name: str) -> bytes:
        """Return the bytes of the file with this name.

        Raises:
            PaperError: if the file is too large, or cannot be read.
        """
        return self.files[name]()

    def add_file(self, name: str, data: bytes) -> "SourceTree":
        """Return the tree with one more file; a file that it has already stays as it is."""
        path = normalize_inner_path(name)
        return replace(self, files={path: partial(bytes, data), **self.files}) if path else self

    def find_file(self, path: str, *folders: str) -> str:
        """Return the name of the file at `path`, relative to the first of the folders that has it; "" if none has.

        An absolute path, or one that leads out of the root, is never found. Case is ignored if no exact match exists.
        """
        wanted = []
        for folder in folders:
            name = normalize_inner_path(posixpath.join(folder, path))
            if name in self.files:
                return name
            wanted += [name] if name else []
        return next(
            (self._names_by_folded[name.casefold()] for name in wanted if name.casefold() in self._names_by_folded), ""
        )

    def find_unique(self, path: str) -> str:
        """Return the only name in a folder that ends in `path`; "" if there is none or more than one."""
        fit = [name for name in self.files if name.endswith("/" + normalize_inner_path(path))]
        return fit[0] if len(fit) == 1 else ""


def normalize_inner_path(path: str) -> str:
    """Normalize a path relative to the root; return "" if it is absolute or leads out of the root."""
    path = posixpath.normpath(path.replace("\\", "/")) if "\0" not in path else ".."
    return "" if path.startswith(("/", "../")) or path in ("..", ".") or path[1:2] == ":" else path


def build_folder_tree(root: Path) -> SourceTree:
    """Return the files of a folder, each read at most once; links are followed only to files inside it.

    Raises:
        PaperError: if the folder cannot be listed, or holds more than 20,000 files.
    """
    base = root.resolve()
    try:
        found = {name: cache(partial(read_source_file, path)) for name, path in sorted(_walk_files(base))}
    except OSError as error:
        raise PaperError(f"the folder {str(root)!r} cannot be read: {error.strerror}") from None
    return SourceTree(base.name or str(base), found)


def read_source_file(path: Path | str, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        PaperError: if the file is larger, or cannot be read.
    """
    try:
        return read_bounded_file(Path(path), limit)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise PaperError(
                f"{str(path)!r} has over {limit:,} bytes, more than any paper; give only the paper"
            ) from None
        raise PaperError(f"{str(path)!r} cannot be read: {error.strerror}") from None


def _walk_files(base: Path) -> Iterator[tuple[str, str]]:
    """Yield the relative name and the path of each file below a folder; hidden files are skipped."""
    waiting, count, root = [(str(base), 0)], 0, len(str(base))
    while waiting:
        folder, depth = waiting.pop()
        if depth > MAX_FOLDER_DEPTH:
            raise PaperError(
                f"the folder {str(base)!r} nests folders over {MAX_FOLDER_DEPTH} deep; give the paper's own folder"
            )
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                count += 1
                if count > MAX_FILES:
                    raise PaperError(
                        f"the folder {str(base)!r} holds over {MAX_FILES:,} files; give one paper's folder"
                    )
                if entry.is_dir(follow_symlinks=False):
                    waiting += [(entry.path, depth + 1)] if entry.name not in IGNORED_FOLDERS else []
                elif _is_file_inside(entry, base):
                    yield entry.path[root:].lstrip(os.sep).replace(os.sep, "/"), entry.path


def _is_file_inside(entry: os.DirEntry[str], base: Path) -> bool:
    """Return whether an entry is a file, and not a link to a file outside the folder."""
    if not entry.is_symlink():
        return entry.is_file()
    path = Path(entry.path)  # check for a file first: a circular link cannot be resolved
    return path.is_file() and path.resolve().is_relative_to(base)
