"""`batch` and `status`: plan a corpus, and show the progress."""

import asyncio
import json
from pathlib import Path

import click

from planner.batch.overview import read_overview
from planner.batch.run import RunFolder
from planner.batch.shards import Shard
from planner.cli.bounds import BoundOptions, SubmissionOptions, bound_options, submission_options
from planner.cli.call import Call
from planner.cli.cluster import EngineOptions, engine_options
from planner.cli.options import (
    EndpointOptions,
    TalkOptions,
    TaskOptions,
    endpoint_options,
    talk_options,
    task_options,
)
from planner.cli.shards import shard_option
from planner.cli.signals import interruptible
from planner.cli.talk import talking
from planner.controls import printable, printable_json


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
@bound_options
@click.option(
    "--offline",
    is_flag=True,
    envvar="ABLATION_PLANNER_OFFLINE",
    show_envvar=True,
    help="Send no requests, and download nothing.",
)
@click.option("--retry-failed", is_flag=True, help="Try failed papers again.")
@engine_options
@submission_options
@shard_option
@click.option("--dry-run", is_flag=True, help="Print an estimate of tokens, cost and time, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@talk_options
def batch(
    corpus: tuple[str, ...],
    output: Path,
    models: tuple[str, ...],
    asked: TaskOptions,
    asking: EndpointOptions,
    bounded: BoundOptions,
    submission: SubmissionOptions,
    offline: bool,
    retry_failed: bool,
    shard: Shard | None,
    where: EngineOptions,
    dry_run: bool,
    as_json: bool,
    talk: TalkOptions,
) -> None:
    """Plan every paper of a CORPUS: folders, globs, manifests (.jsonl .csv .parquet), arXiv ids, lists of these, or -.

    You can stop it at any time, even by force; the same command continues it, and pays for nothing twice.
    """
    call = Call(
        corpus,
        RunFolder(output),
        models or ("",),
        asked.settings,
        asking,
        bounded,
        offline,
        retry_failed,
        as_json,
        shard,
        where,
        submission,
    )
    with talking(talk):
        raise SystemExit(interruptible(call.estimate()) if dry_run else asyncio.run(call.plan(quiet=talk.quiet)))


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--failed", is_flag=True, help="Show the reasons for failures, grouped.")
@click.option("--json", "as_json", is_flag=True, help="Print the progress as JSON.")
def status(run: Path, failed: bool, as_json: bool) -> None:
    """Show the progress of a RUN, even while it is running."""
    found = read_overview(RunFolder(run))
    if as_json:
        click.echo(printable_json(json.dumps(found.as_json(failed=failed), ensure_ascii=False, indent=1)))
    else:
        click.echo(printable(found.as_text(failed=failed)))
