"""Build a site from folders of trajectories."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planner.errors import TrajectoryError, UsageError
from planner.site.collecting import Collection, Unread, collect, entries_of
from planner.site.docsify import Docsify
from planner.site.entries import Source
from planner.site.files import put
from planner.site.index import Row, rows_of
from planner.site.names import page_names
from planner.site.pages import index_page, is_ours, paper_page
from planner.site.views import paper_view


@dataclass(frozen=True, slots=True)
class Site:
    """A site that was built: its index, its numbers of papers and of plannings, and the files that it cannot show."""

    index: Path
    papers: int
    plannings: int
    unread: tuple[Unread, ...]


def build(folders: Sequence[Path], output: Path, *, docsify: bool = False) -> Site:
    """Write the pages of run folders, or of other folders of trajectories, to the folder `output`.

    `docsify` adds the published layout in a folder of that name.

    Raises:
        UsageError: if a folder is missing, there is no trajectory, or `output` holds the pages of another program.
        OSError: if the pages cannot be written.
    """
    _refuse(folders, output)
    found = collect(folders, leaving_out=output.resolve())
    if not found.papers:
        raise UsageError(f"{', '.join(map(str, folders))}: no trajectory and no sidecar was found there")
    building = _Building(output, page_names(found.papers), Docsify(output / "docsify") if docsify else None)
    for paper_id in sorted(found.papers):
        building.add(paper_id, found.papers[paper_id])
    return building.finish(found)


class _Building:
    """A builder of a site, paper by paper."""

    def __init__(self, output: Path, names: dict[str, str], docsify: Docsify | None) -> None:
        self.output = output
        self.names = names
        self.docsify = docsify
        self.rows: list[Row] = []
        self.unread: list[Unread] = []

    def add(self, paper_id: str, sources: Sequence[Source]) -> None:
        """Write the page of a paper."""
        try:
            entries = entries_of(sources)
        except TrajectoryError as error:
            self.unread.append(Unread(paper_id, f"changed while the site was built: {error}"))
            return
        view = paper_view(entries)
        name = self.names[paper_id]
        put(self.output / "papers" / f"{name}.html", paper_page(view))
        self.rows.extend(rows_of(name, view))
        if self.docsify:
            for entry in entries:
                self.docsify.add(entry, view.title)

    def finish(self, found: Collection) -> Site:
        """Write the pages that list the papers."""
        if self.docsify:
            self.docsify.finish()
            self.unread.extend(self.docsify.left_out)
        unread = (*found.unread, *self.unread)
        index = self.output / "index.html"
        put(index, index_page(self.rows, found.runs, unread))
        pages = {row.page for row in self.rows}
        _remove_stale(self.output / "papers", pages)
        return Site(index, len(pages), len(self.rows), unread)


def _refuse(folders: Sequence[Path], output: Path) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    index = output / "index.html"
    if index.exists() and not _is_ours(index):
        raise UsageError(f"{output}: holds an index.html that this program did not write; name another folder with -o")


def _remove_stale(folder: Path, names: set[str]) -> None:
    """Remove pages of an earlier build whose papers are gone."""
    for path in folder.glob("*.html"):
        if unicodedata.normalize("NFC", path.stem) not in names and _is_ours(path):
            path.unlink()


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return is_ours(file.read(1000).decode("utf-8", "replace"))
