"""Find the components, reported ablations and metrics in a paper's text."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.analysis.components import Component, find_components
from planner.analysis.metrics import Metric, find_metrics
from planner.analysis.passages import ReportedAblation, split_passages
from planner.analysis.reported import ComponentNames, find_reported_ablations
from planner.papers.paper import Paper, Section, is_english_paper


@dataclass(frozen=True, slots=True)
class Analysis:
    """The components and reported ablations of a paper in reading order, and its metrics by frequency."""

    components: tuple[Component, ...]
    reported_ablations: tuple[ReportedAblation, ...]
    metrics: tuple[Metric, ...]


def analyse_paper(paper: Paper) -> Analysis:
    """Find the components, reported ablations and metrics of a paper, each with its place in `paper.text`.

    No model is used, and the time is linear in the length of the text. An empty tuple means that nothing was found, as
    in a paper that is not in English, whose words are not known.
    """
    if not is_english_paper(paper.sections):
        return Analysis((), (), ())
    return analyse_sections(paper.sections, paper.title)


def analyse_sections(sections: Sequence[Section], title: str = "") -> Analysis:
    """Find the components, reported ablations and metrics of sections; offsets count from the start of the first."""
    passages = split_passages(sections)
    components = find_components(passages)
    reported = find_reported_ablations(passages, ComponentNames(lambda: components, title))
    return Analysis(components, reported, find_metrics(passages))
