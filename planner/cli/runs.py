"""The commands `status`, `collect`, `import`, `export` and `merge`, which work on a run that exists already."""

import contextlib
import shlex
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from planner.batch.cluster.merge import MergeResult, merge_shards
from planner.batch.open_run import open_run
from planner.batch.run_folder import RunFolder
from planner.batch.spec import BATCH_SERVICE_ENGINE, BatchServiceOptions, RunSpec, load_spec_from_ledger
from planner.batch.status import read_run_status
from planner.cli.batch import run_batch_for_exit_code
from planner.cli.command import FOLDER, command
from planner.cli.options import create_cached_arxiv_client, output_option
from planner.cli.run_options import collect_options
from planner.cli.terminal.console import add_log_options, log, print_json, run_for_exit_code
from planner.details import format_count
from planner.errors import RunError, UsageError
from planner.exports.export import EXPORT_FORMATS, export_plans
from planner.files import is_pipe_or_device
from planner.sanitize import make_printable

_EXPORTS: Final = (*EXPORT_FORMATS, BATCH_SERVICE_ENGINE)
_run_argument = click.argument("run", type=FOLDER)


@command(epilog="Example: ablation-planner status run --failed")
@_run_argument
@click.option("--failed", is_flag=True, help="Show the reasons why papers failed, grouped.")
@click.option("--json", "as_json", is_flag=True, help="Print the progress as JSON.")
def status(run: Path, failed: bool, as_json: bool) -> None:
    """Show the progress of a RUN, even while it is running."""
    found = read_run_status(RunFolder(run))
    if as_json:
        print_json(found.as_json(with_failures=failed))
    else:
        click.echo(make_printable(found.as_text(with_failures=failed)))
        if found.total.pending:
            now = "the run is in progress now" if found.is_in_use else _describe_next_call(RunFolder(run))
            click.echo(now, err=True)
    if found.total.damage:
        raise RunError(found.total.damage)


def _describe_next_call(run: RunFolder) -> str:
    """Return advice to continue a run. If the run's last `batch` command is known, the advice contains it."""
    facts = run.read_run_json()
    words, folder = facts.get("words"), facts.get("folder")
    if not (isinstance(words, list) and words and isinstance(folder, str)):
        return "the run is not in progress now; the same `batch` command continues it"
    change = "" if folder == str(Path.cwd()) else f"cd {shlex.quote(folder)} && "
    typed = make_printable(f"{change}ablation-planner {shlex.join(map(str, words))}").replace("\n", " ")
    return f"the run is not in progress now; this command continues it:\n  {typed}"


@command(epilog="Example: ablation-planner collect run")
@_run_argument
@collect_options
@output_option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@add_log_options
def collect(run: Path, submission: BatchServiceOptions, as_json: bool) -> None:
    """Get the results of a RUN from its batch service, and continue the run as `batch --engine openai-batch` would."""
    spec = load_spec_from_ledger(run, submission)
    _end_after(spec, lambda: run_batch_for_exit_code(spec, as_json=as_json))


@command("import", epilog="Example: ablation-planner import run batch_output.jsonl")
@_run_argument
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@add_log_options
def import_batch_results(run: Path, files: tuple[Path, ...]) -> None:
    """Import results of exported requests into a RUN: output and error files of a batch service or vLLM's run-batch."""
    paths = [path.resolve() for path in files]
    spec = replace(load_spec_from_ledger(run), sends_requests=False)
    _end_after(spec, lambda: _import_results(spec, paths))


def _end_after(spec: RunSpec, work: Callable[[], Coroutine[Any, Any, int]]) -> NoReturn:
    """Do the work in the folder in which the run was begun. End the program with the work's exit code."""
    with contextlib.chdir(spec.base_folder):
        raise SystemExit(run_for_exit_code(work(), exits_at_first_signal=True))


async def _import_results(spec: RunSpec, paths: list[Path]) -> int:
    from planner.batch.service.exchange import import_results_and_plan

    async with open_run(spec, create_cached_arxiv_client(offline=False)) as opened:
        imported = await import_results_and_plan(opened.job, opened.run, opened.ledger, paths)
    for line in imported.describe():
        log.info("%s", line)
    return 1 if imported.failure_reasons or imported.needed_requests else 0


@command(epilog="Example: ablation-planner export run --to csv plans.csv")
@click.argument("run", type=click.Path(path_type=Path))
@output_option(
    "--to",
    "form",
    type=click.Choice(_EXPORTS),
    required=True,
    metavar="FORMAT",
    help=f"{', '.join(_EXPORTS[:-1])} or {_EXPORTS[-1]}.",
)
@click.argument("target", type=click.Path(path_type=Path))
@add_log_options
def export(run: Path, form: str, target: Path) -> None:
    """Write the plans of a RUN, of any folder of trajectories, or of one trajectory, to TARGET.

    The formats csv, jsonl and matrix write a file. In csv, every row has the cost of the whole plan. To add up costs,
    use only the rows whose rank is 1 or empty. A matrix has a row for each experiment, with its settings and its seed.
    It is JSON if TARGET ends in .json.

    The other formats write a folder. wandb and hydra write sweeps, and mark the lines that you must connect to your
    code. issues writes issues, and a script that creates them with gh. latex writes a table. markdown and review write
    texts. ablationbench writes the layout of AblationBench.

    openai-batch writes the requests that the RUN still needs, for a batch service or for vLLM's run-batch.
    """
    if form == BATCH_SERVICE_ENGINE:
        if is_pipe_or_device(target):
            raise UsageError(f"{target} is a pipe or a device; {form} needs a file")
        target, spec = target.resolve(), replace(load_spec_from_ledger(run), sends_requests=False)
        _end_after(spec, lambda: _export_requests(spec, target))
    exported = export_plans(run, form, target)
    for line in (*exported.plan_notes, *exported.ledger_damage):
        click.echo(make_printable(line).replace("\n", " "), err=True)
    if not is_pipe_or_device(target):
        click.echo(make_printable(str(target)))
    raise SystemExit(1 if exported.ledger_damage else 0)


async def _export_requests(spec: RunSpec, target: Path) -> int:
    from planner.batch.service.exchange import export_unanswered_requests

    async with open_run(spec, create_cached_arxiv_client(offline=False)) as opened:
        exported = await export_unanswered_requests(opened.job, opened.run, opened.ledger, target)
    if not exported:
        log.info("%s needs no further requests", spec.run.path)
    for path, requests in exported:
        log.info("%s", format_count(requests, "request"))
        click.echo(make_printable(str(path)))
    return 0


@command(epilog="Example: ablation-planner merge run")
@_run_argument
@add_log_options
def merge(run: Path) -> None:
    """Merge the results of the shards of a RUN. The exit code is 1 while the results of a shard are missing.

    Run the command again to add results that came later.
    """
    merged = merge_shards(RunFolder(run))
    _log_merge(merged)
    click.echo(make_printable(read_run_status(RunFolder(run)).as_text()))
    raise SystemExit(0 if merged.is_complete else 1)


def _log_merge(merged: MergeResult) -> None:
    for shard, counts in merged.counts_by_shard.items():
        results = format_count(counts.added_results, "new result")
        requests = format_count(counts.added_requests, "new request")
        log.info("%s: %s, %s", shard.name, results, requests)
    for problem in merged.problems:
        log.warning("%s", problem)
    for shard, why in merged.reasons_by_unfinished_shard.items():
        log.warning("%s was left out: %s; merge again when the shard has ended", shard.name, why)
    for shard in merged.missing_shards:
        log.warning("%s has not begun; begin it with batch --shard %s", shard.name, shard)
