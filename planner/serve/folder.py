"""The output folder of the page, with the plans and the papers that were given to the page.

The papers are in the hidden folder `.serve`. There, `KEY.json` describes a paper, and `KEY/NAME` is its file.
"""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from planner.errors import PaperError, TrajectoryError, UsageError
from planner.files import read_bounded_file, write_file_atomically
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX, parse_arxiv_id, sanitize_file_name
from planner.papers.paper import Paper
from planner.reading.process import IsolatedReader
from planner.reading.request import ReadRequest
from planner.site.entries import EntryFiles, PlanEntry, index_entries, read_plan_entry
from planner.site.facts import choose_shown_title, fix_title_case

_FOLDER: Final = ".serve"
_KEY: Final = re.compile(r"[0-9a-f]{16}")
_MAX_NOTE_BYTES: Final = 100_000
_MAX_READ_PAPERS: Final = 4  # papers whose text is kept in memory


class GivenPaper(BaseModel):
    """A paper that was given to the page as a file or as an arXiv id.

    `title` and `sha256` are "" until the paper is read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    source: str
    is_file: bool
    given: AwareDatetime
    title: str = ""
    sha256: str = ""

    @classmethod
    def create(cls, source: str, content: bytes | None = None) -> Self:
        """Return a paper for a file's name and content, or for an arXiv id. Equal papers get equal keys."""
        digest = hashlib.sha256(source.encode() if content is None else content).hexdigest()
        return cls(key=digest[:16], source=source, is_file=content is not None, given=datetime.now(UTC))


class PaperFolder:
    """The papers that were given to the page. They are stored in the output folder."""

    def __init__(self, output: Path, reader: IsolatedReader) -> None:
        self._folder = output / _FOLDER
        self._reader = reader
        self._read: dict[str, Paper] = {}

    def add_file(self, name: str, content: bytes) -> GivenPaper:
        """Store the file of a paper, and return the paper.

        Raises:
            OSError: if the folder cannot be written.
        """
        paper = GivenPaper.create(sanitize_file_name(re.split(r"[/\\]", name)[-1]), content)
        write_file_atomically(self._build_path(paper), content)
        return self._write_new_note(paper)

    def remove_paper(self, paper: GivenPaper) -> None:
        """Remove the file and the description of a paper. Raise `OSError` if they cannot be removed."""
        for path in (self._build_note_path(paper), self._build_path(paper)):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder holds another file
            self._build_path(paper).parent.rmdir()

    def add_arxiv_id(self, text: str) -> GivenPaper:
        """Store an arXiv id, or an address at arXiv, and return the paper.

        Raises:
            UsageError: if the text is no arXiv id or address.
            OSError: if the folder cannot be written.
        """
        if (arxiv_id := parse_arxiv_id(text)) is None:
            raise UsageError(f"{text[:100]!r} is no arXiv id; write one such as 2507.08038 or 2507.08038v2")
        return self._write_new_note(GivenPaper.create(f"arxiv:{arxiv_id}"))

    def find_paper(self, key: str) -> GivenPaper | None:
        """Return the paper with this key, or None if there is no such paper."""
        if not _KEY.fullmatch(key):
            return None
        try:
            paper = GivenPaper.model_validate_json(read_bounded_file(self._folder / f"{key}.json", _MAX_NOTE_BYTES))
        except (OSError, ValidationError):
            return None
        is_safe = self._is_kept(paper) if paper.is_file else parse_arxiv_id(paper.source)
        return paper if paper.key == key and is_safe else None

    def _is_kept(self, paper: GivenPaper) -> bool:
        """Return whether the file of a paper is in its own folder: its name is safe, and no link leads elsewhere."""
        inside = Path(_FOLDER, paper.key, paper.source)
        real = self._folder.parent.resolve() / inside
        return paper.source == sanitize_file_name(paper.source) and self._build_path(paper).resolve() == real

    def list_papers(self) -> list[GivenPaper]:
        """Return the papers, the latest first."""
        papers = filter(None, (self.find_paper(path.stem) for path in self._folder.glob("*.json")))
        return sorted(papers, key=lambda paper: paper.given, reverse=True)

    async def read_paper(self, paper: GivenPaper) -> Paper:
        """Return the content of a paper. If it is not in memory, read it in a separate process.

        Raises:
            PaperError: if the paper cannot be read.
            RunError: if no process to read it can be started.
        """
        if (known := self._read.pop(paper.key, None)) is None:
            source = str(self._build_path(paper)) if paper.is_file else paper.source
            try:
                known = await self._reader.load_paper(ReadRequest(source))
            except PaperError as error:
                raise PaperError(str(error).replace(source, paper.source)) from None
            title = fix_title_case(known.title, known.abstract)
            self._write_note(paper.model_copy(update={"title": title, "sha256": known.sha256}))
        self._read[paper.key] = known
        for key in list(self._read)[:-_MAX_READ_PAPERS]:
            del self._read[key]
        return replace(known, source=paper.source)

    def _build_path(self, paper: GivenPaper) -> Path:
        return self._folder / paper.key / paper.source

    def _build_note_path(self, paper: GivenPaper) -> Path:
        return self._folder / f"{paper.key}.json"

    def _write_new_note(self, paper: GivenPaper) -> GivenPaper:
        """Write the description of a paper. Keep the title and hash of an earlier description."""
        if known := self.find_paper(paper.key):
            paper = paper.model_copy(update={"title": known.title, "sha256": known.sha256})
        return self._write_note(paper)

    def _write_note(self, paper: GivenPaper) -> GivenPaper:
        write_file_atomically(self._build_note_path(paper), paper.model_dump_json(indent=1) + "\n")
        return paper


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A plan, or the failure to make it. `path` is its path in the output folder, without ending."""

    path: str
    entry: PlanEntry
    entry_files: EntryFiles

    @property
    def title(self) -> str:
        """The title of the paper."""
        return choose_shown_title((self.entry,))


def list_stored_entries(output: Path) -> list[StoredEntry]:
    """Return the plans and failures in the output folder, the latest first. Skip files that cannot be read."""
    plans: list[StoredEntry] = []
    for entry_files in chain.from_iterable(
        index_entries([output] if output.is_dir() else []).entry_files_by_paper.values()
    ):
        with suppress(TrajectoryError):  # the file has changed meanwhile
            plans.append(_read_plan(output.resolve(), entry_files))
    return sorted(plans, key=lambda plan: str(plan.entry.record.started) if plan.entry.record else "", reverse=True)


def find_stored_entry(output: Path, path: str) -> StoredEntry | None:
    """Return the plan or failure at a path in the output folder, or None if there is none.

    Raises:
        TrajectoryError: if the files at the path cannot be read.
    """
    root = output.resolve()
    if any(part.startswith(".") or not part.isprintable() for part in path.split("/")):
        return None
    trajectory, record = (root / f"{path}{suffix}" for suffix in (TRAJECTORY_SUFFIX, RECORD_SUFFIX))
    found = [file if file.is_file() and file.resolve().is_relative_to(root) else None for file in (trajectory, record)]
    return _read_plan(root, EntryFiles("", *found)) if any(found) else None


def _read_plan(root: Path, entry_files: EntryFiles) -> StoredEntry:
    path = entry_files.path.relative_to(root).as_posix().rpartition(".")[0]
    return StoredEntry(path, read_plan_entry(entry_files), entry_files)
