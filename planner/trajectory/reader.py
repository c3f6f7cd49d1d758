"""Read a trajectory from a file, even from a published file with wrongly decoded characters."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from planner.errors import TrajectoryError
from planner.files import read_bounded_file
from planner.sanitize import normalize_newlines
from planner.schema import (
    PUBLISHED_CONTEXT,
    Ablation,
    AblationField,
    Plan,
    Task,
    find_rule_violations,
    list_validation_faults,
)
from planner.trajectory import format
from planner.trajectory.escape import unescape_markup
from planner.trajectory.format import PLAN_HEADING, REASONING_HEADING, Trajectory

MAX_TRAJECTORY_BYTES: Final = 16 * 1024 * 1024
_BOM: Final = "\ufeff"
_BLANKS: Final = re.compile(r"[ \t]*")


def read_trajectory(path: Path) -> Trajectory:
    """Read the trajectory in the file at `path`.

    Raises:
        TrajectoryError: if the file cannot be read or is not a trajectory.
    """
    try:
        return parse_trajectory(read_bounded_file(path, MAX_TRAJECTORY_BYTES), str(path))
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror or error}") from None


def parse_trajectory(data: bytes, name_in_errors: str) -> Trajectory:
    """Read a trajectory from the bytes of a file; `name_in_errors` is for error messages.

    Flaws that published files have, such as a missing end or a plan that breaks the rules, only add a warning.

    Raises:
        TrajectoryError: if the file is not a trajectory; the message says which line was expected.
    """
    text, repairs = _decode_trajectory(data, name_in_errors)
    boxes = _find_boxes(text, name_in_errors)
    planner, model, paper_id = _parse_heading(boxes.heading, name_in_errors)
    reader = _PlanReader(name_in_errors, boxes.plan_line)
    plan = reader.read_plan(boxes.plan)
    return Trajectory(
        planner=planner,
        model=model,
        paper_id=paper_id,
        task=boxes.task,
        reasoning=unescape_markup(boxes.reasoning.strip("\n")).strip(),
        plan=plan,
        warnings=(*repairs, *boxes.warnings, *reader.warnings, *find_rule_violations(plan)),
    )


def _decode_trajectory(data: bytes, file_name: str) -> tuple[str, tuple[str, ...]]:
    """Return (text of a file with LF as its only line end, warnings about repairs).

    Wrongly decoded characters are repaired only if the headings, which every trajectory has, are damaged too.
    """
    if len(data) > MAX_TRAJECTORY_BYTES:
        raise TrajectoryError(f"{file_name}: too large for a trajectory (over {MAX_TRAJECTORY_BYTES // 1024**2} MiB)")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TrajectoryError(f"{file_name}: not UTF-8 text (byte {error.start}); expected a trajectory file") from None
    text = normalize_newlines(text.removeprefix(_BOM))
    if _has_headings(text):
        return text, ()
    import ftfy  # takes longer to load than to read the usual file

    repaired = normalize_newlines(ftfy.fix_encoding(text).removeprefix(_BOM))
    if not _has_headings(repaired):
        raise TrajectoryError(
            f"{file_name}: not a trajectory; expected the headings {REASONING_HEADING!r} and {PLAN_HEADING!r}"
        )
    return repaired, ("characters were repaired: the file had been decoded with the wrong code page",)


def _has_headings(text: str) -> bool:
    return REASONING_HEADING in text and PLAN_HEADING in text


@dataclass(frozen=True, slots=True)
class _Boxes:
    """The texts in the two boxes of a file, still escaped; the plan begins on line `plan_line`, counted from 1."""

    heading: str
    reasoning: str
    task: Task
    plan: str
    plan_line: int
    warnings: tuple[str, ...]


def _find_boxes(text: str, file_name: str) -> _Boxes:
    """Return the texts of the two boxes. The reasoning reaches from the first reasoning box to the last plan box."""
    before, box, rest = text.partition(f"\n{format.REASONING_BOX}\n")
    if not box:
        raise TrajectoryError(
            f"{file_name}: expected the box {format.REASONING_HEADING!r}, styled as in published files"
        )
    task, start, end = _find_plan_box(rest, file_name)
    reasoning = rest[:start].rstrip("\n")
    if not reasoning.endswith(f"\n{format.BOX_END}"):
        raise TrajectoryError(f"{file_name}: expected {format.BOX_END!r} between the reasoning and the plan")
    plan = rest[end:].rstrip()
    is_cut = not plan.endswith(format.BOX_END)
    return _Boxes(
        heading=before.rstrip("\n").rpartition("\n")[2],
        reasoning=reasoning.removesuffix(format.BOX_END),
        task=task,
        plan=plan.removesuffix(format.BOX_END),
        plan_line=text.count("\n", 0, len(text) - len(rest) + end) + 1,
        warnings=(f"the file is incomplete: its last {format.BOX_END!r} is missing",) if is_cut else (),
    )


def _find_plan_box(text: str, file_name: str) -> tuple[Task, int, int]:
    """Return (task, offset of the last plan box, offset of its content)."""
    starts = {task: text.rfind(f"\n{box}\n") for task, box in format.PLAN_BOXES.items()}
    task = max(starts, key=starts.__getitem__)
    if starts[task] < 0:
        raise TrajectoryError(
            f"{file_name}: expected the box {format.PLAN_HEADING!r}, green (reviewer) or purple (author)"
        )
    return task, starts[task], starts[task] + len(format.PLAN_BOXES[task]) + 2


def _parse_heading(line: str, file_name: str) -> tuple[str, str, str]:
    planner, _, rest = _unescape_line(line.removeprefix("# ")).partition("/")
    model, slash, paper_id = rest.rpartition("/")
    if not line.startswith("# ") or not slash:
        raise TrajectoryError(f"{file_name}: expected the heading '# planner/model/paper' before the reasoning")
    return planner, model, paper_id


def _unescape_line(text: str, prefix: str = format.LINE_PREFIX) -> str:
    return unescape_markup(text, preceding_text=prefix)


@dataclass(slots=True)
class _AblationDraft:
    """The fields of an ablation that have been read so far. `list_name` names the field that gets list items."""

    name: str
    values: dict[str, Any] = field(default_factory=lambda: defaultdict(list))
    list_name: str = "replacement"


class _PlanReader:
    """A reader of the lines in a plan box; the beginning of a line shows its kind."""

    def __init__(self, file_name: str, first_line: int) -> None:
        self.file_name = file_name
        self.first_line = first_line
        self.warnings: list[str] = []
        self.drafts: list[_AblationDraft] = []

    def read_plan(self, text: str) -> Plan:
        for number, line in enumerate(text.split("\n"), start=self.first_line):
            if not _BLANKS.fullmatch(line):
                self._read_line(number, line)
        ablations = [ablation for draft in self.drafts if (ablation := self._build_ablation(draft)) is not None]
        if not ablations:
            raise TrajectoryError(
                f"{self.file_name}: expected a line '{format.NAME_LABEL}name' in the plan, found no ablation"
            )
        return Plan.model_validate({"ablations": ablations}, context=PUBLISHED_CONTEXT)

    def _read_line(self, line_number: int, line: str) -> None:
        if line.startswith(format.NAME_LABEL):
            self.drafts.append(_AblationDraft(_unescape_line(line.removeprefix(format.NAME_LABEL))))
        elif not (self.drafts and self._read_field(self.drafts[-1], line)):
            expected = "a field of the plan" if self.drafts else f"'{format.NAME_LABEL}name'"
            raise TrajectoryError(f"{self.file_name}, line {line_number}: expected {expected}, found {line[:60]!r}")

    def _read_field(self, draft: _AblationDraft, line: str) -> bool:
        """Store the value of a line in the draft; return False if the line belongs to no field."""
        if line.startswith(format.ITEM_LABEL):
            item = line.removeprefix(format.ITEM_LABEL)
            draft.values[draft.list_name].append(_unescape_line(item, format.ITEM_PREFIX))
            return True
        for plan_field, label in format.FIELD_LABELS.items():
            if (text := _strip_label(label, line)) is not None:
                self._read_value(draft, plan_field, text)
                return True
        return False

    def _read_value(self, draft: _AblationDraft, plan_field: AblationField, text: str) -> None:
        if plan_field.choices:
            self._read_choice(draft, plan_field, text)
        elif plan_field.name == "metrics":
            draft.values["metrics"] = tuple(_unescape_line(text).split(format.METRICS_SEPARATOR)) if text else ()
        elif plan_field.is_list:
            draft.list_name = plan_field.name
            if text.strip():
                shown = plan_field.label.lower()
                self.warnings.append(f"ablation {draft.name!r}: a {shown} stands on the line of its label; it was read")
                draft.values[draft.list_name].append(_unescape_line(text))
        else:
            draft.values[plan_field.name] = _unescape_line(text)

    def _read_choice(self, draft: _AblationDraft, plan_field: AblationField, text: str) -> None:
        choice = next((choice for choice in plan_field.choices if choice.upper() == text.strip().upper()), None)
        place = f"ablation {draft.name!r}: the {plan_field.label.lower()}"
        draft.values.pop(plan_field.name, None)
        if choice is None:
            self.warnings.append(f"{place} {text[:60]!r} is not one of {', '.join(plan_field.choices)}")
            return
        if choice != text:
            self.warnings.append(f"{place} was written {text!r}")
        draft.values[plan_field.name] = choice

    def _build_ablation(self, draft: _AblationDraft) -> Ablation | None:
        missing = [item for item in format.FIELD_LABELS if item.is_required and item.name not in draft.values]
        if missing:
            labels = " and ".join(item.label for item in missing)
            self.warnings.append(f"ablation {draft.name!r}: no line for {labels}")
        if "action" not in draft.values:
            self.warnings.append(f"ablation {draft.name!r} was left out: it has no valid action")
            return None
        empty = {item.name: () if item.is_list else "" for item in missing}
        try:
            return Ablation.model_validate({"name": draft.name, **empty, **draft.values}, context=PUBLISHED_CONTEXT)
        except ValidationError as error:
            raise TrajectoryError(
                f"{self.file_name}: ablation {draft.name!r}: {'; '.join(list_validation_faults(error))}"
            ) from None


def _strip_label(label: str, line: str) -> str | None:
    """Return the text of a line after `label`, None if the line does not begin with `label`."""
    if line.startswith(label):
        return line.removeprefix(label)
    return "" if line == label.rstrip() else None
