"""Join what the members of a combined plan propose to studies, rank these, choose those to keep, and say why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from planner.combining.members import Member, Proposal
from planner.details import DEFAULT_MIN_CHANCE, Details, RejectionReason, find_rejections
from planner.matching import group_ablations
from planner.schema import Task

_MAX_REJECTED: Final = 200  # of studies on record; hostile plans have thousands


@dataclass(frozen=True, slots=True)
class Study:
    """The same ablation in the plans of one or more of `member_count` members.

    `has_chances` is true if all members state chances.
    """

    proposals: tuple[Proposal, ...]
    member_count: int
    has_chances: bool

    @property
    def chance(self) -> int | None:
        """The mean chance in percent over all members, of which those without this study give 0; None without chances.

        It is rounded, half a percent up.
        """
        return (2 * self._chance_sum + self.member_count) // (2 * self.member_count) if self.has_chances else None

    @property
    def best_proposal(self) -> Proposal:
        """The proposal with the highest chance; of equal ones that of the better rank, then of the first name."""
        return min(self.proposals, key=lambda p: (-self._get_chance(p), p.rank, p.member))

    @property
    def details(self) -> Details:
        """The details of the best proposal, with the mean chance."""
        return self.best_proposal.details.model_copy(update={"chance": self.chance})

    @property
    def order(self) -> tuple[int, int, Fraction, int, str]:
        """The order of studies: by the mean chance, the votes, the mean rank, and the best proposal."""
        mean_rank = Fraction(sum(proposal.rank for proposal in self.proposals), len(self.proposals))
        best = self.best_proposal
        return -self._chance_sum, -len(self.proposals), mean_rank, best.rank, best.member

    @property
    def _chance_sum(self) -> int:
        return sum(map(self._get_chance, self.proposals))

    def _get_chance(self, proposal: Proposal) -> int:
        return (proposal.details.chance or 0) if self.has_chances else 0


@dataclass(frozen=True, slots=True)
class ChosenStudies:
    """The studies of a combined plan, the best first, and those that it does not keep, with the reasons.

    `min_chance` is None if not all members state chances.
    """

    kept: tuple[Study, ...]
    rejected: tuple[tuple[Study, RejectionReason], ...]
    k: int
    min_chance: int | None


def choose_studies(members: Sequence[Member], task: Task, k: int, min_chance: int | None) -> ChosenStudies:
    """Return the studies of a plan of at most `k`, with at least `min_chance` percent (None: the task's default).

    The members are in the order of their names. Without chances of all members, studies are ranked by their votes, then
    by their mean rank, and no chance is required.
    """
    has_chances = all(member.has_chances for member in members)
    least = (DEFAULT_MIN_CHANCE[task] if min_chance is None else min_chance) if has_chances else None
    studies = join_proposals([member.list_proposals(with_considered=has_chances) for member in members], has_chances)
    rejections = list(zip(studies, find_rejections([study.chance for study in studies], k, least), strict=True))
    kept = tuple(study for study, why in rejections if why is None)
    return ChosenStudies(kept, tuple((study, why) for study, why in rejections if why)[:_MAX_REJECTED], k, least)


def join_proposals(proposals: Sequence[Sequence[Proposal]], has_chances: bool) -> list[Study]:
    """Return the studies that members propose, the best first; `proposals` has those of each member."""
    groups = group_ablations([[proposal.ablation for proposal in each] for each in proposals])
    studies = [Study(tuple(proposals[m][n] for m, n in group), len(proposals), has_chances) for group in groups]
    return sorted(studies, key=lambda study: study.order)


def write_reasoning(names: Sequence[str], chosen: ChosenStudies) -> str:
    """Return the reasoning of a plan that combines the plans of the members with these names."""
    return "\n\n".join(filter(None, _list_paragraphs(names, chosen)))


def _list_paragraphs(names: Sequence[str], chosen: ChosenStudies) -> Iterator[str]:
    yield (
        f"This plan combines the plans of {len(names)} members: {', '.join(names)}. No model was asked for it. "
        "Ablations of different members are one study if they surely change the same part in the same way. "
        f"Each study has the words of the member that rates it highest. {_describe_rule(chosen)}"
    )
    yield "\n".join(f"{number}. {_describe_study(study)}" for number, study in enumerate(chosen.kept, start=1))
    if chosen.rejected:
        yield "Not in the plan:"
        yield "\n".join(f"- {_describe_study(study)}; {why}" for study, why in chosen.rejected)


def _describe_rule(chosen: ChosenStudies) -> str:
    if chosen.min_chance is None:
        return (
            "Not every member states chances, so studies are ranked by their votes, then by their mean rank; "
            f"at most {chosen.k} are in the plan."
        )
    return (
        "The chance of a study is the mean over all members, and a member without it counts as 0 %. "
        f"At most {chosen.k} studies with a chance of {chosen.min_chance} % or more are in the plan, the best always."
    )


def _describe_study(study: Study) -> str:
    chance = "" if study.chance is None else f", chance {study.chance} %"
    count = f"{len(study.proposals)} of {study.member_count} votes{chance}"
    votes = (proposal.vote for proposal in study.proposals)
    named = (f"{v.member} {f'{v.chance} %' if v.chance is not None else f'rank {v.rank}'}" for v in votes)
    return f"{study.best_proposal.ablation.name}: {count} ({', '.join(named)}); words of {study.best_proposal.member}"
