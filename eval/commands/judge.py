"""`judge`: the verdicts on one system's plans, offline, by a model, or by hand."""

from pathlib import Path

import click

from eval import by_hand, offline
from eval.asking import Asking
from eval.commands.models import judge_model
from eval.commands.options import (
    FOLDER,
    gold_option,
    json_option,
    k_option,
    output_option,
    system_option,
    task_option,
)
from eval.commands.summaries import print_result
from eval.coverage import Status, paired
from eval.gold import GoldSet, read_gold
from eval.judging import OFFLINE, Judge, Judged, gathered, judge_all, judge_by_model, judge_offline
from eval.plans import System, one_system
from eval.results import results
from eval.runs import RUN_FILE, Judging, read_run, write_judging
from planner.chat import Completion, ModelCard
from planner.cli.options import ModelOptions, TalkOptions, model_options, talk_options
from planner.cli.signals import interruptible
from planner.cli.talk import log, talking
from planner.errors import UsageError
from planner.schema import Task


@click.command(
    epilog="Example: python -m eval judge trajectories --gold dev.parquet --task author --model gpt-4o -o judged/gpt-4o"
)
@click.argument("plans", type=FOLDER)
@gold_option
@task_option
@system_option
@model_options
@output_option("verdicts, replies and numbers")
@k_option
@click.option("--repeat", default=0, type=click.IntRange(min=0), help="Which repetition this is, for self-agreement.")
@click.option("--prompts", type=FOLDER, help="A folder of your own prompt templates.")
@click.option("--concurrency", default=4, type=click.IntRange(min=1), show_default=True, help="Papers at a time.")
@click.option("--prompts-to", type=click.Path(path_type=Path, file_okay=False), help="Only write each question to a file.")
@click.option("--replies-from", type=FOLDER, help="Read the answers to --prompts-to from files of the same names.")
@json_option
@talk_options
def judge(
    plans: Path,
    gold: Path | None,
    task: Task | None,
    system: str,
    asking: ModelOptions,
    output: Path,
    k: int | None,
    repeat: int,
    prompts: Path | None,
    concurrency: int,
    prompts_to: Path | None,
    replies_from: Path | None,
    as_json: bool,
    talk: TalkOptions,
) -> None:
    """Judge PLANS: a run folder, a folder of trajectories, or AblationBench's <id>.jsonl files.

    Without --model the offline matcher judges, which asks nobody. Run again, the command goes on from where it was.
    """
    if gold is None:
        raise UsageError("--gold is missing: the papers' ablations or reviews to judge against")
    if replies_from and asking.model:
        raise UsageError("--replies-from takes no --model: the answers are there")
    with talking(talk):
        wanted = read_gold(gold, task)
        planned = one_system(plans, wanted.task, system)
        for warning in planned.warnings:
            log.warning("%s", warning)
"""XX"""
