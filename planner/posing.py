"""From a paper to the first question about it: cut for the task, fitted to the window, and rendered."""

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

_REPLY_SHARE: Final = 4  # a quarter of the window, and at most so many tokens, is kept free for the reply
_REPLY_MOST: Final = 8_000


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
class Question:
    """The first prompt about a paper, what of the paper is not in it, and what a reader should know of the cut."""

    prompt: Prompt
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PaperAtHand:
    """A paper that was read in this process, as something to ask about."""

    paper: Paper

    @property
    def id(self) -> str:
        """What names the paper."""
        return self.paper.id

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the paper should distrust."""
        return self.paper.warnings

    async def pose(self, settings: Settings, gauge: Gauge) -> Question:
        """The first question about the paper, as `pose`."""
        return pose(self.paper, settings, gauge)


def pose(paper: Paper, settings: Settings, gauge: Gauge) -> Question:
    """The first question about a paper.

    Raises:
        PaperError: the paper cannot be cut for the task.
        TooLongError: what must be sent does not fit the window.
        PromptError: the templates are at fault.
    """
    sent = excerpt_of(paper, settings, gauge)
    prompt = render(sent, settings.task, settings.k, settings.templates)
    return Question(prompt, sent.left_out, sent.warnings)


def excerpt_of(paper: Paper, settings: Settings, gauge: Gauge) -> Excerpt:
    """What is sent of a paper.

    Raises:
        PaperError, TooLongError, PromptError: as for `pose`.
    """
    chosen = cut(paper, settings.task, settings.cut_at)
    if settings.window is not None:
        empty = render(Excerpt("", "", ""), settings.task, settings.k, settings.templates)
        reserve = min(settings.window // _REPLY_SHARE, _REPLY_MOST) + gauge.measure_prompt(empty)
        chosen = fit(chosen, paper, settings.window - reserve, gauge.measure)
    return chosen.excerpt(paper)
