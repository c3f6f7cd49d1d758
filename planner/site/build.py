"""Write a site, that is, static pages for the plans in folders of trajectories. On request, add a docsify site.

The docsify site has the layout in which AblationBench publishes trajectories. Unlike the other pages, it needs a web
server. It loads docsify from a public address. Browsers check docsify's files by their hashes, and run no other script.
The trajectories are rendered from their parsed text, so that they contain no script. They may contain inline styles.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

from planner.errors import TrajectoryError, UsageError
from planner.files import write_file_atomically
from planner.names import build_trajectory_path
from planner.schema import Task
from planner.site.copies import format_as_one_line
from planner.site.entries import EntryIndex, PlanEntry, UnreadFile, index_entries, read_sorted_entries
from planner.site.pages import (
    IndexRow,
    build_index_rows_of_paper,
    render_docsify_page,
    render_index_page,
    render_paper_page,
)
from planner.site.views import build_paper_view, choose_page_names
from planner.trajectory.format import render_trajectory

_MARKUP: Final = re.compile(r"[&<>\[\]()|`*_\\!#~:$]")
_TASKS: Final = {Task.REVIEWER: "Reviewer task", Task.AUTHOR: "Author task"}


@dataclass(frozen=True, slots=True)
class BuiltSite:
    """A finished site: its index page, the numbers of papers and entries, and the files that were not read.

    An entry is the plan of a paper by a model, or the failure to make this plan.
    """

    index_path: Path
    paper_count: int
    entry_count: int
    failure_count: int
    unread_files: tuple[UnreadFile, ...]


def build_site(folders: Sequence[Path], output: Path, *, with_docsify_site: bool = False) -> BuiltSite:
    """Write a site for the plans in run folders, or in other folders of trajectories. `output` is the site's folder.

    If `with_docsify_site` is true, also write the docsify site to the subfolder `docsify`.

    Raises:
        UsageError: if a folder is missing, there is no trajectory, or `output` holds the pages of another program.
        OSError: if the pages cannot be written.
    """
    _check_folders(folders, output)
    index = index_entries(folders, excluded_folder=output.resolve())
    if not index.entry_files_by_paper:
        raise UsageError(f"{', '.join(map(str, folders))}: no plan was found there")
    docsify = _DocsifyWriter(output / "docsify") if with_docsify_site else None
    unread = list(index.unread_files)
    rows = list(_write_paper_pages(output / "papers", index, docsify, unread))
    if docsify:
        docsify.write_index()
        unread += docsify.skipped_files
    index_path = output / "index.html"
    write_file_atomically(index_path, render_index_page(rows, index.run_names, unread), durable=False)
    pages = {row.page_name for row in rows}
    _remove_stale_pages(output / "papers", pages)
    return BuiltSite(index_path, len(pages), len(rows), sum(not row.ablations for row in rows), tuple(unread))


def _write_paper_pages(
    folder: Path, index: EntryIndex, docsify: "_DocsifyWriter | None", unread_files: list[UnreadFile]
) -> Iterator[IndexRow]:
    """Write the page of each paper to `folder`, and yield its rows of the index page."""
    names = choose_page_names(index.entry_files_by_paper)
    for paper_id, sources in sorted(index.entry_files_by_paper.items()):
        try:
            entries = read_sorted_entries(sources)
        except TrajectoryError as error:
            unread_files.append(UnreadFile(paper_id, f"a file changed while the site was built: {error}"))
            continue
        view = build_paper_view(entries)
        write_file_atomically(folder / f"{names[paper_id]}.html", render_paper_page(view), durable=False)
        yield from build_index_rows_of_paper(names[paper_id], view)
        if docsify:
            docsify.add_entries(entries, view.title)


def _check_folders(folders: Sequence[Path], output: Path) -> None:
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder")
    index = output / "index.html"
    if index.exists() and not _is_our_page(index):
        raise UsageError(f"{output}: holds an index.html that this program did not write; name another folder with -o")


def _remove_stale_pages(folder: Path, page_names: set[str]) -> None:
    """Remove the pages that this program wrote earlier and whose names are not in `page_names`."""
    for path in folder.glob("*.html"):
        if unicodedata.normalize("NFC", path.stem) not in page_names and _is_our_page(path):
            path.unlink()


def _is_our_page(path: Path) -> bool:
    if not path.is_file():  # opening a pipe that nobody writes to would never end
        return False
    with path.open("rb") as file:
        return b'<meta name="generator" content="ablation-planner ' in file.read(1000)


@dataclass(slots=True)
class _DocsifyWriter:
    """A writer of the docsify site in the folder `root`.

    If several trajectories have the same path, only the first is written. The others are in `skipped_files`.
    """

    root: Path
    skipped_files: list[UnreadFile] = field(default_factory=list)
    _rows: dict[Task, dict[tuple[str, str], dict[str, PurePosixPath]]] = field(
        default_factory=lambda: {task: {} for task in _TASKS}
    )
    _used_paths: set[str] = field(default_factory=set)

    def add_entries(self, entries: Iterable[PlanEntry], title: str) -> None:
        """Write the trajectories of a paper."""
        for entry in entries:
            if entry.trajectory is None:
                continue
            path = build_trajectory_path(entry.planner, entry.model, entry.paper_id)
            if str(path).casefold() in self._used_paths:
                self.skipped_files.append(UnreadFile(f"{entry.run}/{path}", "another trajectory has the same path"))
                continue
            self._used_paths.add(str(path).casefold())
            text = render_trajectory(entry.trajectory, allow_violations=True)
            write_file_atomically(self.root / "trajectories" / path, text, durable=False)
            self._rows[entry.task].setdefault((title, entry.paper_id), {})[entry.model_name] = path

    def write_index(self) -> None:
        """Write the start page, the sidebar and the table of trajectories."""
        write_file_atomically(self.root / "index.html", render_docsify_page(), durable=False)
        for name, lines in (("_sidebar", self._list_sidebar_lines()), ("trajectories", self._list_table_lines())):
            write_file_atomically(self.root / f"{name}.md", "\n".join(lines) + "\n", durable=False)

    def _list_sidebar_lines(self) -> Iterator[str]:
        yield "- [Trajectories](/trajectories)"
        for task in self._list_tasks():
            yield f"  - [{_TASKS[task]}](/trajectories?id={_TASKS[task].lower().replace(' ', '-')})"

    def _list_table_lines(self) -> Iterator[str]:
        yield "# Trajectories"
        for task in self._list_tasks():
            papers = self._rows[task]
            models = sorted({model for cells in papers.values() for model in cells})
            yield f"\n## {_TASKS[task]}\n"
            yield _format_row("Paper", *map(_escape_cell, models))
            yield _format_row(*["---"] * (len(models) + 1))
            for (title, _), cells in sorted(papers.items(), key=lambda paper: paper[0][0].casefold()):
                yield _format_row(_escape_cell(title), *(_format_link(cells.get(model)) for model in models))

    def _list_tasks(self) -> list[Task]:
        return [task for task, rows in self._rows.items() if rows]


def _format_row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _format_link(path: PurePosixPath | None) -> str:
    return f"[plan](/trajectories/{quote(str(path.with_name(path.name.removesuffix('.md'))))})" if path else ""


def _escape_cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table, so that the table shows it as it is. "" becomes "?"."""
    return _MARKUP.sub(lambda character: f"&#{ord(character[0])};", format_as_one_line(text)) or "?"
