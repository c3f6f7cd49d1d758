"""Options that several commands share, gathered into one value each."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from planner.errors import UsageError
from planner.posing import Settings
from planner.schema import DEFAULT_K, Task

Command = Callable[..., Any]
MAX_K = 50


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """What overrides that which is found in a paper, and whether it may be fetched."""

    title: str = ""
    abstract: str = ""
    paper_id: str = ""
    offline: bool = False


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What is asked of the paper."""

    task: Task
    k: int | None
    cut_at: str
    prompts: Path | None
    context_window: int | None

    @property
    def settings(self) -> Settings:
        """The settings of the pipeline.

        Raises:
            UsageError: k is out of range.
        """
        k = DEFAULT_K[self.task] if self.k is None else self.k
        if not 1 <= k <= MAX_K:
            raise UsageError(f"-k {k}: a plan has 1 to {MAX_K} ablations")
        return Settings(self.task, k, templates=self.prompts, cut_at=self.cut_at, window=self.context_window)


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Where a model is asked and how."""

    base_url: tuple[str, ...]
    stream: bool
    timeout: float
    max_wait: float
    reasoning_effort: str
    temperature: float | None
    max_tokens: int | None
    price: str


@dataclass(frozen=True, slots=True)
class ModelOptions(EndpointOptions):
    """Which model is asked, where and how."""

    model: str


@dataclass(frozen=True, slots=True)
class TalkOptions:
    """How much the program says, and where."""

    verbose: int
    quiet: bool
    log_file: Path | None


def gathered(name: str, into: type, *options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Give a command the `options` as one argument `name` of the dataclass `into`."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_value(*args: Any, **kwargs: Any) -> Any:
            value = into(**{field.name: kwargs.pop(field.name) for field in fields(into)})
            return command(*args, **{name: value}, **kwargs)

        decorated: Command = with_value
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


paper_options = gathered(
    "about",
    PaperOptions,
    click.option("--title", default="", help="The paper's title, where the one found is wrong."),
    click.option("--abstract", default="", help="The paper's abstract, where the one found is wrong."),
    click.option(
        "--id", "paper_id", default="", help="Name of the paper in headings and file names.  [from the title]"
    ),
    click.option(
        "--offline",
        is_flag=True,
        envvar="ABLATION_PLANNER_OFFLINE",
        show_envvar=True,
        help="Send nothing to anyone, and fetch nothing.",
    ),
)

task_options = gathered(
    "asked",
    TaskOptions,
    click.option(
        "--task",
        type=click.Choice(Task, case_sensitive=False),
        default=Task.REVIEWER,
        show_default="reviewer",
        envvar="ABLATION_PLANNER_TASK",
        show_envvar=True,
        help="reviewer: what is missing from the whole paper; author: what to run, from the method alone.",
    ),
    click.option(
        "-k",
        type=int,
        envvar="ABLATION_PLANNER_K",
        show_envvar=True,
        help="At most so many ablations.  [reviewer 2, author 5]",
    ),
    click.option("--cut-at", default="", metavar="HEADING", help="Author task: the heading at which the method ends."),
    click.option(
        "--prompts",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        envvar="ABLATION_PLANNER_PROMPTS",
        show_envvar=True,
        help="A folder of your own prompt templates.",
    ),
    click.option(
        "--context-window",
        type=click.IntRange(min=1000),
        metavar="TOKENS",
        envvar="ABLATION_PLANNER_CONTEXT_WINDOW",
        show_envvar=True,
        help="What fits the model; a longer paper is cut, and the cuts are said.  [known for known models]",
    ),
)

_ENDPOINT: Final = (
    click.option(
        "--base-url",
        multiple=True,
        metavar="URL",
        help="Any endpoint that speaks Chat Completions; several are copies, asked in turn.  "
        "[env var: OPENAI_BASE_URL]",
    ),
    click.option(
        "--stream/--no-stream",
        default=True,
        show_default=True,
        help="Take the reply as it is written, timed by idleness.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=600.0,
        show_default=True,
        metavar="SECONDS",
        envvar="ABLATION_PLANNER_TIMEOUT",
        show_envvar=True,
        help="For a whole reply; with --stream, for each silence within it.",
    ),
    click.option(
        "--max-wait",
        type=click.FloatRange(min=0),
        default=600.0,
        show_default=True,
        metavar="SECONDS",
        envvar="ABLATION_PLANNER_MAX_WAIT",
        show_envvar=True,
        help="At most so long in all for a busy or failing endpoint.",
    ),
    click.option("--reasoning-effort", default="", metavar="LEVEL", help="Sent as it is; not sent when not given."),
    click.option("--temperature", type=float, help="Sent as it is; not sent when not given."),
    click.option("--max-tokens", type=click.IntRange(min=1), help="Cap of a reply; not sent when not given."),
    click.option(
        "--price",
        default="",
        metavar="IN,OUT",
        envvar="ABLATION_PLANNER_PRICE",
        show_envvar=True,
        help="USD per million tokens, for a model whose price is not known.",
    ),
)

endpoint_options = gathered("asking", EndpointOptions, *_ENDPOINT)

model_options = gathered(
    "asking",
    ModelOptions,
    click.option(
        "-m",
        "--model",
        default="",
        envvar="ABLATION_PLANNER_MODEL",
        show_envvar=True,
        help="Such as gpt-4o, openrouter/anthropic/claude-3.5-sonnet, ollama/llama3.1, or extractive (built in).",
    ),
    *_ENDPOINT,
)

talk_options = gathered(
    "talk",
    TalkOptions,
    click.option("-v", "--verbose", count=True, help="Say more; twice for everything."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
    click.option(
        "--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Write everything that is said to a file."
    ),
)
