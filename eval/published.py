"""Read verdicts that another program wrote in AblationBench's format, with their gold and plans."""

from pathlib import Path

from eval.asking import Answer
from eval.coverage import Pair
from eval.gold import AuthorGold, GoldSet
from eval.judging import Judge, gathered, judge_all
from eval.plans import System
from eval.runs import Judging, read_verdicts
from eval.verdicts import verdict_path
from planner.chat import ModelCard
from planner.schema import Task


async def published_judging(folder: Path, gold: GoldSet, system: System) -> Judging:
    """Return a folder of published verdicts as a judged run; the judge is named after the folder.

    Raises:
        TableError: if a file of verdicts is damaged.
    """
    card = ModelCard(planner="judge", name=folder.name, asked=folder.resolve().name)
    judged = await judge_all(gold, system, _judge_from(folder), lambda _: None)
    return gathered(gold, system, card, judged)


def _judge_from(folder: Path) -> Judge:
    async def judge(pair: Pair) -> Answer:
        if not verdict_path(folder, pair.gold.id).is_file():
            return Answer(None, "the judge left no file of verdicts")
        task = Task.AUTHOR if isinstance(pair.gold, AuthorGold) else Task.REVIEWER
        verdicts = read_verdicts(folder, pair.gold.id, task)
        if verdicts or (isinstance(pair.gold, AuthorGold) and not pair.gold.ablations):
            return Answer(verdicts)
        return Answer(None, "the file of verdicts is empty")

    return judge
