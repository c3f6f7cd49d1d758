"""A plan as text to copy."""

import csv
import io
from dataclasses import dataclass, replace
from typing import Final

from planner.controls import clean
from planner.schema import Ablation, Action, Plan, Task
from planner.site.headlines import is_telling
from planner.trajectory import layout
from planner.trajectory.document import Trajectory
from planner.trajectory.writer import write

_OPENING: Final = {
    Task.REVIEWER: "I would like to see these ablations:",
    Task.AUTHOR: "Ablations to run:",
}
_COLUMNS: Final = ("name", "ablated_part", "action", "replacement", "metrics")
# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Copies:
    """One plan in the forms that can be copied."""

    review: str
    markdown: str
    jsonl: str
    csv: str


def copies(trajectory: Trajectory) -> Copies:
    """Return a plan in every form, without characters that steer a terminal."""
    plan = trajectory.plan
    forms = (as_review(plan, trajectory.task), as_markdown(trajectory), as_jsonl(plan), as_csv(plan))
    return Copies(*(clean(form).text for form in forms))


def as_review(plan: Plan, task: Task) -> str:
    """Return a plan as sentences to paste into a review or an issue."""
    lines = (f"{number}. {_sentence(ablation)}" for number, ablation in enumerate(plan.ablations, start=1))
    return "\n".join((_OPENING[task], "", *lines)) + "\n"


def as_markdown(trajectory: Trajectory) -> str:
    """Return the plan as Markdown, as in the trajectory's file but without the box."""
    text = write(replace(trajectory, reasoning=""), published=True)
    return text.rpartition(layout.PLAN_BOX[trajectory.task])[2].removesuffix(layout.BOX_END).strip() + "\n"


def as_jsonl(plan: Plan) -> str:
    """Return a plan as JSONL, one ablation a line."""
    return "".join(f"{ablation.model_dump_json()}\n" for ablation in plan.ablations)


def as_csv(plan: Plan) -> str:
    """Return a plan as CSV, one ablation a row; "; " separates several values in a cell.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for ablation in plan.ablations:
        cells = (
            ablation.name,
            ablation.ablated_part,
            str(ablation.action),
            "; ".join(ablation.replacement),
            "; ".join(ablation.metrics),
        )
        rows.writerow(map(_cell, cells))
    return table.getvalue()


def _cell(text: str) -> str:
    text = clean(text).text
    return f"'{text}" if text.startswith(_FORMULA) else text


def _sentence(ablation: Ablation) -> str:
    part, instead = ablation.ablated_part.strip().rstrip("."), " or ".join(ablation.replacement)
    done = {
        Action.REMOVE: f"remove {part}",
        Action.REPLACE: f"replace {part} by {instead or '?'}",
        Action.ADD: f"add {instead or '?'} to {part}",
    }[ablation.action]
    measured = f"; report {', '.join(ablation.metrics)}" if ablation.metrics else ""
    if is_telling(ablation.name):
        return f"{ablation.name.strip().rstrip('.:')}: {done}{measured}."
    return f"{done[0].upper()}{done[1:]}{measured}."
