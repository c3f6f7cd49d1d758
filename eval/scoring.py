"""Score judged runs from their verdicts: papers by status, means at every k, and differences between systems."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import Final

from eval import statistics
from eval.masked import MASKED_MEASURES, MaskedMeasure, MaskedScores, list_values, score_masked_papers
from eval.metrics import PaperScores, score_author_plan, score_reviewer_plan
from eval.plans import PaperStatus
from eval.runs import JudgedPaper, JudgedRun, JudgingRecord
from eval.statistics import Mean, PairedDifference, adjust_p_values, compute_difference
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict
from planner.planning.record import sum_costs_if_all_known
from planner.schema import Task

MAX_REPORTED_K: Final = 10
ZERO_SCORES: Final = PaperScores(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The number of gold papers with each status."""

    scored: int = 0
    unscored: int = 0
    failed: int = 0
    absent: int = 0

    @property
    def papers(self) -> int:
        """The number of all gold papers."""
        return self.scored + self.unscored + self.failed + self.absent


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """The macro means over papers at one k (None: whole plans); `ndcg` is None for the reviewer task.

    The `n` of a mean is its number of papers: the scored ones, and with `as_published` the failed and absent ones.
    """

    k: int | None
    precision: Mean
    recall: Mean
    f1: Mean
    ndcg: Mean | None
    plan_ndcg: Mean | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """A judged run with its scores: `scores` by paper at one k with their `summary`, `by_k` the means at k = 1, 2, ….

    `plan_cost` is the mean over papers with a plan, `judge_cost` the sum over all papers; in USD, None if unknown. A
    run on masked papers has `masked_scores` by paper instead of `scores`.
    """

    label: str
    judged_run: JudgedRun
    scores: Mapping[str, PaperScores]
    summary: ScoreSummary
    by_k: tuple[ScoreSummary, ...]
    coverage: Coverage
    plan_cost: float | None
    judge_cost: float | None
    masked_scores: Mapping[str, MaskedScores] = field(default_factory=dict)

    @property
    def record(self) -> JudgingRecord:
        """The record of the run."""
        return self.judged_run.record


@dataclass(frozen=True, slots=True)
class SystemDifference:
    """The difference of two systems in a measure, on the papers that one judge scored for both.

    `adjusted_p` is Holm's p-value.
    """

    a: RunResult
    b: RunResult
    difference: PairedDifference
    adjusted_p: float
    measure: str = "f1"


def compute_results(
    judged_runs: Sequence[JudgedRun], k: int | None = None, *, as_published: bool = False
) -> tuple[RunResult, ...]:
    """Score judged runs; the results are sorted by task and then by label."""
    labels = _label_runs([judged_run.record for judged_run in judged_runs])
    results = [_compute_result(run, label, k, as_published) for run, label in zip(judged_runs, labels, strict=True)]
    return tuple(sorted(results, key=lambda result: (result.record.task, result.label)))


def compare_results(results: Sequence[RunResult]) -> tuple[SystemDifference, ...]:
    """Compare the F1 of every two systems of one task and judge, the greatest difference first.

    The p-values are adjusted for each task and judge.
    """
    differences = _compare_measure(results, "f1", lambda result: {p: s.f1 for p, s in result.scores.items()})
    return tuple(sorted(differences, key=lambda each: (each.a.record.task, -abs(each.difference.mean))))


def compare_masked_results(results: Sequence[RunResult]) -> tuple[SystemDifference, ...]:
    """Compare every two systems on masked papers in each measure; p is adjusted for each measure and judge."""
    return tuple(
        difference
        for name, measure in MASKED_MEASURES.items()
        for difference in _compare_measure(results, name, partial(_list_masked_values, measure=measure))
    )


def _compare_measure(
    results: Sequence[RunResult], measure: str, get_values: Callable[[RunResult], Mapping[str, float]]
) -> list[SystemDifference]:
    differences: list[SystemDifference] = []
    families: dict[tuple[Task, str, int], list[RunResult]] = {}
    for result in results:
        record = result.record
        families.setdefault((record.task, record.judge, record.repetition), []).append(result)
    for members in families.values():
        pairs = [
            (a, b, compute_difference(get_values(a), get_values(b)))
            for a, b in combinations(members, 2)
            if a.record.system != b.record.system and get_values(a).keys() & get_values(b).keys()
        ]
        adjusted = adjust_p_values([difference.p for _, _, difference in pairs])
        differences += [SystemDifference(*pair, p, measure) for pair, p in zip(pairs, adjusted, strict=True)]
    return differences


def score_papers(judged_run: JudgedRun, k: int | None = None, *, as_published: bool = False) -> dict[str, PaperScores]:
    """Return the scores of each scored paper at k, by id; with `as_published`, failed and absent papers score 0.

    Masked papers have none.
    """
    scores: dict[str, PaperScores] = {}
    for paper in () if judged_run.record.is_masked else judged_run.record.papers:
        if paper.status is PaperStatus.SCORED:
            scores[paper.id] = score_paper(judged_run.record.task, paper, judged_run.verdicts[paper.id], k)
        elif as_published and paper.status is not PaperStatus.UNSCORED:
            scores[paper.id] = ZERO_SCORES if judged_run.record.task is Task.AUTHOR else replace(ZERO_SCORES, ndcg=None)
    return scores


def score_paper(task: Task, paper: JudgedPaper, verdicts: Sequence[Verdict], k: int | None = None) -> PaperScores:
    """Return the scores of one paper at k."""
    if task is Task.AUTHOR:
        author_verdicts = [verdict for verdict in verdicts if isinstance(verdict, AuthorVerdict)]
        return score_author_plan(paper.gold, paper.planned_names, author_verdicts, k)
    reviewer_verdicts = [verdict for verdict in verdicts if isinstance(verdict, ReviewerVerdict)]
    return score_reviewer_plan(paper.suggestions, paper.planned_names, reviewer_verdicts, k)


def summarize_scores(scores: Mapping[str, PaperScores], k: int | None = None) -> ScoreSummary:
    """Return the macro means of the papers' scores."""
    return ScoreSummary(
        k=k,
        precision=statistics.compute_mean([s.precision for s in scores.values()]),
        recall=statistics.compute_mean([s.recall for s in scores.values()]),
        f1=statistics.compute_mean([s.f1 for s in scores.values()]),
        ndcg=_mean_of_known([s.ndcg for s in scores.values()]),
        plan_ndcg=_mean_of_known([s.plan_ndcg for s in scores.values()]),
    )


def count_papers(record: JudgingRecord) -> Coverage:
    """Count the papers of a run by status."""
    return Coverage(**{status.value: sum(p.status is status for p in record.papers) for status in PaperStatus})


def compute_mean_f1(result: RunResult, papers: Sequence[str]) -> float | None:
    """Return the macro mean of F1 over some of a run's papers, None if none of them has scores."""
    values = [result.scores[paper].f1 for paper in papers if paper in result.scores]
    return fmean(values) if values else None


def format_task_title(task: Task) -> str:
    """Return the title of a task for headings."""
    return {Task.AUTHOR: "Author task", Task.REVIEWER: "Reviewer task"}[task]


def _mean_of_known(values: Sequence[float | None]) -> Mean | None:
    known = [value for value in values if value is not None]
    return statistics.compute_mean(known) if known else None


def _compute_result(judged_run: JudgedRun, label: str, k: int | None, as_published: bool) -> RunResult:
    papers = judged_run.record.papers
    longest = max((len(paper.plan) for paper in papers if not judged_run.record.is_masked), default=0)
    scores = score_papers(judged_run, k, as_published=as_published)
    plan_costs = [paper.plan_cost for paper in papers if paper.plan]
    total_cost = sum_costs_if_all_known(plan_costs)
    return RunResult(
        label=label,
        judged_run=judged_run,
        scores=scores,
        summary=summarize_scores(scores, k),
        by_k=tuple(
            summarize_scores(score_papers(judged_run, at, as_published=as_published), at)
            for at in range(1, min(MAX_REPORTED_K, longest) + 1)
        ),
        coverage=count_papers(judged_run.record),
        plan_cost=total_cost / len(plan_costs) if plan_costs and total_cost is not None else None,
        judge_cost=sum_costs_if_all_known(
            p.judge_cost for p in papers if p.status in (PaperStatus.SCORED, PaperStatus.UNSCORED)
        ),
        masked_scores=score_masked_papers(judged_run, as_published=as_published),
    )


def _label_runs(runs: Sequence[JudgingRecord]) -> list[str]:
    """Return each run's system, with the judge and the repetition where several runs would have the same label."""
    systems = [run.system.removeprefix("lm-planner/") for run in runs]
    has_several_judges = len({run.judge for run in runs}) > 1
    has_repetitions = len({(run.task, run.system, run.judge) for run in runs}) < len(runs)
    return [
        system
        + (f" · {run.judge}" if has_several_judges else "")
        + (f" · repetition {run.repetition}" if has_repetitions else "")
        for system, run in zip(systems, runs, strict=True)
    ]


def _list_masked_values(result: RunResult, measure: MaskedMeasure) -> dict[str, float]:
    return list_values(result.masked_scores, measure)
