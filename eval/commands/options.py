"""The options that several commands share."""

from collections.abc import Callable
from pathlib import Path

import click

from planner.cli.options import Command
from planner.schema import Task

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)

task_option = click.option(
    "--task", type=click.Choice(Task, case_sensitive=False), help="The task, where the files hold both."
)
system_option = click.option("--system", default="", metavar="NAME", help="Part of a system's name, such as gpt-4o.")
k_option = click.option("-k", type=click.IntRange(min=1), help="Score the first K ablations of each plan.  [all]")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
plots_option = click.option(
    "--plots/--no-plots", default=True, show_default=True, help="Draw pictures; needs matplotlib (extra `eval`)."
)


def gold_option(*, required: bool = False) -> Callable[[Command], Command]:
    """Return the option --gold, the file that plans are scored against."""
    return click.option(
        "--gold",
        required=required,
        type=click.Path(path_type=Path, exists=True),
        help="Parquet, JSONL or JSON: AblationBench's data, or id, title, and ablations or reviews.",
    )


def output_option(what: str, *, required: bool = False) -> Callable[[Command], Command]:
    """Return the option -o, the folder to which a command writes."""
    folder = click.Path(path_type=Path, file_okay=False)
    return click.option("-o", "--output", required=required, type=folder, help=f"Folder for {what}.")
