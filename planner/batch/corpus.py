"""Collect the papers that the user named (folders, globs, manifests, lists), and give each a unique, safe id."""

import glob
import hashlib
import itertools
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from planner.batch.entry import Corpus, Entry, Problem
from planner.batch.manifest import MANIFESTS, Row, read_list, read_manifest
from planner.batch.recognise import Survey, is_no_paper, paper_kind
from planner.errors import UsageError
from planner.papers.arxiv import arxiv_id
from planner.papers.ids import paper_id, stem

ARXIV: Final = "arXiv"
_LISTS: Final = (".txt", ".list", ".lst", "")
_LONGEST_LIST: Final = 10_000_000  # bytes
_GLOB: Final = re.compile(r"[*?\[]")


def gather(named: Sequence[str], stdin: str | None = None) -> Corpus:
    """Collect the papers that the arguments name, in a stable order; their ids are not assigned yet.

    An argument is a folder, a file, a glob, an arXiv id, a manifest, a list of any of these, or `-` for a list in
    `stdin`.

    Raises:
        UsageError: if the only argument names nothing, or a manifest cannot be read.
    """
    gathering = _Gathering(Survey(), alone=len(named) == 1)
    for name in named:
        gathering.take_argument(name, stdin)
    problems = (*gathering.problems, *gathering.survey.problems)
    return Corpus(tuple(gathering.entries), problems, gathering.survey.passed_over)


def with_ids(corpus: Corpus, known: Mapping[str, str]) -> Corpus:
    """Return the corpus with ids that are unique in the run on any file system; `known` maps places to ids in use.

    A paper keeps the id that it had; a new id comes from its manifest's id or title, else from its file's name. If two
    would be the same, the second by path gets `-2`.
    """
    entries = corpus.entries
    taken = {_folded(name) for place, name in known.items() if arxiv_id(place) or os.path.lexists(place)}
    ids = {entry.place: known[entry.place] for entry in entries if entry.place in known}
    for entry in sorted(entries, key=lambda entry: entry.place):
        if entry.place not in ids:
            wanted = ids[entry.place] = _free(_natural(entry), taken)
            taken.add(_folded(wanted))
    return replace(corpus, entries=tuple(replace(entry, id=ids[entry.place]) for entry in entries))


@dataclass(slots=True)
class _Gathering:
    survey: Survey
    alone: bool  # the user gave only one argument
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)

    def take_argument(self, name: str, stdin: str | None) -> None:
        if name == "-":
            self._take_rows(read_list(stdin or "", "stdin", Path()))
        elif arxiv_id(name) and not _exists(Path(name)):
            self._add(Entry("", name, "", ARXIV))
        elif _exists(Path(name)):
            # A shell expands `papers/*` before we see it, so among several arguments a README is not a paper either.
            self._take_path(Path(name), listed=self.alone or not is_no_paper(Path(name)))
        elif _GLOB.search(name) and (matches := sorted(glob.glob(name, recursive=True))):  # noqa: PTH207 - may be absolute
            for match in matches:
                self._take_path(Path(match), listed=False)
        elif self.alone:
            raise UsageError(f"{name}: no such file or folder")
        else:
            self.problems.append(Problem(name, "no such file or folder"))

    def _take_path(self, path: Path, *, listed: bool = True) -> None:
        """Add the papers of a path; a file that is not recognised as a paper is added only if `listed` by name."""
        if path.is_dir():
            for found in self.survey.papers(path):
                self._add(Entry("", str(found.path), "", found.kind))
        elif path.suffix.lower() in MANIFESTS:
            self._take_manifest(path)
        elif (text := _as_list(path)) is not None:
            self._take_rows(read_list(text, str(path), path.parent))
        elif kind := paper_kind(path) or ("file" if listed else ""):
            self._add(Entry("", str(path), "", kind))
        else:
            self.survey.passed_over += 1

    def _take_manifest(self, path: Path) -> None:
        try:
            self._take_rows(read_manifest(path))
        except UsageError as error:
            if self.alone:
                raise
            self.problems.append(Problem(str(path), str(error).removeprefix(f"{path}: ")))

    def _take_rows(self, rows: Iterable[Row | Problem]) -> None:
        for row in rows:
            if isinstance(row, Problem):
                self.problems.append(row)
                continue
            source, kind = _resolved(row)
            if kind:
                self._add(Entry(row.id, source, "", kind, " ".join(row.title.split()), row.abstract), row.where)
            else:
                self.problems.append(Problem(row.where, f"{row.source!r}: no such file or folder"))

    def _add(self, entry: Entry, where: str = "") -> None:
        is_paper_id = entry.kind == ARXIV
        place = str(arxiv_id(entry.source)) if is_paper_id else os.path.realpath(entry.source)
        if not _is_text(place):
            shown = place.encode("utf-8", "replace").decode()
            self.problems.append(Problem(shown, "its name is not UTF-8, so no file can be named after it; rename it"))
            return
        if place in self._seen:
            what = f"the same paper as {self._seen[place]}; taken once"
            self.problems.append(Problem(where or entry.source, what, harmless=True))
            return
        self._seen[place] = where or entry.source
        source = place if is_paper_id else os.path.normpath(entry.source)
        try:
            self.entries.append(replace(entry, place=place, source=source, stamp=_stamp(place, entry)))
        except OSError as error:
            self.problems.append(Problem(entry.source, f"cannot be read: {error.strerror}"))


def _as_list(path: Path) -> str | None:
    """Return the text of a file that lists papers, one a line; None if it is something else, such as a paper."""
    if path.suffix.lower() not in _LISTS or path.stat().st_size > _LONGEST_LIST:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    rows = list(read_list(text, str(path), path.parent))
    named = [row for row in rows if isinstance(row, Row)]
    return text if rows and len(named) == len(rows) and all(_resolved(row)[1] for row in named) else None


def _resolved(row: Row) -> tuple[str, str]:
    """Return the source and kind of a list's row; a path is relative to the list's folder, else to the current one."""
    for base in (row.base, Path()):
        path = base / row.source
        if _exists(path):
            return str(path), "folder" if path.is_dir() else paper_kind(path) or "file"
    return row.source, ARXIV if arxiv_id(row.source) else ""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # not a valid path: too long, or with a null character
        return False


def _is_text(name: str) -> bool:
    """Return whether a path is valid Unicode; on Linux a file's name may be any bytes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _natural(entry: Entry) -> str:
    if entry.title and not entry.id:
        return paper_id(entry.title)
    return paper_id("", given=entry.id or (entry.place if entry.kind == ARXIV else stem(entry.source)))


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if _folded(each) not in taken)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stamp(place: str, entry: Entry) -> str:
    """Return a hash that changes with the paper: names, sizes and times of its files, and its title and abstract."""
    digest = hashlib.blake2b("\0".join((entry.title, entry.abstract)).encode("utf-8", "surrogatepass"), digest_size=16)
    if entry.kind != ARXIV:
        for name, facts in _files(place):
            digest.update(f"\0{name}\0{facts.st_size}\0{facts.st_mtime_ns}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _files(place: str) -> Iterator[tuple[str, os.stat_result]]:
    root = Path(place)
    facts = root.stat()
    if not stat.S_ISDIR(facts.st_mode):
        yield "", facts
        return
    for where, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            path = Path(where) / name
            yield path.relative_to(root).as_posix(), path.lstat()
