"""Recognise the files and folders of a corpus that are papers."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from planner.batch.manifest import CorpusProblem

_KIND_BY_ENDING: Final = {
    ".pdf": "pdf",
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".txt", ".text"), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".tar", ".zip", ".gz", ".tar.gz", ".tgz"), "archive"),
    **dict.fromkeys((".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz"), "archive"),
}
_OTHER_ENDINGS: Final = frozenset(
    {".json", ".yaml", ".yml", ".xml", ".bib", ".bbl", ".bst", ".sty", ".cls", ".log", ".sqlite", ".py", ".sh"}
    | {".png", ".jpg", ".jpeg", ".gif", ".svg", ".eps", ".webp"}
)
_TEX_ENDINGS: Final = (".tex", ".ltx", ".latex")
_MARKDOWN_ENDINGS: Final = (".md", ".markdown")
_NON_PAPER_NAME: Final = re.compile(
    r"(?i)(?:readme|licen[sc]e|copying|notice|authors|contributors?|contributing|changelog|changes|history|citation"
    r"|code_of_conduct|security|install|todo|requirements|robots|makefile|cmakelists|manifest|meta|metadata)"
    r"(?:[-_.][\w-]+)*$"
)
_NUMBERED_NAME: Final = re.compile(r"^\d{1,3}[-_. ]")
_ACTIVE_CLASS: Final = re.compile(rb"(?:^|\r)[^%\r\n]*\\document(?:class|style)\b", re.M)
_COMPANION_SUFFIX: Final = re.compile(
    r"(?i)[-_.](?:appendi\w*|suppl\w*|headers?|footers?|abstract|references|bib\w*|front|back)\w*$"
)
_MAX_TEX_BYTES: Final = 2_000_000  # bytes of a .tex file that are searched for its document class
_IGNORED_FOLDERS: Final = frozenset({"__MACOSX", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class RecognisedPaper:
    """A file or folder that is one paper, and the format that was recognised."""

    path: Path
    kind: str
    is_folder: bool = False


@dataclass(slots=True)
class FolderScan:
    """A scan of folders: `problems` names what cannot be listed, `skipped_files` counts files that are not papers."""

    problems: list[CorpusProblem] = field(default_factory=list)
    skipped_files: int = 0

    def find_papers(self, folder: Path) -> list[RecognisedPaper]:
        """Return the papers in a folder and below it, sorted by path; the folder itself if it is one paper."""
        files, folders = self._list_folder(folder)
        if kind := _detect_folder_kind(files, folders):
            return [RecognisedPaper(folder, kind, is_folder=True)]
        below = [found for sub in folders for found in self.find_papers(sub)]
        own = [RecognisedPaper(file, kind) for file in files if (kind := detect_paper_kind(file))]
        if not own and len(below) == 1 and _has_fragments(folder, below[0]):
            return [RecognisedPaper(folder, below[0].kind, is_folder=True)]
        if not below and _is_single_markdown([found.path for found in own]):
            return [RecognisedPaper(folder, "markdown", is_folder=True)]
        self.skipped_files += len(files) - len(own)
        return sorted([*own, *below], key=lambda found: found.path)

    def _list_folder(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Return the visible files and folders, sorted; links to folders are not followed."""
        try:
            with os.scandir(folder) as listing:
                seen = sorted(listing, key=lambda item: item.name)
        except OSError as error:
            self.problems.append(CorpusProblem(str(folder), f"cannot be listed: {error.strerror}"))
            return [], []
        shown = [item for item in seen if not item.name.startswith(".") and item.name not in _IGNORED_FOLDERS]
        folders = [folder / item.name for item in shown if item.is_dir(follow_symlinks=False)]
        for item in shown:
            if item.is_symlink() and not _is_file(item):
                self.problems.append(_describe_link(folder / item.name))
        return [folder / item.name for item in shown if _is_file(item)], folders


def _is_file(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file()
    except OSError:  # a circular link
        return False


def _describe_link(link: Path) -> CorpusProblem:
    """Return the problem of a link to a folder, which may be circular, or to nothing, where a paper may be meant."""
    if os.path.isdir(link):  # noqa: PTH112 - does not raise for a circular link
        return CorpusProblem(str(link), "a link to a folder is not followed; name that folder too", harmless=True)
    return CorpusProblem(
        str(link), "is a link that leads nowhere", harmless=not _KIND_BY_ENDING.get(link.suffix.lower())
    )


def is_not_paper(file: Path) -> bool:
    """Return whether a file's name shows that it is something else: a README, a licence, data, a figure."""
    return bool(_NON_PAPER_NAME.match(file.name.removesuffix(file.suffix))) or file.suffix.lower() in _OTHER_ENDINGS


def detect_paper_kind(file: Path) -> str:
    """Return the format of a paper by its file's name, "" if none; LaTeX must also have an active document class."""
    name = file.name.lower()
    ending = file.suffix.lower()
    if name.endswith(f".tar{ending}"):
        ending = f".tar{ending}"
    if is_not_paper(file):
        return ""
    if ending in _TEX_ENDINGS:
        return "latex" if _has_active_class(file) else ""
    return _KIND_BY_ENDING.get(ending, "")


def _detect_folder_kind(files: list[Path], folders: list[Path]) -> str:
    """Return the format of a folder that is one paper as a whole, judged by its own files; "" if it is not."""
    if any(file.suffix.lower() in _TEX_ENDINGS and _has_active_class(file) for file in files):
        return "latex"
    names = {file.name.lower() for file in files}
    if names & {"metadata.yaml", "metadata.yml"} and any(folder.name == "content" for folder in folders):
        return "markdown"
    if names & {"index.html", "index.htm"}:
        return "html"
    papers = [file for file in files if detect_paper_kind(file)]
    if len(papers) > 1 and all(_is_markdown(file) and _NUMBERED_NAME.match(file.name) for file in papers):
        return "markdown"
    return ""


def _has_fragments(folder: Path, paper: RecognisedPaper) -> bool:
    """Return whether LaTeX files lie outside the folder of the paper's main file, which may include them."""
    if not paper.is_folder or paper.kind != "latex":
        return False
    inside = f"{paper.path}{os.sep}"
    return any(
        name.lower().endswith(_TEX_ENDINGS) and not f"{where}{os.sep}".startswith(inside)
        for where, _, names in os.walk(folder)
        for name in names
    )


def _is_single_markdown(papers: list[Path]) -> bool:
    """Return whether there is one Markdown file, apart from parts of it such as its appendix or its header."""
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
    return file.suffix.lower() in _MARKDOWN_ENDINGS


def _has_active_class(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return _ACTIVE_CLASS.search(stream.read(_MAX_TEX_BYTES)) is not None
    except OSError:
        return False
