"""Folders of verdicts, of ours or of another program."""

from collections.abc import Sequence
from pathlib import Path

from eval.gold import read_gold
from eval.plans import one_system
from eval.published import published_judging
from eval.runs import RUN_FILE, Judging, read_judging
from planner.errors import UsageError
from planner.schema import Task


async def read_judged(
    folders: Sequence[Path], gold: Path | None, plans: Path | None, task: Task | None, system: str
) -> list[Judging]:
    """Each folder as a run.

    Raises:
        UsageError: a folder is of another program, and the gold or the plans are not named.
        TableError: a file is damaged.
    """
    return [await _read(folder, gold, plans, task, system) for folder in folders]


async def _read(folder: Path, gold: Path | None, plans: Path | None, task: Task | None, system: str) -> Judging:
    if (folder / RUN_FILE).exists():
        return read_judging(folder)
    if gold is None or plans is None:
        raise UsageError(f"{folder}: has no {RUN_FILE}; for another program's verdicts name --gold and --plans")
    wanted = read_gold(gold, task)
    return await published_judging(folder, wanted, one_system(plans, wanted.task, system))
