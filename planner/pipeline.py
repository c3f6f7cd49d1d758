"""The heart: one paper in, one plan out, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Final

from planner.chat import ChatModel, Completion, Prompt
from planner.errors import BudgetExceeded, ModelError, Outcome, OutputError, PaperError, TooLongError
from planner.gauge import Gauge
from planner.papers.cut import cut
from planner.papers.fit import fit
from planner.papers.paper import Excerpt, Paper
from planner.parsing.reply import Reply, parse
from planner.prompting import reask, render
from planner.schema import Task
from planner.trajectory.document import Trajectory
from planner.trajectory.writer import normal_form

_REPLY_SHARE: Final = 4  # a quarter of the window, and at most so many tokens, is kept free for the reply
_REPLY_MOST: Final = 8_000
_REFUSED: Final = 1.1  # of the window: so long is a refused prompt taken to be where the endpoint gave no count


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked of a paper: the task, at most `k` ablations, and how often a faulty reply is asked for again.

    `templates` is a folder of the user's own prompts, `cut_at` the heading at which the author task ends, `window`
    the model's context in tokens, None where it is not known.
    """

    task: Task
    k: int
    reasks: int = 2
    templates: Path | None = None
    cut_at: str = ""
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what came of it."""

    identity: str
    completion: Completion | None
    outcome: Outcome
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planning:
    """How the planning of one paper ended: with a trajectory, or with the reason why there is none."""

    outcome: Outcome
    reason: str = ""
    trajectory: Trajectory | None = None
    excerpt: Excerpt | None = None
    prompt: Prompt | None = None
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()


# Which sample of the answer to a first prompt is wanted: 0, unless an earlier answer is to be had anew.
Numbering = Callable[[Prompt], int]


def _first(_: Prompt) -> int:
    return 0


async def plan_paper(
    paper: Paper, model: ChatModel, settings: Settings, sample: Numbering = _first, gauge: Gauge | None = None
) -> Planning:
    """Plan the ablations of one paper; every failure that belongs to this paper is an outcome, not an exception.

    Raises:
        PromptError: the templates are at fault, whatever the paper.
    """
    course = _Course(paper, model, settings, sample, gauge or Gauge())
    try:
        try:
            reply = await course.ask()
        except TooLongError as error:
            course.shorten(error)
            reply = await course.ask()
    except (PaperError, ModelError, BudgetExceeded, OutputError) as error:
        return course.ended(error.outcome, reason=str(error))
    card = model.card
    trajectory = Trajectory(card.planner, card.name, paper.id, settings.task, reply.reasoning, reply.plan, reply.notes)
    return course.ended(Outcome.PLANNED, trajectory=normal_form(trajectory))


def pose(paper: Paper, settings: Settings, gauge: Gauge) -> tuple[Excerpt, Prompt]:
    """What is sent of the paper, and the first prompt.

    Raises:
        PaperError: the paper cannot be cut for the task.
        TooLongError: what must be sent does not fit the window.
        PromptError: the templates are at fault.
    """
    chosen = cut(paper, settings.task, settings.cut_at)
    if settings.window is not None:
        empty = render(Excerpt("", "", ""), settings.task, settings.k, settings.templates)
        reserve = min(settings.window // _REPLY_SHARE, _REPLY_MOST) + gauge.measure_prompt(empty)
        chosen = fit(chosen, paper, settings.window - reserve, gauge.measure)
    excerpt = chosen.excerpt(paper)
    return excerpt, render(excerpt, settings.task, settings.k, settings.templates)


@dataclass(slots=True)
class _Course:
    """The planning of one paper, and what is known of it so far, so that a failure at any point keeps that."""

    paper: Paper
    model: ChatModel
    settings: Settings
    sample: Numbering
    gauge: Gauge
    excerpt: Excerpt | None = None
    prompt: Prompt | None = None
    last: Prompt | None = None
    attempts: list[Attempt] = field(default_factory=list)

    async def ask(self) -> Reply:
        """Ask, and ask again with the findings while the reply is invalid."""
        self.excerpt, prompt = pose(self.paper, self.settings, self.gauge)
        if sample := self.sample(prompt):
            prompt = replace(prompt, sample=sample)
        self.prompt = prompt
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
        """One request; whatever comes of it is on record before it goes on."""
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

    def shorten(self, error: TooLongError) -> None:
        """Take the limit that the endpoint stated for the window, and what it counted for the prompt's length.

        Raises:
            TooLongError: it stated no limit, or no shorter prompt can be made; the same prompt is not sent again.
        """
        if self.last is None or self.prompt is None or error.limit is None:
            raise error
        self.gauge.learn(self.last, error.counted)
        self.gauge = self.gauge.corrected(self.last, error.counted or ceil(error.limit * _REFUSED))
        self.settings = replace(self.settings, window=error.limit)
        try:
            _, prompt = pose(self.paper, self.settings, self.gauge)
        except TooLongError as unfit:
            raise TooLongError(f"{error}; {unfit}", limit=error.limit, status=error.status, body=error.body) from unfit
        if prompt.messages == self.prompt.messages:
            raise error

    def ended(self, outcome: Outcome, reason: str = "", trajectory: Trajectory | None = None) -> Planning:
        warnings = (
            *self.paper.warnings,
            *(self.excerpt.warnings if self.excerpt else ()),
            *(note for attempt in self.attempts if attempt.completion for note in attempt.completion.notes),
            *(trajectory.warnings if trajectory else ()),
        )
        known = tuple(dict.fromkeys(warnings))
        return Planning(outcome, reason, trajectory, self.excerpt, self.prompt, tuple(self.attempts), known)
