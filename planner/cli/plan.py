"""The commands `plan`, `demo` and `parse`, which write trajectories."""

import asyncio
import shlex
from dataclasses import replace
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import click

from planner.chat import Completion, TokenCounter
from planner.cli.command import FOLDER, command
from planner.cli.options import (
    MetadataOptions,
    TaskOptions,
    complete_path,
    metadata_options,
    model_option,
    model_options,
    output_option,
    paper_option,
    task_options,
)
from planner.cli.paper import create_isolated_reader, is_missing_path, read_command_paper, read_named_paper
from planner.cli.terminal.console import add_log_options, log, run_for_exit_code
from planner.cli.terminal.results import PlanReporter
from planner.errors import Outcome, PaperError, TrajectoryError, UsageError
from planner.files import describe_os_error, read_bounded_file, read_stdin
from planner.models.connect import EXTRACTIVE, ModelSpec, add_host_logging, open_model
from planner.models.prompt_files import MAX_REPLY_BYTES, PastedReplyModel
from planner.papers.characters import decode_text_with_warnings
from planner.papers.paper import Paper
from planner.papers.sources import FileFormat, propose_paper_id
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import plan_to_folder_with_client, record_unreadable_paper, write_pasted_plan
from planner.reading.process import IsolatedReader
from planner.sanitize import make_printable

_DEMO_TITLE: Final = "Slack Water: Forecasting Tidal Currents by Gating a Harmonic Prior"

folder_option = output_option(
    "-o",
    "--output",
    type=FOLDER,
    default=Path("trajectories"),
    show_default=True,
    envvar="ABLATION_PLANNER_OUTPUT",
    help="Folder for the trajectories.",
)
json_option = output_option(
    "--json", "as_json", is_flag=True, help="Print a JSON object instead of the path for each paper."
)


@command(epilog="Example: ablation-planner plan paper.pdf --model gpt-4o --task author -k 5")
@click.argument("papers", nargs=-1, required=True, metavar="PAPER…", shell_complete=complete_path)
@metadata_options
@task_options
@model_options
@folder_option
@output_option("--force", is_flag=True, help="Send requests again even if they were already answered.")
@json_option
@add_log_options
def plan(
    papers: tuple[str, ...],
    metadata: MetadataOptions,
    task: TaskOptions,
    model_spec: ModelSpec,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Plan the missing ablations of each PAPER: a file, an archive or folder of LaTeX, an arXiv id, or - for stdin.

    For each paper, writes a trajectory (a file with the plan and its reasoning), and prints the path of this file.
    """
    if len(papers) > 1 and (metadata.title or metadata.abstract or metadata.paper_id):
        raise UsageError("--title, --abstract and --id describe one paper; give one PAPER, or a manifest to `batch`")
    reporter = PlanReporter(as_json=as_json)
    code = run_for_exit_code(_plan_papers(papers, metadata, task.make_settings(), model_spec, output, force, reporter))
    reporter.suggest_next_step(output)
    raise SystemExit(code)


@command(epilog="Example: ablation-planner demo --task author")
@task_options
@model_options
@folder_option
@add_log_options
def demo(task: TaskOptions, model_spec: ModelSpec, output: Path) -> None:
    """Plan a paper that comes with the program, and show the plan.

    Uses the built-in planner unless you name a model.
    """
    with as_file(files("planner") / "demo" / "paper.md") as paper:
        model_spec = replace(model_spec, model=model_spec.model or EXTRACTIVE)  # a key alone demands no --model
        reporter = PlanReporter(shows_plan=True)
        about = MetadataOptions(title=_DEMO_TITLE)
        work = _plan_papers((str(paper),), about, task.make_settings(), model_spec, output, False, reporter)
        code = run_for_exit_code(work)
        reporter.suggest_next_step(output)
        raise SystemExit(code)


@command(epilog="Example: ablation-planner parse reply.txt --paper paper.pdf --model my-chat-model")
@click.argument("reply", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.argument("revised", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@paper_option("--paper", required=True, shell_complete=complete_path, help="The paper that the reply is about.")
@model_option("--model", default="pasted", show_default=True, help="Name of the model that wrote the reply.")
@metadata_options
@task_options
@folder_option
@json_option
@add_log_options
def parse(
    reply: str,
    revised: str | None,
    paper: str,
    model: str,
    metadata: MetadataOptions,
    task: TaskOptions,
    output: Path,
    as_json: bool,
) -> None:
    """Check REPLY, a file with a model's reply (- for stdin), and write the trajectory with its plan.

    With --strategy revise, the command prints a message for the model if the program finds faults in the plan. Send
    this message in the same conversation. Save the model's second reply to a file. Then run the command again with this
    file as REVISED.
    """
    if not model.strip():
        raise UsageError("--model is empty; name the model that wrote the reply, as in --model my-chat-model")
    if revised and task.strategy != "revise":
        raise UsageError("REVISED needs --strategy revise; add that option, or give only REPLY")
    if [paper, reply, revised].count("-") > 1:
        raise UsageError("only one of REPLY, REVISED and --paper can be read from stdin; give the others as files")
    settings, read = task.make_settings(), read_command_paper(paper, metadata)
    pasted = PastedReplyModel(model, *(_read_pasted_reply(path, model) for path in (reply, revised) if path))
    done = asyncio.run(write_pasted_plan(output, read, pasted, settings))
    reporter = PlanReporter(as_json=as_json)
    reporter.report_result(paper, done)
    reporter.suggest_next_step(output)
    if pasted.next_message:
        log.info("send this message in the same conversation; run `parse` again with the new reply as REVISED:")
        click.echo(make_printable(f"\n{pasted.next_message}"), err=as_json)
    elif revised and pasted.completions and done.trajectory:
        log.warning("%s is not needed, since the program finds no fault in the plan of %s", revised, reply)
    raise SystemExit(0 if done.record.outcome is Outcome.PLANNED else 1)


def _read_pasted_reply(reply: str, model: str) -> Completion:
    data = read_stdin(MAX_REPLY_BYTES) if reply == "-" else read_bounded_file(Path(reply), MAX_REPLY_BYTES)
    text, notes = decode_text_with_warnings(data, reply)
    return Completion(text, model=model, notes=notes)


async def _plan_papers(
    sources: tuple[str, ...],
    metadata: MetadataOptions,
    settings: PlanSettings,
    model_spec: ModelSpec,
    output: Path,
    force: bool,
    reporter: PlanReporter,
) -> int:
    """Plan one paper after the other. Return 0 if every paper has a plan, otherwise 1."""
    if len(sources) == 1 and is_missing_path(sources[0]):
        raise UsageError(f"{sources[0]}: no such file or folder")
    code, counter = 0, TokenCounter()
    plan_paper = partial(
        plan_to_folder_with_client, output, max_wait=model_spec.max_wait, force=force, token_counter=counter
    )
    async with (
        open_model(model_spec, offline=metadata.offline, on_text=reporter.add_reply_text) as client,
        create_isolated_reader(offline=metadata.offline) as reader,
    ):
        settings = replace(settings, window=settings.window or client.window)
        client = add_host_logging(client)
        for number, source in enumerate(sources, start=1):
            log.info("%sreading %s", f"[{number}/{len(sources)}] " if len(sources) > 1 else "", source)
            if is_missing_path(source):
                log.error("%s: no such file or folder", source)
                code = 1
                continue
            try:
                paper = await _read_paper(source, metadata, reader)
                if isinstance(paper, PaperError):
                    named = propose_paper_id(source, given_id=metadata.paper_id, given_title=metadata.title)
                    done = record_unreadable_paper(output, source, paper, client.info, settings, named)
                else:
                    with reporter.create_reply_view(client.info):
                        done = await plan_paper(paper, client, settings)
            except TrajectoryError as error:
                log.error("%s", error)
                code = 1
            except OSError as error:
                log.error("%s: %s", error.filename or source, describe_os_error(error))
                code = 1
            else:
                reporter.report_result(source, done)
                code = code if done.record.outcome is Outcome.PLANNED else 1
    return code


async def _read_paper(source: str, metadata: MetadataOptions, reader: IsolatedReader) -> Paper | PaperError:
    """Return a paper, or the error if it cannot be read. If `source` is a folder of papers, advise to use `batch`."""
    try:
        paper = await read_named_paper(source, metadata, reader)
    except PaperError as error:
        hint = _suggest_batch(source, is_read=False)
        return type(error)(f"{error}; {hint}") if hint and "`batch`" not in str(error) else error
    if hint := _suggest_batch(source, is_read=True):
        log.warning("%s: %s is planned; %s", source, paper.main_file, hint)
    return paper


def _suggest_batch(source: str, *, is_read: bool) -> str:
    """Return advice to use `batch`, or "" if the source is not a folder with several papers.

    Text files are not counted as papers. If the folder was read as one paper (`is_read`), files in its subfolders are
    not counted either; they may be figures.
    """
    if source == "-" or not Path(source).is_dir():
        return ""
    from planner.batch.discovery import FolderScan  # for folders alone

    found = [each for each in FolderScan().find_papers(Path(source)) if each.kind != FileFormat.TEXT.value]
    count = len([each for each in found if not is_read or each.path.parent == Path(source)])
    plan_all = f"ablation-planner batch {shlex.quote(source)} -o run"
    return f"this folder seems to hold {count} papers: `{plan_all}` plans each" if count > 1 else ""
