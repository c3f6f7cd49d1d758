"""Define the trajectory: the reasoning and the plan of one paper."""

from dataclasses import dataclass, field

from planner.schema import Plan, Task


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A trajectory: the reasoning and the plan of one model for one paper, as the file shows them.

    `planner`, `model` and `paper_id` are the segments of the heading. `warnings` list the repairs, changes and flaws
    of reading or writing the file, and are not part of it.
    """

    planner: str
    model: str
    paper_id: str
    task: Task
    reasoning: str
    plan: Plan
    warnings: tuple[str, ...] = field(default=(), compare=False)
