"""`vote`: the majority of several judges of the same plans."""

import asyncio
import json
from pathlib import Path

import click

from eval.commands.judged import read_judged
from eval.commands.options import FOLDER, gold_option, json_option, k_option, output_option, system_option, task_option
from eval.commands.summaries import print_result, result_json
from eval.figures import amount, percent
from eval.health import Agreement, agreements
from eval.results import results
from eval.runs import write_judging
from eval.vote import NO_MAJORITY, NO_VOTE
from eval.vote import vote as majority
from planner.controls import printable
from planner.schema import Task


@click.command(epilog="Example: python -m eval vote judged/gpt-4o judged/claude judged/o3 -o judged/majority")
@click.argument("judged", nargs=-1, required=True, type=FOLDER)
@output_option("the majority's verdicts and numbers", required=True)
@gold_option()
@click.option("--plans", type=FOLDER, help="The plans, for folders of verdicts that another program wrote.")
@task_option
@system_option
@k_option
@json_option
def vote(
    judged: tuple[Path, ...],
    output: Path,
    gold: Path | None,
    plans: Path | None,
    task: Task | None,
    system: str,
    k: int | None,
    as_json: bool,
) -> None:
    """Take the majority of the verdicts in the JUDGED folders, two or more.

    An answer wins if more than half of the votes on its ablation are for it; a tie counts as no. Folders of another
    program need --gold and --plans.
    """
    judgings = asyncio.run(read_judged(judged, gold, plans, task, system))
    voted = majority(judgings)
    write_judging(output, voted, k)
    (row,) = results([voted], k)
    found = agreements(results(judgings, k))
    told = [
        f"{paper.id}: {warning}"
        for paper in voted.run.papers
        for warning in paper.warnings
        if warning.startswith((NO_VOTE, NO_MAJORITY))
    ]
    if as_json:
        agreed = [{"a": a.a.label, "b": a.b.label, "items": a.items, "same": a.same, "kappa": a.kappa} for a in found]
        click.echo(json.dumps({**result_json(row, output), "agreement": agreed, "told": told}, ensure_ascii=False))
        return
    print_result(row, output, as_json=False)
    for line in (*map(_agreement_line, found), *_counted(told)):
        click.echo(printable(line))


def _agreement_line(found: Agreement) -> str:
    same, kappa = percent(found.same), amount(found.kappa)
    return f"{found.a.label} and {found.b.label}: same verdict on {same} of {found.items} items, kappa {kappa}"


def _counted(told: list[str]) -> list[str]:
    ties = sum(NO_MAJORITY in line for line in told)
    return [f"{ties} items without a majority, counted as no; {len(told) - ties} missing votes"]
