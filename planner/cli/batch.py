"""`batch` and `status`: a corpus, and how far it is."""

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
    help="Folder of the run; the same command goes on from what it holds.",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    envvar="ABLATION_PLANNER_MODEL",
    show_envvar=True,
    help="As for `plan`; give it again for several models.",
)
@task_options
@endpoint_options
@bound_options
@click.option(
    "--offline",
    is_flag=True,
    envvar="ABLATION_PLANNER_OFFLINE",
    show_envvar=True,
    help="Send nothing to anyone, and fetch nothing.",
)
@click.option("--retry-failed", is_flag=True, help="Try again what failed before.")
@engine_options
@submission_options
@shard_option
@click.option("--dry-run", is_flag=True, help="Read the corpus, say what it would take, and send nothing.")
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

    It may be stopped at any moment, also by force; the same command goes on, and pays for nothing twice.
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
@click.option("--failed", is_flag=True, help="The reasons of failures, grouped.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(run: Path, failed: bool, as_json: bool) -> None:
    """Show how far a RUN is, also while it is under way."""
    found = read_overview(RunFolder(run))
    if as_json:
        click.echo(printable_json(json.dumps(found.as_json(failed=failed), ensure_ascii=False, indent=1)))
    else:
        click.echo(printable(found.as_text(failed=failed)))
