"""The command `trial`: plan the same papers in several ways, judge the plans together, and report the differences."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import click

from eval.arms import judge_arms, read_arms
from eval.commands.options import build_result_json, json_option, output_option, plots_option
from eval.gold import GoldSet, read_gold
from eval.judging import Judge, PaperVerdicts, make_model_judge
from eval.model_judge import JudgeSettings, open_judge
from eval.offline import OFFLINE_JUDGE, judge_paper_offline
from eval.plans import PaperStatus, System
from eval.report.document import write_document
from eval.report.trial import build_trial_report
from eval.runs import JudgedRun, write_judged_run
from eval.scoring import compute_results
from eval.trial import Arm, JudgeTable, Trial, build_run_spec, locate_judged_runs, locate_run, read_trial
from eval.trial_cost import StepEstimate, estimate_arms, estimate_judge
from planner.batch.cluster.merge import reuse_replies
from planner.batch.ledger.store import UNFINISHED_OUTCOMES
from planner.batch.run_folder import RunFolder
from planner.batch.status import read_ledger_status
from planner.chat import ModelInfo
from planner.cli.batch import run_batch_for_exit_code
from planner.cli.options import create_cached_arxiv_client
from planner.cli.run_options import prompt_file_options
from planner.cli.terminal.console import add_log_options, log, run_for_exit_code
from planner.models.prompt_files import PromptFileModel, PromptFiles, PromptFolders
from planner.planning.record import sum_costs_if_all_known
from planner.sanitize import make_printable

_SIGNAL_EXIT: Final = 128


@dataclass(frozen=True, slots=True)
class TrialCall:
    """A call of `trial`: the trial, its gold, the folder for its results, and how it is carried out."""

    trial: Trial
    gold: GoldSet
    output: Path
    prompt_folders: PromptFolders
    retry_failed: bool


@click.command(epilog="Example: python -m eval trial trial.toml -o trial --dry-run")
@click.argument("trial_file", metavar="TRIAL.toml", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@output_option("the runs, verdicts and the report", required=True)
@prompt_file_options
@click.option("--retry-failed", is_flag=True, help="Try failed papers again.")
@click.option("--dry-run", is_flag=True, help="Print an estimate of tokens and cost, and send nothing.")
@plots_option
@json_option
@add_log_options
def trial(
    trial_file: Path,
    output: Path,
    prompt_folders: PromptFolders,
    retry_failed: bool,
    dry_run: bool,
    plots: bool,
    as_json: bool,
) -> None:
    """Plan the papers of TRIAL.toml with each of its arms, judge all plans, and report which differences are real.

    You can stop it at any time; the same command continues it, and asks for nothing twice. With a further arm in the
    file it asks only for that arm.
    """
    read = read_trial(trial_file)
    call = TrialCall(read, read_gold(read.gold, read.task), output, prompt_folders, retry_failed)
    if dry_run:
        raise SystemExit(run_for_exit_code(_print_estimates(call, as_json=as_json), exits_at_first_signal=True))
    with RunFolder(output).lock_folder():
        raise SystemExit(run_for_exit_code(_run_trial(call, plots=plots, as_json=as_json), exits_at_first_signal=True))


async def _run_trial(call: TrialCall, *, plots: bool, as_json: bool) -> int:
    """Plan, judge and report; return 1 if anything is missing or failed, 130 or 143 after a signal, else 0."""
    code = await _plan_arms(call)
    if code > _SIGNAL_EXIT:
        return code
    if missing := sum(_count_missing_plans(call, arm) for arm in call.trial.model_arms):
        log.warning("%d plans are missing, so nothing is judged yet; run the same command again to continue", missing)
        return 1
    systems = read_arms(call.trial, call.output)
    judged_runs = await _judge_arms(call, systems)
    results = compute_results(judged_runs)
    combined = [arm.name for arm in call.trial.arms if arm.combine]
    document = build_trial_report(results, call.gold, systems, combined, with_pictures=plots)
    paths = write_document(call.output, "report", document)
    if as_json:
        click.echo(json.dumps({"files": list(map(str, paths)), "runs": [build_result_json(r) for r in results]}))
    else:
        for path in paths:
            click.echo(str(path))
    return code or (1 if any(result.coverage.unscored for result in results) else 0)


async def _plan_arms(call: TrialCall) -> int:
    """Plan the papers with each arm that asks a model; return the highest exit code."""
    highest = 0
    for arm in call.trial.model_arms:
        log.info("arm %s", arm.name)
        if same := call.trial.find_arm_asked_like(arm):
            reuse_replies(locate_run(call.output, arm), locate_run(call.output, same))
        spec = build_run_spec(call.trial, arm, call.output, call.prompt_folders)
        limits = replace(spec.limits, max_cost=_find_max_cost(call, arm.name))
        spec = replace(spec, limits=limits, retry_failed=call.retry_failed)
        highest = max(highest, await run_batch_for_exit_code(spec, as_json=False))
        if highest > _SIGNAL_EXIT:
            break
    return highest


def _count_missing_plans(call: TrialCall, arm: Arm) -> int:
    """Return the number of papers that an arm has neither planned nor failed on."""
    status = read_ledger_status(locate_run(call.output, arm))
    return status.pending + sum(status.outcomes.get(outcome, 0) for outcome in UNFINISHED_OUTCOMES)


def _find_max_cost(call: TrialCall, name: str) -> float | None:
    """Return what the plans of an arm may cost in USD: the limit without the cost of the other arms; None if none."""
    runs = [locate_run(call.output, arm) for arm in call.trial.model_arms if arm.name != name]
    costs = [read_ledger_status(run).cost or 0.0 for run in runs if run.ledger_path.is_file()]
    return None if call.trial.max_cost is None else max(0.0, call.trial.max_cost - sum(costs))


async def _judge_arms(call: TrialCall, systems: Sequence[System]) -> list[JudgedRun]:
    """Judge the plans of all arms by each judge, and write the judged runs."""
    judged_runs, files = list[JudgedRun](), PromptFiles(call.prompt_folders)
    for table in call.trial.judges:
        folder = locate_judged_runs(call.output, table)
        log.info("judging the plans of %d arms by %s", len(systems), table.model)
        async with _open_judge(call, table, folder, files) as (info, judge):
            runs = await judge_arms(call.gold, systems, info, judge, _log_judged_paper)
        for run in runs:
            write_judged_run(folder / run.record.system, run)
        judged_runs += runs
    if files.unanswered_identities:
        log.warning("%d prompts to judges wait for replies", len(files.unanswered_identities))
    return judged_runs


@asynccontextmanager
async def _open_judge(
    call: TrialCall, table: JudgeTable, folder: Path, files: PromptFiles
) -> AsyncIterator[tuple[ModelInfo, Judge]]:
    """Yield the judge of a trial, which may be the match rule, files, or a model at its endpoint."""
    trial, concurrency = call.trial, call.trial.concurrency
    if table.is_offline:
        yield OFFLINE_JUDGE, judge_paper_offline
    elif call.prompt_folders:
        info = ModelInfo("judge", table.model, table.model)
        settings = JudgeSettings(info, lambda paper_id: PromptFileModel(info, files, paper_id), lambda _: 0.0, folder)
        yield info, make_model_judge(settings, concurrency)
    else:
        async with open_judge(table.model_spec, concurrency, trial.rpm, trial.tpm) as (model, pricing):
            settings = JudgeSettings(model.info, lambda _: model, pricing, folder)
            yield model.info, make_model_judge(settings, concurrency)


def _log_judged_paper(judged: PaperVerdicts) -> None:
    level = log.warning if judged.paper.status is PaperStatus.UNSCORED else log.debug
    level("%s: %s: %s", judged.paper.id, judged.paper.status, judged.paper.reason)


async def _print_estimates(call: TrialCall, *, as_json: bool) -> int:
    """Print what the trial still needs; return 1 if a paper cannot be read, else 0."""
    arms = await estimate_arms(call.trial, call.output, call.prompt_folders, create_cached_arxiv_client(offline=False))
    judges = [
        await estimate_judge(call.trial, judge, call.gold, call.output)
        for judge in call.trial.judges
        if not (judge.is_offline or call.prompt_folders)
    ]
    total = sum_costs_if_all_known(each.cost for each in (*arms, *judges))
    if as_json:
        click.echo(json.dumps({"arms": list(map(asdict, arms)), "judges": list(map(asdict, judges)), "cost": total}))
    else:
        lines = [*(_format_estimate("arm", each) for each in arms), *(_format_estimate("judge", e) for e in judges)]
        click.echo(make_printable("\n".join([*lines, f"in all about {_format_cost(total)}"])))
    return 1 if any(each.paper_errors for each in arms) else 0


def _format_estimate(kind: str, step: StepEstimate) -> str:
    tokens = f"{step.prompt_tokens:,} + {step.reply_tokens:,} tokens"
    lines = [f"{kind} {step.name}: about {step.requests:,} requests, {tokens}, {_format_cost(step.cost)}"]
    return "\n".join([*lines, *(f"  unreadable: {error}" for error in step.paper_errors)])


def _format_cost(cost: float | None) -> str:
    return "$?" if cost is None else f"${cost:.2f}"
