"""`collect`, `import` and `export`: continue a run, also with results that were computed elsewhere."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from planner.batch.export import FORMS, export_run
from planner.batch.merging import unmerged
from planner.batch.run import RunFolder
from planner.cli.bounds import SubmissionOptions, finish_live_option, poll_option
from planner.cli.call import Call
from planner.cli.cluster import SERVICE, EngineOptions
from planner.cli.options import TalkOptions, talk_options
from planner.cli.saved import saved_call
from planner.cli.talk import log, talking
from planner.controls import printable
from planner.errors import RunError

_run = click.argument("run", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@_run
@click.option("--no-wait", is_flag=True, help="Get the results that are ready, and exit.")
@finish_live_option
@poll_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@talk_options
def collect(run: Path, no_wait: bool, finish_live: bool, poll: float | None, as_json: bool, talk: TalkOptions) -> None:
    """Get the results of a RUN from its batch service, and continue as `batch --engine openai-batch` would."""
    submission = SubmissionOptions(submit_only=no_wait, finish_live=finish_live, poll=poll)
    with talking(talk):
        raise SystemExit(_going_on(run, lambda call: call.plan(quiet=talk.quiet), submission, as_json=as_json))


@click.command(name="import")
@_run
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@talk_options
def import_(run: Path, files: tuple[Path, ...], talk: TalkOptions) -> None:
    """Import results of exported requests into a RUN: output and error files of a batch service, or of `run-batch`."""
    from planner.batch.service.exchange import import_results  # imports the SDK, which takes 0.4 s

    paths = [path.resolve() for path in files]

    async def taken(call: Call) -> int:
        async with call.opened() as run:
            imported = await import_results(run.job, run.run, run.ledger, paths)
        for line in imported.lines():
            log.info("%s", line)
        return 1 if imported.failed or imported.wanted else 0

    with talking(talk):
        raise SystemExit(_going_on(run, taken))


@click.command()
@_run
@click.option("--to", "form", type=click.Choice((*FORMS, SERVICE)), required=True, help="Format.")
@click.argument("target", type=click.Path(path_type=Path))
@talk_options
def export(run: Path, form: str, target: Path, talk: TalkOptions) -> None:
    """Write the plans of a RUN to TARGET: a folder in AblationBench's layout, a CSV file, or a JSONL file.

    With openai-batch, write the requests that the RUN still needs, for a batch service or for vLLM's run-batch.
    """
    with talking(talk):
        if form == SERVICE:
            where = target.resolve()
            raise SystemExit(_going_on(run, lambda call: _export_requests(call, where)))
        for line in export_run(RunFolder(run), form, target):
            click.echo(printable(line), err=True)
        click.echo(printable(str(target)))


async def _export_requests(call: Call, target: Path) -> int:
    from planner.batch.service.exchange import export_requests  # imports the SDK, which takes 0.4 s

    async with call.opened() as run:
        exported = await export_requests(run.job, run.run, run.ledger, target)
    if not exported:
        log.info("%s needs no further requests", call.run.path)
    for path, requests in exported:
        log.info("%d requests", requests)
        click.echo(printable(str(path)))
    return 0


def _going_on(
    run: Path,
    what: Callable[[Call], Coroutine[Any, Any, int]],
    submission: SubmissionOptions | None = None,
    *,
    as_json: bool = False,
) -> int:
    """Continue a run with the settings of its last `batch` call, in the folder of that call."""
    folder = RunFolder(run.resolve())
    if shards := unmerged(folder):
        names = ", ".join(str(shard.folder(RunFolder(run)).path) for shard in shards)
        raise RunError(
            f"{run} is divided into shards, each a run of its own; name one of them ({names}), or merge {run}"
        )
    saved = saved_call(folder)
    call = Call(
        named=(),
        run=folder,
        models=tuple(saved.endpoints),
        settings=saved.settings,
        asking=saved.asking,
        bounded=saved.bounded,
        offline=False,
        retry_failed=saved.retry_failed,
        as_json=as_json,
        shard=None,
        where=EngineOptions(SERVICE, ""),
        submission=submission or SubmissionOptions(),
        endpoints=saved.addresses(),
    )
    with contextlib.chdir(saved.folder):
        return asyncio.run(what(call))
