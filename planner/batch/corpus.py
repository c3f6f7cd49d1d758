"""Find the papers that the arguments of a command name, and give each paper an id."""

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from planner.batch.discovery import FolderScan, detect_paper_kind
from planner.batch.manifest import Corpus, CorpusEntry, CorpusProblem, ManifestRow, parse_paper_list, read_manifest_rows
from planner.errors import UsageError
from planner.files import path_exists, read_bounded_file, walk_folders
from planner.names import UniqueNames, parse_arxiv_id
from planner.papers.sources import LIST_ENDINGS, MANIFEST_ENDINGS, has_non_paper_name, propose_paper_id
from planner.sanitize import truncate_long_name

ARXIV: Final = "arXiv"
_MAX_LIST_BYTES: Final = 10_000_000  # bytes
_GLOB_CHARACTERS: Final = re.compile(r"[*?\[]")


def collect_corpus_without_ids(arguments: Sequence[str], stdin_text: str | None = None) -> Corpus:
    """Return the papers that the arguments name, in a stable order; `assign_paper_ids` gives them their ids.

    An argument is a folder, a file, a glob, an arXiv id or a list of papers; `-` is the list in `stdin_text`. If one of
    several arguments does not exist or cannot be read, it is a problem of the corpus.

    Raises:
        UsageError: if there is only one argument, and it does not exist or cannot be read.
    """
    collector = _EntryCollector(FolderScan(), is_only_argument=len(arguments) == 1)
    for name in arguments:
        collector.add_argument(name, stdin_text)
    problems = (*collector.problems, *collector.scan.problems)
    scan = collector.scan
    return Corpus(tuple(collector.entries), problems, scan.skipped_file_count, tuple(scan.first_skipped_names))


def assign_paper_ids(corpus: Corpus, known_ids_by_place: Mapping[str, str]) -> Corpus:
    """Return the corpus with a unique id for each paper.

    `known_ids_by_place` holds the ids of the papers that the run knows, by path or arXiv id; these papers keep their
    ids. A new id is made from the id or title in a manifest, or else from the file name. If two papers would get the
    same id, the paper whose path sorts later gets an id that ends in `-2`.
    """
    entries = corpus.entries
    unique_ids = UniqueNames(
        name for place, name in known_ids_by_place.items() if parse_arxiv_id(place) or os.path.lexists(place)
    )
    ids = {entry.place: known_ids_by_place[entry.place] for entry in entries if entry.place in known_ids_by_place}
    for entry in sorted(entries, key=lambda entry: entry.place):
        if entry.place not in ids:
            ids[entry.place] = unique_ids.reserve_unique_name(
                propose_paper_id(entry.source, given_id=entry.id, given_title=entry.title)
            )
    return replace(corpus, entries=tuple(replace(entry, id=ids[entry.place]) for entry in entries))


@dataclass(slots=True)
class _EntryCollector:
    scan: FolderScan
    is_only_argument: bool  # the user gave only one argument
    entries: list[CorpusEntry] = field(default_factory=list)
    problems: list[CorpusProblem] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)

    def add_argument(self, argument: str, stdin_text: str | None) -> None:
        if argument == "-":
            self._add_rows(parse_paper_list(stdin_text or "", "stdin", Path()))
        elif parse_arxiv_id(argument) and not path_exists(argument):
            self._add_entry(CorpusEntry("", argument, "", ARXIV))
        elif path_exists(argument):
            # A shell expands `papers/*` itself, so a README among several arguments was probably not named by the user.
            self._add_path(Path(argument), listed=self.is_only_argument or not has_non_paper_name(argument))
        elif _GLOB_CHARACTERS.search(argument) and (matches := _expand_glob(argument)):
            for match in matches:
                self._add_path(Path(match), listed=False)
        elif self.is_only_argument:
            raise UsageError(f"{argument}: {_describe_missing(argument)}")
        else:
            self.problems.append(CorpusProblem(argument, _describe_missing(argument)))

    def _add_path(self, path: Path, *, listed: bool = True) -> None:
        """Add the papers at a path; if `listed` is true, a file is a paper whatever its name is."""
        if path.is_dir():
            for found in self.scan.find_papers(path):
                self._add_entry(CorpusEntry("", str(found.path), "", found.kind))
        elif path.suffix.lower() in MANIFEST_ENDINGS:
            self._add_manifest(path)
        elif rows := _read_paper_list(path):
            self._add_rows(rows)
        elif kind := detect_paper_kind(path) or ("file" if listed else None):
            self._add_entry(CorpusEntry("", str(path), "", kind))
        else:
            self.scan.add_skipped_files([path])

    def _add_manifest(self, path: Path) -> None:
        try:
            self._add_rows(read_manifest_rows(path))
        except UsageError as error:
            if self.is_only_argument:
                raise
            self.problems.append(CorpusProblem(str(path), str(error).removeprefix(f"{path}: ")))

    def _add_rows(self, rows: Iterable[ManifestRow]) -> None:
        for row in rows:
            source, kind = _resolve_source(row)
            if kind:
                self._add_entry(
                    CorpusEntry(
                        row.id, source, "", kind, truncate_long_name(" ".join(row.title.split())), row.abstract
                    ),
                    row.location,
                )
            else:
                reason = row.problem or f"{truncate_long_name(row.source)!r}: {_describe_missing(row.source)}"
                self.problems.append(CorpusProblem(row.location, reason))

    def _add_entry(self, entry: CorpusEntry, location: str = "") -> None:
        is_paper_id = entry.kind == ARXIV
        place = str(parse_arxiv_id(entry.source)) if is_paper_id else os.path.realpath(entry.source)
        if (shown := place.encode("utf-8", "replace").decode()) != place:  # on Linux a name may be any bytes
            self.problems.append(
                CorpusProblem(shown, "its name is not UTF-8, so no plan can be named after it; rename the file")
            )
            return
        if place in self._seen:
            what = f"the same paper as {self._seen[place]}; it is planned only once"
            self.problems.append(CorpusProblem(location or entry.source, what, is_harmless=True))
            return
        self._seen[place] = location or entry.source
        source = place if is_paper_id else os.path.normpath(entry.source)
        try:
            change_mark = _compute_change_mark(place, entry)
            self.entries.append(replace(entry, place=place, source=source, change_mark=change_mark))
        except OSError as error:
            self.problems.append(CorpusProblem(entry.source, f"cannot be read: {error.strerror}"))


def _expand_glob(pattern: str) -> list[str]:
    try:
        return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - may be absolute
    except RecursionError:
        raise UsageError(f"{pattern}: matches too deeply nested folders; give one of the inner folders") from None


def _read_paper_list(path: Path) -> list[ManifestRow]:
    """Return the papers that a text file lists; [] if a line of the file names no paper."""
    if path.suffix.lower() not in LIST_ENDINGS:
        return []
    try:
        text = read_bounded_file(path, _MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    rows = list(parse_paper_list(text, str(path), path.parent))
    return rows if all(_resolve_source(row)[1] for row in rows) else []


def _resolve_source(row: ManifestRow) -> tuple[str, str]:
    """Return (source, kind) of the paper that a row names; the kind is "" if there is no such paper."""
    if row.problem:
        return "", ""
    for base in (row.base_folder, Path()):
        path = base / row.source
        if path_exists(path):
            return str(path), "folder" if path.is_dir() else detect_paper_kind(path) or "file"
    return row.source, ARXIV if parse_arxiv_id(row.source) else ""


def _compute_change_mark(place: str, entry: CorpusEntry) -> str:
    """Return a hash of a paper's title and abstract, and of the names, sizes and times of its files."""
    digest = hashlib.blake2b("\0".join((entry.title, entry.abstract)).encode("utf-8", "surrogatepass"), digest_size=16)
    if entry.kind != ARXIV:
        for name, facts in _list_files(place):
            digest.update(f"\0{name}\0{facts.st_size}\0{facts.st_mtime_ns}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _list_files(place: str) -> Iterator[tuple[str, os.stat_result]]:
    root = Path(place)
    facts = root.stat()
    if not stat.S_ISDIR(facts.st_mode):
        yield "", facts
        return
    for folder, folders, names in walk_folders(root):
        folders.sort()
        for name in sorted(names):
            path = folder / name
            yield path.relative_to(root).as_posix(), path.lstat()


def _describe_missing(source: str) -> str:
    if "://" in source:
        return "`batch` fetches papers from arXiv only; download the paper, or use `plan --fetch`"
    return "no such file or folder"
