"""Compare planners on the same papers without gold: their agreement by the offline matcher, and their profiles."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan
from statistics import fmean, median

from eval import statistics
from eval.matching import match_ablations
from eval.plans import PlannedPaper, System
from eval.statistics import Mean
from planner.errors import UsageError
from planner.matching import extract_stems, group_ablations
from planner.schema import Ablation, Action, Task


@dataclass(frozen=True, slots=True)
class SystemProfile:
    """A system's plans on the common papers, in numbers.

    `mean_replacements` is the mean number of replacements of an ablation that replaces or adds, `mean_metrics` the mean
    number of metrics, `median_reasoning_words` the median length of the reasoning, and `unique_share` the share of its
    ablations that no other system has.
    """

    system: str
    ablation_count: int
    ablations_per_plan: float
    action_counts: Mapping[Action, int]
    mean_replacements: float
    mean_metrics: float
    median_reasoning_words: float
    unique_share: float


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """The agreement of two systems, as macro means over papers.

    `agreement` is the Dice share of matching ablations, `chance_agreement` the same share between plans of different
    papers, and `metric_agreement` the Jaccard share of the metrics that both name.
    """

    a: str
    b: str
    agreement: Mean
    chance_agreement: float
    metric_agreement: Mean


@dataclass(frozen=True, slots=True)
class ProposedAblation:
    """An ablation that one or more systems propose for a paper; `ablation` is the wording of the first system."""

    paper: str
    ablation: Ablation
    systems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison for one task on the `papers` that all systems planned; `omitted_paper_count` counts the others.

    `sure_join_count` is the number of studies of more than one system by the stricter rule of `group_ablations`.
    """

    task: Task
    systems: tuple[str, ...]
    papers: tuple[str, ...]
    omitted_paper_count: int
    profiles: tuple[SystemProfile, ...]
    pairs: tuple[PairAgreement, ...]
    proposals: tuple[ProposedAblation, ...]
    sure_join_count: int

    def count_shared_by(self, system_count: int) -> int:
        """Return the number of ablations that exactly `system_count` systems propose."""
        return sum(len(proposal.systems) == system_count for proposal in self.proposals)

    def find_pair(self, a: str, b: str) -> PairAgreement | None:
        """Return the agreement of two systems, None if both are the same."""
        return next((pair for pair in self.pairs if {pair.a, pair.b} == {a, b}), None)


def compare_systems(systems: Sequence[System], task: Task) -> Comparison:
    """Compare systems of one task on the papers that all of them have planned.

    Raises:
        UsageError: if there are fewer than two systems, or no paper in common.
    """
    if len(systems) < 2:
        raise UsageError(f"{task} task: comparing needs two systems or more")
    planned = {system.name: _papers_with_plans(system) for system in systems}
    common = sorted(set.intersection(*(set(papers) for papers in planned.values())))
    if not common:
        raise UsageError(f"{task} task: no paper has a plan of every system")
    proposals = tuple(
        proposal
        for paper in common
        for proposal in _group_proposals(paper, {name: papers[paper] for name, papers in planned.items()})
    )
    return Comparison(
        task=task,
        systems=tuple(planned),
        papers=tuple(common),
        omitted_paper_count=len(set().union(*planned.values())) - len(common),
        profiles=tuple(
            _profile_system(name, [papers[p] for p in common], proposals) for name, papers in planned.items()
        ),
        pairs=tuple(_compare_pair(a, b, planned[a], planned[b], common) for a, b in combinations(planned, 2)),
        proposals=proposals,
        sure_join_count=sum(
            len(group) > 1
            for paper in common
            for group in group_ablations([papers[paper].ablations for papers in planned.values()])
        ),
    )


def _papers_with_plans(system: System) -> dict[str, PlannedPaper]:
    return {paper_id: paper for paper_id, paper in system.papers.items() if paper.ablations}


def _compare_pair(
    a: str, b: str, left: Mapping[str, PlannedPaper], right: Mapping[str, PlannedPaper], papers: Sequence[str]
) -> PairAgreement:
    shifted = [*papers[1:], *papers[:1]]
    others = [
        _dice_share(left[p].ablations, right[q].ablations) for p, q in zip(papers, shifted, strict=True) if p != q
    ]
    return PairAgreement(
        a,
        b,
        agreement=statistics.compute_mean([_dice_share(left[p].ablations, right[p].ablations) for p in papers]),
        chance_agreement=fmean(others) if others else nan,
        metric_agreement=statistics.compute_mean(
            [_jaccard_share(_metric_stems(left[p]), _metric_stems(right[p])) for p in papers]
        ),
    )


def _dice_share(a: Sequence[Ablation], b: Sequence[Ablation]) -> float:
    return 2 * len(match_ablations(a, b)) / (len(a) + len(b))


def _jaccard_share(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def _metric_stems(paper: PlannedPaper) -> frozenset[tuple[str, ...]]:
    """Return the metrics of a plan as stems, so that case and word endings do not matter."""
    return frozenset(stems for a in paper.ablations for metric in a.metrics if (stems := extract_stems(metric)))


def _group_proposals(paper: str, plans: Mapping[str, PlannedPaper]) -> Iterator[ProposedAblation]:
    """Yield the groups of ablations that are linked by matches between any two systems, in order of appearance."""
    items = [(system, ablation) for system, plan in plans.items() for ablation in plan.ablations]
    groups = list(range(len(items)))
    index_of = {(system, ablation.name): index for index, (system, ablation) in enumerate(items)}
    for a, b in combinations(plans, 2):
        left, right = plans[a].ablations, plans[b].ablations
        for pair in match_ablations(left, right):
            _merge_groups(groups, index_of[a, left[pair.index_a].name], index_of[b, right[pair.index_b].name])
    for group in dict.fromkeys(groups):
        members = [item for item, item_group in zip(items, groups, strict=True) if item_group == group]
        yield ProposedAblation(paper, members[0][1], tuple(dict.fromkeys(system for system, _ in members)))


def _merge_groups(groups: list[int], a: int, b: int) -> None:
    kept, merged = sorted((groups[a], groups[b]))
    groups[:] = [kept if group == merged else group for group in groups]


def _profile_system(name: str, plans: Sequence[PlannedPaper], proposals: Sequence[ProposedAblation]) -> SystemProfile:
    ablations = [ablation for plan in plans for ablation in plan.ablations]
    replacement_counts = [len(a.replacement) for a in ablations if a.action is not Action.REMOVE]
    return SystemProfile(
        system=name,
        ablation_count=len(ablations),
        ablations_per_plan=len(ablations) / len(plans),
        action_counts=Counter(ablation.action for ablation in ablations),
        mean_replacements=fmean(replacement_counts) if replacement_counts else nan,
        mean_metrics=fmean(len(ablation.metrics) for ablation in ablations),
        median_reasoning_words=median(len(plan.reasoning.split()) for plan in plans),
        unique_share=fmean(len(proposal.systems) == 1 for proposal in proposals if name in proposal.systems),
    )
