"""Find the entries in run folders, or in other folders of trajectories, and group them by paper."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from planner.errors import TrajectoryError
from planner.files import walk_folders
from planner.names import RECORD_SUFFIX, TRAJECTORY_SUFFIX
from planner.site.entries import EntrySource, derive_run_name, read_plan_entry, redact_folder


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that cannot be shown, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class EntryIndex:
    """The files of each paper's entries, by the paper's id, and the files that cannot be read.

    Entries are read again when their page is written, so that a run of any size fits into memory.
    """

    runs: tuple[str, ...]
    papers: dict[str, tuple[EntrySource, ...]]
    unread_files: tuple[UnreadFile, ...]


def index_entries(folders: Sequence[Path], excluded_folder: Path | None = None) -> EntryIndex:
    """Find the entries in run folders, or in other folders of trajectories.

    Of a run, search only its folder `trajectories`. Skip hidden files and the folder `excluded_folder`. `plan` and
    `batch` may give one paper two ids: a paper whose text an earlier folder holds has the id that it has there.
    """
    papers: dict[str, list[EntrySource]] = defaultdict(list)
    unread: list[UnreadFile] = []
    ids_by_text: dict[str, str] = {}
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        own_ids: dict[str, str] = {}
        for source in _find_sources(folder, excluded_folder, unread):
            try:
                entry = read_plan_entry(source)
            except TrajectoryError as error:
                unread.append(_describe_unread_file(folder, source, error))
                continue
            text = entry.record.paper.sha256 if entry.record else ""
            paper_id = ids_by_text.get(text, entry.paper_id)
            papers[paper_id].append(source)
            own_ids |= {text: paper_id} if text else {}
        ids_by_text = own_ids | ids_by_text
    runs = tuple(dict.fromkeys(derive_run_name(folder) for folder in folders))
    return EntryIndex(runs, {paper_id: tuple(sources) for paper_id, sources in papers.items()}, tuple(unread))


def find_trajectories(folder: Path) -> list[Path]:
    """Return the trajectories in a run folder, or in any other folder, in the order of their paths."""
    return [path for source in _find_sources(folder, None, []) if (path := source.trajectory_path)]


def _find_sources(folder: Path, excluded_folder: Path | None, unread_files: list[UnreadFile]) -> Iterator[EntrySource]:
    run, start = derive_run_name(folder), folder / "trajectories"

    def add_unreadable(error: OSError) -> None:
        path = Path(error.filename).relative_to(folder.parent)
        unread_files.append(UnreadFile(path.as_posix(), f"cannot be read: {error.strerror or error}"))

    for parent, subfolders, names in walk_folders(start if start.is_dir() else folder, add_unreadable):
        subfolders[:] = sorted(n for n in subfolders if not n.startswith(".") and parent / n != excluded_folder)
        links = (name for name in subfolders if (parent / name).is_symlink())
        unread_files.extend(UnreadFile(f"{run}/{name}", "a link to a folder is not followed") for name in links)
        yield from _pair_files(run, parent, names)


def _pair_files(run: str, folder: Path, names: Iterable[str]) -> Iterator[EntrySource]:
    visible = {name for name in names if not name.startswith(".")}
    plans = {name.removesuffix(TRAJECTORY_SUFFIX) for name in visible if name.endswith(TRAJECTORY_SUFFIX)}
    records = {name.removesuffix(RECORD_SUFFIX) for name in visible if name.endswith(RECORD_SUFFIX)}
    for stem in sorted(plans | records):
        yield EntrySource(
            run,
            folder / f"{stem}{TRAJECTORY_SUFFIX}" if stem in plans else None,
            folder / f"{stem}{RECORD_SUFFIX}" if stem in records else None,
        )


def _describe_unread_file(folder: Path, source: EntrySource, error: TrajectoryError) -> UnreadFile:
    path = source.trajectory_path or source.record_path
    assert path is not None, "a source has a file"
    return UnreadFile(
        f"{source.run}/{path.relative_to(folder).as_posix()}",
        redact_folder(error, path).removeprefix(f"{path.name}: "),
    )
