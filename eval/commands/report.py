"""The commands `report`, on many judged runs, and `compare`, on planners without gold: documents with pictures."""

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
from eval.compare import Comparison, compare_systems
from eval.gold import read_gold
from eval.judging import build_unjudged_run, judge_run_offline, load_judged_runs
from eval.plans import System, read_systems
from eval.report.build import build_report
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
    """Report on RUNS: folders that `judge` or `vote` wrote, or folders of plans.

    Folders of plans are judged offline if --gold is given, else shown without scores. With --plans, RUNS are folders
    of verdicts that another program wrote.
    """
    judged_runs = [
        judged_run for folder in runs for judged_run in asyncio.run(_load_runs(folder, gold, plans, task, system))
    ]
    results = compute_results(judged_runs, k, as_published=as_published)
    document = build_report(results, k, as_published=as_published, with_pictures=plots)
    paths = write_document(output, "report", document)
    _print_paths(paths, {"runs": [build_result_json(result) for result in results]} if as_json else None)


def _print_paths(paths: Sequence[Path], facts: dict[str, Any] | None) -> None:
    """Print the paths as lines, or as one JSON object together with facts."""
    if facts is not None:
        click.echo(json.dumps({"files": list(map(str, paths)), **facts}))
    else:
        for path in paths:
            click.echo(str(path))


async def _load_runs(
    folder: Path, gold: Path | None, plans: Path | None, task: Task | None, system: str
) -> Sequence[JudgedRun]:
    if plans is not None or any((folder / name).exists() for name in (RUN_FILE, EVALUATIONS_FILE)):
        return await load_judged_runs([folder], gold, plans, task, system)
    if gold is None:
        return [build_unjudged_run(s, s.task or task or Task.REVIEWER) for s in read_systems(folder, task, system)]
    gold_set = read_gold(gold, task)
    return [await judge_run_offline(gold_set, s) for s in read_systems(folder, gold_set.task, system)]


@click.command(epilog="Example: python -m eval compare trajectories -o compared")
@click.argument("plans", nargs=-1, required=True, type=EXISTING_FOLDER)
@output_option("compare.html, compare.md, CSV files and pictures", required=True)
@task_option
@system_option
@plots_option
@json_option
def compare(plans: tuple[Path, ...], output: Path, task: Task | None, system: str, plots: bool, as_json: bool) -> None:
    """Compare the systems in PLANS on the papers that all of them planned, one task at a time."""
    systems = [s for folder in plans for s in read_systems(folder, task, system)]
    comparisons = tuple(_compare_by_task(systems, task))
    paths = write_document(output, "compare", build_comparison_document(comparisons, with_pictures=plots))
    _print_paths(paths, {"tasks": [_build_comparison_json(c) for c in comparisons]} if as_json else None)


def _compare_by_task(systems: Sequence[System], task: Task | None) -> Iterator[Comparison]:
    """Yield a comparison for each task with two systems or more; plans without a task count as `task`."""
    systems_by_task = {t: [s for s in systems if (s.task or task or Task.REVIEWER) is t] for t in Task}
    if not any(len(several) > 1 for several in systems_by_task.values()):
        raise UsageError("there is nothing to compare: give plans of two systems or more on one task")
    for compared_task, several in systems_by_task.items():
        if len(several) > 1:
            yield compare_systems(several, compared_task)


def _build_comparison_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "task": comparison.task.value,
        "systems": comparison.systems,
        "papers": len(comparison.papers),
        "ideas": len(comparison.proposals),
        "shared_by": {str(n): comparison.count_shared_by(n) for n in range(1, len(comparison.systems) + 1)},
        "pairs": [
            {
                "a": p.a,
                "b": p.b,
                "agreement": build_mean_json(p.agreement),
                "metrics": build_mean_json(p.metric_agreement),
            }
            for p in comparison.pairs
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
            for p in comparison.profiles
        ],
    }
