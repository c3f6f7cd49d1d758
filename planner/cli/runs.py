"""`status`, `collect`, `import`, `export`, `merge` and `combine`: commands on runs."""

import contextlib
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from planner.batch.cluster.merge import MergeResult, merge_shards
from planner.batch.open_run import load_run_spec, open_run
from planner.batch.run_folder import RunFolder
from planner.batch.spec import BATCH_SERVICE_ENGINE, RunSpec, SubmissionOptions
from planner.batch.status import read_run_status
from planner.cli.batch import run_batch
from planner.cli.command import command
from planner.cli.options import LogOptions, log_options, open_arxiv, output_option
from planner.cli.run_options import collect_options
from planner.cli.terminal.console import log, run_interruptible, send_log_messages
from planner.combining.combine import CombineResult, SinglePlan, combine_plans
from planner.details import DEFAULT_MIN_CHANCE, format_count
from planner.errors import RunError, UsageError
from planner.exports.export import EXPORT_FORMATS, export_plans
from planner.files import is_pipe_or_device
from planner.planning.output import PlanOutput
from planner.sanitize import make_json_printable, make_printable
from planner.schema import DEFAULT_K, MAX_K, Task
from planner.site.entries import UnreadFile

_EXPORTS: Final = (*EXPORT_FORMATS, BATCH_SERVICE_ENGINE)
_run_argument = click.argument("run", type=click.Path(path_type=Path, file_okay=False))


@command(epilog="Example: ablation-planner status run --failed")
@_run_argument
@click.option("--failed", is_flag=True, help="Show the reasons for failures, grouped.")
@click.option("--json", "as_json", is_flag=True, help="Print the progress as JSON.")
def status(run: Path, failed: bool, as_json: bool) -> None:
    """Show the progress of a RUN, even while it is running."""
    found = read_run_status(RunFolder(run))
    if as_json:
        click.echo(make_json_printable(json.dumps(found.as_json(with_failures=failed), ensure_ascii=False, indent=1)))
    else:
        click.echo(make_printable(found.as_text(with_failures=failed)))
        if found.total.pending:
            click.echo("if no call works on the run now, the command that began it goes on with what is left", err=True)
    if found.total.damage:
        raise RunError(found.total.damage)


@command(epilog="Example: ablation-planner collect run")
@_run_argument
@collect_options
@output_option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@log_options
def collect(run: Path, submission: SubmissionOptions, as_json: bool, log_settings: LogOptions) -> None:
    """Get the results of a RUN from its batch service, and continue as `batch --engine openai-batch` would."""
    with send_log_messages(log_settings):
        spec = load_run_spec(run, submission)
        with contextlib.chdir(spec.folder):
            work = run_batch(spec, quiet=log_settings.quiet, as_json=as_json)
            raise SystemExit(run_interruptible(work, at_once=True))


@command("import", epilog="Example: ablation-planner import run batch_output.jsonl")
@_run_argument
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@log_options
def import_batch_results(run: Path, files: tuple[Path, ...], log_settings: LogOptions) -> None:
    """Import results of exported requests into a RUN: output and error files of a batch service, or of `run-batch`."""
    paths = [path.resolve() for path in files]
    with send_log_messages(log_settings):
        spec = replace(load_run_spec(run, SubmissionOptions()), sends=False)
        with contextlib.chdir(spec.folder):
            raise SystemExit(run_interruptible(_import_results(spec, paths), at_once=True))


async def _import_results(spec: RunSpec, paths: list[Path]) -> int:
    from planner.batch.service.exchange import import_results  # imports the SDK, which takes 0.4 s

    async with open_run(spec, open_arxiv(offline=False)) as opened:
        imported = await import_results(opened.job, opened.run, opened.ledger, paths)
    for line in imported.describe():
        log.info("%s", line)
    return 1 if imported.failed_requests or imported.needed_requests else 0


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
@log_options
def export(run: Path, form: str, target: Path, log_settings: LogOptions) -> None:
    """Write the plans of a RUN, of any folder of trajectories, or of one trajectory, to TARGET.

    csv, jsonl and matrix (each run with its settings and seed; as JSON if TARGET ends in .json) write a file. The
    others write a folder: wandb and hydra sweeps with what a person must wire marked, issues with a script for gh,
    a table for latex, text for a review or in markdown, and AblationBench's layout.

    With openai-batch, write the requests that the RUN still needs, for a batch service or for vLLM's run-batch.
    """
    with send_log_messages(log_settings):
        if form == BATCH_SERVICE_ENGINE:
            if is_pipe_or_device(target):
                raise UsageError(f"{target} is a pipe or a device; {form} needs a file")
            target, spec = target.resolve(), replace(load_run_spec(run, SubmissionOptions()), sends=False)
            with contextlib.chdir(spec.folder):
                raise SystemExit(run_interruptible(_export_requests(spec, target), at_once=True))
        exported = export_plans(run, form, target)
        for line in (*exported.left_out, *exported.damage):
            click.echo(make_printable(line).replace("\n", " "), err=True)
        if not is_pipe_or_device(target):
            click.echo(make_printable(str(target)))
        raise SystemExit(1 if exported.damage else 0)


async def _export_requests(spec: RunSpec, target: Path) -> int:
    from planner.batch.service.exchange import export_requests  # imports the SDK, which takes 0.4 s

    async with open_run(spec, open_arxiv(offline=False)) as opened:
        exported = await export_requests(opened.job, opened.run, opened.ledger, target)
    if not exported:
        log.info("%s needs no further requests", spec.run.path)
    for path, requests in exported:
        log.info("%s", format_count(requests, "request"))
        click.echo(make_printable(str(path)))
    return 0


@command(epilog="Example: ablation-planner merge run")
@_run_argument
@log_options
def merge(run: Path, log_settings: LogOptions) -> None:
    """Merge the shards of a RUN into it. Merging again adds what is new; exit code 1 while a shard is missing."""
    with send_log_messages(log_settings):
        merged = merge_shards(RunFolder(run))
        _log_merge(merged)
        click.echo(make_printable(read_run_status(RunFolder(run)).as_text()))
        raise SystemExit(0 if merged.is_complete else 1)


def _log_merge(merged: MergeResult) -> None:
    for shard, joined in merged.counts_by_shard.items():
        results, requests = format_count(joined.results, "new result"), format_count(joined.requests, "new request")
        log.info("%s: %s, %s", shard.name, results, requests)
    for problem in merged.problems:
        log.warning("%s", problem)
    for shard, why in merged.running_shards.items():
        log.warning("%s was left out: %s; merge again when it has ended", shard.name, why)
    for shard in merged.missing_shards:
        log.warning("%s has not begun: batch --shard %s", shard.name, shard)


@command(epilog="Example: ablation-planner combine runs/gpt-4o runs/claude -o combined")
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="SOURCE…",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@output_option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the plans."
)
@output_option(
    "--min-chance",
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help="Keep only ablations with at least this mean chance, and always the best one.  "
    f"[author {DEFAULT_MIN_CHANCE[Task.AUTHOR]}, reviewer {DEFAULT_MIN_CHANCE[Task.REVIEWER]}]",
)
@output_option(
    "-k",
    type=click.IntRange(1, MAX_K),
    help=f"Most ablations in a plan.  [reviewer {DEFAULT_K[Task.REVIEWER]}, author {DEFAULT_K[Task.AUTHOR]}]",
)
@output_option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@log_options
def combine(
    sources: tuple[Path, ...],
    output: Path,
    min_chance: int | None,
    k: int | None,
    as_json: bool,
    log_settings: LogOptions,
) -> None:
    """Combine the plans in each SOURCE: a run folder, or any folder of trajectories. Nothing is sent.

    Of each paper and task, the ablations that several models, samples or runs propose are joined, and ranked by their
    mean chance, or by votes where not every plan states chances. Prints the path of each combined plan.
    """
    with send_log_messages(log_settings):
        facts: dict[str, list[dict[str, object]]] = {"plans": [], "single": [], "unread": []}
        for result in combine_plans(sources, output, k=k, min_chance=min_chance):
            _add_facts(facts, result)
            if isinstance(result, PlanOutput) and not as_json:
                click.echo(make_printable(str(result.path)))
        if as_json:
            click.echo(make_json_printable(json.dumps(facts, ensure_ascii=False, indent=1)))
        combined, single, unread = map(len, facts.values())
        counts = [f"{format_count(combined, 'plan')} combined"]
        if single:
            counts.append(f"{format_count(single, 'plan')} left alone, as no other is of the same paper and task")
        if unread:
            counts.append(f"{format_count(unread, 'file')} that cannot be read")
        log.info("%s", ", ".join(counts))
        if combined and not as_json:
            log.info("next, the plans:\n  ablation-planner show %s", shlex.quote(str(output)))
        raise SystemExit(1 if facts["unread"] or not facts["plans"] else 0)


def _add_facts(facts: dict[str, list[dict[str, object]]], result: CombineResult) -> None:
    """Add the facts of a result, and log what is not combined."""
    match result:
        case PlanOutput(record, _, path):
            members = record.parameters["members"]
            facts["plans"].append(
                {"paper_id": record.paper.id, "task": record.task, "path": str(path), "members": members}
            )
        case SinglePlan(paper_id, task, member):
            log.info("%s: only %s has a plan for the %s task, so nothing is combined", paper_id, member, task)
            facts["single"].append({"paper_id": paper_id, "task": task, "member": member})
        case UnreadFile(name, reason):
            log.warning("%s: %s", name, reason)
            facts["unread"].append({"file": name, "reason": reason})
