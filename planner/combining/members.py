"""Find the members of a combined plan, that is, the plans of several models, samples or runs to combine."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from planner.chat import COMBINED_PLANNER
from planner.details import Details, RejectionReason, Vote
from planner.errors import Outcome, TrajectoryError, UsageError
from planner.schema import PLAN_FIELDS, Ablation, Task
from planner.site.entries import EntryFiles, PlanEntry, UnreadFile, index_entries, read_plan_entry


@dataclass(frozen=True, slots=True)
class Proposal:
    """An ablation in a plan to combine; `member_name` is the name of this plan, and `rank` its rank there, from 1."""

    member_name: str
    ablation: Ablation
    details: Details
    rank: int

    @property
    def recorded_vote(self) -> Vote:
        """The member's vote for this ablation, with its rank and its chance."""
        return Vote(member=self.member_name, name=self.ablation.name, rank=self.rank, chance=self.details.chance)


@dataclass(frozen=True, slots=True)
class Member:
    """A plan to combine. Its name is unique among the plans to combine."""

    name: str
    entry: PlanEntry

    @property
    def has_chances(self) -> bool:
        """True if the plan states the chance of at least one ablation. Ablations without one then count as 0 %."""
        return any(details.chance is not None for details in self.entry.details)

    def list_proposals(self, *, with_considered: bool) -> tuple[Proposal, ...]:
        """Return the ablations of the plan. If `with_considered` is true, add its rejected candidates.

        Candidates that the model withdrew, and ablations that break a rule, are left out.
        """
        pairs = list(zip(self.entry.ablations, self.entry.details, strict=True))
        if with_considered:
            pairs += [(c, c.details) for c in self.entry.considered if c.why is not RejectionReason.WITHDRAWN]
        return tuple(
            Proposal(self.name, ablation, details, rank)
            for rank, (given, details) in enumerate(pairs, start=1)
            if (ablation := _copy_ablation(given))
        )


class _MemberKey(NamedTuple):
    """The origin of a plan to combine. `number` tells apart plans with the same task, model, run and paper."""

    task: Task
    model: str
    run: str
    number: int


@dataclass(frozen=True, slots=True)
class MemberIndex:
    """The files of the plans for each paper, the names of the members, and the files that cannot be used.

    The plans are not kept in memory, since there may be many. They are read again when they are combined.
    """

    entry_files_by_paper: Mapping[str, tuple[EntryFiles, ...]]
    _names_by_key: Mapping[_MemberKey, str]
    unread_files: tuple[UnreadFile, ...]

    def list_names(self, task: Task) -> tuple[str, ...]:
        """Return the sorted names of the plans to combine for a task."""
        return tuple(sorted(name for key, name in self._names_by_key.items() if key.task is task))

    def read_members(self, paper_id: str) -> dict[Task, tuple[Member, ...]]:
        """Read the plans to combine for a paper. Return those of each task, sorted by name.

        Raises:
            TrajectoryError: if the plans were changed after they had been found.
        """
        members: dict[Task, list[Member]] = {task: [] for task in Task}
        for key, entry in _number_plans(
            _read_entry(entry_files)[0] for entry_files in self.entry_files_by_paper[paper_id]
        ):
            if key not in self._names_by_key:
                raise TrajectoryError(f"{paper_id}: the plans for this paper changed while they were combined")
            members[key.task].append(Member(self._names_by_key[key], entry))
        return {task: tuple(sorted(found, key=lambda m: m.name)) for task, found in members.items() if found}


def index_members(folders: Sequence[Path]) -> MemberIndex:
    """Find the plans in run folders, or in other folders of trajectories. Leave out combined plans.

    Raises:
        UsageError: if there is no plan.
    """
    index, keys, unread = index_entries(folders), set[_MemberKey](), list[UnreadFile]()
    for all_entry_files in index.entry_files_by_paper.values():
        read = [_read_entry(each) for each in all_entry_files]
        keys.update(key for key, _ in _number_plans(entry for entry, _ in read))
        unread += (UnreadFile(str(each.path), why) for each, (_, why) in zip(all_entry_files, read, strict=True) if why)
    if not keys and not unread and not index.unread_files:
        raise UsageError(f"{', '.join(map(str, folders))}: no plan was found")
    return MemberIndex(index.entry_files_by_paper, _name_members(keys), (*index.unread_files, *unread))


def _name_members(keys: Set[_MemberKey]) -> dict[_MemberKey, str]:
    """Return a unique name for each plan to combine, made of its model and, if needed, its run and its number."""
    runs = Counter(key[:2] for key in {key._replace(number=1) for key in keys})
    return {
        key: key.model + (f" ({key.run})" if runs[key[:2]] > 1 else "") + (f" #{key.number}" if key.number > 1 else "")
        for key in keys
    }


def _read_entry(entry_files: EntryFiles) -> tuple[PlanEntry, str]:
    """Return (entry, problem). The problem says why one of the entry's files cannot be used, or is ""."""
    entry = read_plan_entry(entry_files)
    record, why = entry.record, entry.warnings[-1] if entry.warnings else ""
    if entry.trajectory is None:
        return entry, why if entry.outcome is Outcome.PLANNED else ""
    if record is None:
        return entry, why if entry_files.record_path else ""
    if not entry.is_own_record(record):
        return replace(entry, record=None), "its record belongs to another plan"
    return entry, ""


def _number_plans(entries: Iterable[PlanEntry]) -> Iterator[tuple[_MemberKey, PlanEntry]]:
    """Yield the plans of one paper with their origins. Of several identical plans, only one is yielded."""
    numbers: Counter[tuple[Task, str, str]] = Counter()
    plans: dict[str, PlanEntry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.record is None, entry.run)):
        if entry.trajectory and entry.planner != COMBINED_PLANNER:
            plans.setdefault(repr(replace(entry.trajectory, warnings=())), entry)
    for _, entry in sorted(plans.items()):
        origin = (entry.task, entry.model_name, entry.run)
        numbers[origin] += 1
        yield _MemberKey(*origin, numbers[origin]), entry


def _copy_ablation(ablation: Ablation) -> Ablation | None:
    """Return an `Ablation` without the fields that only candidates have, or None if the ablation breaks a rule."""
    try:
        return Ablation.model_validate({field.name: getattr(ablation, field.name) for field in PLAN_FIELDS})
    except ValidationError:
        return None
