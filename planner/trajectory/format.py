"""A trajectory, which is the reasoning and the plan of one paper, and the constant lines of its published format."""

from dataclasses import dataclass, field
from typing import Final

from planner.schema import PLAN_FIELDS, Plan, Task

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

# Markup is judged with this text before it: a list item starts a block, every other field stands inside a line.
ITEM_PREFIX: Final = "- "
LINE_PREFIX: Final = "x "


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A trajectory: the reasoning and the plan of one model for one paper, as the file shows them.

    `planner`, `model` and `paper_id` are the segments of the heading. `warnings` list the repairs, changes and flaws of
    reading or writing the file, and are not part of it.
    """

    planner: str
    model: str
    paper_id: str
    task: Task
    reasoning: str
    plan: Plan
    warnings: tuple[str, ...] = field(default=(), compare=False)
