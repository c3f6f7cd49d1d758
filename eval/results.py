"""Compute the rows of a report: one for each judged run, with its scores at every k."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Final

from eval.coverage import Status
from eval.metrics import Scores
from eval.runs import JudgeRun, Judging
from eval.scoring import Coverage, Summary, coverage, paper_scores, summary
from eval.statistics import Difference, difference, holm
from planner.schema import Task
from planner.sidecar import total_cost

MOST_K: Final = 10


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the report: `scores` are by paper at the report's k, `by_k` the means at k = 1, 2, ….

    `plan_cost` is the mean over papers with a plan, `judge_cost` the sum over all papers; in USD, None if unknown.
    """

    label: str
    judging: Judging
    scores: Mapping[str, Scores]
    summary: Summary
    by_k: tuple[Summary, ...]
    coverage: Coverage
    plan_cost: float | None
    judge_cost: float | None

    @property
    def run(self) -> JudgeRun:
        """The record of the run."""
        return self.judging.run


@dataclass(frozen=True, slots=True)
class Contrast:
    """The difference of two systems on the papers that one judge scored for both; `holm` is p adjusted by Holm."""

    a: Result
    b: Result
    f1: Difference
    holm: float


def results(judgings: Sequence[Judging], k: int | None = None, *, as_published: bool = False) -> tuple[Result, ...]:
    """Compute the rows of a report, sorted by task and then by label."""
    labels = _labels([judging.run for judging in judgings])
    rows = [_result(j, label, k, as_published) for j, label in zip(judgings, labels, strict=True)]
    return tuple(sorted(rows, key=lambda row: (row.run.task, row.label)))


def contrasts(rows: Sequence[Result]) -> tuple[Contrast, ...]:
    """Compare every two systems of one task and judge; the greatest difference first, p adjusted within the judge."""
    found: list[Contrast] = []
    families = dict.fromkeys((row.run.task, row.run.judge, row.run.repetition) for row in rows)
    for family in families:
        members = [row for row in rows if (row.run.task, row.run.judge, row.run.repetition) == family]
        pairs = [
            (a, b, difference(_f1(a), _f1(b)))
            for a, b in combinations(members, 2)
            if a.run.system != b.run.system and a.scores.keys() & b.scores.keys()
        ]
        adjusted = holm([found.p for _, _, found in pairs])
        found += [Contrast(a, b, d, p) for (a, b, d), p in zip(pairs, adjusted, strict=True)]
    return tuple(sorted(found, key=lambda c: (c.a.run.task, -abs(c.f1.mean))))


def _result(judging: Judging, label: str, k: int | None, as_published: bool) -> Result:
    papers = judging.run.papers
    longest = min(MOST_K, max((len(paper.plan) for paper in papers), default=0))
    scores = paper_scores(judging, k, as_published=as_published)
    planned = [paper.plan_cost for paper in papers if paper.plan]
    whole = total_cost(planned)
    return Result(
        label=label,
        judging=judging,
        scores=scores,
        summary=summary(scores, k),
        by_k=tuple(summary(paper_scores(judging, at, as_published=as_published), at) for at in range(1, longest + 1)),
        coverage=coverage(judging.run),
        plan_cost=whole / len(planned) if planned and whole is not None else None,
        judge_cost=total_cost(p.judge_cost for p in papers if p.status in (Status.SCORED, Status.UNSCORED)),
    )


def _labels(runs: Sequence[JudgeRun]) -> list[str]:
    """Return each run's system, with the judge and the repetition where rows would have the same label."""
    systems = [run.system.removeprefix("lm-planner/") for run in runs]
    judges = len({run.judge for run in runs}) > 1
    repeated = len({(run.task, run.system, run.judge) for run in runs}) < len(runs)
    return [
        system + (f" · {run.judge}" if judges else "") + (f" · repetition {run.repetition}" if repeated else "")
        for system, run in zip(systems, runs, strict=True)
    ]


def _f1(row: Result) -> dict[str, float]:
    return {paper: scores.f1 for paper, scores in row.scores.items()}


def mean_f1(row: Result, papers: Sequence[str]) -> float | None:
    """Return the macro mean of F1 over some of a row's papers, None if none of them has scores."""
    values = [row.scores[paper].f1 for paper in papers if paper in row.scores]
    return fmean(values) if values else None


def task_title(task: Task) -> str:
    """Return the title of a task for headings."""
    return {Task.AUTHOR: "Author task", Task.REVIEWER: "Reviewer task"}[task]
