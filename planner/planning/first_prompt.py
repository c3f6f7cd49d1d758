"""Build the first prompt about a paper from an excerpt that suits the task and fits the context window.

The module also describes a paper as JSON.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planner.chat import Prompt, TokenCounter
from planner.details import DEFAULT_MIN_CHANCE
from planner.errors import PlannerError
from planner.papers.excerpt import cut_excerpt, omit_sections_to_fit
from planner.papers.paper import Excerpt, Omission, Paper
from planner.planning.prompts import render_first_prompt
from planner.planning.strategies import STRATEGIES
from planner.schema import Task

if TYPE_CHECKING:
    from planner.analysis.analyse import Analysis
    from planner.analysis.passages import TextLocation

_REPLY_DIVISOR: Final = 4  # a quarter of the window, at most 8,000 tokens, is kept free for the reply
_MAX_REPLY_TOKENS: Final = 8_000


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The settings for planning a paper.

    A plan has at most `k` ablations. After an invalid reply, the model is asked again, at most `reasks` times.
    `templates` is a folder with the user's own prompts. For the task `author`, the excerpt ends before the heading
    `cut_at`. `window` is the model's context window in tokens, None if it is unknown. `max_reply_tokens` limits a
    reply; None is no limit. `strategy` is a name in `STRATEGIES`.

    If `plain` is true, the prompt asks only for the five fields of the benchmark. If it is false, the prompt also asks
    for chances, and the plan leaves out ablations with a chance below `min_chance` percent; None means the default of
    the task. If `plain` is None, the value of an earlier plan or run is used, or false if there is none.
    """

    task: Task
    k: int
    reasks: int = 2
    templates: Path | None = None
    cut_at: str = ""
    window: int | None = None
    strategy: str = "single"
    max_reply_tokens: int | None = None
    plain: bool | None = None
    min_chance: int | None = None

    @property
    def effective_min_chance(self) -> int | None:
        """The chance in percent that an ablation needs to be kept; None if the prompt asks for no chances."""
        if self.plain:
            return None
        return DEFAULT_MIN_CHANCE[self.task] if self.min_chance is None else self.min_chance

    @property
    def reserved_reply_tokens(self) -> int:
        """The number of tokens in the context window that stay free for the model's replies."""
        most = min((self.window or 0) // _REPLY_DIVISOR, _MAX_REPLY_TOKENS)
        reserve = most if self.max_reply_tokens is None else min(most, self.max_reply_tokens)
        # A later prompt also holds the reply to the prompt before it.
        return reserve * 2 if STRATEGIES[self.strategy].templates else reserve

    def render_empty_prompt(self) -> Prompt:
        """Render the first prompt with an empty excerpt. Its template hash is the same as with a paper."""
        return self.render_prompt(Excerpt("", "", ""))

    def render_prompt(self, excerpt: Excerpt) -> Prompt:
        """Render the first prompt about an excerpt.

        Raises:
            PromptError: if a template is missing or faulty, even one that only a later prompt needs.
        """
        later_templates = STRATEGIES[self.strategy].templates
        return render_first_prompt(
            excerpt, self.task, self.k, self.templates, later_templates, with_details=not self.plain
        )


@dataclass(frozen=True, slots=True)
class PaperPrompt:
    """The first prompt about a paper, the omitted parts of the paper, and warnings about the excerpt.

    `excerpt` is the text that is sent; it is None if another process built the prompt.
    """

    prompt: Prompt
    omissions: tuple[Omission, ...] = ()
    warnings: tuple[str, ...] = ()
    excerpt: Excerpt | None = field(default=None, compare=False)


def build_prompt(paper: Paper, settings: PlanSettings, token_counter: TokenCounter) -> PaperPrompt:
    """Build the first prompt about a paper.

    Raises:
        PaperError: if the paper has no suitable excerpt for the task.
        TooLongError: if even the shortest excerpt does not fit the context window.
        PromptError: if a template cannot be rendered.
    """
    excerpt = select_excerpt(paper, settings, token_counter)
    return PaperPrompt(settings.render_prompt(excerpt), excerpt.omissions, excerpt.warnings, excerpt)


def select_excerpt(paper: Paper, settings: PlanSettings, token_counter: TokenCounter) -> Excerpt:
    """Return the excerpt of a paper that suits the task and fits the model's context window.

    Raises:
        PaperError, TooLongError, PromptError: as in `build_prompt`.
    """
    excerpt = cut_excerpt(paper, settings.task, settings.cut_at)
    if settings.window is not None:
        reserve = settings.reserved_reply_tokens + token_counter.count_prompt(settings.render_empty_prompt())
        excerpt = omit_sections_to_fit(excerpt, paper, settings.window - reserve, token_counter.count_text)
    return excerpt


def describe_paper_as_dict(paper: Paper, settings: PlanSettings) -> dict[str, object]:
    """Return the paper as a JSON object; if its prompt cannot be built, the error becomes a warning."""
    from planner.analysis.analyse import analyse_paper  # compiles many patterns

    counter, prompt_tokens = TokenCounter(), None
    try:
        sent = build_prompt(paper, settings, counter)
        prompt_tokens = counter.count_prompt(sent.prompt)
        left_out, warnings = sent.omissions, (*paper.warnings, *sent.warnings)
    except PlannerError as error:
        left_out, warnings = (), (*paper.warnings, str(error))
    return {
        **{name: getattr(paper, name) for name in ("id", "title", "abstract", "format", "main_file")},
        "sections": [
            {"heading": s.heading, "level": s.level, "kind": s.kind.value, "chars": len(s.text), "page": s.page}
            for s in paper.sections
        ],
        "tokens": counter.count_text(f"{paper.title}\n{paper.abstract}\n{paper.text}"),
        "prompt_tokens": prompt_tokens,
        **_describe_analysis(analyse_paper(paper)),
        "left_out": [asdict(part) for part in left_out],
        "warnings": list(warnings),
    }


def _describe_analysis(analysis: "Analysis") -> dict[str, object]:
    from planner.analysis.check import drop_duplicate_and_vague_ablations

    return {
        "components": [
            {"name": c.label, "mentions": c.mention_count, **_describe_passage(c.location)} for c in analysis.components
        ],
        "reported_ablations": [
            {
                "ablated_part": r.part,
                "action": r.action.value,
                "replacement": r.replacement,
                **_describe_passage(r.location),
            }
            for r in drop_duplicate_and_vague_ablations(analysis.reported_ablations)
        ],
        "metrics": [
            {"name": m.name, "mentions": m.mention_count, **_describe_passage(m.location)} for m in analysis.metrics
        ],
    }


def _describe_passage(passage: "TextLocation") -> dict[str, object]:
    return {"text": passage.text, "heading": passage.heading, "offset": passage.paper_offset}
