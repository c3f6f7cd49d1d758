"""A session that plans one paper: it builds the prompts, asks the model until a reply is valid, and checks the plan."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from planner.chat import Completion, Model, Prompt, TokenCounter
from planner.errors import BudgetExceeded, ModelError, Outcome, OutputError, TooLongError
from planner.parsing.reply import Reply, parse_reply
from planner.planning.first_prompt import PaperPrompt, PlanSettings
from planner.planning.prompts import render_follow_up_prompt, render_reask_prompt
from planner.schema import Task

if TYPE_CHECKING:
    from planner.analysis.check import PlanCheck  # compiles many patterns, for a reply alone

# The assumed length of a rejected prompt, as a multiple of the window, if the endpoint reported no token count.
_REJECTED_LENGTH: Final = 1.1

T = TypeVar("T")

# A function that returns the number of the sample to request for a first prompt; a new number replaces a reply.
SampleChooser = Callable[[Prompt], int]
# A function that builds the prompt which asks again, from the last prompt, its invalid reply, the faults of this reply
# and the number of invalid replies so far.
ReaskBuilder = Callable[[Prompt, str, tuple[str, ...], int], Prompt]
# A function that shows the user the message about a strategy's next step.
StepReporter = Callable[[str], None]


class PlannablePaper(Protocol):
    """A paper that can be planned; its text may be in another process."""

    @property
    def id(self) -> str:
        """The paper's id."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings from reading the paper."""

    async def build_prompt(self, settings: PlanSettings, token_counter: TokenCounter) -> PaperPrompt:
        """Build the first prompt about the paper; the errors are those of `first_prompt.build_prompt`."""

    def check_plan(self, reply: Reply, task: Task, paper_prompt: PaperPrompt) -> "PlanCheck":
        """Return the faults and the details of the plan in `reply`; `paper_prompt` is the first prompt."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request with its outcome; `completion` is None if no reply came. `step` is "" for a strategy's first step."""

    identity: str
    completion: Completion | None
    outcome: Outcome
    findings: tuple[str, ...] = ()
    step: str = ""


@dataclass(slots=True)
class PaperSession:
    """The session of one paper, which a strategy uses; `attempts` keeps all requests, even after a failure."""

    paper: PlannablePaper
    model: Model
    settings: PlanSettings
    choose_sample_number: SampleChooser
    token_counter: TokenCounter
    report_step: StepReporter
    paper_prompt: PaperPrompt | None = None
    last_prompt: Prompt | None = None
    attempts: list[Attempt] = field(default_factory=list)

    async def build_prompt(self) -> Prompt:
        """Build the first prompt about the paper, and set its sample number (see `choose_sample_number`)."""
        paper_prompt = await self.paper.build_prompt(self.settings, self.token_counter)
        if sample := self.choose_sample_number(paper_prompt.prompt):
            paper_prompt = replace(paper_prompt, prompt=replace(paper_prompt.prompt, sample=sample))
        self.paper_prompt = paper_prompt
        return paper_prompt.prompt

    def continue_prompt(self, template: str, **values: object) -> Prompt:
        """Return the prompt for the next step: the first prompt, the last reply and a rendered template."""
        assert self.paper_prompt is not None, "build the first prompt first"
        reply = next(attempt.completion.text for attempt in reversed(self.attempts) if attempt.completion)
        return render_follow_up_prompt(self.paper_prompt.prompt, reply, template, self.settings.templates, **values)

    async def ask(self, prompt: Prompt, step: str = "") -> Reply:
        """Send a prompt and return the reply; if the reply is invalid, ask again and name its faults.

        If the first prompt is too long for the endpoint, a shorter one is sent.
        """
        if step:
            return await self._ask_until_valid(replace(prompt, step=step))
        try:
            return await self._ask_until_valid(prompt)
        except TooLongError as error:
            return await self._ask_until_valid(await self._build_shorter_prompt(prompt, error))

    def check_plan(self, reply: Reply) -> "PlanCheck":
        """Return the faults of the plan in `reply`, and the plan's details with the place of each quote."""
        assert self.paper_prompt is not None, "build the first prompt first"
        return self.paper.check_plan(reply, self.settings.task, self.paper_prompt)

    async def _ask_until_valid(self, prompt: Prompt) -> Reply:
        return await ask_until_valid(prompt, self._complete, self._parse, self._build_reask, self.settings.reasks)

    def _build_reask(self, prompt: Prompt, reply: str, findings: tuple[str, ...], failures: int) -> Prompt:
        self.report_step(f"asked again, request {failures + 1} of {self.settings.reasks + 1}: {'; '.join(findings)}")
        return render_reask_prompt(prompt, reply, findings, failures, self.settings.templates)

    async def _complete(self, prompt: Prompt) -> Completion:
        self.last_prompt = prompt
        if self.paper_prompt is not None and prompt.messages_json == self.paper_prompt.prompt.messages_json:
            self.paper_prompt = replace(self.paper_prompt, prompt=prompt)  # the next sample, after an empty reply
        try:
            completion = await self.model.complete(prompt)
        except (ModelError, BudgetExceeded) as error:
            self._add_attempt(prompt, None, error.outcome, (str(error),))
            raise
        self.token_counter.raise_factor(prompt, completion.usage.prompt_tokens)
        return completion

    def _parse(self, prompt: Prompt, completion: Completion) -> Reply:
        try:
            reply = parse_reply(completion, self.settings.k, self.settings.effective_min_chance)
        except OutputError as error:
            self._add_attempt(prompt, completion, error.outcome, error.findings)
            raise
        self._add_attempt(prompt, completion, Outcome.PLANNED)
        return reply

    def _add_attempt(
        self, prompt: Prompt, completion: Completion | None, outcome: Outcome, findings: tuple[str, ...] = ()
    ) -> None:
        identity = self.model.info.identify_request(prompt)
        self.attempts.append(Attempt(identity, completion, outcome, findings, prompt.step))

    async def _build_shorter_prompt(self, first_prompt: Prompt, error: TooLongError) -> Prompt:
        """Build a shorter first prompt for the context window that the endpoint reported.

        Raises:
            TooLongError: if the endpoint reported no context window, or if no shorter prompt is possible.
        """
        if self.last_prompt is None or error.limit is None:
            raise error
        self.token_counter.raise_factor(self.last_prompt, error.prompt_tokens)
        self.token_counter = self.token_counter.copy_with_raised_factor(
            self.last_prompt, error.prompt_tokens or ceil(error.limit * _REJECTED_LENGTH)
        )
        self.settings = replace(self.settings, window=error.limit)
        try:
            prompt = await self.build_prompt()
        except TooLongError as unfit:
            raise TooLongError(f"{error}; {unfit}", limit=error.limit, status=error.status, body=error.body) from unfit
        if prompt.messages_json == first_prompt.messages_json:
            raise error
        return prompt


async def ask_until_valid(
    prompt: Prompt,
    complete: Callable[[Prompt], Awaitable[Completion]],
    parse: Callable[[Prompt, Completion], T],
    build_reask: ReaskBuilder,
    max_reasks: int,
    *,
    sample_step_after_empty: int = 1,
) -> T:
    """Send a prompt and return the parsed reply; if it is invalid, ask again, at most `max_reasks` times.

    After the first reply without text, the same prompt is sent once more. It counts as a new request, since
    `sample_step_after_empty` is added to its sample number.

    Raises:
        OutputError: if no reply is valid, or if a reply was truncated or refused.
    """
    failures, is_repeated = 0, False
    while True:
        completion = await complete(prompt)
        try:
            return parse(prompt, completion)
        except OutputError as error:
            if error.outcome is Outcome.EMPTY and completion.finish_reason == "stop" and not is_repeated:
                prompt, is_repeated = replace(prompt, sample=prompt.sample + sample_step_after_empty), True
                continue
            failures += 1
            if failures > max_reasks or not error.is_correctable:
                raise
            prompt = build_reask(prompt, completion.text, error.findings, failures)
