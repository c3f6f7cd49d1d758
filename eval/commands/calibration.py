"""The command `calibration`, which compares stated chances with what came true."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from eval.agreement import describe_offline_judge
from eval.calibration import Calibration, measure_calibration
from eval.commands.options import EXISTING_FOLDER, json_option
from eval.runs import read_judged_run
from planner.errors import UsageError


@click.command(epilog="Example: python -m eval calibration judged/gpt-4o")
@click.argument("judged", nargs=-1, required=True, type=EXISTING_FOLDER)
@json_option
def calibration(judged: tuple[Path, ...], as_json: bool) -> None:
    """Print how often the ablations of each stated chance came true in the JUDGED folders.

    Plan with --min-chance 0 and -k 8, so that unlikely candidates are judged too.
    """
    runs = list(map(read_judged_run, judged))
    table = measure_calibration(runs)
    if table is None:
        raise UsageError("no judged ablation has a chance; plan with details (without --plain) and judge again")
    trust = describe_offline_judge(run.record for run in runs)
    if as_json:
        facts = {**asdict(table), "rows": [{**asdict(r), "share": r.share} for r in table.rows]}
        click.echo(json.dumps({**facts, **({"trust": " ".join(trust)} if trust else {})}))
        return
    for line in (*_format_lines(table), *trust):
        click.echo(line)


def _format_lines(table: Calibration) -> Iterator[str]:
    yield "| stated | ablations | came true | share | 95 % interval |"
    yield "|---|---|---|---|---|"
    for row in table.rows:
        low, high = row.interval
        share = f"{row.share:.0%} | {low:.0%} to {high:.0%}"
        yield f"| {row.low}–{row.high} % | {row.count} | {row.true_count} | {share} |"
    yield ""
    yield f"{table.count} ablations with a chance, {table.unstated} without; Brier score {table.brier:.3f}"
