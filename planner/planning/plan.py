"""Plan one paper: ask the model, check its reply, and return the plan or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final, Protocol

from planner.chat import Completion, Model, Prompt
from planner.errors import BudgetExceeded, ModelError, Outcome, OutputError, PaperError, TooLongError
from planner.papers.paper import Paper
from planner.parsing.reply import Reply, parse_reply
from planner.planning.prompts import render_reask_prompt
from planner.planning.question import LoadedPaper, PaperPrompt, PlanSettings
from planner.tokens import TokenCounter
from planner.trajectory.format import Trajectory
from planner.trajectory.writer import normalize_trajectory

# times the window: the assumed length of a rejected prompt if the endpoint reported no count
_REJECTED_LENGTH: Final = 1.1


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, its reply (None if there is none) and its outcome."""

    identity: str
    completion: Completion | None
    outcome: Outcome
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The result of planning one paper: a trajectory, or the reason why there is none."""

    outcome: Outcome
    reason: str = ""
    trajectory: Trajectory | None = None
    paper_prompt: PaperPrompt | None = None
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()


class PromptSource(Protocol):
    """A paper that can make its first prompt; the text may be in another process, as in a batch run."""

    @property
    def id(self) -> str:
        """The paper's id."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings from reading the paper."""

    async def build_prompt(self, settings: PlanSettings, token_counter: TokenCounter) -> PaperPrompt:
        """Build the first prompt about the paper; the errors are those of `planner.planning.question.build_prompt`."""


# Returns the number of the sample to request for a first prompt: 0, or more if an earlier reply is to be replaced.
SampleChooser = Callable[[Prompt], int]


def _choose_first_sample(_: Prompt) -> int:
    return 0


async def plan_paper(
    paper: Paper,
    model: Model,
    settings: PlanSettings,
    choose_sample: SampleChooser = _choose_first_sample,
    token_counter: TokenCounter | None = None,
) -> PlanResult:
    """Plan the ablations of one paper; a failure of this paper is returned as an outcome, not raised.

    Raises:
        PromptError: if a template cannot be rendered, which would fail for every paper.
    """
    return await run_plan(LoadedPaper(paper), model, settings, choose_sample, token_counter or TokenCounter())


async def run_plan(
    source: PromptSource,
    model: Model,
    settings: PlanSettings,
    choose_sample: SampleChooser,
    token_counter: TokenCounter,
) -> PlanResult:
    """Plan one paper like `plan_paper`; the paper's text may be in another process."""
    course = PlanSession(source, model, settings, choose_sample, token_counter)
    try:
        try:
            reply = await course.ask(await course.build_prompt())
        except TooLongError as error:
            reply = await course.ask(await course.build_shorter_prompt(error))
    except (PaperError, ModelError, BudgetExceeded, OutputError) as error:
        return course.make_result(error.outcome, reason=str(error))
    card = model.info
    planned = (settings.task, reply.reasoning, reply.plan, reply.notes)
    return course.make_result(
        Outcome.PLANNED, trajectory=normalize_trajectory(Trajectory(card.planner, card.name, source.id, *planned))
    )


@dataclass(slots=True)
class PlanSession:
    """The planning of one paper in progress; it keeps all attempts, so that a failure loses none of them."""

    source: PromptSource
    model: Model
    settings: PlanSettings
    choose_sample: SampleChooser
    token_counter: TokenCounter
    paper_prompt: PaperPrompt | None = None
    last_prompt: Prompt | None = None
    attempts: list[Attempt] = field(default_factory=list)

    async def build_prompt(self) -> PaperPrompt:
        """Build the first prompt with the current settings, and set the number of its sample."""
        question = await self.source.build_prompt(self.settings, self.token_counter)
        if sample := self.choose_sample(question.prompt):
            question = replace(question, prompt=replace(question.prompt, sample=sample))
        return question

    async def ask(self, paper_prompt: PaperPrompt) -> Reply:
        """Send a prompt and return the parsed reply; ask again with the findings while the reply is invalid."""
        self.paper_prompt, prompt = paper_prompt, paper_prompt.prompt
        for failures in range(1, self.settings.reasks + 1):
            try:
                return await self._send(prompt)
            except OutputError as error:
                if not error.is_correctable:
                    raise
                said = self.attempts[-1].completion
                assert said is not None, "an output error comes from a completion"
                prompt = render_reask_prompt(
                    prompt, said.text, error.findings, self.settings.templates, failures=failures
                )
        return await self._send(prompt)

    async def _send(self, prompt: Prompt) -> Reply:
        """Send one request and record its outcome, even if it fails or is interrupted."""
        self.last_prompt = prompt
        completion: Completion | None = None
        outcome, findings = Outcome.INTERRUPTED, tuple[str, ...]()
        try:
            completion = await self.model.complete(prompt)
            self.token_counter.observe(prompt, completion.usage.prompt_tokens)
            reply = parse_reply(completion, self.settings.k)
            outcome = Outcome.PLANNED
            return reply
        except OutputError as error:
            outcome, findings = error.outcome, error.findings
            raise
        except (ModelError, BudgetExceeded) as error:
            outcome, findings = error.outcome, (str(error),)
            raise
        finally:
            self.attempts.append(Attempt(self.model.info.identify_request(prompt), completion, outcome, findings))

    async def build_shorter_prompt(self, error: TooLongError) -> PaperPrompt:
        """Build a shorter prompt, from the window and the token count that the endpoint reported.

        Raises:
            TooLongError: if the endpoint reported no window, or if no shorter prompt is possible.
        """
        if self.last_prompt is None or self.paper_prompt is None or error.limit is None:
            raise error
        self.token_counter.observe(self.last_prompt, error.prompt_tokens)
        self.token_counter = self.token_counter.with_correction(
            self.last_prompt, error.prompt_tokens or ceil(error.limit * _REJECTED_LENGTH)
        )
        self.settings = replace(self.settings, window=error.limit)
        try:
            question = await self.build_prompt()
        except TooLongError as unfit:
            raise TooLongError(f"{error}; {unfit}", limit=error.limit, status=error.status, body=error.body) from unfit
        if question.prompt.messages_json == self.paper_prompt.prompt.messages_json:
            raise error
        return question

    def make_result(self, outcome: Outcome, reason: str = "", trajectory: Trajectory | None = None) -> PlanResult:
        """Return the result, with all attempts and each warning once."""
        warnings = (
            *self.source.warnings,
            *(self.paper_prompt.warnings if self.paper_prompt else ()),
            *(note for attempt in self.attempts if attempt.completion for note in attempt.completion.notes),
            *(trajectory.warnings if trajectory else ()),
        )
        known = tuple(dict.fromkeys(warnings))
        return PlanResult(outcome, reason, trajectory, self.paper_prompt, tuple(self.attempts), known)
