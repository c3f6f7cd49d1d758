"""Take the majority of several judges, as AblationBench does: of judged runs, or of published files of verdicts.

A judged run gets a warning for each tie and for each missing vote.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eval.plans import PaperStatus, find_files
from eval.runs import JudgedPaper, JudgedRun
from eval.tables import TableError
from eval.verdicts import (
    AuthorVerdict,
    ReviewerVerdict,
    Verdict,
    detect_verdict_task,
    read_author_verdicts,
    read_reviewer_verdicts,
)
from planner.errors import UsageError
from planner.planning.record import sum_costs_if_all_known
from planner.schema import Task

NO_VOTE: Final = "no vote"
NO_MAJORITY: Final = "no majority"


@dataclass(frozen=True, slots=True)
class MajorityVerdicts:
    """The majority's verdicts on one paper; `tied_names` are the names of ablations without a majority."""

    verdicts: tuple[Verdict, ...]
    tied_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileVotes:
    """The majority's verdicts by paper id, and the number of files that are missing in the judges' folders."""

    papers: Mapping[str, MajorityVerdicts]
    missing_files: int


def vote_on_runs(judged_runs: Sequence[JudgedRun]) -> JudgedRun:
    """Return the judged run of the majority; a paper is unscored if no judge scored it.

    Raises:
        UsageError: if there are fewer than two judges, or if they judged different systems or tasks.
    """
    if len(judged_runs) < 2:
        raise UsageError("a vote needs the verdicts of two judges or more")
    first, *others = records = [judged_run.record for judged_run in judged_runs]
    for other in others:
        if (other.task, other.is_masked, other.system) != (first.task, first.is_masked, first.system):
            raise UsageError(
                f"the judges judged different plans: {first.system} ({first.task}) and {other.system} ({other.task})"
            )
    paper_ids = dict.fromkeys(paper.id for record in records for paper in record.papers)
    votes = [_vote_on_paper(paper_id, judged_runs) for paper_id in paper_ids]
    update = {
        "judge": f"majority of {', '.join(record.judge for record in records)}",
        "endpoint": "",
        "parameters": {},
        "papers": tuple(paper for paper, _ in votes),
    }
    verdicts_by_id = {paper.id: verdicts for paper, verdicts in votes if verdicts is not None}
    return JudgedRun(first.model_copy(update=update), verdicts_by_id)


def vote_on_files(folders: Sequence[Path]) -> FileVotes:
    """Take the majority of each paper's files, `<id>.jsonl`; a judge without the file has no vote on the paper.

    Raises:
        TableError: if a file is damaged, or if the files of a paper are of different tasks.
        UsageError: if there are fewer than two folders, or no file in them.
    """
    if len(folders) < 2:
        raise UsageError("a vote needs the verdicts of two judges or more")
    names = {path.relative_to(folder).as_posix() for folder in folders for path in find_files(folder, ".jsonl")}
    if not names:
        raise UsageError(f"{', '.join(map(str, folders))}: no <id>.jsonl with verdicts in these folders")
    files = {
        name.removesuffix(".jsonl"): [path for folder in folders if (path := folder / name).is_file()]
        for name in sorted(names)
    }
    missing_files = sum(len(folders) - len(paths) for paths in files.values())
    return FileVotes({paper_id: _vote_on_paper_files(paths) for paper_id, paths in files.items()}, missing_files)


def vote_on_author_verdicts(verdicts_by_judge: Sequence[Iterable[AuthorVerdict]]) -> MajorityVerdicts:
    """Return, for each ablation of the paper, the set of names that more than half of the votes are for, else no match.

    "No match" is a vote too; a judge without a verdict on an ablation has no vote on it.
    """
    votes: dict[str, list[tuple[str, ...]]] = {}
    for verdicts in verdicts_by_judge:
        for verdict in verdicts:
            votes.setdefault(verdict.name_in_paper, []).append(verdict.name_in_plan)
    majority: list[Verdict] = []
    ties: list[str] = []
    for name, matches in votes.items():
        (winner, count), *_ = Counter(map(frozenset, matches)).most_common(1)
        if count <= len(matches) // 2:
            ties.append(name)
            winner = frozenset()
        ordered_names = next((names for names in matches if frozenset(names) == winner), ())
        majority.append(AuthorVerdict(name_in_paper=name, name_in_plan=ordered_names))
    return MajorityVerdicts(tuple(majority), tuple(ties))


def vote_on_reviewer_verdicts(verdicts_by_judge: Sequence[Iterable[ReviewerVerdict]]) -> MajorityVerdicts:
    """Return, for each ablation of the plan, yes if more than half of its votes say that a review asks for it."""
    votes: dict[str, list[bool]] = {}
    for verdicts in verdicts_by_judge:
        for verdict in verdicts:
            votes.setdefault(verdict.name_in_plan, []).append(verdict.appears_in_review)
    majority = tuple(
        ReviewerVerdict(name_in_plan=name, appears_in_review=sum(decisions) > len(decisions) // 2)
        for name, decisions in votes.items()
    )
    ties = tuple(name for name, decisions in votes.items() if 2 * sum(decisions) == len(decisions))
    return MajorityVerdicts(majority, ties)


def _vote_on_paper(paper_id: str, judged_runs: Sequence[JudgedRun]) -> tuple[JudgedPaper, tuple[Verdict, ...] | None]:
    papers = [
        (judged_run.record.judge, paper)
        for judged_run in judged_runs
        for paper in judged_run.record.papers
        if paper.id == paper_id
    ]
    first = papers[0][1]
    if first.status in (PaperStatus.FAILED, PaperStatus.ABSENT):
        return first, None
    warnings = [
        f"{NO_VOTE} of {judge}: {paper.reason}" for judge, paper in papers if paper.status is PaperStatus.UNSCORED
    ]
    if len(papers) < len(judged_runs):
        warnings.append(f"{NO_VOTE} of {len(judged_runs) - len(papers)} judges, which did not judge this paper")
    verdicts_by_judge = [run.verdicts[paper_id] for run in judged_runs if paper_id in run.verdicts]
    if not verdicts_by_judge:
        return first.model_copy(update={"reason": "; ".join(warnings)}), None
    majority = _vote_on_verdicts(judged_runs[0].record.verdict_task, verdicts_by_judge)
    warnings += [f"{NO_MAJORITY} on {name!r}: counted as no" for name in majority.tied_names]
    return _record_vote([paper for _, paper in papers], warnings), majority.verdicts


def _record_vote(papers: Sequence[JudgedPaper], warnings: Sequence[str]) -> JudgedPaper:
    update: Mapping[str, object] = {
        "status": PaperStatus.SCORED,
        "reason": "",
        "judge_cost": sum_costs_if_all_known(paper.judge_cost for paper in papers),
        "asked": sum(paper.asked for paper in papers),
        "positional": None,
        "flags": tuple(dict.fromkeys(flag for paper in papers for flag in paper.flags)),
        "warnings": (*papers[0].warnings, *warnings),
    }
    return papers[0].model_copy(update=update)


def _vote_on_verdicts(task: Task, verdicts_by_judge: Sequence[tuple[Verdict, ...]]) -> MajorityVerdicts:
    if task is Task.AUTHOR:
        return vote_on_author_verdicts(
            [[v for v in verdicts if isinstance(v, AuthorVerdict)] for verdicts in verdicts_by_judge]
        )
    return vote_on_reviewer_verdicts(
        [[v for v in verdicts if isinstance(v, ReviewerVerdict)] for verdicts in verdicts_by_judge]
    )


def _vote_on_paper_files(paths: Sequence[Path]) -> MajorityVerdicts:
    tasks = {task for path in paths if (task := detect_verdict_task(path)) is not None}
    if len(tasks) > 1:
        raise TableError(f"{', '.join(map(str, paths))}: these verdicts are of different tasks")
    if tasks == {Task.REVIEWER}:
        return vote_on_reviewer_verdicts([read_reviewer_verdicts(path) for path in paths])
    return vote_on_author_verdicts([read_author_verdicts(path) for path in paths])
