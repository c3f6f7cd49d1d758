"""Read the plans of a trial's arms, and judge them all together in one mixed order."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from eval.gold import GoldSet
from eval.judging import Judge, PaperVerdicts, build_judged_run, judge_pairs
from eval.model_judge import JudgeAnswer
from eval.plans import GoldPair, PlannedPaper, System, pair_papers, read_systems
from eval.runs import JudgedRun
from eval.sides import create_random
from eval.trial import Arm, Trial, locate_run
from planner.batch.run_folder import RunFolder
from planner.chat import COMBINED_PLANNER, ModelInfo
from planner.combining.combine import combine_plans_by_paper
from planner.errors import UsageError
from planner.planning.output import PlanOutput
from planner.planning.record import sum_costs_if_all_known

_COMBINED_FOLDER: Final = "combined"


def read_arms(trial: Trial, output: Path) -> list[System]:
    """Read the plans of every arm, in the order of the trial; those of combinations are made anew.

    Raises:
        UsageError: if an arm has no plan and no failure.
        OSError: if the plans of a combination cannot be written.
    """
    systems = {arm.name: _read_run(trial, locate_run(output, arm), arm) for arm in trial.model_arms}
    systems |= {arm.name: _combine_arms(trial, arm, output, systems) for arm in trial.arms if arm.combine}
    return [systems[arm.name] for arm in trial.arms]


def _read_run(trial: Trial, run: RunFolder, arm: Arm) -> System:
    """Read the plans of the model that a run asked last; the arm may have had another one before."""
    (model,) = json.loads((run.path / "run.json").read_text(encoding="utf-8"))["models"]
    return _read_named_system(run.path, trial, f"{model['planner']}/{model['name']}", arm)


def _combine_arms(trial: Trial, arm: Arm, output: Path, systems: dict[str, System]) -> System:
    members = [other for other in trial.model_arms if other.name in arm.combine]
    folder = output / _COMBINED_FOLDER / arm.name
    folders = [locate_run(output, member).path for member in members]
    results = list(combine_plans_by_paper(folders, folder, k=arm.k, min_chance=arm.min_chance))
    model = next((result.record.model for result in results if isinstance(result, PlanOutput)), None)
    if model is None:
        raise UsageError(f"arm {arm.name}: no paper has plans of two of {', '.join(arm.combine)}")
    combined = _read_named_system(folder, trial, f"{COMBINED_PLANNER}/{model}", arm)
    parts = [systems[member.name].papers for member in members]
    papers = {
        paper_id: _add_costs(paper, [papers[paper_id] for papers in parts if paper_id in papers])
        for paper_id, paper in combined.papers.items()
    }
    return replace(combined, papers=papers)


def _read_named_system(folder: Path, trial: Trial, name: str, arm: Arm) -> System:
    systems = read_systems(folder, trial.task, name)
    return replace(next(system for system in systems if system.name == name), name=arm.name)


def _add_costs(paper: PlannedPaper, parts: Sequence[PlannedPaper]) -> PlannedPaper:
    """Return a combined plan with the cost and the tokens of the plans that it combines."""
    counts = [part.tokens for part in parts]
    tokens = None if None in counts else sum(filter(None, counts))
    return replace(paper, cost=sum_costs_if_all_known(part.cost for part in parts), tokens=tokens)


async def judge_arms(
    gold: GoldSet,
    systems: Sequence[System],
    info: ModelInfo,
    judge: Judge,
    on_judged: Callable[[PaperVerdicts], None],
) -> list[JudgedRun]:
    """Judge the plans of all arms in one mixed order, those for one paper one after the other.

    The arms share the judge's replies: two plans that give the same prompt take one request.

    Raises:
        PromptError, TableError: as `eval.judging.judge_papers`.
    """
    locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def judge_in_turn(pair: GoldPair) -> JudgeAnswer:
        async with locks[pair.gold.id]:
            return await judge(pair)

    pairs = [(number, pair) for number, system in enumerate(systems) for pair in pair_papers(gold, system)[0]]
    mixed = create_random(info.asked).sample(pairs, len(pairs))
    judged = await judge_pairs([pair for _, pair in mixed], judge_in_turn, on_judged)
    found = {(number, pair.gold.id): paper for (number, pair), paper in zip(mixed, judged, strict=True)}
    return [
        build_judged_run(gold, system, info, [found[number, paper_id] for paper_id in gold.papers])
        for number, system in enumerate(systems)
    ]
