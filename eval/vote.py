"""Take the majority of several judges, as AblationBench does, with a warning for each tie and missing verdict."""
# MERGED-DOC """Take the majority of published files of verdicts, without gold or plans."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eval.plans import PaperStatus
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
from planner.planning.record import sum_costs
from planner.schema import Task

NO_VOTE: Final = "no vote"
NO_MAJORITY: Final = "no majority"


@dataclass(frozen=True, slots=True)
class MajorityVerdicts:
    """The majority's verdicts on one paper; `tied_names` are the names of ablations without a majority."""

    verdicts: tuple[Verdict, ...]
    tied_names: tuple[str, ...]


def vote_on_runs(judged_runs: Sequence[JudgedRun]) -> JudgedRun:
    """Return the judged run of the majority; the judges that scored a paper vote on it, and without any it is unscored.

    Raises:
        UsageError: if there are fewer than two judges, or if they judged different systems or tasks.
    """
    runs = [judging.run for judging in judged_runs]
    if len(runs) < 2:
        raise UsageError("a vote needs the verdicts of two judges or more")
    for run in runs[1:]:
        if (run.task, run.system) != (runs[0].task, runs[0].system):
            raise UsageError(
                f"the judges judged different plans: {runs[0].system} ({runs[0].task}) and {run.system} ({run.task})"
            )
    papers = dict.fromkeys(paper.id for run in runs for paper in run.papers)
    ended = [_vote_on_paper(paper_id, judged_runs) for paper_id in papers]
    judges = ", ".join(run.judge for run in runs)
    run = runs[0].model_copy(
        update={
            "judge": f"majority of {judges}",
            "endpoint": "",
            "parameters": {},
            "papers": tuple(p for p, _ in ended),
        }
    )
    return JudgedRun(run, {paper.id: verdicts for paper, verdicts in ended if verdicts is not None})


def vote_on_author_verdicts(ballots: Sequence[Iterable[AuthorVerdict]]) -> MajorityVerdicts:
    """Return, for each ablation of the paper, the set of names that more than half of the votes are for, else no match.

    "No match" is a vote too; a judge without a verdict on an ablation has no vote on it.
    """
    votes: dict[str, list[tuple[str, ...]]] = {}
    for verdicts in ballots:
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
    return MajorityVerdicts(tuple(found), tuple(ties))


def vote_on_reviewer_verdicts(ballots: Sequence[Iterable[ReviewerVerdict]]) -> MajorityVerdicts:
    """Return, for each ablation of the plan, yes if more than half of its votes say that a review asks for it."""
    votes: dict[str, list[bool]] = {}
    for verdicts in ballots:
        for verdict in verdicts:
            votes.setdefault(verdict.name_in_plan, []).append(verdict.appears_in_review)
    found = [
        ReviewerVerdict(name_in_plan=name, appears_in_review=sum(said) > len(said) // 2) for name, said in votes.items()
    ]
    return MajorityVerdicts(tuple(found), tuple(name for name, said in votes.items() if 2 * sum(said) == len(said)))


def _vote_on_paper(paper_id: str, judgings: Sequence[JudgedRun]) -> tuple[JudgedPaper, tuple[Verdict, ...] | None]:
    seen = [(judging.run.judge, paper) for judging in judgings if (paper := _find_paper(paper_id, judging)) is not None]
    facts = seen[0][1]
    if facts.status in (PaperStatus.FAILED, PaperStatus.ABSENT):
        return facts, None
    cast = [judging.verdicts[paper_id] for judging in judgings if paper_id in judging.verdicts]
    missing = [f"{NO_VOTE} of {judge}: {paper.reason}" for judge, paper in seen if paper.status is PaperStatus.UNSCORED]
    if len(seen) < len(judgings):
        missing.append(f"{NO_VOTE} of {len(judgings) - len(seen)} judges, which never had this paper")
    if not cast:
        return facts.model_copy(update={"reason": "; ".join(missing)}), None
    voted = _vote_on_verdicts(judgings[0].run.task, cast)
    ties = [f"{NO_MAJORITY} on {name!r}: counted as no" for name in voted.tied_names]
    return _record_vote(facts, [paper for _, paper in seen], (*missing, *ties)), voted.verdicts


def _record_vote(facts: JudgedPaper, seen: Sequence[JudgedPaper], told: tuple[str, ...]) -> JudgedPaper:
    update: Mapping[str, object] = {
        "status": PaperStatus.SCORED,
        "reason": "",
        "judge_cost": sum_costs(paper.judge_cost for paper in seen),
        "asked": sum(paper.asked for paper in seen),
        "positional": None,
        "flags": tuple(dict.fromkeys(flag for paper in seen for flag in paper.flags)),
        "warnings": (*facts.warnings, *told),
    }
    return facts.model_copy(update=update)


def _vote_on_verdicts(task: Task, cast: Sequence[tuple[Verdict, ...]]) -> MajorityVerdicts:
    if task is Task.AUTHOR:
        return vote_on_author_verdicts([[v for v in verdicts if isinstance(v, AuthorVerdict)] for verdicts in cast])
    return vote_on_reviewer_verdicts([[v for v in verdicts if isinstance(v, ReviewerVerdict)] for verdicts in cast])


def _find_paper(paper_id: str, judging: JudgedRun) -> JudgedPaper | None:
    return next((paper for paper in judging.run.papers if paper.id == paper_id), None)


@dataclass(frozen=True, slots=True)
class FileVotes:
    """The majority's verdicts by paper id, and the number of files that are missing in the judges' folders."""

    papers: Mapping[str, MajorityVerdicts]
    missing_files: int


def vote_on_files(folders: Sequence[Path]) -> FileVotes:
    """Take the majority of each paper's files, `<id>.jsonl`; a judge without the file has no vote on the paper.

    Raises:
        TableError: if a file is damaged, or if the files of a paper are of different tasks.
        UsageError: if there are fewer than two folders, or no file in them.
    """
    if len(folders) < 2:
        raise UsageError("a vote needs the verdicts of two judges or more")
    ids = sorted({_paper_id_of(path, folder) for folder in folders for path in folder.rglob("*.jsonl")})
    if not ids:
        raise UsageError(f"{', '.join(map(str, folders))}: no <id>.jsonl with verdicts in these folders")
    files = {one: [path for folder in folders if (path := folder / f"{one}.jsonl").is_file()] for one in ids}
    missing = sum(len(folders) - len(paths) for paths in files.values())
    return FileVotes({one: _vote_on_paper_files(paths) for one, paths in files.items()}, missing)


def _vote_on_paper_files(paths: Sequence[Path]) -> MajorityVerdicts:
    tasks = {task for path in paths if (task := detect_verdict_task(path)) is not None}
    if len(tasks) > 1:
        raise TableError(f"{', '.join(map(str, paths))}: these verdicts are of different tasks")
    if tasks == {Task.REVIEWER}:
        return vote_on_reviewer_verdicts([read_reviewer_verdicts(path) for path in paths])
    return vote_on_author_verdicts([read_author_verdicts(path) for path in paths])


def _paper_id_of(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
