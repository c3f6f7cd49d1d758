"""A site from folders of trajectories."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planner.errors import TrajectoryError, UsageError
from planner.site.collecting import Unread, collect, entries_of
from planner.site.index import Row, rows_of
from planner.site.names import page_names
from planner.site.pages import index_page, is_ours, paper_page
from planner.site.views import paper_view
from planner.trajectory.files import write_atomically


@dataclass(frozen=True, slots=True)
class Site:
    """What was built: the index, how many papers and plannings it shows, and what it could not show."""

    index: Path
    papers: int
    plannings: int
    unread: tuple[Unread, ...]


def build(folders: Sequence[Path], output: Path) -> Site:
    """Write the pages of run folders, or of any folders of trajectories, to the folder `output`.

    Raises:
        UsageError: a folder is not there, holds no trajectory, or `output` holds the pages of something else.
        OSError: the pages cannot be written.
    """
    _refuse(folders, output)
    found = collect(folders, leaving_out=output.resolve())
    if not found.papers:
        raise UsageError(f"{', '.join(map(str, folders))}: no trajectory and no sidecar was found there")
    rows: list[Row] = []
    unread = list(found.unread)
    names = page_names(found.papers)
    for paper_id in sorted(found.papers):
        try:
            view = paper_view(entries_of(found.papers[paper_id]))
        except TrajectoryError as error:
            unread.append(Unread(paper_id, f"changed while the site was built: {error}"))
            continue
        write_atomically(_page(output, names[paper_id]), paper_page(view))
        rows.extend(rows_of(names[paper_id], view))
    index = output / "index.html"
    write_atomically(index, index_page(rows, found.runs, unread))
    _remove_stale(output, {row.page for row in rows})
    return Site(index, len({row.page for row in rows}), len(rows), tuple(unread))


def _refuse(folders: Sequence[Path], output: Path) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    index = output / "index.html"
    if index.exists() and not _is_ours(index):
        raise UsageError(f"{output}: holds an index.html that this program did not write; name another folder with -o")


def _page(output: Path, name: str) -> Path:
    return output / "papers" / f"{name}.html"


def _remove_stale(output: Path, names: set[str]) -> None:
    """Take away pages of an earlier build whose papers are no longer there."""
    for path in (output / "papers").glob("*.html"):
        if path.stem not in names and _is_ours(path):
            path.unlink()


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return is_ours(file.read(1000).decode("utf-8", "replace"))
