"""The layout in which the field publishes trajectories: three files for docsify around the trajectories themselves.

Unlike the other pages these need a web server and load docsify from a public address, as such sites do. The loaded
files are pinned by their hashes, and the policy allows no other script. It allows styles, since the trajectories
contain some. The trajectories are written again from their parsed text, so they hold no active content.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

from planner.controls import clean
from planner.schema import Task
from planner.site.collecting import Unread
from planner.site.entries import Entry
from planner.site.files import put
from planner.site.pages import docsify_page
from planner.trajectory.paths import relative_path
from planner.trajectory.writer import write

_MARKUP: Final = re.compile(r"[&<>\[\]()|`*_\\!#~:$]")
_TASKS: Final = {Task.REVIEWER: "Reviewer task", Task.AUTHOR: "Author task"}


@dataclass(slots=True)
class Docsify:
    """A writer of the published layout to the folder `root`.

    Of two trajectories with one path only the first is published; `left_out` names the others.
    """

    root: Path
    left_out: list[Unread] = field(default_factory=list)
    _cells: dict[Task, dict[tuple[str, str], dict[str, PurePosixPath]]] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def add(self, entry: Entry, title: str) -> None:
        """Publish the trajectory of an entry, if it has one."""
        if entry.trajectory is None:
            return
        path = relative_path(entry.planner, entry.model, entry.paper_id)
        if str(path).casefold() in self._taken:
            self.left_out.append(Unread(f"{entry.run}/{path}", "another trajectory is published in its place"))
            return
        self._taken.add(str(path).casefold())
        put(self.root / "trajectories" / path, write(entry.trajectory, published=True))
        papers = self._cells.setdefault(entry.task, {})
        papers.setdefault((title, entry.paper_id), {})[entry.model_name] = path

    def finish(self) -> None:
        """Write the page, the sidebar and the table of trajectories."""
        put(self.root / "index.html", docsify_page())
        put(self.root / "_sidebar.md", "\n".join(self._sidebar()) + "\n")
        put(self.root / "trajectories.md", "\n".join(self._tables()) + "\n")

    def _sidebar(self) -> Iterator[str]:
        yield "- [Trajectories](/trajectories)"
        for task in self._tasks():
            yield f"  - [{_TASKS[task]}](/trajectories?id={_TASKS[task].lower().replace(' ', '-')})"

    def _tables(self) -> Iterator[str]:
        yield "# Trajectories"
        for task in self._tasks():
            papers = self._cells[task]
            models = sorted({model for cells in papers.values() for model in cells})
            yield f"\n## {_TASKS[task]}\n"
            yield _line("Paper", *map(_plain, models))
            yield _line(*["---"] * (len(models) + 1))
            for (title, _), cells in sorted(papers.items(), key=lambda paper: paper[0][0].casefold()):
                yield _line(_plain(title), *(_cell(cells.get(model)) for model in models))

    def _tasks(self) -> list[Task]:
        return [task for task in _TASKS if self._cells.get(task)]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(path: PurePosixPath | None) -> str:
    return f"[plan](/trajectories/{quote(str(path.with_name(path.name.removesuffix('.md'))))})" if path else ""


def _plain(text: str) -> str:
    """Return a text as one cell of a Markdown table in which nothing is markup."""
    line = " ".join(clean(text).text.split())
    return _MARKUP.sub(lambda mark: f"&#{ord(mark[0])};", line) or "?"
