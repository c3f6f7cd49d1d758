"""The part of a paper against which a plan is checked, small enough to go from a reader process to the program."""

from dataclasses import dataclass

from planner.analysis.passages import ReportedAblation
from planner.schema import Task


@dataclass(frozen=True, slots=True)
class IndexedSection:
    """The passages under a heading that were all sent to the model, or all not.

    `pages` gives the page on which each passage starts, and is empty without pages. `ablation_passages` are the indices
    of those that report ablations; it is empty in the author task. `is_experiment` tells if experiments stand here.
    """

    heading: str
    passages: tuple[str, ...]
    is_sent: bool = True
    pages: tuple[int | None, ...] = ()
    ablation_passages: tuple[int, ...] = ()
    is_experiment: bool = False


@dataclass(frozen=True, slots=True)
class PaperIndex:
    """The text of a paper by sections, and the ablations that it reports.

    `reported_ablations` is empty for the author task, which does not need them.
    """

    task: Task
    sections: tuple[IndexedSection, ...]
    reported_ablations: tuple[ReportedAblation, ...] = ()
