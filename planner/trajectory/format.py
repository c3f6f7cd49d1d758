"""A trajectory (the reasoning and the plan of one paper) and its published file format, byte for byte."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from planner.errors import TrajectoryError
from planner.names import number_repeated_names
from planner.sanitize import describe_unsafe_characters, remove_unsafe_characters
from planner.schema import PLAN_FIELDS, PUBLISHED_CONTEXT, Ablation, AblationField, Plan, Task, find_rule_violations
from planner.trajectory.escape import escape_markup, flatten_unescapable_markup

STYLE_BLOCK: Final = """\
<style>
.trajectory-box strong {
  color: #1a1a1a !important;
}
.trajectory-box h3 {
  color: #1a1a1a !important;
}
</style>"""

_BOX_TEMPLATE: Final = (
    '<div style="background: linear-gradient(135deg, {light} 0%, {dark} 100%); border-left: 5px solid {edge};'
    " padding: 20px; margin: 20px 0; border-radius: 8px; box-shadow: 0 2px 8px rgba(0,0,0,0.1); color: #1a1a1a;"
    '" class="trajectory-box">\n'
    '<h2 style="color: {title}; margin-top: 0; margin-bottom: 15px; font-size: 1.3em;">{heading}</h2>'
)

REASONING_HEADING: Final = "🧠 Reasoning Trace"
PLAN_HEADING: Final = "📋 Ablation Plan"

REASONING_BOX: Final = _BOX_TEMPLATE.format(
    light="#e3f2fd", dark="#bbdefb", edge="#2196f3", title="#1976d2", heading=REASONING_HEADING
)
PLAN_BOXES: Final = {
    Task.REVIEWER: _BOX_TEMPLATE.format(
        light="#e8f5e8", dark="#c8e6c9", edge="#4caf50", title="#2e7d32", heading=PLAN_HEADING
    ),
    Task.AUTHOR: _BOX_TEMPLATE.format(
        light="#f3e5f5", dark="#e1bee7", edge="#9c27b0", title="#7b1fa2", heading=PLAN_HEADING
    ),
}
BOX_END: Final = "</div>"

NAME_LABEL: Final = "### "
FIELD_LABELS: Final = {field: f"- **{field.label}**: " for field in PLAN_FIELDS[1:]}
ITEM_LABEL: Final = "  - "
METRICS_SEPARATOR: Final = ", "  # metrics stand on one line, the items of other lists on a line each

# Markup is checked with this text before it: a list item starts a block, every other field stands inside a line.
ITEM_PREFIX: Final = "- "
LINE_PREFIX: Final = "x "


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A trajectory: the reasoning and the plan of one model for one paper, as the file shows them.

    `planner`, `model` and `paper_id` form the heading of the file. `warnings` are about flaws in the file and changes
    to the texts; they are not stored in the file.
    """

    planner: str
    model: str
    paper_id: str
    task: Task
    reasoning: str
    plan: Plan
    warnings: tuple[str, ...] = field(default=(), compare=False)


_REPLACEMENT_CHARACTER: Final = "\ufffd"
_LINE_BREAK: Final = re.compile("[\n\u2028\u2029]")


def render_trajectory(trajectory: Trajectory, *, allow_violations: bool = False) -> str:
    """Return the content of a trajectory's file; it does not end with a line break.

    A plan in a published file may break the plan's rules; `allow_violations` allows this.

    Raises:
        TrajectoryError: if the plan breaks the rules and `allow_violations` is false.
    """
    normalized = normalize_trajectory(trajectory, allow_violations=allow_violations)
    heading = f"{normalized.planner}/{normalized.model}/{normalized.paper_id}"
    blocks = (
        STYLE_BLOCK,
        f"# {_escape_line(heading)}",
        f"{REASONING_BOX}\n\n{escape_markup(normalized.reasoning)}\n{BOX_END}",
        PLAN_BOXES[normalized.task],
        *(_render_ablation(ablation) for ablation in normalized.plan.ablations),
        BOX_END,
    )
    return "\n\n".join(blocks)


def normalize_trajectory(trajectory: Trajectory, *, allow_violations: bool = False) -> Trajectory:
    """Return the trajectory in normal form, which stays the same when it is written and read again.

    Control characters are removed, for example. Such changes are added to the warnings.

    Raises:
        TrajectoryError: if the plan breaks the rules and `allow_violations` is false.
    """
    if not allow_violations and (violations := find_rule_violations(trajectory.plan)):
        raise TrajectoryError(f"{trajectory.paper_id!r}: the plan is invalid: {'; '.join(violations)}")
    normalizer = _Normalizer(allow_violations)
    planner, model, paper_id = normalizer.normalize_heading(trajectory)
    return replace(
        trajectory,
        planner=planner,
        model=model,
        paper_id=paper_id,
        reasoning=normalizer.normalize_reasoning(trajectory.reasoning),
        plan=normalizer.normalize_plan(trajectory.plan),
        warnings=(*trajectory.warnings, *normalizer.warnings),
    )


def _render_ablation(ablation: Ablation) -> str:
    lines = [f"{NAME_LABEL}{_escape_line(ablation.name)}"]
    for plan_field, label in FIELD_LABELS.items():
        value = getattr(ablation, plan_field.name)
        if value or plan_field.is_required:
            lines += _render_field(plan_field, label, value)
    return "\n".join(lines)


def _render_field(field: AblationField, label: str, value: Any) -> Iterator[str]:
    if field.name == "metrics":
        yield f"{label}{_escape_line(METRICS_SEPARATOR.join(value))}"
    elif field.is_list:
        yield label
        yield from (f"{ITEM_LABEL}{escape_markup(item, preceding_text=ITEM_PREFIX)}" for item in value)
    else:
        yield f"{label}{_escape_line(value)}"


def _escape_line(text: str) -> str:
    return escape_markup(text, preceding_text=LINE_PREFIX)


class _Normalizer:
    """A converter of a trajectory's texts to texts that the file can hold; `warnings` name the changes."""

    def __init__(self, allow_violations: bool) -> None:
        self.allow_violations = allow_violations
        self.warnings: list[str] = []

    def normalize_heading(self, trajectory: Trajectory) -> tuple[str, str, str]:
        """Return (planner, model, paper id) as the file can hold them; only the model may contain slashes."""
        planner, paper_id = (segment.replace("/", "_") for segment in (trajectory.planner, trajectory.paper_id))
        if (planner, paper_id) != (trajectory.planner, trajectory.paper_id):
            self.warnings.append("heading: a slash in the planner's name or the paper's id became an underscore")
        heading = self.normalize_line("heading", f"{planner}/{trajectory.model}/{paper_id}")
        planner, _, rest = heading.partition("/")
        model, _, paper_id = rest.rpartition("/")
        return planner, model, paper_id

    def normalize_reasoning(self, text: str) -> str:
        return self._neutralize_markup("reasoning", self._remove_controls("reasoning", text).strip(), prefix="")

    def normalize_plan(self, plan: Plan) -> Plan:
        ablations = [
            self.normalize_ablation(f"ablation {number}", a) for number, a in enumerate(plan.ablations, start=1)
        ]
        given = [ablation.name for ablation in ablations]
        names = given if self.allow_violations else number_repeated_names(given)
        if names != given:
            self.warnings.append("plan: a number was added to each repeated name")
        renamed = [ablation.model_copy(update={"name": name}) for ablation, name in zip(ablations, names, strict=True)]
        return Plan.model_validate({"ablations": renamed}, context=PUBLISHED_CONTEXT)

    def normalize_ablation(self, place: str, ablation: Ablation) -> Ablation:
        fields = {
            field.name: self.normalize_field(f"{place}, {field.label.lower()}", field, getattr(ablation, field.name))
            for field in PLAN_FIELDS
        }
        return Ablation.model_validate(fields, context=PUBLISHED_CONTEXT)

    def normalize_field(self, place: str, field: AblationField, value: Any) -> Any:
        if field.choices or value is None:
            return value
        if field.name == "metrics":
            return self.normalize_metrics(place, value)
        if field.is_list:
            return tuple(self.normalize_line(place, item, prefix=ITEM_PREFIX) for item in value)
        return self.normalize_line(place, value)

    def normalize_metrics(self, place: str, metrics: tuple[str, ...]) -> tuple[str, ...]:
        """Return the metrics as they will be read from the file: a metric with ", " inside becomes two metrics."""
        if not metrics:
            return ()
        parts = self.normalize_line(place, METRICS_SEPARATOR.join(metrics)).split(METRICS_SEPARATOR)
        kept = [part for part in parts if self.allow_violations or part.strip()]
        if len(kept) < len(parts):
            self.warnings.append(f"{place}: an empty metric was left out")
        return tuple(kept) or (_REPLACEMENT_CHARACTER,)

    def normalize_line(self, place: str, text: str, *, prefix: str = LINE_PREFIX) -> str:
        """Return a text as the file can hold it on one line; line breaks become blanks."""
        cleaned, breaks = _LINE_BREAK.subn(" ", self._remove_controls(place, text))
        if breaks:
            self.warnings.append(f"{place}: {breaks} line breaks became blanks")
        if text.strip() and not cleaned.strip():
            cleaned = _REPLACEMENT_CHARACTER
        return self._neutralize_markup(place, cleaned, prefix=prefix)

    def _remove_controls(self, place: str, text: str) -> str:
        self.warnings += (f"{place}: {removed} removed" for removed in describe_unsafe_characters(text))
        return remove_unsafe_characters(text)

    def _neutralize_markup(self, place: str, text: str, *, prefix: str) -> str:
        neutral = flatten_unescapable_markup(text, preceding_text=prefix)
        if neutral != text:
            self.warnings.append(f"{place}: markup that could not be checked was made plain text")
        return neutral
