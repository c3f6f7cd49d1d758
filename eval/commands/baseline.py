"""The command `baseline`: run the built-in planner on labelled papers and judge its plans offline."""

import asyncio
from pathlib import Path

import click

from eval.baseline import labelled_papers, plan_labelled
from eval.commands.options import FOLDER, json_option, output_option
from eval.commands.summaries import print_result
from eval.gold import read_gold
from eval.judging import OFFLINE, gathered, judge_all, judge_offline
from eval.plans import one_system
from eval.results import Result, results
from eval.runs import write_judging
from planner.cli.options import MAX_K
from planner.schema import DEFAULT_K, Task


@click.command(epilog="Example: python -m eval baseline ../shared/papers/labelled -o baseline")
@click.argument("papers", type=FOLDER)
@output_option("plans, verdicts and numbers", required=True)
@click.option("-k", type=click.IntRange(1, MAX_K), default=DEFAULT_K[Task.AUTHOR], show_default=True)
@json_option
def baseline(papers: Path, output: Path, k: int, as_json: bool) -> None:
    """Plan the labelled PAPERS with the built-in planner and score the plans offline; no model is used.

    A label is <id>.json beside its paper, with `id`, `ablations`, and `method_end`: the heading where the method ends.
    """
    row = asyncio.run(_measured(papers, output, k))
    print_result(row, output, as_json=as_json)
    raise SystemExit(1 if row.coverage.scored < row.coverage.papers else 0)


async def _measured(papers: Path, output: Path, k: int) -> Result:
    await plan_labelled(labelled_papers(papers), output / "plans", k)
    gold = read_gold(papers, Task.AUTHOR)
    system = one_system(output / "plans", Task.AUTHOR)
    judged = gathered(gold, system, OFFLINE, await judge_all(gold, system, judge_offline, lambda _: None))
    write_judging(output, judged, k)
    (row,) = results([judged], k)
    return row
