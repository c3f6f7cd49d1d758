"""A plan as text to copy."""

import re
from dataclasses import dataclass, replace
from typing import Final

from planner.sanitize import clean_text, render_csv
from planner.schema import PLAN_FIELDS, Ablation, Action, Plan, Task, format_fields
from planner.trajectory import format
from planner.trajectory.format import Trajectory
from planner.trajectory.writer import render_trajectory

_OPENINGS: Final = {
    Task.REVIEWER: "I would like to see these ablations:",
    Task.AUTHOR: "Ablations to run:",
}

# Names that do not describe the ablation.
_NUMBERED_NAME: Final = re.compile(r"\s*(?:missing |proposed )?ablation(?: study)?\s*[#:]?\s*\d*\s*", re.I)


def is_descriptive(name: str) -> bool:
    """Return whether a name describes the ablation rather than only numbers it."""
    return bool(name.strip()) and not _NUMBERED_NAME.fullmatch(name)


def choose_headline(ablation: Ablation) -> str:
    """Return the name of an ablation, or the ablated part if the name does not describe it."""
    return ablation.name if is_descriptive(ablation.name) else ablation.ablated_part or ablation.name


@dataclass(frozen=True, slots=True)
class PlanCopies:
    """One plan in the forms that can be copied."""

    review: str
    markdown: str
    jsonl: str
    csv: str


def format_plan_copies(trajectory: Trajectory) -> PlanCopies:
    """Return a plan in every form, without characters that steer a terminal."""
    plan = trajectory.plan
    forms = (format_review(plan, trajectory.task), format_markdown(trajectory), format_jsonl(plan), format_csv(plan))
    return PlanCopies(*(clean_text(form).text for form in forms))


def format_review(plan: Plan, task: Task) -> str:
    """Return a plan as sentences to paste into a review or an issue."""
    lines = (f"{number}. {_format_sentence(ablation)}" for number, ablation in enumerate(plan.ablations, start=1))
    return "\n".join((_OPENINGS[task], "", *lines)) + "\n"


def format_markdown(trajectory: Trajectory) -> str:
    """Return the plan as Markdown, as in the trajectory's file but without the box."""
    text = render_trajectory(replace(trajectory, reasoning=""), allow_violations=True)
    return text.rpartition(format.PLAN_BOXES[trajectory.task])[2].removesuffix(format.BOX_END).strip() + "\n"


def format_jsonl(plan: Plan) -> str:
    """Return a plan as JSONL, one ablation a line."""
    return "".join(f"{ablation.model_dump_json()}\n" for ablation in plan.ablations)


def format_csv(plan: Plan) -> str:
    """Return a plan as CSV, one ablation a row; "; " separates several values in a cell."""
    return render_csv(([field.name for field in PLAN_FIELDS], *map(format_fields, plan.ablations)))


def _format_sentence(ablation: Ablation) -> str:
    part, instead = ablation.ablated_part.strip().rstrip("."), " or ".join(ablation.replacement)
    done = {
        Action.REMOVE: f"remove {part}",
        Action.REPLACE: f"replace {part} by {instead or '?'}",
        Action.ADD: f"add {instead or '?'} to {part}",
    }[ablation.action]
    measured = f"; report {', '.join(ablation.metrics)}" if ablation.metrics else ""
    if is_descriptive(ablation.name):
        return f"{ablation.name.strip().rstrip('.:')}: {done}{measured}."
    return f"{done[0].upper()}{done[1:]}{measured}."
