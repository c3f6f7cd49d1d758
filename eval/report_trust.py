"""Build the sections of a report on its reliability: the judges, the papers without a score, and the warnings."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from eval.coverage import Status
from eval.document import Section, Table
from eval.figures import amount, percent
from eval.health import Health, agreements, health
from eval.results import Result

_MOST_FLAGS: Final = 30


_SIGNS: Final = ("Replies per paper", "Said yes", "First with first", "by chance", "Flagged papers", "F1 without them")


def judges_section(rows: Sequence[Result]) -> Section:
    """Build the section on the signs of bias of each judge."""
    signs = [health(row) for row in rows]
    remarks = [remark for sign in signs for remark in sign.remarks]
    flags = tuple((sign.row.label, paper.id, flag) for sign in signs for paper in sign.flagged for flag in paper.flags)
    tables = [Table(("System", "Judge", *_SIGNS), tuple(_sign_row(sign) for sign in signs)), *_agreement_table(rows)]
    if flags:
        tables.append(Table(("System", "Paper", "Flag"), flags[:_MOST_FLAGS]))
    if len(flags) > _MOST_FLAGS:
        remarks.append(f"The last table shows {_MOST_FLAGS} of {len(flags)} flags; report-papers.csv has all.")
    text = (
        "A model sees each paper's two lists as anonymous sides in random order, so the first item of one side "
        "should not match the first of the other more often than by chance. A flag marks a plan whose text addresses "
        "the judge, a match that the published rule excludes, a name that neither the paper nor the plan has, or an "
        "ablation without a verdict; it changes no score."
    )
    return Section("Can the judge be trusted?", (text, *remarks), tables=tuple(tables))


def _sign_row(sign: Health) -> tuple[str, ...]:
    return (
        sign.row.label,
        sign.row.run.judge,
        "none asked" if sign.replies is None else f"{sign.replies:.2f}",
        *map(percent, (sign.matched, sign.first, sign.first_expected)),
        str(len(sign.flagged)),
        amount(sign.f1_unflagged),
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
    """Build the section on the papers without a score and the reasons."""
    reasons = Counter(
        (row.label, row.run.task.value, paper.status.value, paper.reason)
        for row in rows
        for paper in row.run.papers
        if paper.status is not Status.SCORED
    )
    columns = ("System", "Task", "Papers", "Scored", "Unscored", "Failed", "Absent", "Plans without gold")
    tables = [Table(columns, tuple(_coverage_row(row) for row in rows))]
    if reasons:
        told = tuple((*key, str(count)) for key, count in reasons.most_common())
        tables.append(Table(("System", "Task", "Status", "Reason", "Papers"), told))
    text = (
        "Unscored: there is a plan, but no usable verdict. Failed: planning ended without a plan. Absent: the system "
        "has no plan or failure for the paper."
    )
    return Section("What is not scored, and why", (text,), tables=tuple(tables))


def _coverage_row(row: Result) -> tuple[str, ...]:
    c = row.coverage
    counts = (c.papers, c.scored, c.unscored, c.failed, c.absent, row.run.without_gold)
    return (row.label, row.run.task.value, *map(str, counts))


def warnings_section(rows: Sequence[Result]) -> tuple[Section, ...]:
    """Build the section on warnings; return an empty tuple if there are none."""
    counts = Counter(
        warning for row in rows for w in (row.run.warnings, *(p.warnings for p in row.run.papers)) for warning in w
    )
    if not counts:
        return ()
    found = tuple((warning, str(count)) for warning, count in counts.most_common(_MOST_FLAGS))
    text = f"{len(counts)} different warnings in all." if len(counts) > _MOST_FLAGS else ""
    return (Section("Warnings", (text,) if text else (), tables=(Table(("Warning", "Times"), found),)),)
