"""Check a plan against the text of its paper."""

from collections.abc import Iterator, Sequence
from typing import Final

from planner.analysis.analyse import analyse
from planner.analysis.passages import passages
from planner.analysis.reported import Reported
from planner.matching.similarity import overlap, same_replacement
from planner.matching.words import stems
from planner.papers.paper import Paper
from planner.schema import Ablation, Action, Plan, Task

_SAID_AT_ONCE: Final = 0.6  # share of a part's words that one passage must hold
_ALREADY: Final = 0.6  # least overlap of a part with one that the paper ablates


def plan_warnings(plan: Plan, paper: Paper, task: Task) -> tuple[str, ...]:
    """Return warnings about a plan, one sentence each; none of them makes it invalid.

    They concern a metric that does not occur in the paper, an ablated part that no passage names, and in the reviewer
    task an ablation that the paper seems to report already. Only words are compared, so they are hints.
    """
    held = [frozenset(stems(passage.text)) for passage in passages(paper.sections)]
    held.append(frozenset(stems(f"{paper.title} {paper.abstract}")))
    reported = analyse(paper).reported_ablations if task is Task.REVIEWER else ()
    return tuple(
        f"ablation {number} ({ablation.name!r}): {doubt}"
        for number, ablation in enumerate(plan.ablations, start=1)
        for doubt in _doubts(ablation, held, reported)
    )


def already_reported(ablation: Ablation, reported: Sequence[Reported]) -> Reported | None:
    """Find the reported ablation that this one seems to repeat: the same part, and no different replacement."""
    alike = [(overlap(ablation.ablated_part, one.part), one) for one in reported if _may_repeat(ablation, one)]
    best = max(alike, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= _ALREADY else None


def _doubts(ablation: Ablation, held: Sequence[frozenset[str]], reported: Sequence[Reported]) -> Iterator[str]:
    everything = frozenset().union(*held)
    for metric in ablation.metrics:
        if not set(stems(metric)) <= everything:
            yield f"the metric {metric!r} does not occur in the paper"
    part = set(stems(ablation.ablated_part))
    if part and max(len(part & said) for said in held) < _SAID_AT_ONCE * len(part):
        yield f"the ablated part {ablation.ablated_part!r} is not found in the paper"
    if repeated := already_reported(ablation, reported):
        where = f" under {repeated.found.heading!r}" if repeated.found.heading else ""
        yield f"the paper seems to report an ablation of {repeated.part!r} already{where}"


def _may_repeat(ablation: Ablation, reported: Reported) -> bool:
    """Tell if the actions allow that both ablations are the same. Often the paper names no replacement."""
    if not reported.replacement:
        return True
    if ablation.action is Action.REMOVE:
        return False
    return any(same_replacement(item, reported.replacement) for item in ablation.replacement)
