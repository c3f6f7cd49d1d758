"""Plan labelled papers with the built-in planner, as a baseline for models."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eval.labelled import find_paper_beside
from eval.tables import read_table_rows
from planner.chat import Completion
from planner.errors import PaperError, UsageError
from planner.models.extractive import BUILTIN_INFO, ExtractiveModel
from planner.papers.excerpt import cut_excerpt
from planner.papers.load import load_paper
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import PlanOutput, plan_to_folder, record_unreadable_paper
from planner.schema import Task


@dataclass(frozen=True, slots=True)
class LabelledPaper:
    """A labelled paper; `method_end` is the heading at which its method ends, "" if that is not labelled."""

    id: str
    path: Path
    method_end: str


def find_labelled_papers(folder: Path) -> tuple[LabelledPaper, ...]:
    """Return the papers of a folder that have a label beside them: `<id>.json` with `id`, `ablations`, `method_end`.

    Raises:
        TableError: if a label cannot be read.
        UsageError: if there is no labelled paper.
    """
    papers = tuple(_iter_labelled_papers(folder))
    if not papers:
        raise UsageError(f"{folder}: no paper has a label beside it, an <id>.json with `id` and `ablations`")
    return papers


async def plan_labelled_papers(papers: tuple[LabelledPaper, ...], output: Path, k: int) -> None:
    """Plan each paper for the author task, from its method alone, and write the trajectories to a folder.

    Raises:
        OSError: if the folder cannot be written.
    """
    for paper in papers:
        await _plan_paper(paper, output, PlanSettings(Task.AUTHOR, k, cut_at=paper.method_end))


async def _plan_paper(paper: LabelledPaper, output: Path, settings: PlanSettings) -> PlanOutput:
    try:
        loaded = load_paper(str(paper.path), paper_id=paper.id)
        excerpt = cut_excerpt(loaded, settings.task, settings.cut_at)
    except PaperError as error:
        return record_unreadable_paper(output, str(paper.path), error, BUILTIN_INFO, settings)
    model = ExtractiveModel(excerpt, settings.k)
    return await plan_to_folder(output, loaded, model, settings, _zero_cost, force=True)


def _iter_labelled_papers(folder: Path) -> Iterator[LabelledPaper]:
    for path in sorted(folder.glob("*.json")):
        for row in read_table_rows(path):
            paper = find_paper_beside(path)
            if paper is not None and "ablations" in row and isinstance(row.get("id"), str):
                yield LabelledPaper(row["id"], paper, str(row.get("method_end") or ""))


def _zero_cost(_: Completion) -> float:
    return 0.0
