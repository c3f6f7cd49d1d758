"""The command `vote`: take the majority of several judges of the same plans."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from eval.commands.judged import read_judged
from eval.commands.options import FOLDER, gold_option, json_option, k_option, output_option, system_option, task_option
from eval.commands.summaries import print_result, result_json
from eval.figures import amount, percent
from eval.health import Agreement, agreements
from eval.results import Result, results
from eval.runs import RUN_FILE, Judging, write_judging
from eval.verdicts import write_verdicts
from eval.vote import NO_MAJORITY, NO_VOTE
from eval.vote import vote as majority
from eval.vote_files import vote_on_files
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

    A verdict wins with more than half of the votes on its ablation; a tie counts as no. For folders that another
    program wrote, add --gold and --plans to get numbers; without them only the majority's files are written.
    """
    if not all((folder / RUN_FILE).exists() for folder in judged) and (gold is None or plans is None):
        _vote_on_files(judged, output, as_json=as_json)
        return
    judgings = asyncio.run(read_judged(judged, gold, plans, task, system))
    voted = majority(judgings)
    write_judging(output, voted, k)
    (row,) = results([voted], k)
    _print(row, agreements(results(judgings, k)), tuple(_told(voted)), output, as_json=as_json)


def _vote_on_files(judged: tuple[Path, ...], output: Path, *, as_json: bool) -> None:
    voted = vote_on_files(judged)
    for paper_id, found in voted.papers.items():
        write_verdicts(output / f"{paper_id}.jsonl", found.verdicts)
    ties = [f"{paper_id}: {name}" for paper_id, found in voted.papers.items() for name in found.ties]
    if as_json:
        told = {"output": str(output), "papers": len(voted.papers), "missing": voted.missing, "ties": ties}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    click.echo(f"{len(voted.papers)} papers voted on; {len(ties)} items without a majority, counted as no")
    click.echo(f"{voted.missing} missing files; no numbers without --gold and --plans")
    click.echo(f"wrote {printable(str(output))}")


def _print(row: Result, found: Sequence[Agreement], told: tuple[str, ...], output: Path, *, as_json: bool) -> None:
    if as_json:
        agreed = [{"a": a.a.label, "b": a.b.label, "items": a.items, "same": a.same, "kappa": a.kappa} for a in found]
        click.echo(json.dumps({**result_json(row, output), "agreement": agreed, "told": told}, ensure_ascii=False))
        return
    print_result(row, output, as_json=False)
    ties = sum(NO_MAJORITY in line for line in told)
    missing = f"{ties} items without a majority, counted as no; {len(told) - ties} missing votes"
    for line in (*map(_agreement_line, found), missing):
        click.echo(printable(line))


def _told(voted: Judging) -> Iterator[str]:
    """Yield a line for each tie and each missing vote."""
    for paper in voted.run.papers:
        for warning in paper.warnings:
            if warning.startswith((NO_VOTE, NO_MAJORITY)):
                yield f"{paper.id}: {warning}"


def _agreement_line(found: Agreement) -> str:
    same, kappa = percent(found.same), amount(found.kappa)
    return f"{found.a.label} and {found.b.label}: same verdict on {same} of {found.items} items, kappa {kappa}"
