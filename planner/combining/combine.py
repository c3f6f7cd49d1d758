"""Combine plans of several models, samples or runs for the same paper and task into one plan."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

from planner.chat import COMBINED_PLANNER
from planner.combining.members import Member, Proposal, index_members
from planner.details import (
    DEFAULT_MIN_CHANCE,
    SAME_PART,
    Details,
    RejectedAblation,
    RejectionReason,
    choose_run_order,
    decide_rejection_reasons,
    select_distinct_studies,
)
from planner.errors import Outcome, TrajectoryError
from planner.matching import group_ablations
from planner.names import number_repeated_names
from planner.planning.output import PlanOutput, write_combined_plan
from planner.planning.record import PaperRecord, PlanRecord
from planner.schema import DEFAULT_K, Plan, Task
from planner.site.entries import UnreadFile
from planner.trajectory.format import Trajectory, normalize_trajectory

_UNKNOWN_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)  # for published plans, which have no time
_STRATEGY: Final = "combine"
_MAX_REJECTED: Final = 200  # studies on record; hostile plans have thousands


@dataclass(frozen=True, slots=True)
class _ProposedStudy:
    """An ablation that one or more members propose. A member is one of the plans to combine.

    `member_count` is the number of all members, with or without this ablation. `has_chances` is true if every member
    states chances.
    """

    proposals: tuple[Proposal, ...]
    member_count: int
    has_chances: bool

    @property
    def chance(self) -> int | None:
        """The mean chance in percent over all members, or None if not all members state chances.

        A member that does not propose the ablation counts as 0. The mean is rounded.
        """
        return (2 * self._chance_sum + self.member_count) // (2 * self.member_count) if self.has_chances else None

    @property
    def best_proposal(self) -> Proposal:
        """The proposal with the highest chance. If chances are equal, the best rank decides, then the member's name."""
        return min(self.proposals, key=lambda p: (-self._get_chance(p), p.rank, p.member_name))

    @property
    def details(self) -> Details:
        """The details of the best proposal. Their chance is replaced by the chance of the study."""
        return self.best_proposal.details.model_copy(update={"chance": self.chance})

    @property
    def sort_key(self) -> tuple[int, int, Fraction, int, str]:
        """The key for sorting studies, best first: by mean chance, number of proposals, mean rank and best proposal."""
        mean_rank = Fraction(sum(proposal.rank for proposal in self.proposals), len(self.proposals))
        best = self.best_proposal
        return -self._chance_sum, -len(self.proposals), mean_rank, best.rank, best.member_name

    @property
    def _chance_sum(self) -> int:
        return sum(map(self._get_chance, self.proposals))

    def _get_chance(self, proposal: Proposal) -> int:
        return (proposal.details.chance or 0) if self.has_chances else 0


@dataclass(frozen=True, slots=True)
class _ChosenStudies:
    """The studies of a combined plan, the best first, and (study, reason) for each rejected study.

    `min_chance` is None if not all members state chances.
    """

    kept: tuple[_ProposedStudy, ...]
    rejected: tuple[tuple[_ProposedStudy, RejectionReason], ...]
    k: int
    min_chance: int | None


@dataclass(frozen=True, slots=True)
class SingleMemberPaper:
    """A paper and task with only one plan. There is nothing to combine."""

    paper_id: str
    task: Task
    member: str


CombineResult = PlanOutput | SingleMemberPaper | UnreadFile


def combine_plans_by_paper(
    folders: Sequence[Path], output: Path, *, k: int | None = None, min_chance: int | None = None
) -> Iterator[CombineResult]:
    """Combine the plans in run folders or in other folders of trajectories. Write the new plans to `output`.

    First yield each file that cannot be used, then the result for each paper and task. If `k` or `min_chance` is None,
    the task's default is used.

    Raises:
        UsageError: if there is no plan.
        OSError: if `output` cannot be written.
    """
    index = index_members(folders)
    yield from index.unread_files
    for paper_id in sorted(index.entry_files_by_paper):
        try:
            members_by_task = index.read_members(paper_id)
        except TrajectoryError as error:
            yield UnreadFile(paper_id, str(error))
            continue
        for task, members in members_by_task.items():
            chosen = _choose_studies(members, task, k or DEFAULT_K[task], min_chance)
            yield _write_plan(output, index.list_names(task), paper_id, task, members, chosen)


def _choose_studies(members: Sequence[Member], task: Task, k: int, min_chance: int | None) -> _ChosenStudies:
    """Choose the studies of a combined plan, at most `k` with a chance of at least `min_chance` percent.

    `members` must be sorted by name. If `min_chance` is None, the task's default is used. If a member states no
    chances, `min_chance` is ignored, and studies are ranked by the number of their proposals, then by their mean rank.
    """
    has_chances = all(member.has_chances for member in members)
    least = (DEFAULT_MIN_CHANCE[task] if min_chance is None else min_chance) if has_chances else None
    proposals = [member.list_proposals(with_considered=has_chances) for member in members]
    groups = group_ablations([[proposal.ablation for proposal in each] for each in proposals])
    proposed = (_ProposedStudy(tuple(proposals[m][n] for m, n in group), len(members), has_chances) for group in groups)
    studies = sorted(proposed, key=lambda study: study.sort_key)
    reasons = decide_rejection_reasons([study.chance for study in studies], k, least)
    kept = tuple(study for study, why in zip(studies, reasons, strict=True) if why is None)
    rejected = tuple((study, why) for study, why in zip(studies, reasons, strict=True) if why)
    return _ChosenStudies(kept, rejected[:_MAX_REJECTED], k, least)


def _hash_names(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _write_plan(
    output: Path, names: Sequence[str], paper_id: str, task: Task, members: Sequence[Member], chosen: _ChosenStudies
) -> CombineResult:
    """Write the combined plan of a paper. `names` are all members for the task, also those without this paper."""
    if len(members) == 1:
        return SingleMemberPaper(paper_id, task, members[0].name)
    if not chosen.kept:
        return UnreadFile(paper_id, f"no member has a valid ablation for the {task} task")
    ablations = [study.best_proposal.ablation for study in chosen.kept]
    unique = zip(ablations, number_repeated_names(each.name for each in ablations), strict=True)
    plan = Plan(ablations=tuple(ablation.model_copy(update={"name": name}) for ablation, name in unique))
    model = f"{len(names)}-members-{_hash_names(names)[:8]}"
    reasoning = "\n\n".join(_list_paragraphs([member.name for member in members], len(names), chosen))
    try:
        trajectory = normalize_trajectory(Trajectory(COMBINED_PLANNER, model, paper_id, task, reasoning, plan))
        record = _build_record(trajectory, members, chosen)
        warnings = (*trajectory.warnings, *_list_findings(plan, members, chosen))
        return write_combined_plan(output, record.model_copy(update={"warnings": warnings}), trajectory)
    except TrajectoryError as error:
        return UnreadFile(paper_id, str(error))


def _build_record(trajectory: Trajectory, members: Sequence[Member], chosen: _ChosenStudies) -> PlanRecord:
    records = [member.entry.record for member in members if member.entry.record]
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
        template_sha256=_hash_names(names),  # so that a plan of other members does not replace this one
        started=max((record.started for record in records), default=_UNKNOWN_TIME),
        cost=0.0,
        strategy=_STRATEGY,
        min_chance=chosen.min_chance,
        details=details if has_details else (),
        order=choose_run_order(details) if has_details else (),
        considered=tuple(
            RejectedAblation(**dict(study.best_proposal.ablation), details=study.details, why=why)
            for study, why in chosen.rejected
        ),
        reported=select_distinct_studies(chain.from_iterable(record.reported for record in records)),
        votes=tuple(tuple(proposal.recorded_vote for proposal in study.proposals) for study in chosen.kept),
    )


def _list_findings(plan: Plan, members: Sequence[Member], chosen: _ChosenStudies) -> Iterator[str]:
    """Yield a warning for each fault that the program found in an ablation of the combined plan."""
    records = {member.name: member.entry.record for member in members}
    for number, (ablation, study) in enumerate(zip(plan.ablations, chosen.kept, strict=True), start=1):
        best, record = study.best_proposal, records[study.best_proposal.member_name]
        for finding in record.list_findings(best.rank - 1, best.ablation.name) if record else ():
            if not finding.startswith(SAME_PART):
                yield f"ablation {number} ({ablation.name!r}): {finding}"


def _describe_paper(paper_id: str, records: Sequence[PlanRecord]) -> PaperRecord:
    if records:
        return records[0].paper.model_copy(update={"id": paper_id})
    return PaperRecord(id=paper_id, title="", source="", format="", main_file="", sha256="", chars=0)


def _list_paragraphs(names: Sequence[str], all_count: int, chosen: _ChosenStudies) -> Iterator[str]:
    """Yield the paragraphs of a combined plan's reasoning.

    `names` are the members with a plan for this paper. `all_count` also counts the members without one.
    """
    further = f" (of {all_count}; no other has a plan for this paper)" if all_count > len(names) else ""
    yield (
        f"This plan combines the plans of {len(names)} members{further}: {', '.join(names)}. "
        "No model was asked for it. "
        "Ablations of different members count as one study if they clearly change the same part in the same way. "
        f"Each study has the words of the member that rates it highest. {_describe_rule(chosen)}"
    )
    yield "\n".join(f"{number}. {_describe_study(study)}" for number, study in enumerate(chosen.kept, start=1))
    if chosen.rejected:
        yield "Not in the plan:"
        yield "\n".join(f"- {_describe_study(study)}; {why}" for study, why in chosen.rejected)


def _describe_rule(chosen: _ChosenStudies) -> str:
    if chosen.min_chance is None:
        return (
            "Some members give no chances, so studies are ranked by their votes, then by their mean rank; "
            f"at most {chosen.k} are in the plan."
        )
    return (
        "The chance of a study is the mean over all members; a member without the study counts as 0 %. "
        f"The plan has at most {chosen.k} studies with a chance of {chosen.min_chance} % or more, and always the best."
    )


def _describe_study(study: _ProposedStudy) -> str:
    chance = "" if study.chance is None else f", chance {study.chance} %"
    count = f"{len(study.proposals)} of {study.member_count} votes{chance}"
    votes = (proposal.recorded_vote for proposal in study.proposals)
    named = (f"{v.member} {f'{v.chance} %' if v.chance is not None else f'rank {v.rank}'}" for v in votes)
    return (
        f"{study.best_proposal.ablation.name}: {count} ({', '.join(named)}); words of {study.best_proposal.member_name}"
    )
