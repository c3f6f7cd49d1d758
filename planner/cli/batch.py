"""The command `batch`, which plans many papers as one run."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from planner.batch.manifest import Corpus
from planner.batch.run_folder import RunFolder, Shard
from planner.batch.spec import ENGINES, PROMPT_SETTINGS, BatchServiceOptions, EngineOptions, RunLimits, RunSpec
from planner.batch.status import Progress, read_ledger_status
from planner.cli.command import FOLDER, TYPED_WORDS, command
from planner.cli.options import (
    TaskOptions,
    complete_path,
    create_cached_arxiv_client,
    endpoint_options,
    model_option,
    offline_option,
    output_option,
    task_options,
)
from planner.cli.run_options import (
    engine_options,
    limit_option,
    limit_options,
    prompt_file_options,
    shard_option,
    submission_options,
)
from planner.cli.settings import get_settings
from planner.cli.terminal.console import InterruptHandler, add_log_options, is_quiet, log, print_json, run_for_exit_code
from planner.cli.terminal.progress import (
    describe_dry_run_as_json,
    format_command_totals,
    format_dry_run_text,
    format_progress,
)
from planner.details import format_count
from planner.errors import UsageError
from planner.masking import MASK_TEXT
from planner.models.connect import ModelSpec
from planner.models.openai_chat.endpoint import build_secret_mask
from planner.models.prompt_files import PromptFolders
from planner.sanitize import make_printable

if TYPE_CHECKING:
    from planner.batch.open_run import Engine

_FIRST_LINE_SECONDS: Final = 2.0
_LINE_INTERVAL_SECONDS: Final = 15.0
_UNSET_SOURCES: Final = (ParameterSource.DEFAULT_MAP, ParameterSource.DEFAULT)  # the value is not given in the command
_CREDENTIALS: Final = re.compile(r"://\S*@")  # user and password in an address; the password may contain an @


@command(epilog="Example: ablation-planner batch papers/ -o run --model gpt-4o --max-cost 20")
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS…", shell_complete=complete_path)
@output_option(
    "-o",
    "--output",
    type=FOLDER,
    required=True,
    metavar="RUN",
    help="Folder for the run; the same command continues an unfinished run in it.",
)
@model_option(
    "-m",
    "--model",
    "models",
    multiple=True,
    envvar="ABLATION_PLANNER_MODEL",
    help="Model name, as for `plan`; repeat the option for several models.",
)
@task_options
@endpoint_options
@limit_options
@offline_option(group="Limits")
@limit_option("--retry-failed", is_flag=True, help="Try failed papers again.")
@engine_options
@submission_options
@shard_option
@prompt_file_options
@output_option("--dry-run", is_flag=True, help="Print an estimate of tokens, cost and time, and send nothing.")
@output_option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@add_log_options
def batch(
    corpus: tuple[str, ...],
    output: Path,
    models: tuple[str, ...],
    task: TaskOptions,
    endpoint: ModelSpec,
    limits: RunLimits,
    submission: BatchServiceOptions,
    offline: bool,
    retry_failed: bool,
    shard: Shard | None,
    engine: EngineOptions,
    prompt_folders: PromptFolders,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Plan every paper of each CORPUS: a folder, a glob, a manifest (.jsonl .csv .parquet), an arXiv id, or a list.

    A list names one paper per line, in a text file or on stdin (-). You can stop the run at any time, even by force.
    The same command continues it; no reply is paid for twice.
    """
    if prompt_folders and engine.engine != ENGINES[0]:
        raise UsageError(f"--prompts-to and --replies-from send nothing; leave out --engine {engine.engine}")
    replies = prompt_folders.replies_from
    if replies and not prompt_folders.prompts_to and not replies.is_dir():
        raise UsageError(f"--replies-from {replies}: there is no such folder")
    settings, context = get_settings(), click.get_current_context()
    model_specs = tuple(
        settings.complete_model_spec(replace(endpoint, model=name)) for name in dict.fromkeys(models or ("",))
    )
    sources = {name: context.get_parameter_source(name) for name in context.params}
    spec = RunSpec(
        RunFolder(output),
        model_specs,
        task.make_settings(),
        limits,
        corpus,
        engine,
        shard,
        submission,
        offline,
        retry_failed,
        prompt_folders,
        sends_requests=not (dry_run or submission.prepare),
        unset_fields=frozenset(name for name, source in sources.items() if source in _UNSET_SOURCES),
        uses_settings_file=any(sources[name] is ParameterSource.DEFAULT_MAP for name in ("models", *PROMPT_SETTINGS))
        or any(each.key_variable is not None for each in model_specs),
        command_words=_list_typed_words(),
    )
    work = _print_estimate(spec, as_json=as_json) if dry_run else run_batch_for_exit_code(spec, as_json=as_json)
    raise SystemExit(run_for_exit_code(work, exits_at_first_signal=True))


def _list_typed_words() -> tuple[str, ...]:
    """Return the words that the user typed on the command line, with keys and passwords masked."""
    mask = build_secret_mask(os.environ, get_settings().key_variables)
    words = click.get_current_context().meta[TYPED_WORDS]
    return tuple(mask.mask_text(_CREDENTIALS.sub(f"://{MASK_TEXT}@", word)) for word in words)


async def run_batch_for_exit_code(spec: RunSpec, *, as_json: bool) -> int:
    """Plan the pending papers of a run, and return the exit code of the command."""
    from planner.batch.open_run import (  # slow, and --help does not need it
        open_run,
        record_corpus,
        yield_planning_engines,
    )

    async with open_run(spec, create_cached_arxiv_client(offline=spec.offline)) as opened:
        code = 0
        if spec.submission.prepare:
            await record_corpus(opened)
        else:
            async for engine in yield_planning_engines(opened):
                code = await _run_engine(opened.run, engine)
            _print_summary(opened.run, as_json=as_json)
    return code or (1 if _has_problems(opened.job.corpus) else 0)


async def _run_engine(run: RunFolder, engine: "Engine") -> int:
    with closing(InterruptHandler(engine.stop)) as interrupt:
        try:
            async with _show_progress(engine.progress):
                await engine.plan_papers()
        except asyncio.CancelledError:
            log.error("stopped at once; run the same command again to continue")
            return interrupt.exit_code
    if engine.progress.stop_reason:
        log.error("stopped: %s; run the same command again to continue", engine.progress.stop_reason)
    if waiting := engine.progress.unanswered_prompts:
        prompts = format_count(waiting, "prompt")
        log.info("%s without a reply; save each reply under its prompt's name in the folder of --replies-from", prompts)
    if engine.progress.earlier_outcomes:
        log.info("in this command: %s", format_command_totals(engine.progress))
    failed = read_ledger_status(run).failed
    return interrupt.exit_code or (1 if failed or waiting or engine.progress.stop_reason else 0)


def _print_summary(run: RunFolder, *, as_json: bool) -> None:
    status = read_ledger_status(run)
    log.info("%s", status.as_text())
    if status.failed:
        log.info("to see the reasons:\n  ablation-planner status %s --failed", shlex.quote(str(run.path)))
    elif status.planned and not status.pending:
        log.info("to make pages of all plans:\n  ablation-planner site %s -o pages", shlex.quote(str(run.path)))
    if as_json:
        print_json(status.as_json())


async def _print_estimate(spec: RunSpec, *, as_json: bool) -> int:
    """Print the expected tokens, cost and time of a run. Return 0 if all papers can be read, otherwise 1."""
    from planner.batch.open_run import collect_corpus_and_model_estimates

    corpus, estimates = await collect_corpus_and_model_estimates(spec, create_cached_arxiv_client(offline=spec.offline))
    if as_json:
        print_json(describe_dry_run_as_json(corpus, estimates))
    else:
        click.echo(make_printable(format_dry_run_text(corpus, estimates)))
    return 1 if _has_problems(corpus) or any(each.paper_errors for each in estimates) else 0


def _has_problems(corpus: Corpus) -> bool:
    return any(not problem.is_harmless for problem in corpus.problems)


@asynccontextmanager
async def _show_progress(progress: Progress) -> AsyncIterator[None]:
    """Show the progress of a run on stderr during the block."""
    if is_quiet():
        yield
        return
    if sys.stderr.isatty():
        from planner.cli.terminal.live_view import show_progress_until_cancelled  # imports rich, for a terminal alone

        task = asyncio.create_task(show_progress_until_cancelled(progress))
    else:
        task = asyncio.create_task(_log_progress(progress))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _log_progress(progress: Progress) -> None:
    await asyncio.sleep(_FIRST_LINE_SECONDS)
    while True:
        log.info("%s", format_progress(progress))
        await asyncio.sleep(_LINE_INTERVAL_SECONDS)
