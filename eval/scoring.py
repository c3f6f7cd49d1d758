"""Compute the scores of a judged run from its verdicts, and count its papers by status."""

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
class Summary:
    """The macro means over papers at one k (None: whole plans); `ndcg` is None for the reviewer task.

    The `n` of a mean is its number of papers: the scored ones, and with `as_published` the failed and absent ones.
    """

    k: int | None
    precision: Mean
    recall: Mean
    f1: Mean
    ndcg: Mean | None
    plan_ndcg: Mean | None


def coverage(run: JudgeRun) -> Coverage:
    """Count the papers of a run by status."""
    return Coverage(**{status.value: sum(p.status is status for p in run.papers) for status in Status})


def paper_scores(judging: Judging, k: int | None = None, *, as_published: bool = False) -> dict[str, Scores]:
    """Return the scores of each scored paper at k, by id; with `as_published`, failed and absent papers score 0."""
    scores: dict[str, Scores] = {}
    for paper in judging.run.papers:
        if paper.status is Status.SCORED:
            scores[paper.id] = score(judging.run.task, paper, judging.verdicts[paper.id], k)
        elif as_published and paper.status is not Status.UNSCORED:
            scores[paper.id] = ZERO if judging.run.task is Task.AUTHOR else replace(ZERO, ndcg=None)
    return scores


def score(task: Task, paper: JudgedPaper, verdicts: Sequence[Verdict], k: int | None = None) -> Scores:
    """Return the scores of one paper at k."""
    if task is Task.AUTHOR:
        ours = [verdict for verdict in verdicts if isinstance(verdict, AuthorVerdict)]
        return score_author(paper.gold, paper.names, ours, k)
    theirs = [verdict for verdict in verdicts if isinstance(verdict, ReviewerVerdict)]
    return score_reviewer(paper.suggestions, paper.names, theirs, k)


def summary(scores: Mapping[str, Scores], k: int | None = None) -> Summary:
    """Return the macro means of the papers' scores."""
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
