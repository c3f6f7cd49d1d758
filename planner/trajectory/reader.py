"""Read a trajectory from a published file or from a file that `writer` wrote."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from planner.errors import TrajectoryError
from planner.schema import PUBLISHED, Ablation, Action, Plan, Task, findings, violations
from planner.trajectory import layout
from planner.trajectory.document import Trajectory
from planner.trajectory.encoding import MAX_BYTES, decode
from planner.trajectory.markup import unescape

_BLANKS: Final = re.compile(r"[ \t]*")


def read_file(path: Path) -> Trajectory:
    """Read the trajectory in the file at `path`.

    Raises:
        TrajectoryError: if the file cannot be read or is not a trajectory.
    """
    try:
        with path.open("rb") as file:
            return read(file.read(MAX_BYTES + 1), str(path))
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror or error}") from None


def read(data: bytes, name: str) -> Trajectory:
    """Read a trajectory from the bytes of a file; `name` is the file's name for errors.

    Flaws of published files (mojibake, a missing end, a plan that breaks the rules) only add a warning.

    Raises:
        TrajectoryError: if the file is not a trajectory; the text names the expected line.
    """
    decoded = decode(data, name)
    boxes = _boxes(decoded.text, name)
    planner, model, paper_id = _heading(boxes.heading, name)
    lines = _PlanLines(name, boxes.plan_line)
    plan = lines.plan(boxes.plan)
    return Trajectory(
        planner=planner,
        model=model,
        paper_id=paper_id,
        task=boxes.task,
        reasoning=unescape(boxes.reasoning).strip(),
        plan=plan,
        warnings=(*decoded.warnings, *boxes.warnings, *lines.warnings, *violations(plan)),
    )


@dataclass(frozen=True, slots=True)
class _Boxes:
    """The boxes of a file, still escaped; `plan_line` is the number of the plan's first line, counted from 1."""

    heading: str
    reasoning: str
    task: Task
    plan: str
    plan_line: int
    warnings: tuple[str, ...]


def _boxes(text: str, name: str) -> _Boxes:
    """Find the first reasoning box and the last plan box. All text between them is reasoning."""
    before, found, rest = text.partition(f"\n{layout.REASONING_BOX}\n")
    if not found:
        raise TrajectoryError(f"{name}: expected the box {layout.REASONING_HEADING!r}, styled as in published files")
    task, start, end = _plan_box(rest, name)
    reasoning = rest[:start].rstrip("\n")
    if not reasoning.endswith(f"\n{layout.BOX_END}"):
        raise TrajectoryError(f"{name}: expected {layout.BOX_END!r} between the reasoning and the plan")
    plan = rest[end:].rstrip()
    warnings = (
        () if plan.endswith(layout.BOX_END) else (f"the file is cut short: its last {layout.BOX_END!r} is missing",)
    )
    return _Boxes(
        heading=before.rstrip("\n").rpartition("\n")[2],
        reasoning=reasoning.removesuffix(layout.BOX_END),
        task=task,
        plan=plan.removesuffix(layout.BOX_END),
        plan_line=text.count("\n", 0, len(text) - len(rest) + end) + 1,
        warnings=warnings,
    )


def _plan_box(text: str, name: str) -> tuple[Task, int, int]:
    """Return the task of the last plan box, the offset of the box and the offset of its content."""
    starts = {task: text.rfind(f"\n{box}\n") for task, box in layout.PLAN_BOX.items()}
    task = max(starts, key=lambda task: starts[task])
    if starts[task] < 0:
        raise TrajectoryError(f"{name}: expected the box {layout.PLAN_HEADING!r}, green (reviewer) or purple (author)")
    return task, starts[task], starts[task] + len(layout.PLAN_BOX[task]) + 2


def _heading(line: str, name: str) -> tuple[str, str, str]:
    planner, _, rest = _unescaped(line.removeprefix("# ")).partition("/")
    model, slash, paper_id = rest.rpartition("/")
    if not line.startswith("# ") or not slash:
        raise TrajectoryError(f"{name}: expected the heading '# planner/model/paper' before the reasoning")
    return planner, model, paper_id


def _unescaped(text: str, lead: str = layout.LINE_LEAD) -> str:
    return unescape(text, lead=lead)


@dataclass(slots=True)
class _Draft:
    """An ablation that is being read, field by field."""

    name: str
    ablated_part: str | None = None
    action: Action | None = None
    replacement: list[str] = field(default_factory=list)
    metrics: tuple[str, ...] | None = None

    def missing(self) -> Iterator[str]:
        """Yield the labels of the required fields that have no line."""
        yield from ("Ablated Part",) if self.ablated_part is None else ()
        yield from ("Action",) if self.action is None else ()
        yield from ("Metrics",) if self.metrics is None else ()


class _PlanLines:
    """A reader of the lines of a plan box; the beginning of a line shows its kind."""

    def __init__(self, name: str, first_line: int) -> None:
        self.name = name
        self.first_line = first_line
        self.warnings: list[str] = []
        self.drafts: list[_Draft] = []

    def plan(self, text: str) -> Plan:
        for number, line in enumerate(text.split("\n"), start=self.first_line):
            if not _BLANKS.fullmatch(line):
                self._line(number, line)
        ablations = [ablation for draft in self.drafts if (ablation := self._ablation(draft)) is not None]
        if not ablations:
            raise TrajectoryError(f"{self.name}: expected a line '{layout.NAME}name' in the plan, found no ablation")
        return Plan.model_validate({"ablations": ablations}, context=PUBLISHED)

    def _line(self, number: int, line: str) -> None:
        if line.startswith(layout.NAME):
            self.drafts.append(_Draft(_unescaped(line.removeprefix(layout.NAME))))
        elif not self.drafts:
            raise TrajectoryError(f"{self.name}, line {number}: expected '{layout.NAME}name', found {line[:60]!r}")
        elif not self._field(self.drafts[-1], line):
            raise TrajectoryError(f"{self.name}, line {number}: expected a field of the plan, found {line[:60]!r}")

    def _field(self, draft: _Draft, line: str) -> bool:
        """Store a line in its field of the draft. Return False if it is not a line of a plan."""
        if line.startswith(layout.ITEM):
            draft.replacement.append(_unescaped(line.removeprefix(layout.ITEM), layout.ITEM_LEAD))
        elif (part := _after(layout.PART, line)) is not None:
            draft.ablated_part = _unescaped(part)
        elif (action := _after(layout.ACTION, line)) is not None:
            draft.action = self._action(draft, action)
        elif (inline := _after(layout.REPLACEMENT, line)) is not None:
            self._inline_replacement(draft, inline)
        elif (metrics := _after(layout.METRICS, line)) is not None:
            draft.metrics = tuple(_unescaped(metrics).split(layout.BETWEEN_METRICS)) if metrics else ()
        else:
            return False
        return True

    def _action(self, draft: _Draft, text: str) -> Action | None:
        word = text.strip().upper()
        if word not in Action.__members__:
            self.warnings.append(f"ablation {draft.name!r}: the action {text[:60]!r} is none of {', '.join(Action)}")
            return None
        if word != text:
            self.warnings.append(f"ablation {draft.name!r}: the action was written {text!r}")
        return Action(word)

    def _inline_replacement(self, draft: _Draft, text: str) -> None:
        if text.strip():
            self.warnings.append(f"ablation {draft.name!r}: a replacement was on the line of its label")
            draft.replacement.append(_unescaped(text))

    def _ablation(self, draft: _Draft) -> Ablation | None:
        missing = tuple(draft.missing())
        if missing:
            self.warnings.append(f"ablation {draft.name!r}: no line for {' and '.join(missing)}")
        if draft.action is None:
            self.warnings.append(f"ablation {draft.name!r} was left out: it has no valid action")
            return None
        try:
            return Ablation.model_validate(
                {
                    "name": draft.name,
                    "ablated_part": draft.ablated_part or "",
                    "action": draft.action,
                    "replacement": draft.replacement,
                    "metrics": draft.metrics or (),
                },
                context=PUBLISHED,
            )
        except ValidationError as error:
            raise TrajectoryError(f"{self.name}: ablation {draft.name!r}: {'; '.join(findings(error))}") from None


def _after(label: str, line: str) -> str | None:
    """Return the text after a label, or None if the line lacks the label. The label's last blank may be missing."""
    if line.startswith(label):
        return line.removeprefix(label)
    return "" if line == label.rstrip() else None
