"""Build the report on judged runs: one document for many systems and judges."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from eval.agreement import describe_offline_judge
from eval.report import plots
from eval.report.data import build_csv_tables
from eval.report.document import Document, ReportSection, Table
from eval.report.masked import build_masked_section
from eval.report.reliability import build_judges_section, build_unscored_section, build_warnings_section
from eval.scoring import RunResult, SystemDifference, compare_results, format_task_title
from eval.statistics import (
    format_difference,
    format_interval,
    format_mean,
    format_mean_with_deviation,
    format_number,
    format_percent,
    format_usd,
)
from planner.schema import Action, Task

_ACTION_PALETTE: Final = tuple(plots.ACTION_COLOURS.items())
_SCORE_COLUMNS: Final = ("Precision", "Recall", "F1", "F1, 95 % interval", "nDCG, published", "nDCG, plan order")


def build_report(
    results: Sequence[RunResult],
    k: int | None = None,
    *,
    as_published: bool = False,
    with_pictures: bool = True,
    further_sections: Sequence[ReportSection] = (),
) -> Document:
    """Return the report; `k` and `as_published` must be those with which the rows were computed.

    `further_sections` come after the scores and their differences.

    Raises:
        UsageError: if `with_pictures` is true and matplotlib is not installed.
    """
    return Document(
        title="Ablation plans scored against papers and reviews",
        lead=_write_lead(results, k, as_published),
        sections=(
            *_build_score_sections([r for r in results if not r.record.is_masked], k, with_pictures),
            *build_masked_section(results, with_pictures),
            *further_sections,
            _build_costs_section(results, k, with_pictures),
            _build_actions_section(results, with_pictures),
            build_judges_section(results),
            build_unscored_section(results),
            *build_warnings_section(results),
        ),
        csv_tables=build_csv_tables(results, k),
    )


def _write_lead(results: Sequence[RunResult], k: int | None, as_published: bool) -> tuple[str, ...]:
    judges = sorted({result.record.judge for result in results})
    scope = "whole plans" if k is None else f"the first {k} ablations of each plan (a shorter plan is used whole)"
    if as_published:
        coverage_note = "Failed and absent papers count as 0, as in the published code; unscored papers are left out."
    else:
        coverage_note = (
            "Only scored papers enter a mean; unscored, failed and absent ones are counted beside it, never as 0."
        )
    lead = f"{len(results)} runs, judged by {', '.join(judges)}."
    trust = describe_offline_judge(result.record for result in results)
    meaning = (
        "Precision: the share of the planned ablations that the paper reports (author task) or a review asks for "
        "(reviewer task). Recall: the share of those that the plan has. F1 is their harmonic mean. Each is computed "
        f"for a paper and then averaged over papers. {coverage_note}"
    )
    intervals = (
        "Intervals are 95 % bootstrap intervals over papers: if the intervals of two systems overlap widely, "
        "these papers cannot tell them apart. ± is the sample deviation between papers."
    )
    are_masked = bool(results) and all(result.record.is_masked for result in results)
    numbers = (lead, coverage_note) if are_masked else (f"{lead} Numbers are for {scope}.", meaning)
    return (*numbers, intervals, *trust)


def _build_score_sections(
    results: Sequence[RunResult], k: int | None, with_pictures: bool
) -> tuple[ReportSection, ...]:
    if not results:
        return ()
    return (
        _build_scores_section(results, k, with_pictures),
        _build_differences_section(compare_results(results)),
        _build_by_k_section(results, with_pictures),
    )


def _build_scores_section(results: Sequence[RunResult], k: int | None, with_pictures: bool) -> ReportSection:
    table = Table(
        ("System", "Task", "Papers scored", *_SCORE_COLUMNS), tuple(_scores_row(result) for result in results)
    )
    axis = "F1 (0 to 1): mean over n papers, 95 % interval"
    caption = (
        f"F1 by system{_at_k_suffix(k)}: the macro mean over n papers (dot) and its 95 % bootstrap interval (bar)."
    )
    panels = _build_panels(
        results, lambda result: plots.MeanPoint(result.label, result.summary.f1) if result.summary.f1.n else None
    )
    pictures = (plots.draw_means("f1", caption, axis, panels),) if with_pictures and panels else ()
    text = (
        "The published nDCG goes by the paper's order of ablations and so ignores the plan's ranking; the one over "
        "plan order rewards plans whose best ablations come first."
    )
    return ReportSection("Scores", (text,), pictures, (table,))


def _scores_row(result: RunResult) -> tuple[str, ...]:
    summary = result.summary
    return (
        result.label,
        result.record.task.value,
        f"{result.coverage.scored} of {result.coverage.papers}",
        *map(format_mean_with_deviation, (summary.precision, summary.recall, summary.f1)),
        format_interval(summary.f1),
        format_mean(summary.ndcg),
        format_mean(summary.plan_ndcg),
    )


def _build_differences_section(differences: Sequence[SystemDifference]) -> ReportSection:
    if not differences:
        text = "There are no two systems with the same task, judge and papers to compare."
        return ReportSection("Differences", (text,))
    rows = tuple(
        (
            c.a.label,
            c.b.label,
            c.a.record.task.value,
            *format_difference(c.difference, c.adjusted_p),
        )
        for c in differences
    )
    columns = ("System", "against", "Task", "Papers in common", "F1 difference", "95 % interval", "p", "p, Holm")
    significant = sum(c.adjusted_p < 0.05 for c in differences)
    return ReportSection(
        "Differences",
        (
            "Paired on the papers that both systems have; p is two-sided, from the sign-flip permutation test, and "
            "Holm's adjustment accounts for all comparisons of a task and judge. "
            f"{significant} of {len(differences)} pairs differ at 0.05 "
            "after it; the others cannot be told apart with these papers.",
        ),
        tables=(Table(columns, rows),),
    )


def _build_by_k_section(results: Sequence[RunResult], with_pictures: bool) -> ReportSection:
    columns = ("System", "Task", "k", "Precision", "Recall", "Recall, 95 % interval", "F1", "F1, 95 % interval")
    table = Table(
        columns,
        tuple(
            (
                result.label,
                result.record.task.value,
                str(at.k),
                format_number(at.precision.mean),
                format_number(at.recall.mean),
                format_interval(at.recall),
                format_number(at.f1.mean),
                format_interval(at.f1),
            )
            for result in results
            for at in result.by_k
        ),
    )
    axis = "recall (0 to 1): mean, 95 % interval"
    caption = "Recall when only the first k ablations of each plan count: macro mean and 95 % bootstrap interval."
    panels = _build_panels(
        results,
        lambda result: (
            plots.MeanCurve(result.label, tuple(s.recall for s in result.by_k)) if _has_curve(result) else None
        ),
    )
    pictures = (plots.draw_curves("recall-by-k", caption, axis, panels),) if with_pictures and panels else ()
    return ReportSection("At every k", ("A plan shorter than k is used whole.",), pictures, (table,))


def _has_curve(result: RunResult) -> bool:
    return bool(result.by_k) and result.summary.f1.n > 0


def _build_costs_section(results: Sequence[RunResult], k: int | None, with_pictures: bool) -> ReportSection:
    priced = [result for result in results if result.plan_cost is not None and result.summary.f1.n]
    unpriced = sum(result.plan_cost is None for result in results)
    text = f"{unpriced} of {len(results)} runs have plans without a known cost; no picture shows them."
    table = Table(
        ("System", "Task", "Planning, USD per paper", "Judging, USD in all", "F1"),
        tuple(
            (
                result.label,
                result.record.task.value,
                format_usd(result.plan_cost),
                format_usd(result.judge_cost),
                format_number(result.summary.f1.mean),
            )
            for result in results
        ),
    )
    axis = "F1 (0 to 1): mean, 95 % interval"
    caption = f"F1{_at_k_suffix(k)} against the cost of planning a paper: macro mean with its 95 % bootstrap interval."
    panels = _build_panels(
        priced, lambda result: plots.CostPoint(result.label, result.plan_cost or 0.0, result.summary.f1)
    )
    pictures = (plots.draw_costs("cost", caption, axis, panels),) if with_pictures and panels else ()
    return ReportSection("Quality and cost", (text,) if unpriced else (), pictures, (table,))


def _build_actions_section(results: Sequence[RunResult], with_pictures: bool) -> ReportSection:
    columns = ("System", "Task", "Ablations planned", *(action.value for action in Action), "Ablations per plan")
    table = Table(columns, tuple(_actions_row(result) for result in results))
    caption = "What the planned ablations do, in percent of a system's n ablations."
    panels = _build_panels(
        results,
        lambda result: (
            plots.ShareBar(result.label, tuple(_count_actions(result).items())) if _count_actions(result) else None
        ),
    )
    axis = "share of planned ablations (%)"
    pictures = (
        (plots.draw_shares("actions", caption, axis, _ACTION_PALETTE, panels),) if with_pictures and panels else ()
    )
    return ReportSection("Action mix", (), pictures, (table,))


def _actions_row(result: RunResult) -> tuple[str, ...]:
    counts = _count_actions(result)
    total, plans = sum(counts.values()), sum(bool(paper.plan) for paper in result.record.papers)
    shares = [format_percent(counts[action.value] / total) if total else "–" for action in Action]
    return (result.label, result.record.task.value, str(total), *shares, f"{total / plans:.1f}" if plans else "–")


def _count_actions(result: RunResult) -> Counter[str]:
    return Counter(item.action.value for paper in result.record.papers for item in paper.plan)


def _build_panels(results: Sequence[RunResult], make_item: Callable[[RunResult], object]) -> list[plots.Panel]:
    """Return a panel for each task that has items; a result for which `make_item` returns None is not shown."""
    panels = []
    for task in Task:
        items = (make_item(result) for result in results if result.record.task is task)
        if shown := tuple(item for item in items if item is not None):
            panels.append(plots.Panel(format_task_title(task), shown))
    return panels


def _at_k_suffix(k: int | None) -> str:
    return "" if k is None else f" at k = {k}"
