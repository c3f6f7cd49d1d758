"""Estimate what a trial will cost: the requests that its plans and its judges still need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eval.gold import GoldSet
from eval.model_judge import JudgeQuestion, JudgeSettings
from eval.plans import PaperStatus
from eval.runs import RUN_FILE, read_judging_record
from eval.trial import Arm, JudgeTable, Trial, build_run_spec, locate_judged_runs, locate_run
from planner.batch.engine import ModelEstimate
from planner.batch.ledger.schema import query_ledger
from planner.batch.ledger.store import UNFINISHED_OUTCOMES, LedgerModel
from planner.batch.open_run import collect_corpus_and_model_estimates
from planner.batch.run_folder import RunFolder
from planner.chat import Model, TokenCounter, Usage
from planner.models.connect import open_model
from planner.models.prompt_files import PromptFolders
from planner.papers.arxiv import ArxivClient
from planner.schema import DEFAULT_K, Ablation, Action

_VERDICT_TOKENS: Final = 150  # of a judge's reply, for each ablation that it is shown
_TYPICAL_ABLATION: Final = Ablation(
    name="Without the residual gate",
    ablated_part="the harmonic residual gate between the encoder and the decoder",
    action=Action.REPLACE,
    replacement=("a plain residual connection",),
    metrics=("accuracy", "mean absolute error"),
)


@dataclass(frozen=True, slots=True)
class StepEstimate:
    """The requests that an arm or a judge still needs, with the tokens of their prompts and replies.

    `cost` is in USD, None if no price is known; `paper_errors` are the errors of unreadable papers.
    """

    name: str
    requests: int
    prompt_tokens: int
    reply_tokens: int
    cost: float | None
    paper_errors: Sequence[str] = ()


async def estimate_arms(
    trial: Trial, output: Path, folders: PromptFolders, arxiv: ArxivClient
) -> tuple[StepEstimate, ...]:
    """Estimate the requests of each arm that asks a model, for the papers that it has not planned yet.

    Requests that an arm shares with an earlier one are counted there only. Nothing is sent.
    """
    whole: dict[str, ModelEstimate] = {}
    for arm in trial.model_arms:
        spec = build_run_spec(trial, arm, output, folders)
        _, (whole[arm.name],) = await collect_corpus_and_model_estimates(spec, arxiv, estimate_finished_papers=True)
    return tuple(_estimate_rest(trial, arm, output, whole) for arm in trial.model_arms)


def _estimate_rest(trial: Trial, arm: Arm, output: Path, whole: Mapping[str, ModelEstimate]) -> StepEstimate:
    """Return what an arm still needs of the whole, without what it shares with an earlier arm."""
    own, same = whole[arm.name], trial.find_arm_asked_like(arm)
    finished = _count_finished_papers(locate_run(output, arm), own.model.ledger_model)
    left = 1 - min(finished, own.paper_count) / own.paper_count if own.paper_count else 0.0
    shared = _count_parts(whole[same.name]) if same else (0, 0, 0)
    requests, prompt_tokens, reply_tokens = (
        round(left * (count - shared_count)) for count, shared_count in zip(_count_parts(own), shared, strict=True)
    )
    cost = own.compute_cost(Usage(prompt_tokens, reply_tokens))
    return StepEstimate(arm.name, requests, prompt_tokens, reply_tokens, cost, own.paper_errors)


def _count_parts(estimate: ModelEstimate) -> tuple[int, int, int]:
    return estimate.request_count, estimate.prompt_tokens, estimate.reply_tokens


def _count_finished_papers(run: RunFolder, model: LedgerModel) -> int:
    """Return the number of papers that a run has a result of, for these settings."""
    if not run.ledger_path.is_file():
        return 0
    query = "SELECT DISTINCT paper, outcome FROM plannings WHERE model = ? AND asked = ?"
    rows = query_ledger(run.ledger_path, query, model.model_key, model.settings_hash)
    return len({paper for paper, outcome in rows if outcome not in UNFINISHED_OUTCOMES})


async def estimate_judge(trial: Trial, judge: JudgeTable, gold: GoldSet, output: Path) -> StepEstimate:
    """Estimate the requests of a judge that is a model, for typical plans and papers not yet scored; it sends nothing.

    Raises:
        UsageError: if the model's address or price is invalid.
    """
    async with open_model(judge.model_spec) as client:
        settings = JudgeSettings(client.info, _refuse_to_ask, lambda _: None, locate_judged_runs(output, judge))
        requests = prompt_tokens = reply_tokens = 0
        for arm in trial.arms:
            scored = _list_scored_papers(locate_judged_runs(output, judge) / arm.name)
            plan = _make_typical_plan(arm.k or DEFAULT_K[trial.task])
            for paper in gold.papers.values():
                if paper.id not in scored:
                    requests += 1
                    prompt_tokens += TokenCounter().count_prompt(JudgeQuestion(settings, paper, plan).prompt)
                    reply_tokens += _VERDICT_TOKENS * len(plan)
        cost = client.compute_cost(Usage(prompt_tokens, reply_tokens))
    return StepEstimate(judge.model, requests, prompt_tokens, reply_tokens, cost)


def _list_scored_papers(folder: Path) -> set[str]:
    papers = read_judging_record(folder).papers if (folder / RUN_FILE).exists() else ()
    return {paper.id for paper in papers if paper.status is not PaperStatus.UNSCORED}


def _make_typical_plan(k: int) -> list[Ablation]:
    return [_TYPICAL_ABLATION.model_copy(update={"name": f"{_TYPICAL_ABLATION.name} {n}"}) for n in range(k)]


def _refuse_to_ask(_: str) -> Model:
    raise AssertionError("an estimate asks no model")
