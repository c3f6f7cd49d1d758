"""From verdicts to numbers with their coverage: what a report says of one judge's run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eval import statistics
from eval.coverage import Status
from eval.metrics import Scores, score_author, score_reviewer
from eval.runs import JudgedPaper, JudgeRun, Judging
from eval.statistics import Mean
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict
from planner.schema import Task

ZERO = Scores(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many gold papers there are, by what became of them."""

    scored: int = 0
    unscored: int = 0
    failed: int = 0
    absent: int = 0

    @property
    def papers(self) -> int:
        """All of them."""
        return self.scored + self.unscored + self.failed + self.absent


@dataclass(frozen=True, slots=True)
class Summary:
    """Macro means over papers at one k (None: whole plans); `ndcg` as published, None where the task has none.

    `n` of a mean is the number of papers in it: the scored ones, or with `as_published` also the failed and the absent.
    """

    k: int | None
    precision: Mean
    recall: Mean
    f1: Mean
    ndcg: Mean | None
    plan_ndcg: Mean | None


def coverage(run: JudgeRun) -> Coverage:
    """Count the papers of a run."""
    return Coverage(**{status.value: sum(p.status is status for p in run.papers) for status in Status})


def paper_scores(judging: Judging, k: int | None = None, *, as_published: bool = False) -> dict[str, Scores]:
    """The numbers of each paper at k, by id: of the scored ones, and zeros for failed and absent ones if published."""
    scores: dict[str, Scores] = {}
    for paper in judging.run.papers:
        if paper.status is Status.SCORED:
            scores[paper.id] = score(judging.run.task, paper, judging.verdicts[paper.id], k)
        elif as_published and paper.status is not Status.UNSCORED:
            scores[paper.id] = ZERO if judging.run.task is Task.AUTHOR else replace(ZERO, ndcg=None)
    return scores


def score(task: Task, paper: JudgedPaper, verdicts: Sequence[Verdict], k: int | None = None) -> Scores:
    """The numbers of one paper."""
    if task is Task.AUTHOR:
        ours = [verdict for verdict in verdicts if isinstance(verdict, AuthorVerdict)]
        return score_author(paper.gold, paper.names, ours, k)
    theirs = [verdict for verdict in verdicts if isinstance(verdict, ReviewerVerdict)]
    return score_reviewer(paper.suggestions, paper.names, theirs, k)


def summary(scores: Mapping[str, Scores], k: int | None = None) -> Summary:
    """Macro means of papers' numbers."""
    return Summary(
        k=k,
        precision=statistics.mean([s.precision for s in scores.values()]),
        recall=statistics.mean([s.recall for s in scores.values()]),
        f1=statistics.mean([s.f1 for s in scores.values()]),
        ndcg=_known([s.ndcg for s in scores.values()]),
        plan_ndcg=_known([s.plan_ndcg for s in scores.values()]),
    )


def _known(values: Sequence[float | None]) -> Mean | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None
