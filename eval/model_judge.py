"""Judge one paper with a model, or by hand with a text file for each prompt and each reply."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from eval.gold import AuthorGold, Gold
from eval.judge_prompts import (
    build_author_prompt,
    build_reask_prompt,
    build_reviewer_prompt,
    parse_matches,
    parse_review_requests,
)
from eval.plans import GoldPair
from eval.replies import ReplyFile
from eval.runs import REPLIES_FOLDER
from eval.sides import Sides, build_author_verdicts, build_reviewer_verdicts, draw_sides
from eval.verdicts import AuthorVerdict, Verdict, build_verdict_path
from planner.batch.rate_limit import HTTP_TOO_MANY_REQUESTS, RateLimiter, estimate_rough_tokens
from planner.chat import Completion, Model, ModelInfo, Prompt
from planner.errors import BudgetExceeded, ModelError, Outcome, OutputError, UsageError
from planner.models.connect import ModelSpec, add_retries, log_request_host, open_model
from planner.models.prompt_files import find_reply_in_files, write_prompt
from planner.models.wrappers import CachedModel, ModelWrapper
from planner.planning.record import ReplyPricer
from planner.planning.session import ask_until_valid
from planner.schema import Ablation

MAX_REASKS: Final = 2
_SAMPLE_STEP: Final = 1_000_000  # samples from one reply to the next of a repetition, whose number is the first sample
_FATAL_STATUSES: Final = frozenset({401, 402, 403, 404})


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """The settings of a judge that is a model: the model for each paper, its prices, and the folder for replies.

    `repetition` is the sample number; `templates` is a folder of the user's own prompts. `ignore_recorded` ignores the
    stored replies, for replies that a person writes to files and may correct later.
    """

    card: ModelInfo
    model_for_paper: Callable[[str], Model]
    pricing: ReplyPricer
    folder: Path
    repetition: int = 0
    max_reasks: int = MAX_REASKS
    templates: Path | None = None
    ignore_recorded: bool = False


@dataclass(frozen=True, slots=True)
class JudgeAnswer:
    """A judge's verdicts on one paper, or the reason why there are none.

    `cost` is in USD, None if unknown; `reply_count` is the number of replies. `is_first_matched` is True if the judge
    matched the first items (A1 with B1, or said yes to A1), None if nothing was shown in order. `is_fatal` is True if
    every further paper would fail in the same way: a wrong key, an empty account, no such model.
    """

    verdicts: tuple[Verdict, ...] | None
    reason: str = ""
    cost: float | None = None
    reply_count: int = 0
    is_first_matched: bool | None = None
    is_fatal: bool = False


class JudgeQuestion:
    """The prompt about one plan, with its sides; sides that are stored for the same names are used again."""

    def __init__(self, settings: JudgeSettings, gold: Gold, plan: Sequence[Ablation]) -> None:
        self._asking, self._gold = settings, gold
        self._plan = [ablation.name for ablation in plan]
        self._wanted = [ablation.name for ablation in gold.ablations] if isinstance(gold, AuthorGold) else []
        replies = build_verdict_path(settings.folder / REPLIES_FOLDER, gold.id).with_suffix(".json")
        self._store = ReplyFile(replies, gold.id, settings.pricing, ignore_recorded=settings.ignore_recorded)
        fresh = draw_sides(self._plan, self._wanted, gold.id, settings.card.asked, settings.repetition)
        self.sides: Sides = self._store.choose_sides(fresh, self._plan, self._wanted)
        if isinstance(gold, AuthorGold):
            self.prompt = build_author_prompt(gold, plan, self.sides, settings.repetition, settings.templates)
        else:
            self.prompt = build_reviewer_prompt(gold, plan, self.sides, settings.repetition, settings.templates)

    async def ask(self) -> JudgeAnswer:
        """Ask until the reply has valid verdicts or asking again is of no use; return the answer."""
        identities: list[str] = []
        try:
            verdicts = await self._ask_until_valid(identities)
        except (ModelError, BudgetExceeded, OutputError) as error:
            return JudgeAnswer(
                None,
                f"{error.outcome}: {error}",
                cost=self._store.sum_costs(identities),
                reply_count=len(set(identities)),
                is_fatal=isinstance(error, ModelError) and (error.exhausted or error.status in _FATAL_STATUSES),
            )
        return JudgeAnswer(
            verdicts,
            cost=self._store.sum_costs(identities),
            reply_count=len(set(identities)),
            is_first_matched=any(_matches_first_items(verdict, self.sides) for verdict in verdicts),
        )

    async def _ask_until_valid(self, identities: list[str]) -> tuple[Verdict, ...]:
        """Ask, and re-ask with the findings while the reply is invalid."""
        model = CachedModel(self._asking.model_for_paper(self._gold.id), self._store)

        def parse(prompt: Prompt, completion: Completion) -> tuple[Verdict, ...]:
            identities.append(identity := model.info.identify_request(prompt))
            try:
                verdicts = self.parse_reply(completion)
            except OutputError as error:
                self._store.record_outcome(identity, error.outcome, error.findings)
                raise
            self._store.record_outcome(identity, Outcome.PLANNED)
            return verdicts

        build_reask = partial(build_reask_prompt, folder=self._asking.templates)
        return await ask_until_valid(
            self.prompt,
            model.complete,
            parse,
            build_reask,
            self._asking.max_reasks,
            sample_step_after_empty=_SAMPLE_STEP,
        )

    def parse_reply(self, completion: Completion) -> tuple[Verdict, ...]:
        """Return the verdicts of a reply, by the sides that were shown.

        Raises:
            OutputError: if the reply cannot be used.
        """
        if isinstance(self._gold, AuthorGold):
            return build_author_verdicts(self.sides, parse_matches(completion, self.sides), self._plan, self._wanted)
        return build_reviewer_verdicts(self.sides, parse_review_requests(completion, self.sides), self._plan)


def _matches_first_items(verdict: Verdict, sides: Sides) -> bool:
    if isinstance(verdict, AuthorVerdict):
        paper, plan = (sides.a[0], sides.b[0]) if sides.plan == "B" else (sides.b[0], sides.a[0])
        return verdict.name_in_paper == paper and plan in verdict.name_in_plan
    return verdict.name_in_plan == sides.a[0] and verdict.appears_in_review


@asynccontextmanager
async def open_judge(
    spec: ModelSpec, concurrency: int, rpm: float | None, tpm: float | None
) -> AsyncIterator[tuple[Model, ReplyPricer]]:
    """Yield a model that judges, with retries and within these limits, and the price of its replies.

    Raises:
        UsageError: if the model cannot judge, or its address or price is invalid.
    """
    async with open_model(spec) as client:
        if client.model is None:
            raise UsageError(f"{spec.model!r} plans and does not judge; leave out --model, or name another")
        log_request_host(client)
        limiter = RateLimiter(concurrency, rpm, tpm, spec.max_wait)
        model = add_retries(RateLimitedModel(client.model, limiter), spec.max_wait)
        yield model, lambda completion: client.compute_cost(completion.usage)


@dataclass
class RateLimitedModel(ModelWrapper):
    """A model under rate limits; retries wrap it, so that each attempt waits for its turn."""

    limits: RateLimiter

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt when the limits allow; a 429 pauses all requests."""
        async with self.limits.acquire_slot(estimate_rough_tokens(prompt)) as slot:
            try:
                completion = await self.model.complete(prompt)
            except ModelError as error:
                error.paused = slot.paused_seconds
                if error.status == HTTP_TOO_MANY_REQUESTS and not error.exhausted:
                    self.limits.record_rate_limit_error(slot, error.retry_after)
                raise
            self.limits.record_success(slot, completion.usage, completion.limits)
            return completion


# The name is the same for every person who judges, since the sides of a prompt depend on it.
BY_HAND_JUDGE: Final = ModelInfo(planner="judge", name="by-hand", asked="by-hand")


class ReplyFileModel:
    """A model whose reply about one paper is read from a file with the paper's name and any suffix."""

    def __init__(self, folder: Path, paper_id: str) -> None:
        self._stem = build_verdict_path(folder, paper_id).with_suffix("")

    @property
    def info(self) -> ModelInfo:
        """The description of the model, the same for all papers."""
        return BY_HAND_JUDGE

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the text of the file as the reply.

        Raises:
            ModelError: if there is no such file or more than one, or if it is not UTF-8.
        """
        found = [path for path in self._stem.parent.glob("*") if path.is_file() and _has_stem(path, self._stem.name)]
        if (reply := find_reply_in_files(found, prompt, BY_HAND_JUDGE.asked)) is None:
            raise ModelError(f"expected one reply file named {self._stem.name}.txt, found: none")
        return reply


def write_judge_prompts(folder: Path, settings: JudgeSettings, pairs: Iterable[GoldPair]) -> tuple[Path, ...]:
    """Write the prompt about each paper that has a plan to `<id>.txt`, and return all paths.

    Raises:
        OSError: if the folder cannot be written.
        PromptError: if a template is missing or faulty.
        UsageError: if no paper has a plan.
    """
    paths = []
    for pair in pairs:
        if pair.status is None and not (isinstance(pair.gold, AuthorGold) and not pair.gold.ablations):
            prompt = JudgeQuestion(settings, pair.gold, pair.plan).prompt
            path = build_verdict_path(folder, pair.gold.id).with_suffix(".txt")
            write_prompt(path, prompt)
            paths.append(path)
    if not paths:
        raise UsageError("no gold paper has a plan, so there is no prompt to write")
    return tuple(paths)


def _has_stem(path: Path, stem: str) -> bool:
    return path.name == stem or path.name.rpartition(".")[0] == stem
