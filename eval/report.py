"""Build the report on judged runs: one document for many systems and judges."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from eval import plots
from eval.document import Document, Picture, Section, Table
from eval.figures import amount, interval, number, p_value, percent, usd, with_deviation
from eval.report_data import data_tables
from eval.report_trust import judges_section, lost_section, warnings_section
from eval.results import Contrast, Result, contrasts, task_title
from planner.schema import Action, Task

_PALETTE: Final = tuple(plots.ACTION_COLOURS.items())


def report(
    rows: Sequence[Result], k: int | None = None, *, as_published: bool = False, pictures: bool = True
) -> Document:
    """Return the report; `k` and `as_published` must be those with which the rows were computed.

    Raises:
        UsageError: if `pictures` is true and matplotlib is not installed.
    """
    return Document(
        title="How well ablation plans meet what papers and reviews hold",
        lead=_lead(rows, k, as_published),
        sections=(
            _scores(rows, k, pictures),
            _differences(contrasts(rows)),
            _every_k(rows, pictures),
            *_costs(rows, k, pictures),
            _actions(rows, pictures),
            judges_section(rows),
            lost_section(rows),
            *warnings_section(rows),
        ),
        data=data_tables(rows, k),
    )


def _lead(rows: Sequence[Result], k: int | None, as_published: bool) -> tuple[str, ...]:
    judges = sorted({row.run.judge for row in rows})
    at = "whole plans" if k is None else f"the first {k} ablations of each plan (a shorter plan is used whole)"
    if as_published:
        counted = "Failed and absent papers count as 0, as in the published code; unscored papers are left out."
    else:
        counted = "Only scored papers enter a mean; unscored, failed and absent ones are counted beside it, never as 0."
    return (
        f"{len(rows)} runs, judged by {', '.join(judges)}. Numbers are for {at}.",
        "Precision: the share of the planned ablations that the paper reports (author task) or a review asks for "
        "(reviewer task). Recall: the share of those that the plan has. F1 is their harmonic mean. Each is computed "
        f"for a paper and then averaged over papers. {counted}",
        "Intervals are 95 % bootstrap intervals over papers: if the intervals of two systems overlap widely, "
        "these papers cannot tell them apart. ± is the sample deviation between papers.",
    )


_SCORES: Final = ("Precision", "Recall", "F1", "F1, 95 % interval", "nDCG, published", "nDCG, plan order")


def _scores(rows: Sequence[Result], k: int | None, pictures: bool) -> Section:
    table = Table(("System", "Task", "Papers scored", *_SCORES), tuple(_score_row(row) for row in rows))
    axis = "F1 (0 to 1): mean over n papers, 95 % interval"
    caption = f"F1 by system{_at(k)}: the macro mean over n papers (dot) and its 95 % bootstrap interval (bar)."
    panels = _panels(rows, lambda row: plots.Estimate(row.label, row.summary.f1) if row.summary.f1.n else None)
    drawn = _drawn(pictures and panels, lambda: plots.estimates_picture("f1", caption, axis, panels))
    text = (
        "The published nDCG goes by the paper's order of ablations and so ignores the plan's ranking; the one over "
        "plan order rewards plans whose best ablations come first."
    )
    return Section("Scores", (text,), drawn, (table,))


def _score_row(row: Result) -> tuple[str, ...]:
    found = row.summary
    return (
        row.label,
        row.run.task.value,
        f"{row.coverage.scored} of {row.coverage.papers}",
        *map(with_deviation, (found.precision, found.recall, found.f1)),
        interval(found.f1),
        number(found.ndcg),
        number(found.plan_ndcg),
    )


def _differences(found: Sequence[Contrast]) -> Section:
    if not found:
        return Section("Differences", ("There are no two systems with the same task, judge and papers to compare.",))
    rows = tuple(
        (
            c.a.label,
            c.b.label,
            c.a.run.task.value,
            str(c.f1.n),
            f"{c.f1.mean:+z.3f}",
            f"{c.f1.low:+z.3f} to {c.f1.high:+z.3f}",
            p_value(c.f1.p),
            p_value(c.holm),
        )
        for c in found
    )
    columns = ("System", "against", "Task", "Papers in common", "F1 difference", "95 % interval", "p", "p, Holm")
    told = sum(c.holm < 0.05 for c in found)
    return Section(
        "Differences",
        (
            "Paired on the papers that both systems have; p is two-sided, from the sign-flip permutation test, and "
            "Holm's adjustment accounts for all comparisons of a task and judge. "
            f"{told} of {len(found)} pairs differ at 0.05 "
            "after it; the others cannot be told apart with these papers.",
        ),
        tables=(Table(columns, rows),),
    )


def _every_k(rows: Sequence[Result], pictures: bool) -> Section:
    columns = ("System", "Task", "k", "Precision", "Recall", "Recall, 95 % interval", "F1", "F1, 95 % interval")
    table = Table(
        columns,
        tuple(
            (
                row.label,
                row.run.task.value,
                str(at.k),
                amount(at.precision.mean),
                amount(at.recall.mean),
                interval(at.recall),
                amount(at.f1.mean),
                interval(at.f1),
            )
            for row in rows
            for at in row.by_k
        ),
    )
    axis = "recall (0 to 1): mean, 95 % interval"
    caption = "Recall when only the first k ablations of each plan count: macro mean and 95 % bootstrap interval."
    panels = _panels(
        rows, lambda row: plots.Curve(row.label, tuple(s.recall for s in row.by_k)) if _has_curve(row) else None
    )
    drawn = _drawn(
        pictures and panels,
        lambda: plots.curves_picture("recall-by-k", caption, axis, panels),
    )
    return Section("At every k", ("A plan shorter than k is used whole.",), drawn, (table,))


def _has_curve(row: Result) -> bool:
    return bool(row.by_k) and row.summary.f1.n > 0


def _costs(rows: Sequence[Result], k: int | None, pictures: bool) -> tuple[Section, ...]:
    priced = [row for row in rows if row.plan_cost is not None and row.summary.f1.n]
    text = f"{len(rows) - len(priced)} of {len(rows)} runs have plans without a known cost; no picture shows them."
    table = Table(
        ("System", "Task", "Planning, USD per paper", "Judging, USD in all", "F1"),
        tuple(
            (row.label, row.run.task.value, usd(row.plan_cost), usd(row.judge_cost), amount(row.summary.f1.mean))
            for row in rows
        ),
    )
    axis = "F1 (0 to 1): mean, 95 % interval"
    caption = f"F1{_at(k)} against what planning a paper cost: macro mean with its 95 % bootstrap interval."
    panels = _panels(priced, lambda row: plots.Point(row.label, row.plan_cost or 0.0, row.summary.f1))
    drawn = _drawn(pictures and panels, lambda: plots.cost_picture("cost", caption, axis, panels))
    return (Section("Quality and cost", (text,) if len(priced) < len(rows) else (), drawn, (table,)),)


def _actions(rows: Sequence[Result], pictures: bool) -> Section:
    columns = ("System", "Task", "Ablations planned", *(action.value for action in Action), "Ablations per plan")
    table = Table(columns, tuple(_action_row(row) for row in rows))
    caption = "What the planned ablations do, in percent of a system's n ablations."
    panels = _panels(
        rows, lambda row: plots.Shares(row.label, tuple(_actions_of(row).items())) if _actions_of(row) else None
    )
    drawn = _drawn(
        pictures and panels,
        lambda: plots.shares_picture("actions", caption, "share of planned ablations (%)", _PALETTE, panels),
    )
    return Section("Action mix", (), drawn, (table,))


def _action_row(row: Result) -> tuple[str, ...]:
    counts = _actions_of(row)
    total, plans = sum(counts.values()), sum(bool(paper.plan) for paper in row.run.papers)
    shares = [percent(counts[action.value] / total) if total else "–" for action in Action]
    return (row.label, row.run.task.value, str(total), *shares, f"{total / plans:.1f}" if plans else "–")


def _actions_of(row: Result) -> Counter[str]:
    return Counter(item.action.value for paper in row.run.papers for item in paper.plan)


def _panels(rows: Sequence[Result], item: Callable[[Result], object]) -> list[plots.Panel]:
    panels = []
    for task in Task:
        items = tuple(made for row in rows if row.run.task is task and (made := item(row)) is not None)
        if items:
            panels.append(plots.Panel(task_title(task), items))
    return panels


def _drawn(wanted: object, draw: Callable[[], Picture]) -> tuple[Picture, ...]:
    return (draw(),) if wanted else ()


def _at(k: int | None) -> str:
    return "" if k is None else f" at k = {k}"
