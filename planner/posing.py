"""Build the first prompt about a paper: cut the paper for the task, fit it to the window and render it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.chat import Prompt
from planner.gauge import Gauge
from planner.papers.cut import cut
from planner.papers.fit import fit
from planner.papers.paper import Excerpt, LeftOut, Paper
from planner.prompting import render
from planner.schema import Task

_REPLY_SHARE: Final = 4  # a quarter of the window, at most 8,000 tokens, is kept free for the reply
_REPLY_MOST: Final = 8_000


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a plan: the task, at most `k` ablations, and how often to ask again after an invalid reply.

    `templates` is a folder with the user's own prompts, `cut_at` the heading at which the author task cuts the paper,
    `window` the model's context window in tokens, or None if it is not known.
    """

    task: Task
    k: int
    reasks: int = 2
    templates: Path | None = None
    cut_at: str = ""
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """The first prompt about a paper, the parts of the paper that it leaves out, and warnings about the cut."""

    prompt: Prompt
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PaperAtHand:
    """A paper whose text is in this process."""

    paper: Paper

    @property
    def id(self) -> str:
        """The paper's id."""
        return self.paper.id

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings from reading the paper."""
        return self.paper.warnings

    async def pose(self, settings: Settings, gauge: Gauge) -> Question:
        """Build the first prompt about the paper, as `planner.posing.pose` does."""
        return pose(self.paper, settings, gauge)


def pose(paper: Paper, settings: Settings, gauge: Gauge) -> Question:
    """Build the first prompt about a paper.

    Raises:
        PaperError: if the paper cannot be cut for the task.
        TooLongError: if the parts that must be sent do not fit the window.
        PromptError: if a template cannot be rendered.
    """
    sent = excerpt_of(paper, settings, gauge)
    prompt = render(sent, settings.task, settings.k, settings.templates)
    return Question(prompt, sent.left_out, sent.warnings)


def excerpt_of(paper: Paper, settings: Settings, gauge: Gauge) -> Excerpt:
    """Return the excerpt of a paper that is sent for this task and fits the window.

    Raises:
        PaperError, TooLongError, PromptError: as in `pose`.
    """
    chosen = cut(paper, settings.task, settings.cut_at)
    if settings.window is not None:
        empty = render(Excerpt("", "", ""), settings.task, settings.k, settings.templates)
        reserve = min(settings.window // _REPLY_SHARE, _REPLY_MOST) + gauge.measure_prompt(empty)
        chosen = fit(chosen, paper, settings.window - reserve, gauge.measure)
    return chosen.excerpt(paper)
