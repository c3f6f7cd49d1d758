"""The part of a report that says how far it can be trusted: the judges, what is not scored, and every warning."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from eval.coverage import Status
from eval.document import Section, Table
from eval.figures import amount, percent
from eval.health import agreements, health
from eval.results import Result

_MOST_FLAGS: Final = 30


def judges_section(rows: Sequence[Result]) -> Section:
    """What speaks for and against each judge."""
    signs = [health(row) for row in rows]
    table = Table(
        (
            "System",
            "Judge",
            "Replies per paper",
            "Said yes",
            "First with first",
            "by chance",
            "Flagged papers",
            "F1 without them",
        ),
        tuple(
            (
                sign.row.label,
                sign.row.run.judge,
                "none asked" if sign.replies is None else f"{sign.replies:.2f}",
                percent(sign.matched),
                percent(sign.first),
                percent(sign.first_expected),
                str(len(sign.flagged)),
                amount(sign.f1_unflagged),
            )
            for sign in signs
        ),
    )
    remarks = [remark for sign in signs for remark in sign.remarks]
    flags = [(sign.row.label, paper.id, flag) for sign in signs for paper in sign.flagged for flag in paper.flags]
    tables = [table, *_agreement_table(rows)]
    if flags:
        tables.append(Table(("System", "Paper", "Flag"), tuple(flags[:_MOST_FLAGS])))
    if len(flags) > _MOST_FLAGS:
        remarks.append(f"The last table shows {_MOST_FLAGS} of {len(flags)} flags; report-papers.csv has all.")
    return Section(
        "Can the judge be trusted?",
        (
            "A model sees each paper's two lists as anonymous sides in an order drawn anew, so the first item of one "
            "side should not match the first of the other more often than chance has it. A flag marks a plan whose "
            "text speaks to the judge, or a match that the published rule excludes; it changes no score.",
            *remarks,
        ),
        tables=tuple(tables),
    )


def _agreement_table(rows: Sequence[Result]) -> list[Table]:
    found = agreements(rows)
    if not found:
        return []
    columns = ("Judge", "and", "Task", "Items in common", "Same verdict", "Cohen's kappa")
    return [
        Table(
            columns,
            tuple(
                (a.a.label, a.b.label, a.a.run.task.value, str(a.items), percent(a.same), amount(a.kappa))
                for a in found
            ),
        )
    ]


def lost_section(rows: Sequence[Result]) -> Section:
    """What became of the papers that have no score."""
    counts = Counter(
        (row.label, row.run.task.value, paper.status.value, paper.reason)
        for row in rows
        for paper in row.run.papers
        if paper.status is not Status.SCORED
    )
    covered = Table(
        ("System", "Task", "Papers", "Scored", "Unscored", "Failed", "Absent", "Plans without gold"),
        tuple(
            (
                row.label,
                row.run.task.value,
                str(c.papers),
                str(c.scored),
                str(c.unscored),
                str(c.failed),
                str(c.absent),
                str(row.run.without_gold),
            )
            for row in rows
            for c in (row.coverage,)
        ),
    )
    reasons = Table(
        ("System", "Task", "Status", "Reason", "Papers"),
        tuple((*key, str(count)) for key, count in counts.most_common()),
    )
    return Section(
        "What is not scored, and why",
        (
            "Unscored: the plan is there, but no usable verdict. Failed: planning ended without a plan. Absent: the "
            "system never had the paper.",
        ),
        tables=(covered, reasons) if counts else (covered,),
    )


def warnings_section(rows: Sequence[Result]) -> tuple[Section, ...]:
    """What a reader should distrust; nothing where there is nothing."""
    counts = Counter(
        warning for row in rows for w in (row.run.warnings, *(p.warnings for p in row.run.papers)) for warning in w
    )
    if not counts:
        return ()
    found = tuple((warning, str(count)) for warning, count in counts.most_common(_MOST_FLAGS))
    text = f"{len(counts)} different warnings in all." if len(counts) > _MOST_FLAGS else ""
    return (Section("Warnings", (text,) if text else (), tables=(Table(("Warning", "Times"), found),)),)
