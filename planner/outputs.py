"""Plan papers into an output folder: a trajectory and its sidecar file for each paper."""

from dataclasses import dataclass, replace
from pathlib import Path

from planner.analysis.checks import plan_warnings
from planner.chat import ChatModel, ModelCard
from planner.controls import printable
from planner.errors import Outcome, PaperError
from planner.gauge import Gauge
from planner.keeping import Keeping
from planner.papers.ids import paper_id
from planner.papers.paper import Paper, PaperHead
from planner.pipeline import Planning, Settings, plan_paper
from planner.sidecar import Pricing, Sidecar, SidecarStore, closed, opened
from planner.trajectory.files import write_atomically
from planner.trajectory.paths import relative_path, sidecar_path
from planner.trajectory.writer import write


@dataclass(frozen=True, slots=True)
class Output:
    """The result of planning one paper and its files; `path` exists only if the outcome is planned."""

    planning: Planning
    sidecar: Sidecar
    path: Path
    sidecar_path: Path


async def plan_into(
    folder: Path,
    paper: Paper,
    model: ChatModel,
    settings: Settings,
    pricing: Pricing,
    *,
    anew: bool = False,
    gauge: Gauge | None = None,
) -> Output:
    """Plan one paper and write its trajectory and sidecar file into `folder`.

    A request whose reply is already on record there is not sent again, unless that reply made the paper fail or `anew`
    is true. Pass the same `gauge` for several papers to use the token counts of all replies.

    Raises:
        TrajectoryError: if the sidecar's path holds another kind of file.
        OSError: if the folder cannot be written.
        PromptError: if a template cannot be rendered.
    """
    path, beside = _places(folder, model.card, paper.id)
    earlier = Sidecar.read(beside) if beside.exists() else None
    opening = opened(paper.head, model.card, settings, earlier)
    store = SidecarStore(beside, opening, pricing, anew)
    planning = await plan_paper(paper, Keeping(model, store), settings, store.sample, gauge)
    if planning.trajectory is not None:
        doubts = plan_warnings(planning.trajectory.plan, paper, settings.task)
        planning = replace(planning, warnings=(*planning.warnings, *doubts))
    return _written(planning, closed(opening, planning, store.attempts), path, beside)


def unreadable_into(
    folder: Path, source: str, error: PaperError, card: ModelCard, settings: Settings, *, named: str = ""
) -> Output:
    """Write the sidecar file of a paper that cannot be read; its id is `named`, or is made from the source."""
    chosen = named or paper_id("", name=source)
    unread = PaperHead(id=chosen, title="", format="", source=source)
    path, beside = _places(folder, card, unread.id)
    planning = Planning(Outcome.PAPER_ERROR, reason=printable(str(error)))
    earlier = Sidecar.read(beside) if beside.exists() else None
    opening = opened(unread, card, settings, earlier)
    return _written(planning, closed(opening, planning, opening.attempts), path, beside)


def _places(folder: Path, card: ModelCard, paper: str) -> tuple[Path, Path]:
    """Return the paths of a paper's trajectory and of its sidecar file."""
    within = relative_path(card.planner, card.name, paper)
    return folder / within, folder / sidecar_path(within)


def _written(planning: Planning, sidecar: Sidecar, path: Path, beside: Path) -> Output:
    # The trajectory is written first, so a sidecar with the outcome "planned" always has its trajectory.
    if planning.trajectory is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, write(planning.trajectory))
    sidecar.write(beside)
    return Output(planning, sidecar, path, beside)
