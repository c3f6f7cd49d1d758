"""Compute the scores of a judged run from its verdicts, and count its papers by status."""
# MERGED-DOC """Compute the rows of a report: one for each judged run, with its scores at every k."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import Final

from eval import statistics
from eval.metrics import PaperScores, score_author_plan, score_reviewer_plan
from eval.plans import PaperStatus
from eval.runs import JudgedPaper, JudgedRun, JudgingRecord
from eval.statistics import Mean, PairedDifference, adjust_p_values, compute_difference
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict
from planner.planning.record import sum_costs
from planner.schema import Task

ZERO_SCORES = PaperScores(0.0, 0.0, 0.0, 0.0, 0.0)


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


def count_papers(run: JudgingRecord) -> Coverage:
    """Count the papers of a run by status."""
    return Coverage(**{status.value: sum(p.status is status for p in run.papers) for status in PaperStatus})


def score_papers(judging: JudgedRun, k: int | None = None, *, as_published: bool = False) -> dict[str, PaperScores]:
    """Return the scores of each scored paper at k, by id; with `as_published`, failed and absent papers score 0."""
    scores: dict[str, PaperScores] = {}
    for paper in judging.run.papers:
        if paper.status is PaperStatus.SCORED:
            scores[paper.id] = score_paper(judging.run.task, paper, judging.verdicts[paper.id], k)
        elif as_published and paper.status is not PaperStatus.UNSCORED:
            scores[paper.id] = ZERO_SCORES if judging.run.task is Task.AUTHOR else replace(ZERO_SCORES, ndcg=None)
    return scores


def score_paper(task: Task, paper: JudgedPaper, verdicts: Sequence[Verdict], k: int | None = None) -> PaperScores:
    """Return the scores of one paper at k."""
    if task is Task.AUTHOR:
        ours = [verdict for verdict in verdicts if isinstance(verdict, AuthorVerdict)]
        return score_author_plan(paper.gold, paper.planned_names, ours, k)
    theirs = [verdict for verdict in verdicts if isinstance(verdict, ReviewerVerdict)]
    return score_reviewer_plan(paper.suggestions, paper.planned_names, theirs, k)


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


def _mean_of_known(values: Sequence[float | None]) -> Mean | None:
    known = [value for value in values if value is not None]
    return statistics.compute_mean(known) if known else None


MAX_REPORTED_K: Final = 10


@dataclass(frozen=True, slots=True)
class RunResult:
    """A row of the report: `scores` are by paper at the report's k, `by_k` the means at k = 1, 2, ….

    `plan_cost` is the mean over papers with a plan, `judge_cost` the sum over all papers; in USD, None if unknown.
    """

    label: str
    judging: JudgedRun
    scores: Mapping[str, PaperScores]
    summary: ScoreSummary
    by_k: tuple[ScoreSummary, ...]
    coverage: Coverage
    plan_cost: float | None
    judge_cost: float | None

    @property
    def run(self) -> JudgingRecord:
        """The record of the run."""
        return self.judging.run


@dataclass(frozen=True, slots=True)
class SystemDifference:
    """The difference of two systems on the papers that one judge scored for both; `adjusted_p` is p adjusted by Holm."""

    a: RunResult
    b: RunResult
    f1: PairedDifference
    adjusted_p: float


def compute_results(
    judgings: Sequence[JudgedRun], k: int | None = None, *, as_published: bool = False
) -> tuple[RunResult, ...]:
    """Compute the rows of a report, sorted by task and then by label."""
    labels = _label_runs([judging.run for judging in judgings])
    rows = [_compute_result(j, label, k, as_published) for j, label in zip(judgings, labels, strict=True)]
    return tuple(sorted(rows, key=lambda row: (row.run.task, row.label)))


def compare_results(results: Sequence[RunResult]) -> tuple[SystemDifference, ...]:
    """Compare every two systems of one task and judge; the greatest difference first, p adjusted within the judge."""
    found: list[SystemDifference] = []
    families = dict.fromkeys((row.run.task, row.run.judge, row.run.repetition) for row in results)
    for family in families:
        members = [row for row in results if (row.run.task, row.run.judge, row.run.repetition) == family]
        pairs = [
            (a, b, compute_difference(_f1_by_paper(a), _f1_by_paper(b)))
            for a, b in combinations(members, 2)
            if a.run.system != b.run.system and a.scores.keys() & b.scores.keys()
        ]
        adjusted = adjust_p_values([found.p for _, _, found in pairs])
        found += [SystemDifference(a, b, d, p) for (a, b, d), p in zip(pairs, adjusted, strict=True)]
    return tuple(sorted(found, key=lambda c: (c.a.run.task, -abs(c.f1.mean))))


def _compute_result(judging: JudgedRun, label: str, k: int | None, as_published: bool) -> RunResult:
    papers = judging.run.papers
    longest = min(MAX_REPORTED_K, max((len(paper.plan) for paper in papers), default=0))
    scores = score_papers(judging, k, as_published=as_published)
    planned = [paper.plan_cost for paper in papers if paper.plan]
    whole = sum_costs(planned)
    return RunResult(
        label=label,
        judging=judging,
        scores=scores,
        summary=summarize_scores(scores, k),
        by_k=tuple(
            summarize_scores(score_papers(judging, at, as_published=as_published), at) for at in range(1, longest + 1)
        ),
        coverage=count_papers(judging.run),
        plan_cost=whole / len(planned) if planned and whole is not None else None,
        judge_cost=sum_costs(p.judge_cost for p in papers if p.status in (PaperStatus.SCORED, PaperStatus.UNSCORED)),
    )


def _label_runs(runs: Sequence[JudgingRecord]) -> list[str]:
    """Return each run's system, with the judge and the repetition where rows would have the same label."""
    systems = [run.system.removeprefix("lm-planner/") for run in runs]
    judges = len({run.judge for run in runs}) > 1
    repeated = len({(run.task, run.system, run.judge) for run in runs}) < len(runs)
    return [
        system + (f" · {run.judge}" if judges else "") + (f" · repetition {run.repetition}" if repeated else "")
        for system, run in zip(systems, runs, strict=True)
    ]


def _f1_by_paper(row: RunResult) -> dict[str, float]:
    return {paper: scores.f1 for paper, scores in row.scores.items()}


def compute_mean_f1(result: RunResult, papers: Sequence[str]) -> float | None:
    """Return the macro mean of F1 over some of a row's papers, None if none of them has scores."""
    values = [result.scores[paper].f1 for paper in papers if paper in result.scores]
    return fmean(values) if values else None


def format_task_title(task: Task) -> str:
    """Return the title of a task for headings."""
    return {Task.AUTHOR: "Author task", Task.REVIEWER: "Reviewer task"}[task]
