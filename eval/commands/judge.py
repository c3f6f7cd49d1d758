"""The command `judge`: judge one system's plans offline, with a model, or by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from eval import by_hand
from eval.asking import Asking
from eval.commands.options import FOLDER, gold_option, json_option, k_option, output_option, system_option, task_option
from eval.commands.summaries import print_result
from eval.coverage import Status, paired
from eval.gold import GoldSet, read_gold
from eval.judging import OFFLINE, Judge, Judged, gathered, judge_all, judge_by_model, judge_offline
from eval.limiting import Limited
from eval.plans import System, one_system
from eval.results import results
from eval.runs import RUN_FILE, Judging, read_run, write_judging
from planner.batch.limits import Limits
from planner.chat import Completion, ModelCard
from planner.cli.models import connected, patient, say_where
from planner.cli.options import ModelOptions, TalkOptions, model_options, talk_options
from planner.cli.options import gathered as options_gathered
from planner.cli.signals import interruptible
from planner.cli.talk import log, talking
from planner.errors import UsageError
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
    def folder(self) -> Path:
        """The folder to which the run is written.

        Raises:
            UsageError: if no folder was given.
        """
        if self.output is None:
            raise UsageError("-o is missing: name a folder for verdicts, replies and numbers")
        return self.output


_POSITIVE: Final = click.FloatRange(min=0, min_open=True)

judge_options = options_gathered(
    "how",
    JudgeOptions,
    output_option("verdicts, replies and numbers"),
    k_option,
    click.option("--repeat", default=0, type=click.IntRange(min=0), help="Repetition number; a new one asks again."),
    click.option("--prompts", type=FOLDER, help="Folder of your own prompt templates."),
    click.option("--concurrency", default=4, type=click.IntRange(min=1), show_default=True, help="Papers at a time."),
    click.option("--rpm", type=_POSITIVE, help="Requests a minute.  [from the endpoint's headers]"),
    click.option("--tpm", type=_POSITIVE, help="Tokens a minute.  [from the endpoint's headers]"),
    click.option(
        "--prompts-to",
        type=click.Path(path_type=Path, file_okay=False),
        help="Judge nothing; write each prompt to a file in this folder.",
    ),
    click.option("--offline", is_flag=True, envvar="ABLATION_PLANNER_OFFLINE", help="Send no requests."),
    click.option("--replies-from", type=FOLDER, help="Read the replies to those prompts from files of the same names."),
)


@click.command(epilog="Example: python -m eval judge trajectories --gold dev.parquet --model gpt-4o -o judged/gpt-4o")
@click.argument("plans", type=FOLDER)
@gold_option(required=True)
@task_option
@system_option
@judge_options
@model_options
@json_option
@talk_options
def judge(
    plans: Path,
    gold: Path,
    task: Task | None,
    system: str,
    how: JudgeOptions,
    asking: ModelOptions,
    as_json: bool,
    talk: TalkOptions,
) -> None:
    """Judge PLANS: a run folder, a folder of trajectories, or AblationBench's <id>.jsonl files.

    Without --model the offline matcher judges, and no request is sent. If the command is stopped, run it again to go
    on: it never sends a request again that was already paid for.
    """
    with talking(talk):
        wanted = read_gold(gold, task)
        planned = one_system(plans, wanted.task, system)
        for warning in planned.warnings:
            log.warning("%s", warning)
        if how.prompts_to:
            _write_questions(wanted, planned, how)
            return
        raise SystemExit(interruptible(_judge(wanted, planned, how, asking, as_json)))


def _write_questions(gold: GoldSet, system: System, how: JudgeOptions) -> None:
    assert how.prompts_to is not None
    asking = _by_hand(how, how.prompts_to)
    for path in by_hand.write_questions(how.prompts_to, asking, paired(gold, system)[0]):
        click.echo(str(path))


async def _judge(gold: GoldSet, system: System, how: JudgeOptions, asking: ModelOptions, as_json: bool) -> int:
    """Judge the plans, write and print the results, and return 1 if a plan has no verdicts, else 0."""
    if how.replies_from and asking.model:
        raise UsageError("--replies-from and --model cannot be used together: leave one of them out")
    if how.replies_from:
        by_files = _by_hand(how, how.folder)
        judging = await _run(gold, system, how, by_hand.CARD, judge_by_model(by_files, how.concurrency))
    elif asking.model in ("", OFFLINE.asked):
        log.info("judging offline, by words alone (choose a model with --model)")
        judging = await _run(gold, system, how, OFFLINE, judge_offline)
    elif how.offline:
        raise UsageError(f"--offline forbids requests to {asking.model!r}; leave out --model, or use --prompts-to")
    else:
        async with connected(asking) as there:
            say_where(there.host, there.chat.card)
            model = patient(Limited(there.chat, Limits(how.concurrency, how.rpm, how.tpm)), asking.max_wait)
            by_model = Asking(
                card=model.card,
                model=lambda _: model,
                pricing=lambda completion: there.price(completion.usage),
                folder=how.folder,
                repetition=how.repeat,
                templates=how.prompts,
            )
            judging = await _run(gold, system, how, model.card, judge_by_model(by_model, how.concurrency))
    (row,) = results([judging], how.k)
    print_result(row, how.folder, as_json=as_json)
    return 1 if row.coverage.unscored else 0


async def _run(gold: GoldSet, system: System, how: JudgeOptions, card: ModelCard, judge: Judge) -> Judging:
    """Judge all papers and write the run; raise a UsageError if the folder holds another run."""
    _refuse_another(how.folder, gathered(gold, system, card, (), how.repeat))
    judged = await judge_all(gold, system, judge, _tell)
    judging = gathered(gold, system, card, judged, how.repeat)
    if judging.run.without_gold:
        log.warning("%d plans are for papers that are not in the gold", judging.run.without_gold)
    write_judging(how.folder, judging, how.k)
    return judging


def _refuse_another(folder: Path, planned: Judging) -> None:
    if (folder / RUN_FILE).exists() and read_run(folder).identity != planned.run.identity:
        there = read_run(folder)
        raise UsageError(
            f"{folder}: holds {there.judge}'s verdicts on {there.system} ({there.task}, repetition {there.repetition});"
            " choose another folder"
        )


def _by_hand(how: JudgeOptions, folder: Path) -> Asking:
    """Return the settings of a judge that reads replies from files, each time anew, and never asks again."""
    replies = how.replies_from or folder
    return Asking(
        card=by_hand.CARD,
        model=lambda paper_id: by_hand.WrittenReply(replies, paper_id),
        pricing=_free,
        folder=folder,
        repetition=how.repeat,
        reasks=0,
        templates=how.prompts,
        anew=True,
    )


def _free(_: Completion) -> float:
    return 0.0


def _tell(judged: Judged) -> None:
    paper = judged.paper
    if paper.status is not Status.SCORED:
        log.warning("%s: %s: %s", paper.id, paper.status, paper.reason)
    else:
        log.debug("%s: %d verdicts", paper.id, len(judged.verdicts or ()))
    for flag in paper.flags:
        log.warning("%s: %s", paper.id, flag)
