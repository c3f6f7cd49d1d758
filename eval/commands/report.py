"""The command `report`: write one report on many runs, with pictures."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import click

from eval.commands.judged import read_judged
from eval.commands.options import (
    FOLDER,
    gold_option,
    json_option,
    k_option,
    output_option,
    plots_option,
    system_option,
    task_option,
)
from eval.commands.summaries import result_json
from eval.document import write_document
from eval.gold import GoldSet, read_gold
from eval.judging import OFFLINE, gathered, judge_all, judge_offline, unjudged
from eval.plans import System, read_systems
from eval.report import report as reported
from eval.results import results
from eval.runs import EVALUATIONS_FILE, RUN_FILE, Judging
from planner.schema import Task


@click.command(epilog="Example: python -m eval report judged/gpt-4o judged/claude -o report")
@click.argument("runs", nargs=-1, required=True, type=FOLDER)
@output_option("report.html, report.md, CSV files and pictures", required=True)
@gold_option()
@click.option("--plans", type=FOLDER, help="The plans, for folders of verdicts that another program wrote.")
@task_option
@system_option
@k_option
@click.option("--as-published", is_flag=True, help="Count failed and absent papers as 0, as the published code does.")
@plots_option
@json_option
def report(
    runs: tuple[Path, ...],
    output: Path,
    gold: Path | None,
    plans: Path | None,
    task: Task | None,
    system: str,
    k: int | None,
    as_published: bool,
    plots: bool,
    as_json: bool,
) -> None:
    """Report on RUNS: folders that `judge` or `vote` wrote, or folders of plans.

    Folders of plans are judged offline if --gold is given, else shown without scores. With --plans, RUNS are folders
    of verdicts that another program wrote.
    """
    judgings = [judging for folder in runs for judging in asyncio.run(_judgings(folder, gold, plans, task, system))]
    rows = results(judgings, k, as_published=as_published)
    paths = write_document(output, "report", reported(rows, k, as_published=as_published, pictures=plots))
    if as_json:
        click.echo(json.dumps({"files": list(map(str, paths)), "runs": [result_json(row) for row in rows]}))
    else:
        for path in paths:
            click.echo(str(path))


async def _judgings(
    folder: Path, gold: Path | None, plans: Path | None, task: Task | None, system: str
) -> Sequence[Judging]:
    if plans is not None or any((folder / name).exists() for name in (RUN_FILE, EVALUATIONS_FILE)):
        return await read_judged([folder], gold, plans, task, system)
    if gold is None:
        return [unjudged(one, one.task or task or Task.REVIEWER) for one in read_systems(folder, task, system)]
    wanted = read_gold(gold, task)
    return [await _offline(wanted, one) for one in read_systems(folder, wanted.task, system)]


async def _offline(gold: GoldSet, system: System) -> Judging:
    return gathered(gold, system, OFFLINE, await judge_all(gold, system, judge_offline, lambda _: None))
