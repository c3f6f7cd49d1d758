"""Take the majority of published files of verdicts, without gold or plans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.tables import TableError
from eval.verdicts import read_author_verdicts, read_reviewer_verdicts, verdict_task
from eval.vote import Voted, majority_author, majority_reviewer
from planner.errors import UsageError
from planner.schema import Task


@dataclass(frozen=True, slots=True)
class FileVote:
    """The majority's verdicts by paper id, and the number of files that are missing in the judges' folders."""

    papers: Mapping[str, Voted]
    missing: int


def vote_on_files(folders: Sequence[Path]) -> FileVote:
    """Take the majority of each paper's files, `<id>.jsonl`; a judge without the file has no vote on the paper.

    Raises:
        TableError: if a file is damaged, or if the files of a paper are of different tasks.
        UsageError: if there are fewer than two folders, or no file in them.
    """
    if len(folders) < 2:
        raise UsageError("a vote needs the verdicts of two judges or more")
    ids = sorted({_id(path, folder) for folder in folders for path in folder.rglob("*.jsonl")})
    if not ids:
        raise UsageError(f"{', '.join(map(str, folders))}: no <id>.jsonl with verdicts in these folders")
    files = {one: [path for folder in folders if (path := folder / f"{one}.jsonl").is_file()] for one in ids}
    missing = sum(len(folders) - len(paths) for paths in files.values())
    return FileVote({one: _vote(paths) for one, paths in files.items()}, missing)


def _vote(paths: Sequence[Path]) -> Voted:
    tasks = {task for path in paths if (task := verdict_task(path)) is not None}
    if len(tasks) > 1:
        raise TableError(f"{', '.join(map(str, paths))}: these verdicts are of different tasks")
    if tasks == {Task.REVIEWER}:
        return majority_reviewer([read_reviewer_verdicts(path) for path in paths])
    return majority_author([read_author_verdicts(path) for path in paths])


def _id(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
