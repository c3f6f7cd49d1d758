"""`batch` and `status`: plan a corpus, and show the progress."""

import asyncio
import json
from pathlib import Path

import click

from planner.batch.cluster.shards import Shard
from planner.batch.run_folder import RunFolder
from planner.batch.status import read_run_status
from planner.cli.bounds import BatchServiceOptions, LimitOptions, batch_service_options, limit_options
from planner.cli.call import BatchSession
from planner.cli.cluster import EngineOptions, engine_options
from planner.cli.console import log_to, run_interruptible
from planner.cli.options import EndpointOptions, LogOptions, TaskOptions, endpoint_options, log_options, task_options
from planner.cli.shards import shard_option
from planner.sanitize import make_json_printable, make_printable


@click.command(epilog="Example: ablation-planner batch papers/ -o run --model gpt-4o --max-cost 20")
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS…")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="RUN",
    help="Folder of the run; the same command continues a run that it holds.",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    envvar="ABLATION_PLANNER_MODEL",
    show_envvar=True,
    help="Model name, as for `plan`; repeat the option for several models.",
)
@task_options
@endpoint_options
@limit_options
@click.option(
    "--offline",
    is_flag=True,
    envvar="ABLATION_PLANNER_OFFLINE",
    show_envvar=True,
    help="Send no requests, and download nothing.",
)
@click.option("--retry-failed", is_flag=True, help="Try failed papers again.")
@engine_options
@batch_service_options
@shard_option
@click.option("--dry-run", is_flag=True, help="Print an estimate of tokens, cost and time, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@log_options
def batch(
    corpus: tuple[str, ...],
    output: Path,
    models: tuple[str, ...],
    task: TaskOptions,
    endpoint: EndpointOptions,
    limits: LimitOptions,
    batch_service: BatchServiceOptions,
    offline: bool,
    retry_failed: bool,
    shard: Shard | None,
    engine: EngineOptions,
    dry_run: bool,
    as_json: bool,
    log_settings: LogOptions,
) -> None:
    """Plan every paper of a CORPUS: folders, globs, manifests (.jsonl .csv .parquet), arXiv ids, lists of these, or -.

    You can stop it at any time, even by force; the same command continues it, and pays for nothing twice.
    """
    call = BatchSession(
        corpus,
        RunFolder(output),
        models or ("",),
        task.settings,
        endpoint,
        limits,
        offline,
        retry_failed,
        as_json,
        shard,
        engine,
        batch_service,
    )
    with log_to(log_settings):
        raise SystemExit(
            run_interruptible(call.print_estimate())
            if dry_run
            else asyncio.run(call.plan_papers(quiet=log_settings.quiet))
        )


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--failed", is_flag=True, help="Show the reasons for failures, grouped.")
@click.option("--json", "as_json", is_flag=True, help="Print the progress as JSON.")
def status(run: Path, failed: bool, as_json: bool) -> None:
    """Show the progress of a RUN, even while it is running."""
    found = read_run_status(RunFolder(run))
    if as_json:
        click.echo(make_json_printable(json.dumps(found.as_json(with_failures=failed), ensure_ascii=False, indent=1)))
    else:
        click.echo(make_printable(found.as_text(with_failures=failed)))
