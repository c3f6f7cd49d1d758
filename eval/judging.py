"""Judge one system's plans: each gold paper ends as scored, or as unscored, failed or absent with a reason.

A judge is a model, the published match rule applied to words, or verdicts that another program wrote.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path

from eval.flags import flag_judge_instructions, flag_missing_verdicts, flag_rule_violations, flag_unknown_names
from eval.gold import AuthorGold, GoldSet, MaskedGold, read_gold
from eval.model_judge import JudgeAnswer, JudgeQuestion, JudgeSettings
from eval.offline import OFFLINE_JUDGE, judge_paper_offline
from eval.plans import GoldPair, PaperStatus, PlannedPaper, System, pair_papers, read_system
from eval.runs import RUN_FILE, JudgedPaper, JudgedRun, JudgingRecord, PlannedItem, read_judged_run, read_verdicts
from eval.verdicts import AuthorVerdict, Verdict, build_verdict_path
from planner.chat import ModelInfo
from planner.errors import UsageError
from planner.schema import Ablation, Task


@dataclass(frozen=True, slots=True)
class PaperVerdicts:
    """A judged paper with its verdicts, None if it could not be scored."""

    paper: JudgedPaper
    verdicts: tuple[Verdict, ...] | None = None


Judge = Callable[[GoldPair], Awaitable[JudgeAnswer]]


async def judge_papers(
    gold: GoldSet, system: System, judge: Judge, on_judged: Callable[[PaperVerdicts], None]
) -> list[PaperVerdicts]:
    """Judge every gold paper that has a plan; return all gold papers in order, and pass each to `on_judged` when done.

    Raises:
        PromptError: if a template is missing or faulty.
        TableError: if a file of replies or verdicts is damaged.
    """

    pairs, _ = pair_papers(gold, system)
    return await judge_pairs(pairs, judge, on_judged)


async def judge_pairs(
    pairs: Sequence[GoldPair], judge: Judge, on_judged: Callable[[PaperVerdicts], None]
) -> list[PaperVerdicts]:
    """Judge each gold paper that has a plan, beginning in this order; return all in order.

    Raises:
        PromptError, TableError: as `judge_papers`.
    """

    async def judge_paper(pair: GoldPair) -> PaperVerdicts:
        judged = (
            _record_answer(pair, await judge(pair)) if pair.status is None else _record_missing_plan(pair, pair.status)
        )
        on_judged(judged)
        return judged

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(judge_paper(pair)) for pair in pairs]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def judge_run_offline(gold: GoldSet, system: System) -> JudgedRun:
    """Judge the plans of a system without a model."""
    judged = await judge_papers(gold, system, judge_paper_offline, lambda _: None)
    return build_judged_run(gold, system, OFFLINE_JUDGE, judged)


def make_model_judge(settings: JudgeSettings, max_concurrent: int) -> Judge:
    """Return a judge that asks a model about `max_concurrent` papers at a time, and stops after a fatal answer."""
    free_slots = asyncio.Semaphore(max_concurrent)
    fatal_answers: list[JudgeAnswer] = []

    async def judge(pair: GoldPair) -> JudgeAnswer:
        if isinstance(pair.gold, AuthorGold) and not pair.gold.ablations:
            return JudgeAnswer((), cost=0.0)
        async with free_slots:
            if fatal_answers:
                return JudgeAnswer(None, f"not asked, after {fatal_answers[0].reason}", cost=0.0)
            answer = await JudgeQuestion(settings, pair.gold, pair.plan).ask()
            if answer.is_fatal:
                fatal_answers.append(answer)
            return answer

    return judge


def build_judged_run(
    gold: GoldSet, system: System, judge: ModelInfo, papers: Sequence[PaperVerdicts], repetition: int = 0
) -> JudgedRun:
    """Return the judged run of these papers."""
    _, papers_without_gold = pair_papers(gold, system)
    record = JudgingRecord(
        task=gold.task,
        is_masked=gold.is_masked,
        system=system.name,
        judge=judge.asked,
        endpoint=judge.endpoint,
        parameters=dict(judge.parameters),
        repetition=repetition,
        gold=gold.source,
        without_gold=len(papers_without_gold),
        papers=tuple(judged.paper for judged in papers),
        warnings=system.warnings,
    )
    return JudgedRun(record, {judged.paper.id: judged.verdicts for judged in papers if judged.verdicts is not None})


def build_unjudged_run(system: System, task: Task) -> JudgedRun:
    """Return the plans of a system as a run without scores, for use without gold."""
    papers = tuple(
        JudgedPaper(
            id=paper.id,
            status=PaperStatus.UNSCORED if paper.ablations else PaperStatus.FAILED,
            reason="there is no gold to score it against" if paper.ablations else f"{paper.outcome}: {paper.reason}",
            outcome=paper.outcome,
            plan=tuple(_list_items(paper)),
            plan_cost=paper.cost,
            judge_cost=0.0,
            flags=tuple(flag_judge_instructions(paper.ablations)),
            warnings=paper.warnings,
        )
        for paper in system.papers.values()
    )
    record = JudgingRecord(task=task, system=system.name, judge="none", papers=papers, warnings=system.warnings)
    return JudgedRun(record, {})


def _record_answer(pair: GoldPair, answer: JudgeAnswer) -> PaperVerdicts:
    status = PaperStatus.UNSCORED if answer.verdicts is None else PaperStatus.SCORED
    update = {
        "judge_cost": answer.cost,
        "asked": answer.reply_count,
        "positional": answer.is_first_matched,
        "flags": tuple(_collect_flags(pair, answer.verdicts)),
    }
    return PaperVerdicts(_create_judged_paper(pair, status, answer.reason).model_copy(update=update), answer.verdicts)


def _collect_flags(pair: GoldPair, verdicts: Sequence[Verdict] | None) -> Iterator[str]:
    yield from flag_judge_instructions(pair.plan)
    if verdicts is None:
        return
    gold = pair.gold.ablations if isinstance(pair.gold, AuthorGold) else ()
    gold_names, planned_names = [ablation.name for ablation in gold], [ablation.name for ablation in pair.plan]
    yield from flag_unknown_names(verdicts, gold_names, planned_names)
    yield from flag_missing_verdicts(verdicts, gold_names if isinstance(pair.gold, AuthorGold) else planned_names)
    yield from flag_rule_violations([v for v in verdicts if isinstance(v, AuthorVerdict)], gold, pair.plan)


def _record_missing_plan(pair: GoldPair, status: PaperStatus) -> PaperVerdicts:
    reason = "the system has no plan for it"
    if pair.planned_paper is not None:
        reason = f"{pair.planned_paper.outcome}: {pair.planned_paper.reason}".rstrip(": ")
    return PaperVerdicts(_create_judged_paper(pair, status, reason))


def _create_judged_paper(pair: GoldPair, status: PaperStatus, reason: str) -> JudgedPaper:
    gold, planned, is_masked = pair.gold, pair.planned_paper, isinstance(pair.gold, MaskedGold)
    names = tuple(ablation.name for ablation in gold.ablations) if isinstance(gold, AuthorGold) else ()
    return JudgedPaper(
        id=gold.id,
        status=status,
        reason=reason,
        outcome=planned.outcome if planned else None,
        gold=names,
        suggestions=len(names) if isinstance(gold, AuthorGold) else gold.suggestion_count,
        plan=tuple(_list_items(planned)) if planned else (),
        considered=tuple(starmap(_create_item, planned.considered)) if planned and is_masked else (),
        reported=planned.reported_count if planned and is_masked else None,
        plan_cost=planned.cost if planned else None,
        warnings=(*gold.warnings, *(planned.warnings if planned else ())),
    )


def _list_items(paper: PlannedPaper) -> Iterator[PlannedItem]:
    chances = [each.chance for each in paper.details] or [None] * len(paper.ablations)
    yield from map(_create_item, paper.ablations, chances)


def _create_item(ablation: Ablation, chance: int | None) -> PlannedItem:
    replacements = len(ablation.replacement)
    return PlannedItem(name=ablation.name, action=ablation.action, replacements=replacements, chance=chance)


async def read_published_run(folder: Path, gold: GoldSet, system: System) -> JudgedRun:
    """Return a folder of published verdicts as a judged run; the judge is named after the folder.

    Raises:
        TableError: if a file of verdicts is damaged.
    """
    judge = ModelInfo(planner="judge", name=folder.name, asked=folder.resolve().name)
    judged = await judge_papers(gold, system, _make_file_judge(folder), lambda _: None)
    return build_judged_run(gold, system, judge, judged)


def _make_file_judge(folder: Path) -> Judge:
    async def judge(pair: GoldPair) -> JudgeAnswer:
        if not build_verdict_path(folder, pair.gold.id).is_file():
            return JudgeAnswer(None, "the judge left no file of verdicts")
        task = Task.AUTHOR if isinstance(pair.gold, AuthorGold) else Task.REVIEWER
        verdicts = read_verdicts(folder, pair.gold.id, task)
        if verdicts or (isinstance(pair.gold, AuthorGold) and not pair.gold.ablations):
            return JudgeAnswer(verdicts)
        return JudgeAnswer(None, "the file of verdicts is empty")

    return judge


async def load_judged_runs(
    folders: Sequence[Path], gold: Path | None, plans: Path | None, task: Task | None, system: str
) -> list[JudgedRun]:
    """Read each folder as a judged run.

    Raises:
        UsageError: if another program wrote a folder, and the gold or the plans are not given.
        TableError: if a file is damaged.
    """
    return [await _load_judged_run(folder, gold, plans, task, system) for folder in folders]


async def _load_judged_run(
    folder: Path, gold: Path | None, plans: Path | None, task: Task | None, system: str
) -> JudgedRun:
    if (folder / RUN_FILE).exists():
        return read_judged_run(folder)
    if gold is None or plans is None:
        raise UsageError(f"{folder}: has no {RUN_FILE}; for another program's verdicts add --gold and --plans")
    gold_set = read_gold(gold, task)
    return await read_published_run(folder, gold_set, read_system(plans, gold_set.task, system))
