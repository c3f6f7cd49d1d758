"""Write a trajectory in the published file format, byte for byte."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from planner.controls import clean
from planner.errors import TrajectoryError
from planner.schema import PUBLISHED, Ablation, Plan, violations
from planner.trajectory import layout
from planner.trajectory.document import Trajectory
from planner.trajectory.markup import escape, settle

_VANISHED: Final = "\ufffd"
_LINE_BREAK: Final = re.compile("[\n\u2028\u2029]")


def write(trajectory: Trajectory, *, published: bool = False) -> str:
    """Return the text of the trajectory's file, in normal form, without a line end after its last line.

    `published` allows a plan that was read from a published file and breaks the plan's rules.

    Raises:
        TrajectoryError: if the plan breaks the rules and `published` is false.
    """
    settled = normal_form(trajectory, published=published)
    heading = f"{settled.planner}/{settled.model}/{settled.paper_id}"
    blocks = (
        layout.STYLE,
        f"# {_line(heading)}",
        f"{layout.REASONING_BOX}\n\n{escape(settled.reasoning)}\n{layout.BOX_END}",
        layout.PLAN_BOX[settled.task],
        *(_ablation(ablation) for ablation in settled.plan.ablations),
        layout.BOX_END,
    )
    return "\n\n".join(blocks)


def normal_form(trajectory: Trajectory, *, published: bool = False) -> Trajectory:
    """Return the trajectory in normal form: markup inert, control characters removed, reasoning stripped.

    Permanent changes are added to the warnings. Reading the written file gives exactly this trajectory.

    Raises:
        TrajectoryError: if the plan breaks the rules and `published` is false.
    """
    if not published and (broken := violations(trajectory.plan)):
        raise TrajectoryError(f"{trajectory.paper_id!r}: the plan is invalid: {'; '.join(broken)}")
    settling = _Settling(published)
    planner, model, paper_id = settling.heading(trajectory)
    reasoning = settling.reasoning(trajectory.reasoning)
    plan = settling.plan(trajectory.plan)
    return replace(
        trajectory,
        planner=planner,
        model=model,
        paper_id=paper_id,
        reasoning=reasoning,
        plan=plan,
        warnings=(*trajectory.warnings, *settling.warnings),
    )


def _ablation(ablation: Ablation) -> str:
    lines = [
        f"{layout.NAME}{_line(ablation.name)}",
        f"{layout.PART}{_line(ablation.ablated_part)}",
        f"{layout.ACTION}{ablation.action}",
    ]
    if ablation.replacement:
        lines.append(layout.REPLACEMENT)
        lines.extend(f"{layout.ITEM}{escape(item, lead=layout.ITEM_LEAD)}" for item in ablation.replacement)
    lines.append(f"{layout.METRICS}{_line(layout.BETWEEN_METRICS.join(ablation.metrics))}")
    return "\n".join(lines)


def _line(text: str) -> str:
    return escape(text, lead=layout.LINE_LEAD)


class _Settling:
    """A converter of one trajectory's texts to normal form; `warnings` list the permanent changes."""

    def __init__(self, published: bool) -> None:
        self.published = published
        self.warnings: list[str] = []

    def heading(self, trajectory: Trajectory) -> tuple[str, str, str]:
        """Normalize the planner, model and paper id. Only a model's name may hold slashes, so others become "_"."""
        planner, paper_id = (segment.replace("/", "_") for segment in (trajectory.planner, trajectory.paper_id))
        if (planner, paper_id) != (trajectory.planner, trajectory.paper_id):
            self.warnings.append("heading: a slash in the planner's name or the paper's id became an underscore")
        whole = self.line("heading", f"{planner}/{trajectory.model}/{paper_id}")
        planner, _, rest = whole.partition("/")
        model, _, paper_id = rest.rpartition("/")
        return planner, model, paper_id

    def reasoning(self, text: str) -> str:
        return self._inert("reasoning", self._clean("reasoning", text).strip(), lead="")

    def plan(self, plan: Plan) -> Plan:
        ablations = [self.ablation(f"ablation {number}", a) for number, a in enumerate(plan.ablations, start=1)]
        names = self._unique([ablation.name for ablation in ablations])
        renamed = [ablation.model_copy(update={"name": name}) for ablation, name in zip(ablations, names, strict=True)]
        return Plan.model_validate({"ablations": renamed}, context=PUBLISHED)

    def ablation(self, place: str, ablation: Ablation) -> Ablation:
        settled = {
            "name": self.line(f"{place}, name", ablation.name),
            "ablated_part": self.line(f"{place}, ablated part", ablation.ablated_part),
            "action": ablation.action,
            "replacement": tuple(
                self.line(f"{place}, replacement", item, lead=layout.ITEM_LEAD) for item in ablation.replacement
            ),
            "metrics": self.metrics(f"{place}, metrics", ablation.metrics),
        }
        return Ablation.model_validate(settled, context=PUBLISHED)

    def metrics(self, place: str, metrics: tuple[str, ...]) -> tuple[str, ...]:
        """Normalize metrics to the form in which they will be read: one that holds the separator becomes several."""
        if not metrics:
            return ()
        parts = self.line(place, layout.BETWEEN_METRICS.join(metrics)).split(layout.BETWEEN_METRICS)
        named = [part for part in parts if self.published or part.strip()]
        if len(named) < len(parts):
            self.warnings.append(f"{place}: an empty metric was left out")
        return tuple(named) or (_VANISHED,)

    def line(self, place: str, text: str, *, lead: str = layout.LINE_LEAD) -> str:
        """Normalize a text to one line: characters at which some renderers break a line become blanks."""
        cleaned, breaks = _LINE_BREAK.subn(" ", self._clean(place, text))
        if breaks:
            self.warnings.append(f"{place}: {breaks} line breaks became blanks")
        if text.strip() and not cleaned.strip():
            cleaned = _VANISHED
        return self._inert(place, cleaned, lead=lead)

    def _clean(self, place: str, text: str) -> str:
        cleaned = clean(text)
        self.warnings += (f"{place}: {removed} removed" for removed in cleaned.removed)
        return cleaned.text

    def _inert(self, place: str, text: str, *, lead: str) -> str:
        settled = settle(text, lead=lead)
        self.warnings += (f"{place}: {changed} was made plain text" for changed in settled.changed)
        return settled.text

    def _unique(self, names: Sequence[str]) -> list[str]:
        """Add numbers to names that became equal when characters were removed from them."""
        if self.published:
            return list(names)
        unique: list[str] = []
        for name in names:
            numbered = (name, *(f"{name} ({number})" for number in range(2, len(names) + 1)))
            unique.append(next(candidate for candidate in numbered if candidate not in unique))
        if unique != list(names):
            self.warnings.append("plan: names that had become equal were numbered")
        return unique
