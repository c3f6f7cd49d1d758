"""Build the sections of a report on its reliability: the judges, the papers without a score, and the warnings.

A judge's verdicts are checked for favoured positions, extreme answers, flags, and agreement with other judges.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import fmean
from typing import Final

from eval.agreement import Agreement, compute_agreement
from eval.plans import PaperStatus
from eval.report.document import ReportSection, Table
from eval.runs import JudgedPaper
from eval.scoring import RunResult, compute_mean_f1
from eval.statistics import format_mean, format_number, format_percent
from eval.verdicts import AuthorVerdict, Verdict

_MIN_PAPERS: Final = 5
_SIGMAS: Final = 3
_MAX_ROWS: Final = 30
_HEALTH_COLUMNS: Final = (
    "Replies per paper",
    "Said yes",
    "First with first",
    "by chance",
    "Flagged papers",
    "F1 without them",
)


@dataclass(frozen=True, slots=True)
class JudgeHealth:
    """The signs of bias in a judge's scored papers; shares are from 0 to 1, None where there is nothing to count.

    `matched_share` is the share of the paper's ablations that have a match, or of the plan's that a review asks for.
    `first_matched_share` is the share of papers in which the first items were matched, and `expected_first_share` the
    share expected by chance. `unflagged_f1` is the mean F1 of the papers without a flag.
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
    """Two judges of the same plans, and how far the first agrees with the second."""

    a: RunResult
    b: RunResult
    agreement: Agreement


def build_judges_section(results: Sequence[RunResult]) -> ReportSection:
    """Build the section on the signs of bias of each judge."""
    checks = [check_judge(result) for result in results]
    warnings = [warning for check in checks for warning in check.warnings]
    flags = tuple(
        (check.result.label, paper.id, flag)
        for check in checks
        for paper in check.flagged_papers
        for flag in paper.flags
    )
    tables = [
        Table(("System", "Judge", *_HEALTH_COLUMNS), tuple(_health_row(check) for check in checks)),
        *_build_agreement_table(results),
    ]
    if flags:
        tables.append(Table(("System", "Paper", "Flag"), flags[:_MAX_ROWS]))
    if len(flags) > _MAX_ROWS:
        warnings.append(f"The last table shows {_MAX_ROWS} of {len(flags)} flags; report-papers.csv has all.")
    text = (
        "A model sees each paper's two lists as anonymous sides in random order, so the first item of one side "
        "should not match the first of the other more often than by chance. A flag marks a plan whose text addresses "
        "the judge, a match that the published rule excludes, a name that neither the paper nor the plan has, or an "
        "ablation without a verdict; it changes no score."
    )
    return ReportSection("Can the judge be trusted?", (text, *warnings), tables=tuple(tables))


def build_unscored_section(results: Sequence[RunResult]) -> ReportSection:
    """Build the section on the papers without a score and the reasons."""
    reasons = Counter(
        (result.label, result.record.task.value, paper.status.value, paper.reason)
        for result in results
        for paper in result.record.papers
        if paper.status is not PaperStatus.SCORED
    )
    columns = ("System", "Task", "Papers", "Scored", "Unscored", "Failed", "Absent", "Plans without gold")
    tables = [Table(columns, tuple(_coverage_row(result) for result in results))]
    if reasons:
        rows = tuple((*key, str(count)) for key, count in reasons.most_common())
        tables.append(Table(("System", "Task", "Status", "Reason", "Papers"), rows))
    text = (
        "Unscored: there is a plan, but no usable verdict. Failed: planning ended without a plan. Absent: the system "
        "has no plan or failure for the paper."
    )
    return ReportSection("What is not scored, and why", (text,), tables=tuple(tables))


def build_warnings_section(results: Sequence[RunResult]) -> tuple[ReportSection, ...]:
    """Build the section on warnings; return an empty tuple if there are none."""
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.record.warnings)
        for paper in result.record.papers:
            counts.update(paper.warnings)
    if not counts:
        return ()
    rows = tuple((warning, str(count)) for warning, count in counts.most_common(_MAX_ROWS))
    text = f"{len(counts)} different warnings in all." if len(counts) > _MAX_ROWS else ""
    return (ReportSection("Warnings", (text,) if text else (), tables=(Table(("Warning", "Times"), rows),)),)


def check_judge(result: RunResult) -> JudgeHealth:
    """Compute the signs of bias of one run."""
    scored = [paper for paper in result.record.papers if paper.status is PaperStatus.SCORED]
    with_replies = [paper for paper in scored if paper.asked]
    with_order = [paper for paper in with_replies if paper.positional is not None]
    verdicts = result.judged_run.verdicts
    return JudgeHealth(
        result=result,
        mean_replies=_mean(paper.asked for paper in with_replies),
        matched_share=_mean(d for paper in scored for d in _extract_decisions(verdicts[paper.id]).values()),
        first_matched_share=_mean(bool(paper.positional) for paper in with_order),
        expected_first_share=_mean(_first_match_chance(paper, verdicts[paper.id]) for paper in with_order),
        flagged_papers=tuple(paper for paper in result.record.papers if paper.flags),
        unflagged_f1=compute_mean_f1(result, [paper.id for paper in scored if not paper.flags]),
    )


def compare_judges(results: Sequence[RunResult]) -> tuple[JudgeAgreement, ...]:
    """Return the agreement of each pair of judges, or of a judge's repetitions, on the plans of one system."""
    agreements = (
        _compare_two_judges(a, b)
        for a, b in combinations(results, 2)
        if (a.record.task, a.record.is_masked, a.record.system) == (b.record.task, b.record.is_masked, b.record.system)
    )
    return tuple(agreement for agreement in agreements if agreement is not None)


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return fmean(known) if known else None


def _extract_decisions(verdicts: Sequence[Verdict]) -> dict[str, bool]:
    """Return yes or no for each judged ablation, by name."""
    return {verdict.judged_name: verdict.is_positive for verdict in verdicts}


def _compare_two_judges(a: RunResult, b: RunResult) -> JudgeAgreement | None:
    pairs: list[tuple[bool, bool]] = []
    for paper in a.judged_run.verdicts.keys() & b.judged_run.verdicts.keys():
        of_a, of_b = (_extract_decisions(result.judged_run.verdicts[paper]) for result in (a, b))
        pairs += [(of_a[name], of_b[name]) for name in of_a.keys() & of_b.keys()]
    return JudgeAgreement(a, b, compute_agreement(pairs)) if pairs else None


def _first_match_chance(paper: JudgedPaper, verdicts: Sequence[Verdict]) -> float:
    """Return the chance that the first items match, if the matches of the verdicts were placed at random."""
    if paper.gold:
        pairs = sum(len(v.name_in_plan) for v in verdicts if isinstance(v, AuthorVerdict))
        return pairs / (len(paper.gold) * len(paper.judged_items))
    return sum(_extract_decisions(verdicts).values()) / len(paper.plan)


def _is_above_chance(share: float, expected: float, n: int) -> bool:
    return share > expected + _SIGMAS * sqrt(max(expected * (1 - expected), 0.01) / n)


def _write_warnings(health: JudgeHealth) -> Iterator[str]:
    name, n = health.result.label, health.result.coverage.scored
    if n >= _MIN_PAPERS and health.matched_share == 0:
        yield f"{name}: the judge found no match in {n} papers."
    if n >= _MIN_PAPERS and health.matched_share == 1:
        yield f"{name}: the judge said yes to everything in {n} papers."
    share, expected = health.first_matched_share, health.expected_first_share
    if share is not None and expected is not None and n >= _MIN_PAPERS and _is_above_chance(share, expected, n):
        yield (
            f"{name}: the judge matched the first items in {format_percent(share)} of {n} papers, where chance "
            f"gives {format_percent(expected)}: it seems to judge by position."
        )
    if health.flagged_papers:
        f1 = health.result.summary.f1
        scores = (
            f"; F1 is {format_mean(f1)} with those of them that are scored, and {format_number(health.unflagged_f1)} "
        )
        yield f"{name}: papers flagged: {len(health.flagged_papers)}" + (f"{scores}without." if f1.n else ".")


def _health_row(health: JudgeHealth) -> tuple[str, ...]:
    return (
        health.result.label,
        health.result.record.judge,
        "none asked" if health.mean_replies is None else f"{health.mean_replies:.2f}",
        *map(format_percent, (health.matched_share, health.first_matched_share, health.expected_first_share)),
        str(len(health.flagged_papers)),
        format_number(health.unflagged_f1),
    )


def _build_agreement_table(results: Sequence[RunResult]) -> list[Table]:
    compared = compare_judges(results)
    if not compared:
        return []
    columns = ("Judge", "and", "Task", "Items in common", "Same verdict", "Cohen's kappa")
    rows = tuple(
        (
            judges.a.label,
            judges.b.label,
            judges.a.record.task.value,
            str(judges.agreement.item_count),
            format_percent(judges.agreement.same_share),
            format_number(judges.agreement.kappa),
        )
        for judges in compared
    )
    return [Table(columns, rows)]


def _coverage_row(result: RunResult) -> tuple[str, ...]:
    papers = result.coverage
    counts = (papers.papers, papers.scored, papers.unscored, papers.failed, papers.absent, result.record.without_gold)
    return (result.label, result.record.task.value, *map(str, counts))
