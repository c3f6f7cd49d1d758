"""Judge one system's plans: each gold paper ends as scored, or as unscored, failed or absent with a reason."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from eval import offline
from eval.asking import Answer, Asking, Question
from eval.coverage import Pair, Status, paired
from eval.gold import AuthorGold, GoldSet
from eval.plans import System
from eval.runs import Item, JudgedPaper, JudgeRun, Judging
from eval.suspicion import addressed, against_rule, unjudged_names, unknown_names
from eval.verdicts import AuthorVerdict, Verdict
from planner.chat import ModelCard
from planner.schema import Ablation, Task

OFFLINE: ModelCard = ModelCard(planner="judge", name=offline.NAME, asked=offline.NAME)


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged paper with its verdicts, None if it could not be scored."""

    paper: JudgedPaper
    verdicts: tuple[Verdict, ...] | None = None


Judge = Callable[[Pair], Awaitable[Answer]]


async def judge_all(gold: GoldSet, system: System, judge: Judge, on_judged: Callable[[Judged], None]) -> list[Judged]:
    """Judge every gold paper that has a plan; return all gold papers in order, and pass each to `on_judged` when done.

    Raises:
        PromptError: if a template is missing or faulty.
        TableError: if a file of replies or verdicts is damaged.
    """

    async def one(pair: Pair) -> Judged:
        judged = _judged(pair, await judge(pair)) if pair.status is None else _without_plan(pair, pair.status)
        on_judged(judged)
        return judged

    pairs, _ = paired(gold, system)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(pair)) for pair in pairs]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


async def judge_offline(pair: Pair) -> Answer:
    """Judge one paper without a model."""
    if isinstance(pair.gold, AuthorGold):
        return Answer(offline.match_paper(pair.gold.ablations, pair.plan), cost=0.0)
    return Answer(offline.match_reviews(pair.gold.reviews, pair.plan), cost=0.0)


def judge_by_model(asking: Asking, concurrency: int) -> Judge:
    """Return a judge that asks a model about `concurrency` papers at a time, and stops after a hopeless answer."""
    free = asyncio.Semaphore(concurrency)
    hopeless: list[Answer] = []

    async def judge(pair: Pair) -> Answer:
        if isinstance(pair.gold, AuthorGold) and not pair.gold.ablations:
            return Answer((), cost=0.0)
        async with free:
            if hopeless:
                return Answer(None, f"not asked, after {hopeless[0].reason}", cost=0.0)
            answer = await Question(asking, pair.gold, pair.plan).ask()
            if answer.hopeless:
                hopeless.append(answer)
            return answer

    return judge


def gathered(gold: GoldSet, system: System, card: ModelCard, judged: Iterable[Judged], repetition: int = 0) -> Judging:
    """Return the judged run of these papers."""
    ended = tuple(judged)
    _, extra = paired(gold, system)
    run = JudgeRun(
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
    return Judging(run, {one.paper.id: one.verdicts for one in ended if one.verdicts is not None})


def unjudged(system: System, task: Task) -> Judging:
    """Return the plans of a system as a run without scores, for use without gold."""
    papers = tuple(
        JudgedPaper(
            id=paper.id,
            status=Status.UNSCORED if paper.ablations else Status.FAILED,
            reason="there is no gold to score it against" if paper.ablations else f"{paper.outcome}: {paper.reason}",
            outcome=paper.outcome,
            plan=tuple(_item(ablation) for ablation in paper.ablations),
            plan_cost=paper.cost,
            judge_cost=0.0,
            flags=tuple(addressed(paper.ablations)),
            warnings=paper.warnings,
        )
        for paper in system.papers.values()
    )
    run = JudgeRun(task=task, system=system.name, judge="none", papers=papers, warnings=system.warnings)
    return Judging(run, {})


def _judged(pair: Pair, answer: Answer) -> Judged:
    paper = _facts(pair, Status.UNSCORED if answer.verdicts is None else Status.SCORED, answer.reason).model_copy(
        update={
            "judge_cost": answer.cost,
            "asked": answer.asked,
            "positional": answer.positional,
            "flags": tuple(_flags(pair, answer.verdicts)),
        }
    )
    return Judged(paper, answer.verdicts)


def _flags(pair: Pair, verdicts: Sequence[Verdict] | None) -> Iterator[str]:
    yield from addressed(pair.plan)
    if verdicts is None:
        return
    gold = pair.gold.ablations if isinstance(pair.gold, AuthorGold) else ()
    papers, plans = [ablation.name for ablation in gold], [ablation.name for ablation in pair.plan]
    yield from unknown_names(verdicts, papers, plans)
    yield from unjudged_names(verdicts, papers if isinstance(pair.gold, AuthorGold) else plans)
    yield from against_rule([v for v in verdicts if isinstance(v, AuthorVerdict)], gold, pair.plan)


def _without_plan(pair: Pair, status: Status) -> Judged:
    if pair.planned is None:
        return Judged(_facts(pair, status, "the system has no plan for it"))
    return Judged(_facts(pair, status, f"{pair.planned.outcome}: {pair.planned.reason}".rstrip(": ")))


def _facts(pair: Pair, status: Status, reason: str) -> JudgedPaper:
    gold, planned = pair.gold, pair.planned
    names = tuple(ablation.name for ablation in gold.ablations) if isinstance(gold, AuthorGold) else ()
    return JudgedPaper(
        id=gold.id,
        status=status,
        reason=reason,
        outcome=planned.outcome if planned else None,
        gold=names,
        suggestions=len(names) if isinstance(gold, AuthorGold) else gold.suggestions,
        plan=tuple(_item(ablation) for ablation in pair.plan),
        plan_cost=planned.cost if planned else None,
        warnings=(*gold.warnings, *(planned.warnings if planned else ())),
    )


def _item(ablation: Ablation) -> Item:
    return Item(name=ablation.name, action=ablation.action, replacements=len(ablation.replacement))
