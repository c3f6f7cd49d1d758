"""Check a judge's verdicts for bias: favoured positions, extreme answers, flags, and agreement with other judges."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import fmean
from typing import Final

from eval.coverage import Status
from eval.figures import amount, number, percent
from eval.results import Result, mean_f1
from eval.runs import JudgedPaper
from eval.verdicts import AuthorVerdict, Verdict

_LEAST_PAPERS: Final = 5
_SIGMAS: Final = 3


@dataclass(frozen=True, slots=True)
class Health:
    """The signs of bias in a judge's scored papers; shares are from 0 to 1, None where there is nothing to count.

    `matched` is the share of the paper's ablations that have a match, or of the plan's that a review asks for. `first`
    is the share of papers in which the first items were matched, and `first_expected` the share expected by chance.
    """

    row: Result
    replies: float | None
    matched: float | None
    first: float | None
    first_expected: float | None
    flagged: tuple[JudgedPaper, ...]
    f1_unflagged: float | None

    @property
    def remarks(self) -> tuple[str, ...]:
        """The warnings to the reader, one sentence each."""
        return tuple(_remarks(self))


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of two judges: the share of `items` with the same verdict, and Cohen's kappa, None if undefined."""

    a: Result
    b: Result
    items: int
    same: float
    kappa: float | None


def health(row: Result) -> Health:
    """Compute the signs of bias of one run."""
    scored = [paper for paper in row.run.papers if paper.status is Status.SCORED]
    asked = [paper for paper in scored if paper.asked]
    placed = [paper for paper in asked if paper.positional is not None]
    yes = [said for paper in scored for said in decisions(row.judging.verdicts[paper.id]).values()]
    flagged = tuple(paper for paper in row.run.papers if paper.flags)
    clean = [paper.id for paper in scored if not paper.flags]
    return Health(
        row=row,
        replies=fmean(paper.asked for paper in asked) if asked else None,
        matched=fmean(yes) if yes else None,
        first=fmean(bool(paper.positional) for paper in placed) if placed else None,
        first_expected=fmean(_chance(paper, row.judging.verdicts[paper.id]) for paper in placed) if placed else None,
        flagged=flagged,
        f1_unflagged=mean_f1(row, clean),
    )


def agreements(rows: Sequence[Result]) -> tuple[Agreement, ...]:
    """Return the agreement of each pair of judges, or of a judge's repetitions, on the plans of one system."""
    return tuple(
        found
        for a, b in combinations(rows, 2)
        if (a.run.task, a.run.system) == (b.run.task, b.run.system) and (found := _agreement(a, b)) is not None
    )


def decisions(verdicts: Sequence[Verdict]) -> dict[str, bool]:
    """Return yes or no for each judged ablation, by name."""
    return {
        v.name_in_paper if isinstance(v, AuthorVerdict) else v.name_in_plan: (
            bool(v.name_in_plan) if isinstance(v, AuthorVerdict) else v.appears_in_review
        )
        for v in verdicts
    }


def _agreement(a: Result, b: Result) -> Agreement | None:
    pairs = [
        (said, theirs[name])
        for paper in a.judging.verdicts.keys() & b.judging.verdicts.keys()
        for theirs in (decisions(b.judging.verdicts[paper]),)
        for name, said in decisions(a.judging.verdicts[paper]).items()
        if name in theirs
    ]
    if not pairs:
        return None
    same = fmean(left == right for left, right in pairs)
    left, right = fmean(x for x, _ in pairs), fmean(y for _, y in pairs)
    chance = left * right + (1 - left) * (1 - right)
    return Agreement(a, b, len(pairs), same, (same - chance) / (1 - chance) if chance < 1 else None)


def _chance(paper: JudgedPaper, verdicts: Sequence[Verdict]) -> float:
    """Return the chance that the first items match, if the matches of the verdicts were placed at random."""
    if paper.gold:
        pairs = sum(len(v.name_in_plan) for v in verdicts if isinstance(v, AuthorVerdict))
        return pairs / (len(paper.gold) * len(paper.plan))
    return sum(decisions(verdicts).values()) / len(paper.plan)


def _remarks(found: Health) -> list[str]:
    name, n = found.row.label, found.row.coverage.scored
    remarks = []
    if n >= _LEAST_PAPERS and found.matched == 0:
        remarks.append(f"{name}: the judge found no match in {n} papers.")
    if n >= _LEAST_PAPERS and found.matched == 1:
        remarks.append(f"{name}: the judge said yes to everything in {n} papers.")
    if found.first is not None and found.first_expected is not None and n >= _LEAST_PAPERS:
        expected = found.first_expected
        if found.first > expected + _SIGMAS * sqrt(max(expected * (1 - expected), 0.01) / n):
            remarks.append(
                f"{name}: the judge matched the first items in {percent(found.first)} of {n} papers, where chance "
                f"gives {percent(expected)}: it seems to judge by position."
            )
    if found.flagged:
        remarks.append(
            f"{name}: papers flagged: {len(found.flagged)}; F1 is {number(found.row.summary.f1)} with those of "
            f"them that are scored, and {amount(found.f1_unflagged)} without."
        )
    return remarks
