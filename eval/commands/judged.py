"""Read folders of verdicts that `judge`, `vote` or another program wrote."""

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
    """Read each folder as a judged run.

    Raises:
        UsageError: if another program wrote a folder, and the gold or the plans are not given.
        TableError: if a file is damaged.
    """
    return [await _read(folder, gold, plans, task, system) for folder in folders]


async def _read(folder: Path, gold: Path | None, plans: Path | None, task: Task | None, system: str) -> Judging:
    if (folder / RUN_FILE).exists():
        return read_judging(folder)
    if gold is None or plans is None:
        raise UsageError(f"{folder}: has no {RUN_FILE}; for another program's verdicts add --gold and --plans")
    wanted = read_gold(gold, task)
    return await published_judging(folder, wanted, one_system(plans, wanted.task, system))
