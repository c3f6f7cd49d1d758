"""What a trajectory is."""

from dataclasses import dataclass, field

from planner.schema import Plan, Task


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One paper, one model: the reasoning and the plan, as the file shows them.

    `planner`, `model` and `paper_id` are the segments of the heading; `warnings` say what was repaired, changed or
    found wrong while the file was read or written, and are no part of the document.
    """

    planner: str
    model: str
    paper_id: str
    task: Task
    reasoning: str
    plan: Plan
    warnings: tuple[str, ...] = field(default=(), compare=False)
