"""Find the components, the reported ablations and the metrics in a paper's text, and check a plan against it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.analysis.components import Component, find_components
from planner.analysis.metrics import Metric, find_metrics
from planner.analysis.passages import split_passages
from planner.analysis.reported import ReportedAblation, find_reported_ablations
from planner.matching.similarity import compute_overlap, extract_stems, is_same_replacement
from planner.papers.paper import Paper, Section
from planner.schema import Ablation, Action, Plan, Task


@dataclass(frozen=True, slots=True)
class Analysis:
    """The components and reported ablations of a paper in reading order, and its metrics by frequency."""

    components: tuple[Component, ...]
    reported_ablations: tuple[ReportedAblation, ...]
    metrics: tuple[Metric, ...]


def analyse_paper(paper: Paper) -> Analysis:
    """Find the components, reported ablations and metrics of a paper, each with its place in `paper.text`.

    No model is used, and the time is linear in the length of the text. An empty tuple means that nothing was found.
    """
    return analyse_sections(paper.sections, paper.title)


def analyse_sections(sections: Sequence[Section], title: str = "") -> Analysis:
    """Find the components, reported ablations and metrics of sections; offsets count from the start of the first one.

    A component that the title names is the whole method or its subject, and is not counted as ablated.
    """
    passages = split_passages(sections)
    components = find_components(passages)
    parts = [component for component in components if not component.is_subject_of(title)]
    return Analysis(components, find_reported_ablations(passages, parts), find_metrics(passages))


_MIN_PASSAGE_SHARE: Final = 0.6  # share of a part's words that one passage must hold
_MIN_PART_OVERLAP: Final = 0.6  # least overlap of a part with one that the paper ablates


def check_plan(plan: Plan, paper: Paper, task: Task) -> tuple[str, ...]:
    """Return warnings about a plan, one sentence each; none of them makes it invalid.

    They concern a metric that does not occur in the paper, an ablated part that no passage names, and in the reviewer
    task an ablation that the paper seems to report already. Only words are compared, so they are hints.
    """
    held = [frozenset(extract_stems(passage.text)) for passage in split_passages(paper.sections)]
    held.append(frozenset(extract_stems(f"{paper.title} {paper.abstract}")))
    reported = analyse_paper(paper).reported_ablations if task is Task.REVIEWER else ()
    return tuple(
        f"ablation {number} ({ablation.name!r}): {doubt}"
        for number, ablation in enumerate(plan.ablations, start=1)
        for doubt in _find_warnings(ablation, held, reported)
    )


def find_repeated_ablation(
    ablation: Ablation, reported_ablations: Sequence[ReportedAblation]
) -> ReportedAblation | None:
    """Find the reported ablation that this one seems to repeat: the same part, and no different replacement."""
    alike = [
        (compute_overlap(ablation.ablated_part, one.part), one)
        for one in reported_ablations
        if _may_repeat(ablation, one)
    ]
    best = max(alike, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= _MIN_PART_OVERLAP else None


def _find_warnings(
    ablation: Ablation, passage_stems: Sequence[frozenset[str]], reported_ablations: Sequence[ReportedAblation]
) -> Iterator[str]:
    everything = frozenset().union(*passage_stems)
    for metric in ablation.metrics:
        if not set(extract_stems(metric)) <= everything:
            yield f"the metric {metric!r} does not occur in the paper"
    part = set(extract_stems(ablation.ablated_part))
    if part and max(len(part & said) for said in passage_stems) < _MIN_PASSAGE_SHARE * len(part):
        yield f"the ablated part {ablation.ablated_part!r} is not found in the paper"
    if repeated := find_repeated_ablation(ablation, reported_ablations):
        where = f" under {repeated.location.heading!r}" if repeated.location.heading else ""
        yield f"the paper seems to report an ablation of {repeated.part!r} already{where}"


def _may_repeat(ablation: Ablation, reported_ablation: ReportedAblation) -> bool:
    """Return whether the actions allow that both ablations are the same. Often the paper names no replacement."""
    if not reported_ablation.replacement:
        return True
    if ablation.action is Action.REMOVE:
        return False
    return any(is_same_replacement(item, reported_ablation.replacement) for item in ablation.replacement)
