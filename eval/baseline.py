"""Plan labelled papers with the built-in planner, as a baseline for models."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eval.tables import read_rows
from planner.chat import Completion
from planner.errors import PaperError, UsageError
from planner.extractive import CARD, Extractive
from planner.outputs import Output, plan_into, unreadable_into
from planner.papers.cut import cut
from planner.papers.load import load
from planner.posing import Settings
from planner.schema import Task


@dataclass(frozen=True, slots=True)
class LabelledPaper:
    """A labelled paper; `method_end` is the heading at which its method ends, "" if that is not labelled."""

    id: str
    path: Path
    method_end: str


def labelled_papers(folder: Path) -> tuple[LabelledPaper, ...]:
    """Return the papers of a folder that have a label beside them: `<id>.json` with `id`, `ablations`, `method_end`.

    Raises:
        TableError: if a label cannot be read.
        UsageError: if there is no labelled paper.
    """
    found = tuple(_labelled(folder))
    if not found:
        raise UsageError(f"{folder}: no paper has a label beside it, an <id>.json with `id` and `ablations`")
    return found


async def plan_labelled(papers: tuple[LabelledPaper, ...], output: Path, k: int) -> None:
    """Plan each paper for the author task, from its method alone, and write the trajectories to a folder.

    Raises:
        OSError: if the folder cannot be written.
    """
    for paper in papers:
        await _plan(paper, output, Settings(Task.AUTHOR, k, cut_at=paper.method_end))


async def _plan(paper: LabelledPaper, output: Path, settings: Settings) -> Output:
    try:
        read = load(str(paper.path), paper_id=paper.id)
        excerpt = cut(read, settings.task, settings.cut_at).excerpt(read)
    except PaperError as error:
        return unreadable_into(output, str(paper.path), error, CARD, settings)
    return await plan_into(output, read, Extractive(excerpt, settings.task, settings.k), settings, _free, anew=True)


def _labelled(folder: Path) -> Iterator[LabelledPaper]:
    for path in sorted(folder.glob("*.json")):
        for row in read_rows(path):
            paper = next((p for p in sorted(folder.glob(f"{path.stem}.*")) if p != path), None)
            if paper is not None and "ablations" in row and isinstance(row.get("id"), str):
                yield LabelledPaper(row["id"], paper, str(row.get("method_end") or ""))


def _free(_: Completion) -> float:
    return 0.0
