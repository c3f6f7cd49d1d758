"""Take the majority of several judges, as AblationBench does, with a warning for each tie and missing verdict."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eval.coverage import Status
from eval.runs import JudgedPaper, Judging
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict
from planner.errors import UsageError
from planner.schema import Task
from planner.sidecar import total_cost

NO_VOTE: Final = "no vote"
NO_MAJORITY: Final = "no majority"


@dataclass(frozen=True, slots=True)
class Voted:
    """The majority's verdicts on one paper; `ties` are the names of ablations without a majority."""

    verdicts: tuple[Verdict, ...]
    ties: tuple[str, ...]


def vote(judgings: Sequence[Judging]) -> Judging:
    """Return the judged run of the majority; the judges that scored a paper vote on it, and without any it is unscored.

    Raises:
        UsageError: if there are fewer than two judges, or if they judged different systems or tasks.
    """
    runs = [judging.run for judging in judgings]
    if len(runs) < 2:
        raise UsageError("a vote needs the verdicts of two judges or more")
    for run in runs[1:]:
        if (run.task, run.system) != (runs[0].task, runs[0].system):
            raise UsageError(
                f"the judges judged different plans: {runs[0].system} ({runs[0].task}) and {run.system} ({run.task})"
            )
    papers = dict.fromkeys(paper.id for run in runs for paper in run.papers)
    ended = [_paper(paper_id, judgings) for paper_id in papers]
    judges = ", ".join(run.judge for run in runs)
    run = runs[0].model_copy(
        update={
            "judge": f"majority of {judges}",
            "endpoint": "",
            "parameters": {},
            "papers": tuple(p for p, _ in ended),
        }
    )
    return Judging(run, {paper.id: verdicts for paper, verdicts in ended if verdicts is not None})


def majority_author(judges: Sequence[Iterable[AuthorVerdict]]) -> Voted:
    """Return, for each ablation of the paper, the set of names that more than half of the votes are for, else no match.

    "No match" is a vote too; a judge without a verdict on an ablation has no vote on it.
    """
    votes: dict[str, list[tuple[str, ...]]] = {}
    for verdicts in judges:
        for verdict in verdicts:
            votes.setdefault(verdict.name_in_paper, []).append(verdict.name_in_plan)
    found: list[Verdict] = []
    ties: list[str] = []
    for name, names in votes.items():
        (winner, count), *_ = Counter(map(frozenset, names)).most_common(1)
        if count <= len(names) // 2:
            ties.append(name)
            winner = frozenset()
        in_order = next((ordered for ordered in names if frozenset(ordered) == winner), ())
        found.append(AuthorVerdict(name_in_paper=name, name_in_plan=in_order))
    return Voted(tuple(found), tuple(ties))


def majority_reviewer(judges: Sequence[Iterable[ReviewerVerdict]]) -> Voted:
    """Return, for each ablation of the plan, yes if more than half of its votes say that a review asks for it."""
    votes: dict[str, list[bool]] = {}
    for verdicts in judges:
        for verdict in verdicts:
            votes.setdefault(verdict.name_in_plan, []).append(verdict.appears_in_review)
    found = [
        ReviewerVerdict(name_in_plan=name, appears_in_review=sum(said) > len(said) // 2) for name, said in votes.items()
    ]
    return Voted(tuple(found), tuple(name for name, said in votes.items() if 2 * sum(said) == len(said)))


def _paper(paper_id: str, judgings: Sequence[Judging]) -> tuple[JudgedPaper, tuple[Verdict, ...] | None]:
    seen = [(judging.run.judge, paper) for judging in judgings if (paper := _found(paper_id, judging)) is not None]
    facts = seen[0][1]
    if facts.status in (Status.FAILED, Status.ABSENT):
        return facts, None
    cast = [judging.verdicts[paper_id] for judging in judgings if paper_id in judging.verdicts]
    missing = [f"{NO_VOTE} of {judge}: {paper.reason}" for judge, paper in seen if paper.status is Status.UNSCORED]
    if len(seen) < len(judgings):
        missing.append(f"{NO_VOTE} of {len(judgings) - len(seen)} judges, which never had this paper")
    if not cast:
        return facts.model_copy(update={"reason": "; ".join(missing)}), None
    voted = _majority(judgings[0].run.task, cast)
    ties = [f"{NO_MAJORITY} on {name!r}: counted as no" for name in voted.ties]
    return _voted(facts, [paper for _, paper in seen], (*missing, *ties)), voted.verdicts


def _voted(facts: JudgedPaper, seen: Sequence[JudgedPaper], told: tuple[str, ...]) -> JudgedPaper:
    update: Mapping[str, object] = {
        "status": Status.SCORED,
        "reason": "",
        "judge_cost": total_cost(paper.judge_cost for paper in seen),
        "asked": sum(paper.asked for paper in seen),
        "positional": None,
        "flags": tuple(dict.fromkeys(flag for paper in seen for flag in paper.flags)),
        "warnings": (*facts.warnings, *told),
    }
    return facts.model_copy(update=update)


def _majority(task: Task, cast: Sequence[tuple[Verdict, ...]]) -> Voted:
    if task is Task.AUTHOR:
        return majority_author([[v for v in verdicts if isinstance(v, AuthorVerdict)] for verdicts in cast])
    return majority_reviewer([[v for v in verdicts if isinstance(v, ReviewerVerdict)] for verdicts in cast])


def _found(paper_id: str, judging: Judging) -> JudgedPaper | None:
    return next((paper for paper in judging.run.papers if paper.id == paper_id), None)
