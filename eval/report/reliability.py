"""Check a judge's verdicts for bias: favoured positions, extreme answers, flags, and agreement with other judges."""
# MERGED-DOC """Build the sections of a report on its reliability: the judges, the papers without a score, and the warnings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import fmean
from typing import Final

from eval.plans import PaperStatus
from eval.report.document import ReportSection, Table
from eval.runs import JudgedPaper
from eval.scoring import RunResult, compute_mean_f1
from eval.statistics import format_mean, format_number, format_percent
from eval.verdicts import AuthorVerdict, Verdict

_MIN_PAPERS: Final = 5
_SIGMAS: Final = 3


@dataclass(frozen=True, slots=True)
class JudgeHealth:
    """The signs of bias in a judge's scored papers; shares are from 0 to 1, None where there is nothing to count.

    `matched_share` is the share of the paper's ablations that have a match, or of the plan's that a review asks for. `first_matched_share`
    is the share of papers in which the first items were matched, and `expected_first_share` the share expected by chance.
    """

    result: RunResult
    mean_replies: float | None
    matched_share: float | None
    first_matched_share: float | None
    expected_first_share: float | None
    flagged_papers: tuple[JudgedPaper, ...]
    unflagged_f1: float | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings to the reader, one sentence each."""
        return tuple(_write_warnings(self))


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """The agreement of two judges: the share of `item_count` with the same verdict, and Cohen's kappa, None if undefined."""

    a: RunResult
    b: RunResult
    item_count: int
    same_share: float
    kappa: float | None


def check_judge(result: RunResult) -> JudgeHealth:
    """Compute the signs of bias of one run."""
    scored = [paper for paper in result.run.papers if paper.status is PaperStatus.SCORED]
    asked = [paper for paper in scored if paper.asked]
    placed = [paper for paper in asked if paper.positional is not None]
    yes = [said for paper in scored for said in extract_decisions(result.judging.verdicts[paper.id]).values()]
    flagged = tuple(paper for paper in result.run.papers if paper.flags)
    clean = [paper.id for paper in scored if not paper.flags]
    return JudgeHealth(
        result=result,
        mean_replies=fmean(paper.asked for paper in asked) if asked else None,
        matched_share=fmean(yes) if yes else None,
        first_matched_share=fmean(bool(paper.positional) for paper in placed) if placed else None,
        expected_first_share=fmean(_first_match_chance(paper, result.judging.verdicts[paper.id]) for paper in placed)
        if placed
        else None,
        flagged_papers=flagged,
        unflagged_f1=compute_mean_f1(result, clean),
    )


def compare_judges(results: Sequence[RunResult]) -> tuple[JudgeAgreement, ...]:
    """Return the agreement of each pair of judges, or of a judge's repetitions, on the plans of one system."""
    return tuple(
        found
        for a, b in combinations(results, 2)
        if (a.run.task, a.run.system) == (b.run.task, b.run.system) and (found := _compare_two_judges(a, b)) is not None
    )


def extract_decisions(verdicts: Sequence[Verdict]) -> dict[str, bool]:
    """Return yes or no for each judged ablation, by name."""
    return {
        v.name_in_paper if isinstance(v, AuthorVerdict) else v.name_in_plan: (
            bool(v.name_in_plan) if isinstance(v, AuthorVerdict) else v.appears_in_review
        )
        for v in verdicts
    }


def _compare_two_judges(a: RunResult, b: RunResult) -> JudgeAgreement | None:
    pairs = [
        (said, theirs[name])
        for paper in a.judging.verdicts.keys() & b.judging.verdicts.keys()
        for theirs in (extract_decisions(b.judging.verdicts[paper]),)
        for name, said in extract_decisions(a.judging.verdicts[paper]).items()
        if name in theirs
    ]
    if not pairs:
        return None
    same = fmean(left == right for left, right in pairs)
    left, right = fmean(x for x, _ in pairs), fmean(y for _, y in pairs)
    chance = left * right + (1 - left) * (1 - right)
    return JudgeAgreement(a, b, len(pairs), same, (same - chance) / (1 - chance) if chance < 1 else None)


def _first_match_chance(paper: JudgedPaper, verdicts: Sequence[Verdict]) -> float:
    """Return the chance that the first items match, if the matches of the verdicts were placed at random."""
    if paper.gold:
        pairs = sum(len(v.name_in_plan) for v in verdicts if isinstance(v, AuthorVerdict))
        return pairs / (len(paper.gold) * len(paper.plan))
    return sum(extract_decisions(verdicts).values()) / len(paper.plan)


def _write_warnings(found: JudgeHealth) -> list[str]:
    name, n = found.result.label, found.result.coverage.scored
    remarks = []
    if n >= _MIN_PAPERS and found.matched_share == 0:
        remarks.append(f"{name}: the judge found no match in {n} papers.")
    if n >= _MIN_PAPERS and found.matched_share == 1:
        remarks.append(f"{name}: the judge said yes to everything in {n} papers.")
    if found.first_matched_share is not None and found.expected_first_share is not None and n >= _MIN_PAPERS:
        expected = found.expected_first_share
        if found.first_matched_share > expected + _SIGMAS * sqrt(max(expected * (1 - expected), 0.01) / n):
            remarks.append(
                f"{name}: the judge matched the first items in {format_percent(found.first_matched_share)} of {n} papers, where chance "
                f"gives {format_percent(expected)}: it seems to judge by position."
            )
    if found.flagged_papers:
        remarks.append(
            f"{name}: papers flagged: {len(found.flagged_papers)}; F1 is {format_mean(found.result.summary.f1)} with those of "
            f"them that are scored, and {format_number(found.unflagged_f1)} without."
        )
    return remarks


_MAX_FLAGS: Final = 30


_SIGN_COLUMNS: Final = (
    "Replies per paper",
    "Said yes",
    "First with first",
    "by chance",
    "Flagged papers",
    "F1 without them",
)


def build_judges_section(results: Sequence[RunResult]) -> ReportSection:
    """Build the section on the signs of bias of each judge."""
    signs = [check_judge(row) for row in results]
    remarks = [remark for sign in signs for remark in sign.warnings]
    flags = tuple(
        (sign.result.label, paper.id, flag) for sign in signs for paper in sign.flagged_papers for flag in paper.flags
    )
    tables = [
        Table(("System", "Judge", *_SIGN_COLUMNS), tuple(_sign_row(sign) for sign in signs)),
        *_build_agreement_table(results),
    ]
    if flags:
        tables.append(Table(("System", "Paper", "Flag"), flags[:_MAX_FLAGS]))
    if len(flags) > _MAX_FLAGS:
        remarks.append(f"The last table shows {_MAX_FLAGS} of {len(flags)} flags; report-papers.csv has all.")
    text = (
        "A model sees each paper's two lists as anonymous sides in random order, so the first item of one side "
        "should not match the first of the other more often than by chance. A flag marks a plan whose text addresses "
        "the judge, a match that the published rule excludes, a name that neither the paper nor the plan has, or an "
        "ablation without a verdict; it changes no score."
    )
    return ReportSection("Can the judge be trusted?", (text, *remarks), tables=tuple(tables))


def _sign_row(sign: JudgeHealth) -> tuple[str, ...]:
    return (
        sign.result.label,
        sign.result.run.judge,
        "none asked" if sign.mean_replies is None else f"{sign.mean_replies:.2f}",
        *map(format_percent, (sign.matched_share, sign.first_matched_share, sign.expected_first_share)),
        str(len(sign.flagged_papers)),
        format_number(sign.unflagged_f1),
    )


def _build_agreement_table(rows: Sequence[RunResult]) -> list[Table]:
    found = compare_judges(rows)
    if not found:
        return []
    columns = ("Judge", "and", "Task", "Items in common", "Same verdict", "Cohen's kappa")
    return [
        Table(
            columns,
            tuple(
                (
                    a.a.label,
                    a.b.label,
                    a.a.run.task.value,
                    str(a.item_count),
                    format_percent(a.same_share),
                    format_number(a.kappa),
                )
                for a in found
            ),
        )
    ]


def build_unscored_section(results: Sequence[RunResult]) -> ReportSection:
    """Build the section on the papers without a score and the reasons."""
    reasons = Counter(
        (row.label, row.run.task.value, paper.status.value, paper.reason)
        for row in results
        for paper in row.run.papers
        if paper.status is not PaperStatus.SCORED
    )
    columns = ("System", "Task", "Papers", "Scored", "Unscored", "Failed", "Absent", "Plans without gold")
    tables = [Table(columns, tuple(_coverage_row(row) for row in results))]
    if reasons:
        told = tuple((*key, str(count)) for key, count in reasons.most_common())
        tables.append(Table(("System", "Task", "Status", "Reason", "Papers"), told))
    text = (
        "Unscored: there is a plan, but no usable verdict. Failed: planning ended without a plan. Absent: the system "
        "has no plan or failure for the paper."
    )
    return ReportSection("What is not scored, and why", (text,), tables=tuple(tables))


def _coverage_row(row: RunResult) -> tuple[str, ...]:
    c = row.coverage
    counts = (c.papers, c.scored, c.unscored, c.failed, c.absent, row.run.without_gold)
    return (row.label, row.run.task.value, *map(str, counts))


def build_warnings_section(results: Sequence[RunResult]) -> tuple[ReportSection, ...]:
    """Build the section on warnings; return an empty tuple if there are none."""
    counts = Counter(
        warning for row in results for w in (row.run.warnings, *(p.warnings for p in row.run.papers)) for warning in w
    )
    if not counts:
        return ()
    found = tuple((warning, str(count)) for warning, count in counts.most_common(_MAX_FLAGS))
    text = f"{len(counts)} different warnings in all." if len(counts) > _MAX_FLAGS else ""
    return (ReportSection("Warnings", (text,) if text else (), tables=(Table(("Warning", "Times"), found),)),)
