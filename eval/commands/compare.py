"""The command `compare`: compare planners on the same papers, without gold."""

import json
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import click

from eval.commands.options import FOLDER, json_option, output_option, plots_option, system_option, task_option
from eval.commands.summaries import mean_json
from eval.compare import Comparison
from eval.compare import compare as compared
from eval.compare_report import compare_document
from eval.document import write_document
from eval.plans import System, read_systems
from planner.errors import UsageError
from planner.schema import Task


@click.command(epilog="Example: python -m eval compare trajectories -o compared")
@click.argument("plans", nargs=-1, required=True, type=FOLDER)
@output_option("compare.html, compare.md, CSV files and pictures", required=True)
@task_option
@system_option
@plots_option
@json_option
def compare(plans: tuple[Path, ...], output: Path, task: Task | None, system: str, plots: bool, as_json: bool) -> None:
    """Compare the systems in PLANS on the papers that all of them planned, one task at a time."""
    found = tuple(_comparisons([one for folder in plans for one in read_systems(folder, task, system)], task))
    paths = write_document(output, "compare", compare_document(found, pictures=plots))
    if as_json:
        click.echo(json.dumps({"files": list(map(str, paths)), "tasks": [_json(one) for one in found]}))
    else:
        for path in paths:
            click.echo(str(path))


def _comparisons(systems: Sequence[System], task: Task | None) -> Iterator[Comparison]:
    """Yield a comparison for each task with two systems or more; plans without a task count as `task`."""
    tasks = [one for one in Task if sum((s.task or task or Task.REVIEWER) is one for s in systems) > 1]
    if not tasks:
        raise UsageError("there is nothing to compare: give plans of two systems or more on one task")
    for one in tasks:
        yield compared([s for s in systems if (s.task or task or Task.REVIEWER) is one], one)


def _json(found: Comparison) -> dict[str, Any]:
    return {
        "task": found.task.value,
        "systems": found.systems,
        "papers": len(found.papers),
        "ideas": len(found.ideas),
        "shared_by": {str(n): found.shared_by(n) for n in range(1, len(found.systems) + 1)},
        "pairs": [
            {"a": p.a, "b": p.b, "agreement": mean_json(p.agreement), "metrics": mean_json(p.metrics)}
            for p in found.pairs
        ],
        "profiles": [
            {
                "system": p.system,
                "ablations": p.ablations,
                "actions": {action.value: count for action, count in p.actions.items()},
                "replacements": None if isnan(p.replacements) else p.replacements,
                "metrics": p.metrics,
                "reasoning_words": p.words,
                "alone": p.alone,
            }
            for p in found.profiles
        ],
    }
