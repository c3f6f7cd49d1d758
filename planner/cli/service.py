"""`index_entries`, `import` and `export`: continue a run, also with results that were computed elsewhere."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from planner.batch.cluster.merge import list_unmerged_shards
from planner.batch.export import EXPORT_FORMATS, export_run
from planner.batch.run_folder import RunFolder
from planner.cli.bounds import BatchServiceOptions, finish_live_option, poll_option
from planner.cli.call import BatchSession
from planner.cli.cluster import BATCH_SERVICE_ENGINE, EngineOptions
from planner.cli.console import log, log_to
from planner.cli.options import LogOptions, log_options
from planner.cli.saved import read_run_spec
from planner.errors import RunError
from planner.sanitize import make_printable

_run_argument = click.argument("run", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@_run_argument
@click.option("--no-wait", is_flag=True, help="Get the results that are ready, and exit.")
@finish_live_option
@poll_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@log_options
def collect(
    run: Path, no_wait: bool, finish_live: bool, poll: float | None, as_json: bool, log_settings: LogOptions
) -> None:
    """Get the results of a RUN from its batch service, and continue as `batch --engine openai-batch` would."""
    submission = BatchServiceOptions(submit_only=no_wait, finish_live=finish_live, poll=poll)
    with log_to(log_settings):
        raise SystemExit(
            _continue_run(run, lambda call: call.plan_papers(quiet=log_settings.quiet), submission, as_json=as_json)
        )


@click.command(name="import")
@_run_argument
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@log_options
def import_(run: Path, files: tuple[Path, ...], log_settings: LogOptions) -> None:
    """Import results of exported requests into a RUN: output and error files of a batch service, or of `run-batch`."""
    from planner.batch.service.exchange import import_results  # imports the SDK, which takes 0.4 s

    paths = [path.resolve() for path in files]

    async def taken(call: BatchSession) -> int:
        async with call.open_run() as run:
            imported = await import_results(run.job, run.run, run.ledger, paths)
        for line in imported.describe():
            log.info("%s", line)
        return 1 if imported.failed_requests or imported.needed_requests else 0

    with log_to(log_settings):
        raise SystemExit(_continue_run(run, taken))


@click.command()
@_run_argument
@click.option("--to", "form", type=click.Choice((*EXPORT_FORMATS, BATCH_SERVICE_ENGINE)), required=True, help="Format.")
@click.argument("target", type=click.Path(path_type=Path))
@log_options
def export(run: Path, form: str, target: Path, log_settings: LogOptions) -> None:
    """Write the plans of a RUN to TARGET: a folder in AblationBench's layout, a CSV file, or a JSONL file.

    With openai-batch, write the requests that the RUN still needs, for a batch service or for vLLM's run-batch.
    """
    with log_to(log_settings):
        if form == BATCH_SERVICE_ENGINE:
            where = target.resolve()
            raise SystemExit(_continue_run(run, lambda call: _export_requests(call, where)))
        for line in export_run(RunFolder(run), form, target):
            click.echo(make_printable(line), err=True)
        click.echo(make_printable(str(target)))


async def _export_requests(session: BatchSession, target: Path) -> int:
    from planner.batch.service.exchange import export_requests  # imports the SDK, which takes 0.4 s

    async with session.open_run() as run:
        exported = await export_requests(run.job, run.run, run.ledger, target)
    if not exported:
        log.info("%s needs no further requests", session.run.path)
    for path, requests in exported:
        log.info("%d requests", requests)
        click.echo(make_printable(str(path)))
    return 0


def _continue_run(
    run: Path,
    action: Callable[[BatchSession], Coroutine[Any, Any, int]],
    batch_service: BatchServiceOptions | None = None,
    *,
    as_json: bool = False,
) -> int:
    """Continue a run with the settings of its last `batch` call, in the folder of that call."""
    folder = RunFolder(run.resolve())
    if shards := list_unmerged_shards(folder):
        names = ", ".join(str(shard.locate_folder(RunFolder(run)).path) for shard in shards)
        raise RunError(
            f"{run} is divided into shards, each a run of its own; name one of them ({names}), or merge {run}"
        )
    saved = read_run_spec(folder)
    call = BatchSession(
        sources=(),
        run=folder,
        models=tuple(saved.endpoints),
        settings=saved.settings,
        endpoint=saved.asking,
        limits=saved.bounded,
        offline=False,
        retry_failed=saved.retry_failed,
        as_json=as_json,
        shard=None,
        engine_options=EngineOptions(BATCH_SERVICE_ENGINE, ""),
        batch_service=batch_service or BatchServiceOptions(),
        addresses=saved.resolve_addresses(),
    )
    with contextlib.chdir(saved.folder):
        return asyncio.run(action(call))
