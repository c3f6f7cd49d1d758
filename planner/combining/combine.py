"""Combine the plans of several models, samples or runs: one plan for each paper and task, with the votes of members."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

from planner.chat import COMBINED_PLANNER
from planner.combining.members import Member, index_members
from planner.combining.studies import ChosenStudies, Study, choose_studies, write_reasoning
from planner.details import SAME_PART, Candidate, Details, RejectionReason, join_reported_studies, order_runs
from planner.errors import Outcome, TrajectoryError
from planner.planning.output import PlanOutput, write_combined_plan
from planner.planning.record import PaperRecord, PlanRecord
from planner.schema import DEFAULT_K, Ablation, Plan, Task
from planner.site.entry_index import UnreadFile
from planner.trajectory.format import Trajectory, normalize_trajectory

_UNKNOWN_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)  # published plans have no time, and the clock's would change
_STRATEGY: Final = "combine"


@dataclass(frozen=True, slots=True)
class SinglePlan:
    """A paper and task for which only one member has a plan, so that there is nothing to combine."""

    paper_id: str
    task: Task
    member: str


CombineResult = PlanOutput | SinglePlan | UnreadFile


def combine_plans(
    folders: Sequence[Path], output: Path, *, k: int | None = None, min_chance: int | None = None
) -> Iterator[CombineResult]:
    """Combine the plans in run folders, or in other folders of trajectories, and write the new plans into `output`.

    Yield each file that cannot be used, then each combined plan, or the only plan, by paper and task. `k` and
    `min_chance` are the task's defaults if they are None.

    Raises:
        UsageError: if there is no plan.
        OSError: if `output` cannot be written.
    """
    index = index_members(folders)
    yield from index.unread_files
    for paper_id in sorted(index.papers):
        try:
            members_by_task = index.read_members(paper_id)
        except TrajectoryError as error:
            yield UnreadFile(paper_id, str(error))
            continue
        for task, members in members_by_task.items():
            chosen = choose_studies(members, task, k or DEFAULT_K[task], min_chance)
            model = name_combined_model(index.list_names(task))
            yield _write_plan(output, model, paper_id, task, members, chosen)


def name_combined_model(names: Sequence[str]) -> str:
    """Return the model segment of the plans that combine these members: their number, and a hash of their names."""
    return f"{len(names)}-members-{_hash_names(names)[:8]}"


def _hash_names(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _write_plan(
    output: Path, model: str, paper_id: str, task: Task, members: Sequence[Member], chosen: ChosenStudies
) -> CombineResult:
    if len(members) == 1:
        return SinglePlan(paper_id, task, members[0].name)
    if not chosen.kept:
        return UnreadFile(paper_id, f"no member has a valid ablation for the {task} task")
    plan = Plan(ablations=tuple(_number_names([study.best_proposal.ablation for study in chosen.kept])))
    reasoning = write_reasoning([member.name for member in members], chosen)
    try:
        trajectory = normalize_trajectory(Trajectory(COMBINED_PLANNER, model, paper_id, task, reasoning, plan))
        record = _build_record(trajectory, members, chosen)
        warnings = (*trajectory.warnings, *_list_findings(plan, members, chosen))
        return write_combined_plan(output, record.model_copy(update={"warnings": warnings}), trajectory)
    except TrajectoryError as error:
        return UnreadFile(paper_id, str(error))


def _build_record(trajectory: Trajectory, members: Sequence[Member], chosen: ChosenStudies) -> PlanRecord:
    records = [member.record for member in members if member.record]
    details = tuple(study.details for study in chosen.kept)
    names, has_details = [member.name for member in members], any(each != Details() for each in details)
    return PlanRecord(
        planner=trajectory.planner,
        model=trajectory.model,
        model_asked="",
        parameters={"members": list(names)},
        task=trajectory.task,
        k=chosen.k,
        outcome=Outcome.PLANNED,
        paper=_describe_paper(trajectory.paper_id, records),
        template_sha256=_hash_names(names),  # other members for a paper are another question
        started=max((record.started for record in records), default=_UNKNOWN_TIME),
        cost=0.0,
        strategy=_STRATEGY,
        min_chance=chosen.min_chance,
        details=details if has_details else (),
        order=order_runs(details) if has_details else (),
        considered=tuple(_build_candidate(study, why) for study, why in chosen.rejected),
        reported=join_reported_studies(chain.from_iterable(record.reported for record in records)),
        votes=tuple(tuple(proposal.vote for proposal in study.proposals) for study in chosen.kept),
    )


def _list_findings(plan: Plan, members: Sequence[Member], chosen: ChosenStudies) -> Iterator[str]:
    """Yield the faults that the program found in the ablations whose words the plan has, as warnings of this plan."""
    records = {member.name: member.record for member in members}
    for number, (ablation, study) in enumerate(zip(plan.ablations, chosen.kept, strict=True), start=1):
        best, record = study.best_proposal, records[study.best_proposal.member]
        for finding in record.list_findings(best.rank, best.ablation.name) if record else ():
            if not finding.startswith(SAME_PART):
                yield f"ablation {number} ({ablation.name!r}): {finding}"


def _describe_paper(paper_id: str, records: Sequence[PlanRecord]) -> PaperRecord:
    if records:
        return records[0].paper.model_copy(update={"id": paper_id})
    return PaperRecord(id=paper_id, title="", source="", format="", main_file="", sha256="", chars=0)


def _build_candidate(study: Study, why: RejectionReason) -> Candidate:
    return Candidate(**dict(study.best_proposal.ablation), details=study.details, why=why)


def _number_names(ablations: Sequence[Ablation]) -> Iterator[Ablation]:
    """Yield the ablations, with numbers after names that an earlier one has, since names are unique in a plan."""
    used: set[str] = set()
    for ablation in ablations:
        names = (ablation.name, *(f"{ablation.name} ({number})" for number in range(2, len(ablations) + 1)))
        name = next(name for name in names if name not in used)
        used.add(name)
        yield ablation.model_copy(update={"name": name})
