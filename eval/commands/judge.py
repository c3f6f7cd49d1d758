"""The command `judge`: judge one system's plans offline, with a model, or by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from eval import model_judge
from eval.commands.options import (
    EXISTING_FOLDER,
    gold_option,
    json_option,
    k_option,
    output_option,
    print_result,
    system_option,
    task_option,
)
from eval.gold import GoldSet, read_gold
from eval.judging import (
    Judge,
    PaperVerdicts,
    build_judged_run,
    judge_papers,
    make_model_judge,
)
from eval.model_judge import JudgeSettings
from eval.offline import OFFLINE_JUDGE, judge_paper_offline
from eval.plans import PaperStatus, System, pair_papers, read_system
from eval.runs import RUN_FILE, JudgedRun, read_judging_record, write_judged_run
from eval.scoring import compute_results
from planner.chat import Completion, ModelInfo
from planner.cli.options import make_options_decorator, model_options
from planner.cli.terminal.console import add_log_options, log, run_for_exit_code
from planner.errors import UsageError
from planner.models.connect import ModelSpec
from planner.schema import Task


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """The options of `judge`: how to judge the plans and where to write the results."""

    output: Path | None
    k: int | None
    repeat: int
    prompts: Path | None
    concurrency: int
    rpm: float | None
    tpm: float | None
    prompts_to: Path | None
    replies_from: Path | None
    offline: bool

    @property
    def run_folder(self) -> Path:
        """The folder to which the run is written.

        Raises:
            UsageError: if no folder was given.
        """
        if self.output is None:
            raise UsageError("-o is missing: name a folder for verdicts, replies and numbers")
        return self.output


_POSITIVE: Final = click.FloatRange(min=0, min_open=True)

judge_options = make_options_decorator(
    "how",
    JudgeOptions,
    output_option("verdicts, replies and numbers"),
    k_option,
    click.option("--repeat", default=0, type=click.IntRange(min=0), help="Repetition number; a new one asks again."),
    click.option("--prompts", type=EXISTING_FOLDER, help="Folder of your own prompt templates."),
    click.option("--concurrency", default=4, type=click.IntRange(min=1), show_default=True, help="Papers at a time."),
    click.option("--rpm", type=_POSITIVE, help="Requests a minute.  [from the endpoint's headers]"),
    click.option("--tpm", type=_POSITIVE, help="Tokens a minute.  [from the endpoint's headers]"),
    click.option(
        "--prompts-to",
        type=click.Path(path_type=Path, file_okay=False),
        help="Judge nothing; write each prompt to a file in this folder.",
    ),
    click.option("--offline", is_flag=True, envvar="ABLATION_PLANNER_OFFLINE", help="Send no requests."),
    click.option(
        "--replies-from", type=EXISTING_FOLDER, help="Read the replies to those prompts from files of the same names."
    ),
)


@click.command(epilog="Example: python -m eval judge trajectories --gold dev.parquet --model gpt-4o -o judged/gpt-4o")
@click.argument("plans", type=EXISTING_FOLDER)
@gold_option(required=True)
@task_option
@system_option
@judge_options
@model_options
@json_option
@add_log_options
def judge(
    plans: Path,
    gold: Path,
    task: Task | None,
    system: str,
    how: JudgeOptions,
    model_spec: ModelSpec,
    as_json: bool,
) -> None:
    """Judge PLANS: a run folder, a folder of trajectories, or AblationBench's <id>.jsonl files.

    Without --model the offline matcher judges, and no request is sent. If the command is stopped, run it again to go
    on: it never sends a request again that was already paid for.
    """
    wanted = read_gold(gold, task)
    planned = read_system(plans, wanted.task, system)
    for warning in planned.warnings:
        log.warning("%s", warning)
    if how.prompts_to:
        _write_prompts(wanted, planned, how)
        return
    raise SystemExit(run_for_exit_code(_judge_plans(wanted, planned, how, model_spec, as_json)))


def _write_prompts(gold: GoldSet, system: System, how: JudgeOptions) -> None:
    assert how.prompts_to is not None
    model_spec = _by_hand_settings(how, how.prompts_to)
    for path in model_judge.write_judge_prompts(how.prompts_to, model_spec, pair_papers(gold, system)[0]):
        click.echo(str(path))


async def _judge_plans(gold: GoldSet, system: System, how: JudgeOptions, model_spec: ModelSpec, as_json: bool) -> int:
    """Judge the plans, write and print the results, and return 1 if a plan has no verdicts, else 0."""
    if how.replies_from and model_spec.model:
        raise UsageError("--replies-from and --model cannot be used together: leave one of them out")
    if how.replies_from:
        by_files = _by_hand_settings(how, how.run_folder)
        judged_run = await _judge_and_write(
            gold, system, how, model_judge.BY_HAND_JUDGE, make_model_judge(by_files, how.concurrency)
        )
    elif model_spec.model in ("", OFFLINE_JUDGE.asked):
        log.info("judging offline, by words alone (choose a model with --model)")
        judged_run = await _judge_and_write(gold, system, how, OFFLINE_JUDGE, judge_paper_offline)
    elif how.offline:
        raise UsageError(f"--offline forbids requests to {model_spec.model!r}; leave out --model, or use --prompts-to")
    else:
        async with model_judge.open_judge(model_spec, how.concurrency, how.rpm, how.tpm) as (model, pricing):
            by_model = JudgeSettings(
                card=model.info,
                model_for_paper=lambda _: model,
                pricing=pricing,
                folder=how.run_folder,
                repetition=how.repeat,
                templates=how.prompts,
            )
            judged_run = await _judge_and_write(
                gold, system, how, model.info, make_model_judge(by_model, how.concurrency)
            )
    (row,) = compute_results([judged_run], how.k)
    print_result(row, how.run_folder, as_json=as_json)
    return 1 if row.coverage.unscored else 0


async def _judge_and_write(
    gold: GoldSet, system: System, how: JudgeOptions, card: ModelInfo, judge: Judge
) -> JudgedRun:
    """Judge all papers and write the run; raise a UsageError if the folder holds another run."""
    _refuse_other_run(how.run_folder, build_judged_run(gold, system, card, (), how.repeat))
    judged = await judge_papers(gold, system, judge, _log_judged_paper)
    judged_run = build_judged_run(gold, system, card, judged, how.repeat)
    if judged_run.record.without_gold:
        log.warning("%d plans are for papers that are not in the gold", judged_run.record.without_gold)
    write_judged_run(how.run_folder, judged_run, how.k)
    return judged_run


def _refuse_other_run(folder: Path, planned: JudgedRun) -> None:
    if (folder / RUN_FILE).exists() and read_judging_record(folder).identity != planned.record.identity:
        there = read_judging_record(folder)
        raise UsageError(
            f"{folder}: holds {there.judge}'s verdicts on {there.system} ({there.task}, repetition {there.repetition});"
            " choose another folder"
        )


def _by_hand_settings(how: JudgeOptions, folder: Path) -> JudgeSettings:
    """Return the settings of a judge that reads replies from files, each time anew, and never asks again."""
    replies = how.replies_from or folder
    return JudgeSettings(
        card=model_judge.BY_HAND_JUDGE,
        model_for_paper=lambda paper_id: model_judge.ReplyFileModel(replies, paper_id),
        pricing=_zero_cost,
        folder=folder,
        repetition=how.repeat,
        max_reasks=0,
        templates=how.prompts,
        ignore_recorded=True,
    )


def _zero_cost(_: Completion) -> float:
    return 0.0


def _log_judged_paper(judged: PaperVerdicts) -> None:
    paper = judged.paper
    if paper.status is not PaperStatus.SCORED:
        log.warning("%s: %s: %s", paper.id, paper.status, paper.reason)
    else:
        log.debug("%s: %d verdicts", paper.id, len(judged.verdicts or ()))
    for flag in paper.flags:
        log.warning("%s: %s", paper.id, flag)
