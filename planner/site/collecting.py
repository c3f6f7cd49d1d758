"""Find the trajectories and sidecars in folders, and group them by paper."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from planner.errors import TrajectoryError
from planner.site.entries import Entry, Source, read, said
from planner.trajectory.paths import SIDECAR_SUFFIX, SUFFIX


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that cannot be shown, and the reason."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Collection:
    """The files of each paper's entries, by the paper's id, and the files that cannot be read.

    Entries are read again when their page is written, so that a run of any size fits into memory.
    """

    runs: tuple[str, ...]
    papers: dict[str, tuple[Source, ...]]
    unread: tuple[Unread, ...]


def collect(folders: Sequence[Path], leaving_out: Path | None = None) -> Collection:
    """Find the entries in run folders, or in other folders of trajectories.

    Of a run, search only its folder `trajectories`. Skip hidden files and the folder `leaving_out`.
    """
    papers: dict[str, list[Source]] = defaultdict(list)
    unread: list[Unread] = []
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        for source in _sources(folder, leaving_out, unread):
            try:
                papers[read(source).paper_id].append(source)
            except TrajectoryError as error:
                unread.append(_unread(folder, source, error))
    runs = tuple(dict.fromkeys(run_name(folder) for folder in folders))
    return Collection(runs, {paper_id: tuple(found) for paper_id, found in papers.items()}, tuple(unread))


def entries_of(found: Iterable[Source]) -> tuple[Entry, ...]:
    """Read the entries of one paper, in the order in which the site shows them.

    Raises:
        TrajectoryError: if a file is no longer as it was when it was found.
    """
    return tuple(sorted(map(read, found), key=lambda entry: (entry.task, entry.planner, entry.model, entry.run)))


def run_name(folder: Path) -> str:
    """Return the name of a run, which is its folder's name."""
    whole = folder.resolve()
    return whole.parent.name if whole.name == "trajectories" and whole.parent.name else whole.name or str(whole)


def _sources(folder: Path, leaving_out: Path | None, unread: list[Unread]) -> Iterator[Source]:
    run, start = run_name(folder), folder / "trajectories"

    def unreadable(error: OSError) -> None:
        place = Path(error.filename).relative_to(folder.parent)
        unread.append(Unread(place.as_posix(), f"cannot be read: {error.strerror or error}"))

    for place, below, names in os.walk(start if start.is_dir() else folder, onerror=unreadable):
        here = Path(place)
        below[:] = sorted(name for name in below if not name.startswith(".") and here / name != leaving_out)
        unread.extend(Unread(f"{run}/{name}", "a link to a folder is not followed") for name in _links(here, below))
        yield from _pairs(run, here, names)


def _links(folder: Path, names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if (folder / name).is_symlink())


def _pairs(run: str, folder: Path, names: Iterable[str]) -> Iterator[Source]:
    visible = {name for name in names if not name.startswith(".")}
    plans = {name.removesuffix(SUFFIX) for name in visible if name.endswith(SUFFIX)}
    facts = {name.removesuffix(SIDECAR_SUFFIX) for name in visible if name.endswith(SIDECAR_SUFFIX)}
    for stem in sorted(plans | facts):
        yield Source(
            run,
            folder / f"{stem}{SUFFIX}" if stem in plans else None,
            folder / f"{stem}{SIDECAR_SUFFIX}" if stem in facts else None,
        )


def _unread(folder: Path, source: Source, error: TrajectoryError) -> Unread:
    path = source.trajectory or source.sidecar
    assert path is not None, "a source has a file"
    return Unread(
        f"{source.run}/{path.relative_to(folder).as_posix()}", said(error, path).removeprefix(f"{path.name}: ")
    )
