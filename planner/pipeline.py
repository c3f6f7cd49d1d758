"""Plan one paper: ask the model, check its reply, and return the plan or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final, Protocol

from planner.chat import ChatModel, Completion, Prompt
from planner.errors import BudgetExceeded, ModelError, Outcome, OutputError, PaperError, TooLongError
from planner.gauge import Gauge
from planner.papers.paper import Paper
from planner.parsing.reply import Reply, parse
from planner.posing import PaperAtHand, Question, Settings
from planner.prompting import reask
from planner.trajectory.document import Trajectory
from planner.trajectory.writer import normal_form

__all__ = ["Attempt", "Numbering", "Planning", "Settings", "Subject", "plan_paper", "plan_subject"]

_REFUSED: Final = 1.1  # times the window: the assumed length of a rejected prompt if the endpoint reported no count


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, its reply (None if there is none) and its outcome."""

    identity: str
    completion: Completion | None
    outcome: Outcome
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planning:
    """The result of planning one paper: a trajectory, or the reason why there is none."""

    outcome: Outcome
    reason: str = ""
    trajectory: Trajectory | None = None
    question: Question | None = None
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()


class Subject(Protocol):
    """A paper that can make its first prompt; the text may be in another process, as in a batch run."""

    @property
    def id(self) -> str:
        """The paper's id."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings from reading the paper."""

    async def pose(self, settings: Settings, gauge: Gauge) -> Question:
        """Build the first prompt about the paper; the errors are those of `planner.posing.pose`."""


# Returns the number of the sample to request for a first prompt: 0, or more if an earlier reply is to be replaced.
Numbering = Callable[[Prompt], int]


def _first(_: Prompt) -> int:
    return 0


async def plan_paper(
    paper: Paper, model: ChatModel, settings: Settings, sample: Numbering = _first, gauge: Gauge | None = None
) -> Planning:
    """Plan the ablations of one paper; a failure of this paper is returned as an outcome, not raised.

    Raises:
        PromptError: if a template cannot be rendered, which would fail for every paper.
    """
    return await plan_subject(PaperAtHand(paper), model, settings, sample, gauge or Gauge())


async def plan_subject(
    subject: Subject, model: ChatModel, settings: Settings, sample: Numbering, gauge: Gauge
) -> Planning:
    """Plan one paper like `plan_paper`; the paper's text may be in another process."""
    course = _Course(subject, model, settings, sample, gauge)
    try:
        try:
            reply = await course.ask(await course.posed())
        except TooLongError as error:
            reply = await course.ask(await course.shorter(error))
    except (PaperError, ModelError, BudgetExceeded, OutputError) as error:
        return course.ended(error.outcome, reason=str(error))
    card = model.card
    planned = (settings.task, reply.reasoning, reply.plan, reply.notes)
    return course.ended(
        Outcome.PLANNED, trajectory=normal_form(Trajectory(card.planner, card.name, subject.id, *planned))
    )


@dataclass(slots=True)
class _Course:
    """The planning of one paper in progress; it keeps all attempts, so that a failure loses none of them."""

    subject: Subject
    model: ChatModel
    settings: Settings
    sample: Numbering
    gauge: Gauge
    question: Question | None = None
    last: Prompt | None = None
    attempts: list[Attempt] = field(default_factory=list)

    async def posed(self) -> Question:
        """Build the first prompt with the current settings, and set the number of its sample."""
        question = await self.subject.pose(self.settings, self.gauge)
        if sample := self.sample(question.prompt):
            question = replace(question, prompt=replace(question.prompt, sample=sample))
        return question

    async def ask(self, question: Question) -> Reply:
        """Send a prompt and return the parsed reply; ask again with the findings while the reply is invalid."""
        self.question, prompt = question, question.prompt
        for failures in range(1, self.settings.reasks + 1):
            try:
                return await self._attempt(prompt)
            except OutputError as error:
                if not error.reaskable:
                    raise
                said = self.attempts[-1].completion
                assert said is not None, "an output error comes from a completion"
                prompt = reask(prompt, said.text, error.findings, self.settings.templates, failures=failures)
        return await self._attempt(prompt)

    async def _attempt(self, prompt: Prompt) -> Reply:
        """Send one request and record its outcome, even if it fails or is interrupted."""
        self.last = prompt
        completion: Completion | None = None
        outcome, findings = Outcome.INTERRUPTED, tuple[str, ...]()
        try:
            completion = await self.model.complete(prompt)
            self.gauge.learn(prompt, completion.usage.prompt_tokens)
            reply = parse(completion, self.settings.k)
            outcome = Outcome.PLANNED
            return reply
        except OutputError as error:
            outcome, findings = error.outcome, error.findings
            raise
        except (ModelError, BudgetExceeded) as error:
            outcome, findings = error.outcome, (str(error),)
            raise
        finally:
            self.attempts.append(Attempt(self.model.card.identity(prompt), completion, outcome, findings))

    async def shorter(self, error: TooLongError) -> Question:
        """Build a shorter prompt, from the window and the token count that the endpoint reported.

        Raises:
            TooLongError: if the endpoint reported no window, or if no shorter prompt is possible.
        """
        if self.last is None or self.question is None or error.limit is None:
            raise error
        self.gauge.learn(self.last, error.counted)
        self.gauge = self.gauge.corrected(self.last, error.counted or ceil(error.limit * _REFUSED))
        self.settings = replace(self.settings, window=error.limit)
        try:
            question = await self.posed()
        except TooLongError as unfit:
            raise TooLongError(f"{error}; {unfit}", limit=error.limit, status=error.status, body=error.body) from unfit
        if question.prompt.encoded == self.question.prompt.encoded:
            raise error
        return question

    def ended(self, outcome: Outcome, reason: str = "", trajectory: Trajectory | None = None) -> Planning:
        """Return the result, with all attempts and each warning once."""
        warnings = (
            *self.subject.warnings,
            *(self.question.warnings if self.question else ()),
            *(note for attempt in self.attempts if attempt.completion for note in attempt.completion.notes),
            *(trajectory.warnings if trajectory else ()),
        )
        known = tuple(dict.fromkeys(warnings))
        return Planning(outcome, reason, trajectory, self.question, tuple(self.attempts), known)
