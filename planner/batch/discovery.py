"""Find the papers in folders, and recognise their formats."""

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from planner.batch.manifest import CorpusProblem
from planner.files import MAX_FOLDER_DEPTH, require_regular_file, walk_folders
from planner.papers.sources import (
    ARCHIVE_ENDINGS,
    IGNORED_FOLDERS,
    TEXT_ENDINGS,
    FileFormat,
    find_format_or_other,
    has_non_paper_name,
)

_TEX_ENDINGS: Final = TEXT_ENDINGS[FileFormat.LATEX]
_NUMBERED_NAME: Final = re.compile(r"^\d{1,3}[-_. ]")
_ACTIVE_CLASS: Final = re.compile(rb"(?:^|\r)[^%\r\n]*\\document(?:class|style)\b", re.M)
_COMPANION_SUFFIX: Final = re.compile(
    r"(?i)[-_.](?:appendi\w*|suppl\w*|headers?|footers?|abstract|references|bib\w*|front|back)\w*$"
)
_MAX_SKIPPED_NAMES: Final = 3
_MAX_TEX_BYTES: Final = 2_000_000  # bytes of a .tex file that are searched for its document class


@dataclass(frozen=True, slots=True)
class RecognisedPaper:
    """A file or folder that is one paper; `kind` is its format."""

    path: Path
    kind: str
    is_folder: bool = False


@dataclass(slots=True)
class FolderScan:
    """A search for papers in folders; `problems` names files and folders that cannot be used.

    `skipped_file_count` counts the files that are not papers, and `first_skipped_names` holds the names of the first
    few.
    """

    problems: list[CorpusProblem] = field(default_factory=list)
    skipped_file_count: int = 0
    first_skipped_names: list[str] = field(default_factory=list)

    def find_papers(self, folder: Path, depth: int = 0) -> list[RecognisedPaper]:
        """Return the papers in a folder and its subfolders, sorted by path; a folder may itself be one paper.

        `depth` is 0 for the folder that the user named, and grows by 1 with each level below.
        """
        if depth > MAX_FOLDER_DEPTH:
            reason = f"folders more than {MAX_FOLDER_DEPTH} levels deep are not searched; give this path too"
            self.problems.append(CorpusProblem(str(folder), reason))
            return []
        files, folders = self._list_folder(folder)
        if kind := _detect_folder_kind(files, folders):
            return [RecognisedPaper(folder, kind, is_folder=True)]
        own = [RecognisedPaper(file, kind) for file in files if (kind := detect_paper_kind(file))]
        if _are_numbered_parts([found.path for found in own]):
            return [RecognisedPaper(folder, "markdown", is_folder=True)]
        below = [found for sub in folders for found in self.find_papers(sub, depth + 1)]
        if not own and len(below) == 1 and _has_fragments(folder, below[0]):
            return [RecognisedPaper(folder, below[0].kind, is_folder=True)]
        if not below and _is_single_markdown([found.path for found in own]):
            return [RecognisedPaper(folder, "markdown", is_folder=True)]
        papers = {found.path for found in own}
        self.add_skipped_files([file for file in files if file not in papers])
        return sorted([*own, *below], key=lambda found: found.path)

    def add_skipped_files(self, files: Sequence[Path]) -> None:
        """Add files that are not papers to the count, and keep the names of the first few."""
        self.skipped_file_count += len(files)
        self.first_skipped_names += [file.name for file in files[: _MAX_SKIPPED_NAMES - len(self.first_skipped_names)]]

    def _list_folder(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Return (files, folders) in a folder, sorted by name, without hidden ones and links to folders."""
        try:
            with os.scandir(folder) as listing:
                seen = sorted(listing, key=lambda item: item.name)
        except OSError as error:
            self.problems.append(CorpusProblem(str(folder), f"cannot be listed: {error.strerror}"))
            return [], []
        if not os.access(folder, os.X_OK):
            reason = "cannot be entered: the permission for this (x) is missing; add it with chmod +x"
            self.problems.append(CorpusProblem(str(folder), reason))
            return [], []
        files, folders = [], []
        for item in seen:
            path = folder / item.name
            if item.name.startswith(".") or item.name in IGNORED_FOLDERS:
                continue
            if item.is_dir(follow_symlinks=False):
                folders.append(path)
            elif os.path.isfile(path):  # noqa: PTH113 - does not raise for a circular link
                files.append(path)
            else:
                self.problems.append(_describe_special_file(path))
        return files, folders


def _describe_special_file(path: Path) -> CorpusProblem:
    """Return the problem with a path that is a pipe, a device, a broken link, or a link to a folder."""
    if os.path.isdir(path):  # noqa: PTH112 - does not raise for a circular link
        return CorpusProblem(str(path), "a link to a folder is not followed; give the folder's path", is_harmless=True)
    is_archive = path.suffix.lower() in ARCHIVE_ENDINGS
    is_harmless = not is_archive and find_format_or_other(path.name) in (FileFormat.LATEX, FileFormat.OTHER)
    try:
        require_regular_file(path)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return CorpusProblem(str(path), f"is skipped: {error.strerror}", is_harmless=is_harmless)
    return CorpusProblem(str(path), "is a broken link", is_harmless=is_harmless)


def detect_paper_kind(file: Path) -> str | None:
    """Return the format of a paper's file; None if it is no paper, or is LaTeX without a document class."""
    if has_non_paper_name(file.name):
        return None
    kind = find_format_or_other(file.name)
    if kind is FileFormat.OTHER:
        return "archive" if file.suffix.lower() in ARCHIVE_ENDINGS else None
    return None if kind is FileFormat.LATEX and not _has_active_class(file) else kind.value


def _detect_folder_kind(files: list[Path], folders: list[Path]) -> str | None:
    """Return the format of a folder with these files and folders if it is one paper, None if it is not."""
    if any(file.suffix.lower() in _TEX_ENDINGS and _has_active_class(file) for file in files):
        return "latex"
    names = {file.name.lower() for file in files}
    if names & {"metadata.yaml", "metadata.yml"} and any(folder.name == "content" for folder in folders):
        return "markdown"
    if names & {"index.html", "index.htm"}:
        return "html"
    return None


def _are_numbered_parts(papers: list[Path]) -> bool:
    """Return whether the files are numbered parts of one Markdown paper, such as `1-intro.md` and `2-data.md`."""
    return len(papers) > 1 and all(_is_markdown(file) and _NUMBERED_NAME.match(file.name) for file in papers)


def _has_fragments(folder: Path, paper: RecognisedPaper) -> bool:
    """Return whether `folder` has LaTeX files outside the folder of `paper`; they may be parts of the paper."""
    if not paper.is_folder or paper.kind != "latex":
        return False
    inside = f"{paper.path}{os.sep}"
    return any(
        name.lower().endswith(_TEX_ENDINGS) and not f"{where}{os.sep}".startswith(inside)
        for where, _, names in walk_folders(folder)
        for name in names
    )


def _is_single_markdown(papers: list[Path]) -> bool:
    """Return whether the files are one Markdown paper, perhaps with others such as `x-appendix.md` beside `x.md`."""
    whole = min(papers, key=lambda file: len(file.stem), default=None)
    return (
        whole is not None
        and _is_markdown(whole)
        and all(
            file is whole
            or (file.stem.startswith(whole.stem) and _COMPANION_SUFFIX.match(file.stem.removeprefix(whole.stem)))
            for file in papers
        )
    )


def _is_markdown(file: Path) -> bool:
    return find_format_or_other(file.name) is FileFormat.MARKDOWN


def _has_active_class(file: Path) -> bool:
    try:
        require_regular_file(file)
        with file.open("rb") as stream:
            return _ACTIVE_CLASS.search(stream.read(_MAX_TEX_BYTES)) is not None
    except OSError:
        return False
