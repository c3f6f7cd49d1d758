"""Judge one system's plans: each gold paper ends as scored, or as unscored, failed or absent with a reason."""
# MERGED-DOC """Judge without a model, by the published match rule applied to words.
# MERGED-DOC
# MERGED-DOC This costs nothing and is deterministic, but it misses ablations that are worded differently. Compare its numbers only
# MERGED-DOC with each other.
# MERGED-DOC """
# MERGED-DOC """Read verdicts that another program wrote in AblationBench's format, with their gold and plans."""
# MERGED-DOC """Read folders of verdicts that `judge`, `vote_on_runs` or another program wrote."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eval.flags import flag_judge_instructions, flag_missing_verdicts, flag_rule_violations, flag_unknown_names
from eval.gold import AuthorGold, GoldSet, read_gold
from eval.model_judge import JudgeAnswer, JudgeQuestion, JudgeSettings
from eval.plans import GoldPair, PaperStatus, System, pair_papers, read_system
from eval.runs import RUN_FILE, JudgedPaper, JudgedRun, JudgingRecord, PlannedItem, read_judged_run, read_verdicts
from eval.verdicts import AuthorVerdict, ReviewerVerdict, Verdict, build_verdict_path
from planner.chat import ModelInfo
from planner.errors import UsageError
from planner.matching.match import match_ablations
from planner.matching.similarity import extract_stems
from planner.schema import Ablation, Task

OFFLINE_NAME: Final = "offline"
REVIEW_THRESHOLD: Final = 0.6
"""The least share of an ablated part's or name's stems that one sentence of a review must contain."""

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_MIN_STEMS: Final = 2


def match_gold(gold: Sequence[Ablation], plan: Sequence[Ablation]) -> tuple[AuthorVerdict, ...]:
    """Match each ablation of the paper with at most one of the plan, by the best one-to-one assignment."""
    found = {pair.index_a: plan[pair.index_b].name for pair in match_ablations(gold, plan)}
    return tuple(
        AuthorVerdict(name_in_paper=ablation.name, name_in_plan=(found[number],) if number in found else ())
        for number, ablation in enumerate(gold)
    )


def match_reviews(reviews: Sequence[str], plan: Sequence[Ablation]) -> tuple[ReviewerVerdict, ...]:
    """Judge each ablation of the plan: yes if a sentence of a review contains most words of its part or of its name."""
    said = [set(extract_stems(sentence)) for review in reviews for sentence in _SENTENCE.split(review)]
    return tuple(
        ReviewerVerdict(
            name_in_plan=ablation.name, appears_in_review=any(_mentions_ablation(words, ablation) for words in said)
        )
        for ablation in plan
    )


def _mentions_ablation(sentence: set[str], ablation: Ablation) -> bool:
    texts = [set(extract_stems(ablation.ablated_part)), set(extract_stems(ablation.name))]
    return any(len(t) >= _MIN_STEMS and len(t & sentence) >= REVIEW_THRESHOLD * len(t) for t in texts)


OFFLINE_JUDGE: ModelInfo = ModelInfo(planner="judge", name=OFFLINE_NAME, asked=OFFLINE_NAME)


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

    async def one(pair: GoldPair) -> PaperVerdicts:
        judged = (
            _record_answer(pair, await judge(pair)) if pair.status is None else _record_missing_plan(pair, pair.status)
        )
        on_judged(judged)
        return judged

    pairs, _ = pair_papers(gold, system)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(pair)) for pair in pairs]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


async def judge_paper_offline(pair: GoldPair) -> JudgeAnswer:
    """Judge one paper without a model."""
    if isinstance(pair.gold, AuthorGold):
        return JudgeAnswer(match_gold(pair.gold.ablations, pair.plan), cost=0.0)
    return JudgeAnswer(match_reviews(pair.gold.reviews, pair.plan), cost=0.0)


def make_model_judge(settings: JudgeSettings, max_concurrent: int) -> Judge:
    """Return a judge that asks a model about `max_concurrent` papers at a time, and stops after a hopeless answer."""
    free = asyncio.Semaphore(max_concurrent)
    hopeless: list[JudgeAnswer] = []

    async def judge(pair: GoldPair) -> JudgeAnswer:
        if isinstance(pair.gold, AuthorGold) and not pair.gold.ablations:
            return JudgeAnswer((), cost=0.0)
        async with free:
            if hopeless:
                return JudgeAnswer(None, f"not asked, after {hopeless[0].reason}", cost=0.0)
            answer = await JudgeQuestion(settings, pair.gold, pair.plan).ask()
            if answer.is_fatal:
                hopeless.append(answer)
            return answer

    return judge


def build_judged_run(
    gold: GoldSet, system: System, card: ModelInfo, papers: Iterable[PaperVerdicts], repetition: int = 0
) -> JudgedRun:
    """Return the judged run of these papers."""
    ended = tuple(papers)
    _, extra = pair_papers(gold, system)
    run = JudgingRecord(
        task=gold.task,
        system=system.name,
        judge=card.asked,
        endpoint=card.endpoint,
        parameters=dict(card.parameters),
        repetition=repetition,
        gold=gold.source,
        without_gold=len(extra),
        papers=tuple(one.paper for one in ended),
        warnings=system.warnings,
    )
    return JudgedRun(run, {one.paper.id: one.verdicts for one in ended if one.verdicts is not None})


def build_unjudged_run(system: System, task: Task) -> JudgedRun:
    """Return the plans of a system as a run without scores, for use without gold."""
    papers = tuple(
        JudgedPaper(
            id=paper.id,
            status=PaperStatus.UNSCORED if paper.ablations else PaperStatus.FAILED,
            reason="there is no gold to score it against" if paper.ablations else f"{paper.outcome}: {paper.reason}",
            outcome=paper.outcome,
            plan=tuple(_new_item(ablation) for ablation in paper.ablations),
            plan_cost=paper.cost,
            judge_cost=0.0,
            flags=tuple(flag_judge_instructions(paper.ablations)),
            warnings=paper.warnings,
        )
        for paper in system.papers.values()
    )
    run = JudgingRecord(task=task, system=system.name, judge="none", papers=papers, warnings=system.warnings)
    return JudgedRun(run, {})


def _record_answer(pair: GoldPair, answer: JudgeAnswer) -> PaperVerdicts:
    paper = _new_paper_record(
        pair, PaperStatus.UNSCORED if answer.verdicts is None else PaperStatus.SCORED, answer.reason
    ).model_copy(
        update={
            "judge_cost": answer.cost,
            "asked": answer.reply_count,
            "positional": answer.is_first_matched,
            "flags": tuple(_collect_flags(pair, answer.verdicts)),
        }
    )
    return PaperVerdicts(paper, answer.verdicts)


def _collect_flags(pair: GoldPair, verdicts: Sequence[Verdict] | None) -> Iterator[str]:
    yield from flag_judge_instructions(pair.plan)
    if verdicts is None:
        return
    gold = pair.gold.ablations if isinstance(pair.gold, AuthorGold) else ()
    papers, plans = [ablation.name for ablation in gold], [ablation.name for ablation in pair.plan]
    yield from flag_unknown_names(verdicts, papers, plans)
    yield from flag_missing_verdicts(verdicts, papers if isinstance(pair.gold, AuthorGold) else plans)
    yield from flag_rule_violations([v for v in verdicts if isinstance(v, AuthorVerdict)], gold, pair.plan)


def _record_missing_plan(pair: GoldPair, status: PaperStatus) -> PaperVerdicts:
    if pair.planned_paper is None:
        return PaperVerdicts(_new_paper_record(pair, status, "the system has no plan for it"))
    return PaperVerdicts(
        _new_paper_record(pair, status, f"{pair.planned_paper.outcome}: {pair.planned_paper.reason}".rstrip(": "))
    )


def _new_paper_record(pair: GoldPair, status: PaperStatus, reason: str) -> JudgedPaper:
    gold, planned = pair.gold, pair.planned_paper
    names = tuple(ablation.name for ablation in gold.ablations) if isinstance(gold, AuthorGold) else ()
    return JudgedPaper(
        id=gold.id,
        status=status,
        reason=reason,
        outcome=planned.outcome if planned else None,
        gold=names,
        suggestions=len(names) if isinstance(gold, AuthorGold) else gold.suggestion_count,
        plan=tuple(_new_item(ablation) for ablation in pair.plan),
        plan_cost=planned.cost if planned else None,
        warnings=(*gold.warnings, *(planned.warnings if planned else ())),
    )


def _new_item(ablation: Ablation) -> PlannedItem:
    return PlannedItem(name=ablation.name, action=ablation.action, replacements=len(ablation.replacement))


async def read_published_run(folder: Path, gold: GoldSet, system: System) -> JudgedRun:
    """Return a folder of published verdicts as a judged run; the judge is named after the folder.

    Raises:
        TableError: if a file of verdicts is damaged.
    """
    card = ModelInfo(planner="judge", name=folder.name, asked=folder.resolve().name)
    judged = await judge_papers(gold, system, _make_file_judge(folder), lambda _: None)
    return build_judged_run(gold, system, card, judged)


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
    wanted = read_gold(gold, task)
    return await read_published_run(folder, wanted, read_system(plans, wanted.task, system))
