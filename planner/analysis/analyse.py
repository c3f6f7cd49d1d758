"""Find the parts of its method, the reported ablations and the metrics in a paper's text."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.analysis.components import Component, components
from planner.analysis.metrics import Metric, metrics
from planner.analysis.passages import passages
from planner.analysis.reported import Reported, reported_ablations
from planner.papers.paper import Paper, Section


@dataclass(frozen=True, slots=True)
class Analysis:
    """The components and reported ablations of a paper in reading order, and its metrics by frequency."""

    components: tuple[Component, ...]
    reported_ablations: tuple[Reported, ...]
    metrics: tuple[Metric, ...]


def analyse(paper: Paper) -> Analysis:
    """Find the components, reported ablations and metrics of a paper, each with its place in `paper.text`.

    No model is used, and the time is linear in the length of the text. An empty tuple means that nothing was found.
    """
    return analyse_sections(paper.sections, paper.title)


def analyse_sections(sections: Sequence[Section], title: str = "") -> Analysis:
    """Find the components, reported ablations and metrics of sections; places count from the start of the first one.

    A component that the title names is the whole method or its subject, and is not counted as ablated.
    """
    read = passages(sections)
    named = components(read)
    parts = [component for component in named if not component.is_subject_of(title)]
    return Analysis(named, reported_ablations(read, parts), metrics(read))
