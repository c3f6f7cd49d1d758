"""Check a plan against the text of its paper, or against the small part of the paper that this needs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from planner.analysis.components import find_components
from planner.analysis.passages import split_passages
from planner.analysis.reported import ComponentNames, ReportedAblation, find_reported_ablations
from planner.matching.similarity import collect_stems, compute_overlap, extract_stems, is_same_replacement
from planner.papers.paper import Paper
from planner.schema import Ablation, Action, Plan, Task

_MIN_PASSAGE_SHARE: Final = 0.6  # share of a part's words that one passage must hold
_MIN_PART_OVERLAP: Final = 0.6  # least overlap of a part with one that the paper ablates


@dataclass(frozen=True, slots=True)
class PaperIndex:
    """The text of a paper by passages and the ablations that it reports, against which a plan is checked.

    `reported_ablations` is empty for the author task, which does not need them.
    """

    passages: tuple[str, ...]
    reported_ablations: tuple[ReportedAblation, ...] = ()


class StemSearch:
    """A search for stems in passages; only passages that may hold them are split into words, which takes long."""

    def __init__(self, passages: Sequence[str]) -> None:
        self._passages = passages
        self._lowered_paper = "\n".join(passages).lower()
        self._stems: dict[int, frozenset[str]] = {}

    @cached_property
    def _lowered(self) -> list[str]:
        return [passage.lower() for passage in self._passages]

    def find_together(self, stems: Iterable[str], share: float) -> bool:
        """Return whether a passage holds at least this share of the stems."""
        wanted = frozenset(stems)
        # A stem is the beginning of its words, but for the "iz" and "y" that stand for some endings.
        beginnings = [stem.removesuffix("iz").removesuffix("y") for stem in wanted]
        count = share * len(wanted)
        if sum(beginning in self._lowered_paper for beginning in beginnings) < count:
            return False
        return any(
            sum(beginning in lowered for beginning in beginnings) >= count
            and len(wanted & self._collect_stems(number)) >= count
            for number, lowered in enumerate(self._lowered)
        )

    def _collect_stems(self, number: int) -> frozenset[str]:
        if number not in self._stems:
            self._stems[number] = collect_stems(self._passages[number])
        return self._stems[number]


def index_paper(paper: Paper, task: Task) -> PaperIndex:
    """Return the part of a paper that `check_plan` needs."""
    passages = split_passages(paper.sections)
    texts = (*(passage.text for passage in passages), f"{paper.title} {paper.abstract}")
    if task is not Task.REVIEWER:
        return PaperIndex(texts)
    names = ComponentNames(lambda: find_components(passages, count_mentions=False), paper.title)
    return PaperIndex(texts, find_reported_ablations(passages, names))


def check_plan(plan: Plan, index: PaperIndex) -> tuple[str, ...]:
    """Return warnings about a plan, one sentence each; none of them makes it invalid.

    They concern a metric that does not occur in the paper, an ablated part that no passage names, and in the reviewer
    task an ablation that the paper seems to report already. Only words are compared, so they are hints.
    """
    search = StemSearch(index.passages)
    return tuple(
        f"ablation {number} ({ablation.name!r}): {warning}"
        for number, ablation in enumerate(plan.ablations, start=1)
        for warning in _find_warnings(ablation, search, index.reported_ablations)
    )


def find_repeated_ablation(
    ablation: Ablation, reported_ablations: Sequence[ReportedAblation]
) -> ReportedAblation | None:
    """Find the reported ablation that this one seems to repeat: the same part, and no different replacement."""
    overlaps = [
        (compute_overlap(ablation.ablated_part, reported.part), reported)
        for reported in reported_ablations
        if _may_repeat(ablation, reported)
    ]
    best = max(overlaps, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= _MIN_PART_OVERLAP else None


def _find_warnings(
    ablation: Ablation, search: StemSearch, reported_ablations: Sequence[ReportedAblation]
) -> Iterator[str]:
    for metric in ablation.metrics:
        if not all(search.find_together([stem], 1.0) for stem in extract_stems(metric)):
            yield f"the metric {metric!r} does not occur in the paper"
    if not search.find_together(extract_stems(ablation.ablated_part), _MIN_PASSAGE_SHARE):
        yield f"the ablated part {ablation.ablated_part!r} is not found in the paper"
    if repeated := find_repeated_ablation(ablation, reported_ablations):
        where = f" under {repeated.location.heading!r}" if repeated.location.heading else ""
        yield f"the paper seems to report an ablation of {repeated.part!r} already{where}"


def _may_repeat(ablation: Ablation, reported_ablation: ReportedAblation) -> bool:
    """Tell if the actions allow that both ablations are the same. Often the paper names no replacement."""
    if not reported_ablation.replacement:
        return True
    if ablation.action is Action.REMOVE:
        return False
    return any(is_same_replacement(item, reported_ablation.replacement) for item in ablation.replacement)
