"""Recognise the files and folders of a corpus that are papers."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from planner.batch.entry import Problem

_ENDINGS: Final = {
    ".pdf": "pdf",
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".txt", ".text"), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".tar", ".zip", ".gz", ".tar.gz", ".tgz"), "archive"),
    **dict.fromkeys((".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz"), "archive"),
}
_OTHER: Final = frozenset(
    {".json", ".yaml", ".yml", ".xml", ".bib", ".bbl", ".bst", ".sty", ".cls", ".log", ".sqlite", ".py", ".sh"}
    | {".png", ".jpg", ".jpeg", ".gif", ".svg", ".eps", ".webp"}
)
_TEX: Final = (".tex", ".ltx", ".latex")
_MARKDOWN: Final = (".md", ".markdown")
_NEVER: Final = re.compile(
    r"(?i)(?:readme|licen[sc]e|copying|notice|authors|contributors?|contributing|changelog|changes|history|citation"
    r"|code_of_conduct|security|install|todo|requirements|robots|makefile|cmakelists|manifest|meta|metadata)"
    r"(?:[-_.][\w-]+)*$"
)
_NUMBERED: Final = re.compile(r"^\d{1,3}[-_. ]")
_LIVE_CLASS: Final = re.compile(rb"(?:^|\r)[^%\r\n]*\\document(?:class|style)\b", re.M)
_COMPANION: Final = re.compile(
    r"(?i)[-_.](?:appendi\w*|suppl\w*|headers?|footers?|abstract|references|bib\w*|front|back)\w*$"
)
_MUCH: Final = 2_000_000  # bytes of a .tex file that are searched for its document class
_ASIDE: Final = frozenset({"__MACOSX", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Found:
    """A file or folder that is one paper, and the format that was recognised."""

    path: Path
    kind: str
    is_folder: bool = False


@dataclass(slots=True)
class Survey:
    """A scan of folders: `problems` names what cannot be listed, `passed_over` counts files that are not papers."""

    problems: list[Problem] = field(default_factory=list)
    passed_over: int = 0

    def papers(self, folder: Path) -> list[Found]:
        """Return the papers in a folder and below it, sorted by path; the folder itself if it is one paper."""
        files, folders = self._listed(folder)
        if kind := _one_paper(files, folders):
            return [Found(folder, kind, is_folder=True)]
        below = [found for sub in folders for found in self.papers(sub)]
        own = [Found(file, kind) for file in files if (kind := paper_kind(file))]
        if not own and len(below) == 1 and _has_fragments(folder, below[0]):
            return [Found(folder, below[0].kind, is_folder=True)]
        if not below and _is_single_markdown([found.path for found in own]):
            return [Found(folder, "markdown", is_folder=True)]
        self.passed_over += len(files) - len(own)
        return sorted([*own, *below], key=lambda found: found.path)

    def _listed(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Return the visible files and folders, sorted; links to folders are not followed."""
        try:
            with os.scandir(folder) as listing:
                seen = sorted(listing, key=lambda item: item.name)
        except OSError as error:
            self.problems.append(Problem(str(folder), f"cannot be listed: {error.strerror}"))
            return [], []
        shown = [item for item in seen if not item.name.startswith(".") and item.name not in _ASIDE]
        folders = [folder / item.name for item in shown if item.is_dir(follow_symlinks=False)]
        for item in shown:
            if item.is_symlink() and not _is_file(item):
                self.problems.append(_unfollowed(folder / item.name))
        return [folder / item.name for item in shown if _is_file(item)], folders


def _is_file(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file()
    except OSError:  # a circular link
        return False


def _unfollowed(link: Path) -> Problem:
    """Return the problem of a link to a folder, which may be circular, or to nothing, where a paper may be meant."""
    if os.path.isdir(link):  # noqa: PTH112 - does not raise for a circular link
        return Problem(str(link), "a link to a folder is not followed; name that folder too", harmless=True)
    return Problem(str(link), "is a link that leads nowhere", harmless=not _ENDINGS.get(link.suffix.lower()))


def is_no_paper(file: Path) -> bool:
    """Return whether a file's name shows that it is something else: a README, a licence, data, a figure."""
    return bool(_NEVER.match(file.name.removesuffix(file.suffix))) or file.suffix.lower() in _OTHER


def paper_kind(file: Path) -> str:
    """Return the format of a paper by its file's name, "" if none; LaTeX must also have an active document class."""
    name = file.name.lower()
    ending = file.suffix.lower()
    if name.endswith(f".tar{ending}"):
        ending = f".tar{ending}"
    if is_no_paper(file):
        return ""
    if ending in _TEX:
        return "latex" if _has_live_class(file) else ""
    return _ENDINGS.get(ending, "")


def _one_paper(files: list[Path], folders: list[Path]) -> str:
    """Return the format of a folder that is one paper as a whole, judged by its own files; "" if it is not."""
    if any(file.suffix.lower() in _TEX and _has_live_class(file) for file in files):
        return "latex"
    names = {file.name.lower() for file in files}
    if names & {"metadata.yaml", "metadata.yml"} and any(folder.name == "content" for folder in folders):
        return "markdown"
    if names & {"index.html", "index.htm"}:
        return "html"
    papers = [file for file in files if paper_kind(file)]
    if len(papers) > 1 and all(_is_markdown(file) and _NUMBERED.match(file.name) for file in papers):
        return "markdown"
    return ""


def _has_fragments(folder: Path, paper: Found) -> bool:
    """Return whether LaTeX files lie outside the folder of the paper's main file, which may include them."""
    if not paper.is_folder or paper.kind != "latex":
        return False
    inside = f"{paper.path}{os.sep}"
    return any(
        name.lower().endswith(_TEX) and not f"{where}{os.sep}".startswith(inside)
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
            file is whole or (file.stem.startswith(whole.stem) and _COMPANION.match(file.stem.removeprefix(whole.stem)))
            for file in papers
        )
    )


def _is_markdown(file: Path) -> bool:
    return file.suffix.lower() in _MARKDOWN


def _has_live_class(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return _LIVE_CLASS.search(stream.read(_MUCH)) is not None
    except OSError:
        return False
