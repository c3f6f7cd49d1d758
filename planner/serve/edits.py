"""A person's edits of a plan. Ablations can be removed, restored, moved, added and given other replacements.

The edits are in a JSON file beside the trajectory, named `{paper}.{hash}.edits`. The hash is that of the model's plan,
so each plan has its own file. The model's plan is never changed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.details import Details, RejectedAblation, RejectionReason, choose_run_order
from planner.errors import TrajectoryError, UsageError
from planner.files import describe_os_error, read_bounded_file, write_file_atomically
from planner.schema import Ablation, OneLine, Plan, list_validation_faults
from planner.serve.folder import StoredEntry
from planner.site.entries import PlanEntry

FORMAT_VERSION: Final = "ablation-planner-edits-1"
_MAX_EDIT_BYTES: Final = 1_000_000
MAX_REPLACEMENTS: Final = 50
_ADVICE: Final = "move this file to another folder to start without edits"

Origin = Literal["plan", "considered"]
Change = Literal["strike", "restore", "up", "down", "replace"]


class EditedAblation(BaseModel):
    """An ablation of a model's plan, or a rejected candidate, as a person edited it.

    `origin` is "plan" for an ablation of the plan, and "considered" for a rejected candidate. `number` is its index,
    from 0, among the plan's ablations or the candidates. `replacement` is None if the person did not change it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Origin
    number: int = Field(ge=0)
    is_kept: bool
    replacement: tuple[OneLine, ...] | None = Field(default=None, max_length=MAX_REPLACEMENTS)

    @property
    def id(self) -> str:
        """The id of the ablation on the page, such as "plan-0"."""
        return f"{self.origin}-{self.number}"


class PlanEdit(BaseModel):
    """The edits of a plan: its ablations and candidates in the person's order, each either kept or not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal["ablation-planner-edits-1"] = FORMAT_VERSION
    ablations: tuple[EditedAblation, ...]

    @property
    def version(self) -> str:
        """A short hash of the edits. An open page uses it to notice that the plan was edited elsewhere."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def kept(self) -> tuple[EditedAblation, ...]:
        """The ablations and candidates that the person keeps."""
        return tuple(each for each in self.ablations if each.is_kept)

    @property
    def left_out(self) -> tuple[EditedAblation, ...]:
        """The ablations and candidates that the person does not keep."""
        return tuple(each for each in self.ablations if not each.is_kept)


@dataclass(frozen=True, slots=True)
class EditedPlan:
    """A model's plan with a person's edits. `edits_path` is the file with the edits."""

    entry: PlanEntry
    edit: PlanEdit
    edits_path: Path

    @property
    def is_edited(self) -> bool:
        """True if the person changed anything."""
        return self.edit != _make_unchanged_edit(self.entry)

    @property
    def kept_entry(self) -> PlanEntry:
        """The plan after the edits, with its details and findings. It may have no ablations."""
        if not self.is_edited:
            return self.entry
        return _select(self.entry, self.edit.kept, self.edit.left_out)

    @property
    def left_out_entry(self) -> PlanEntry:
        """A plan made of the ablations and candidates that the person does not keep, for a page to show them."""
        return _select(self.entry, self.edit.left_out, ())

    def get_ablation(self, edited: EditedAblation) -> Ablation:
        """Return the ablation that `edited` stands for, with the person's replacement."""
        return _build_ablation(self.entry, edited)

    def make_change(self, change: Change, ablation_id: str, replacement: Sequence[str] = ()) -> "EditedPlan":
        """Return the plan with one more change. Raise `UsageError` if the change is not possible."""
        changed = replace(self, edit=_change_edit(self.edit, change, ablation_id, tuple(replacement)))
        _select(self.entry, changed.edit.ablations, ())  # refuses a replacement that breaks the rules
        return changed

    def write_edits(self) -> None:
        """Write the edits to their file.

        Raises:
            UsageError: if the edits are too long.
            OSError: if the edits cannot be written.
        """
        content = self.edit.model_dump_json(indent=1).encode() + b"\n"
        if len(content) > _MAX_EDIT_BYTES:
            raise UsageError(f"the edits have over {_MAX_EDIT_BYTES:,} bytes; make the replacements shorter")
        write_file_atomically(self.edits_path, content)


def _make_unchanged_edit(entry: PlanEntry) -> PlanEdit:
    """Return edits that change nothing."""
    plan = (EditedAblation(origin="plan", number=n, is_kept=True) for n in range(len(entry.ablations)))
    others = (EditedAblation(origin="considered", number=n, is_kept=False) for n in range(len(entry.considered)))
    return PlanEdit(ablations=(*plan, *others))


def read_edited_plan(stored_entry: StoredEntry) -> EditedPlan | None:
    """Return a plan with the edits in the file beside its trajectory, or None if there is no plan.

    Raises:
        TrajectoryError: if the file with the edits cannot be read, or is for another plan.
    """
    entry, trajectory_path = stored_entry.entry, stored_entry.entry_files.trajectory_path
    if not (entry.trajectory and trajectory_path):
        return None
    begun = _make_unchanged_edit(entry)
    hashed = "\n".join(each.model_dump_json() for each in (*entry.ablations, *entry.considered))
    digest = hashlib.sha256(hashed.encode("utf-8", "replace")).hexdigest()
    path = trajectory_path.with_suffix(f".{digest[:8]}.edits")
    try:
        edit = PlanEdit.model_validate_json(read_bounded_file(path, _MAX_EDIT_BYTES))
    except FileNotFoundError:
        return EditedPlan(entry, begun, path)
    except OSError as error:
        raise TrajectoryError(f"{path.name}: {describe_os_error(error)}; {_ADVICE}") from None
    except ValidationError as error:
        faults = "; ".join(list_validation_faults(error))
        raise TrajectoryError(f"{path.name}: the edits cannot be read: {faults}; {_ADVICE}") from None
    if sorted(each.id for each in edit.ablations) != sorted(each.id for each in begun.ablations):
        raise TrajectoryError(f"{path.name}: the edits are for another plan; {_ADVICE}")
    return EditedPlan(entry, edit, path)


def _change_edit(edit: PlanEdit, change: Change, ablation_id: str, replacement: tuple[str, ...]) -> PlanEdit:
    items = list(edit.ablations)
    place = next((n for n, each in enumerate(items) if each.id == ablation_id), None)
    if place is None:
        raise UsageError(f"there is no ablation {ablation_id[:40]!r} in this plan")
    if change == "strike":
        items[place] = items[place].model_copy(update={"is_kept": False})
    elif change == "restore":
        restored = items.pop(place).model_copy(update={"is_kept": True})
        items.insert(max((n for n, each in enumerate(items) if each.is_kept), default=-1) + 1, restored)
    elif change == "replace":
        items[place] = items[place].model_copy(update={"replacement": replacement})
    else:
        step = -1 if change == "up" else 1
        others = range(place + step, -1 if change == "up" else len(items), step)
        other = next((n for n in others if items[n].is_kept == items[place].is_kept), place)
        items[place], items[other] = items[other], items[place]
    return PlanEdit(ablations=tuple(items))


def _select(entry: PlanEntry, chosen: Sequence[EditedAblation], left_out: Sequence[EditedAblation]) -> PlanEntry:
    """Return an entry whose plan has the `chosen` ablations. Its rejected candidates are `left_out`."""
    assert entry.trajectory is not None, "an entry without a plan cannot be edited"
    plan = Plan.model_construct(ablations=tuple(_build_ablation(entry, each) for each in chosen))
    old = set(_list_findings(entry, _make_unchanged_edit(entry).ablations))
    findings = tuple(_list_findings(entry, chosen))

    def renumber(warnings: Sequence[str]) -> tuple[str, ...]:
        return (*findings, *(warning for warning in warnings if warning not in old))

    record = entry.record
    if record is not None:
        votes = record.votes if len(record.votes) == len(entry.ablations) else ()
        details = tuple(_get_details(entry, each) for each in chosen) if entry.has_details or record.considered else ()
        record = record.model_copy(
            update={
                "details": details,
                "order": choose_run_order(details),
                "considered": tuple(_build_rejected_ablation(entry, each) for each in left_out),
                "votes": tuple(votes[each.number] if each.origin == "plan" else () for each in chosen) if votes else (),
                "warnings": renumber(record.warnings),
            }
        )
    trajectory = replace(entry.trajectory, plan=plan)
    return replace(entry, trajectory=trajectory, record=record, warnings=renumber(entry.warnings))


def _list_findings(entry: PlanEntry, chosen: Sequence[EditedAblation]) -> Iterator[str]:
    """Yield a warning for each fault that the program found in the `chosen` ablations."""
    for number, each in enumerate(chosen, start=1):
        for finding in entry.list_findings(each.number) if each.origin == "plan" else ():
            yield f"ablation {number} ({entry.ablations[each.number].name!r}): {finding}"


def _build_ablation(entry: PlanEntry, edited: EditedAblation) -> Ablation:
    source = (entry.ablations if edited.origin == "plan" else entry.considered)[edited.number]
    fields = {name: getattr(source, name) for name in Ablation.model_fields}
    if edited.replacement is None:
        return Ablation.model_construct(**fields)
    try:
        return Ablation.model_validate({**fields, "replacement": edited.replacement})
    except ValidationError as error:
        raise UsageError(f"{source.name}: {'; '.join(list_validation_faults(error))}") from None


def _get_details(entry: PlanEntry, edited: EditedAblation) -> Details:
    source = entry.details if edited.origin == "plan" else [candidate.details for candidate in entry.considered]
    return source[edited.number]


def _build_rejected_ablation(entry: PlanEntry, edited: EditedAblation) -> RejectedAblation:
    ablation = _build_ablation(entry, edited)
    is_candidate = edited.origin == "considered"
    why = entry.considered[edited.number].why if is_candidate else RejectionReason.WITHDRAWN
    return RejectedAblation.model_construct(**dict(ablation), details=_get_details(entry, edited), why=why)
