"""The command `report`: write one report on many runs, with pictures."""
# MERGED-DOC """The command `compare_systems`: compare planners on the same papers, without gold."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import click

from eval.commands.options import (
    EXISTING_FOLDER,
    build_mean_json,
    build_result_json,
    gold_option,
    json_option,
    k_option,
    output_option,
    plots_option,
    system_option,
    task_option,
)
from eval.compare import Comparison
from eval.compare import compare_systems as compared
from eval.gold import GoldSet, read_gold
from eval.judging import (
    OFFLINE_JUDGE,
    build_judged_run,
    build_unjudged_run,
    judge_paper_offline,
    judge_papers,
    load_judged_runs,
)
from eval.plans import System, read_systems
from eval.report.build import build_report as reported
from eval.report.compare import build_comparison_document
from eval.report.document import write_document
from eval.runs import EVALUATIONS_FILE, RUN_FILE, JudgedRun
from eval.scoring import compute_results
from planner.errors import UsageError
from planner.schema import Task


@click.command(epilog="Example: python -m eval report judged/gpt-4o judged/claude -o report")
@click.argument("runs", nargs=-1, required=True, type=EXISTING_FOLDER)
@output_option("report.html, report.md, CSV files and pictures", required=True)
@gold_option()
@click.option("--plans", type=EXISTING_FOLDER, help="The plans, for folders of verdicts that another program wrote.")
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
    """Report on RUNS: folders that `judge` or `vote_on_runs` wrote, or folders of plans.

    Folders of plans are judged offline if --gold is given, else shown without scores. With --plans, RUNS are folders
    of verdicts that another program wrote.
    """
    judgings = [judging for folder in runs for judging in asyncio.run(_load_runs(folder, gold, plans, task, system))]
    rows = compute_results(judgings, k, as_published=as_published)
    paths = write_document(output, "report", reported(rows, k, as_published=as_published, with_pictures=plots))
    if as_json:
        click.echo(json.dumps({"files": list(map(str, paths)), "runs": [build_result_json(row) for row in rows]}))
    else:
        for path in paths:
            click.echo(str(path))


async def _load_runs(
    folder: Path, gold: Path | None, plans: Path | None, task: Task | None, system: str
) -> Sequence[JudgedRun]:
    if plans is not None or any((folder / name).exists() for name in (RUN_FILE, EVALUATIONS_FILE)):
        return await load_judged_runs([folder], gold, plans, task, system)
    if gold is None:
        return [
            build_unjudged_run(one, one.task or task or Task.REVIEWER) for one in read_systems(folder, task, system)
        ]
    wanted = read_gold(gold, task)
    return [await _judge_run_offline(wanted, one) for one in read_systems(folder, wanted.task, system)]


async def _judge_run_offline(gold: GoldSet, system: System) -> JudgedRun:
    return build_judged_run(
        gold, system, OFFLINE_JUDGE, await judge_papers(gold, system, judge_paper_offline, lambda _: None)
    )


@click.command(epilog="Example: python -m eval compare trajectories -o compared")
@click.argument("plans", nargs=-1, required=True, type=EXISTING_FOLDER)
@output_option("compare.html, compare.md, CSV files and pictures", required=True)
@task_option
@system_option
@plots_option
@json_option
def compare(plans: tuple[Path, ...], output: Path, task: Task | None, system: str, plots: bool, as_json: bool) -> None:
    """Compare the systems in PLANS on the papers that all of them planned, one task at a time."""
    found = tuple(_compare_by_task([one for folder in plans for one in read_systems(folder, task, system)], task))
    paths = write_document(output, "compare", build_comparison_document(found, with_pictures=plots))
    if as_json:
        click.echo(
            json.dumps({"files": list(map(str, paths)), "tasks": [_build_comparison_json(one) for one in found]})
        )
    else:
        for path in paths:
            click.echo(str(path))


def _compare_by_task(systems: Sequence[System], task: Task | None) -> Iterator[Comparison]:
    """Yield a comparison for each task with two systems or more; plans without a task count as `task`."""
    tasks = [one for one in Task if sum((s.task or task or Task.REVIEWER) is one for s in systems) > 1]
    if not tasks:
        raise UsageError("there is nothing to compare: give plans of two systems or more on one task")
    for one in tasks:
        yield compared([s for s in systems if (s.task or task or Task.REVIEWER) is one], one)


def _build_comparison_json(found: Comparison) -> dict[str, Any]:
    return {
        "task": found.task.value,
        "systems": found.systems,
        "papers": len(found.papers),
        "ideas": len(found.proposals),
        "shared_by": {str(n): found.count_shared_by(n) for n in range(1, len(found.systems) + 1)},
        "pairs": [
            {
                "a": p.a,
                "b": p.b,
                "agreement": build_mean_json(p.agreement),
                "metrics": build_mean_json(p.metric_agreement),
            }
            for p in found.pairs
        ],
        "profiles": [
            {
                "system": p.system,
                "ablations": p.ablation_count,
                "actions": {action.value: count for action, count in p.action_counts.items()},
                "replacements": None if isnan(p.mean_replacements) else p.mean_replacements,
                "metrics": p.mean_metrics,
                "reasoning_words": p.median_reasoning_words,
                "alone": p.unique_share,
            }
            for p in found.profiles
        ],
    }
