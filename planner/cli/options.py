"""Options that several commands share. Related options are passed to a command as one value."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from planner.cli.command import EXISTING_FOLDER, GroupedOption
from planner.cli.settings import get_settings
from planner.details import DEFAULT_MIN_CHANCE
from planner.errors import UsageError
from planner.models.connect import ModelSpec
from planner.planning.first_prompt import PlanSettings
from planner.planning.strategies import STRATEGIES
from planner.schema import DEFAULT_K, MAX_K, Task

if TYPE_CHECKING:
    from planner.papers.arxiv import ArxivClient

CommandFunction = Callable[..., Any]
_ARXIV_URL_VARIABLE: Final = "ABLATION_PLANNER_ARXIV_URL"


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    """The title, abstract and id that the user gives for a paper. If one of them is "", the program finds it.

    `offline` forbids downloads. `fetch` allows a web address instead of a path.
    """

    title: str = ""
    abstract: str = ""
    paper_id: str = ""
    offline: bool = False
    fetch: bool = False


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """The options for the task and its prompt."""

    task: Task
    k: int | None
    cut_at: str
    templates: Path | None
    window: int | None
    plain: bool | None
    strategy: str
    min_chance: int | None

    def make_settings(
        self, task: Task | None = None, k: int | None = None, cut_at: str = "", strategy: str = ""
    ) -> PlanSettings:
        """Return the settings for planning. Each argument that is given replaces the option of the same name.

        Raises:
            UsageError: if there is no such strategy, `k` is out of range, or both `plain` and `min_chance` are given.
        """
        task, strategy, k = task or self.task, strategy or self.strategy, self.k if k is None else k
        if strategy not in STRATEGIES:
            raise UsageError(f"there is no strategy {strategy!r}; use one of {', '.join(STRATEGIES)}")
        if self.plain and self.min_chance is not None:
            raise UsageError("--plain asks for no chances, so --min-chance cannot be applied; leave one of them out")
        k = DEFAULT_K[task] if k is None else k
        if not 1 <= k <= MAX_K:
            raise UsageError(f"-k {k}: a plan has 1 to {MAX_K} ablations")
        return PlanSettings(
            task,
            k,
            templates=self.templates,
            cut_at=cut_at or self.cut_at,
            window=self.window,
            plain=False if self.min_chance is not None else self.plain,
            min_chance=self.min_chance,
            strategy=strategy,
        )


def make_options_decorator(
    argument_name: str,
    value_class: type,
    *options: Callable[[CommandFunction], CommandFunction],
    complete_argument: Callable[[Any], Any] = lambda value: value,
) -> Callable[[CommandFunction], CommandFunction]:
    """Return a decorator that adds options to a command. It passes their values as the argument `argument_name`.

    The argument is an instance of `value_class`, a dataclass with a field for each option. `complete_argument` may
    return another instance for the command, for example one with further fields.
    """

    def decorate(command: CommandFunction) -> CommandFunction:
        @functools.wraps(command)
        def with_value(*args: Any, **kwargs: Any) -> Any:
            given = {field.name: kwargs.pop(field.name) for field in fields(value_class) if field.name in kwargs}
            return command(*args, **{argument_name: complete_argument(value_class(**given))}, **kwargs)

        decorated: CommandFunction = with_value
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def complete_path(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a path, for an argument that can also be an id or an address."""
    return [CompletionItem(incomplete, type="file")]


paper_option = functools.partial(click.option, cls=GroupedOption, group="Paper")
task_option = functools.partial(click.option, cls=GroupedOption, group="Task")
model_option = functools.partial(click.option, cls=GroupedOption, group="Model")
output_option = functools.partial(click.option, cls=GroupedOption, group="Output")

offline_option = functools.partial(
    paper_option,
    "--offline",
    is_flag=True,
    envvar="ABLATION_PLANNER_OFFLINE",
    help="Send no requests, and download nothing.",
)

metadata_options = make_options_decorator(
    "metadata",
    MetadataOptions,
    paper_option("--title", default="", help="The paper's title, if the detected one is wrong."),
    paper_option("--abstract", default="", help="The paper's abstract, if the detected one is wrong."),
    paper_option("--id", "paper_id", default="", help="Id for headings and file names.  [default: the file's name]"),
    offline_option(),
    paper_option("--fetch", is_flag=True, help="Accept an https address as the paper; its host is printed first."),
)

task_options = make_options_decorator(
    "task",
    TaskOptions,
    task_option(
        "--task",
        type=click.Choice(Task, case_sensitive=False),
        default=Task.REVIEWER,
        envvar="ABLATION_PLANNER_TASK",
        help="reviewer: find ablations that the paper lacks; author: propose ablations to run, from the method alone.  "
        "[default: reviewer]",
    ),
    task_option(
        "-k",
        type=int,
        envvar="ABLATION_PLANNER_K",
        help="Maximum number of ablations in a plan.  [default: reviewer 2, author 5]",
    ),
    task_option(
        "--cut-at",
        default="",
        metavar="HEADING",
        help="With --task author: send only the text before this heading.  [default: where the results begin]",
    ),
    task_option(
        "--prompts",
        "templates",
        type=EXISTING_FOLDER,
        envvar="ABLATION_PLANNER_PROMPTS",
        help="Folder with your own prompt templates.",
    ),
    task_option(
        "--context-window",
        "window",
        type=click.IntRange(min=1000),
        metavar="TOKENS",
        envvar="ABLATION_PLANNER_CONTEXT_WINDOW",
        help="The model's context window; parts of a longer paper are left out and reported.  "
        "[default: the model's own, if known]",
    ),
    task_option(
        "--plain/--details",
        default=None,
        help="Ask only for the five fields of AblationBench, or also for reasons, quotes, effort and chances.  "
        "[default: as in an existing run or plan, otherwise details]",
    ),
    task_option(
        "--strategy",
        type=click.Choice(tuple(STRATEGIES)),
        default="single",
        show_default=True,
        envvar="ABLATION_PLANNER_STRATEGY",
        help="single: one request; revise: if the program finds faults in the plan, a second request to repair them.",
    ),
    task_option(
        "--min-chance",
        type=click.IntRange(0, 100),
        metavar="PERCENT",
        envvar="ABLATION_PLANNER_MIN_CHANCE",
        help=f"Keep only ablations to which the model gives at least this chance, but always keep the best one.  "
        f"[default: author {DEFAULT_MIN_CHANCE[Task.AUTHOR]}, reviewer {DEFAULT_MIN_CHANCE[Task.REVIEWER]}]",
    ),
)

_DEFAULTS: Final = ModelSpec()
_ENDPOINT_OPTIONS: Final = (
    model_option(
        "--base-url",
        multiple=True,
        metavar="URL",
        help="Address of a Chat Completions endpoint; repeat the option for several that share the work.  "
        "[env var: OPENAI_BASE_URL]",
    ),
    model_option(
        "--stream/--no-stream",
        default=_DEFAULTS.stream,
        show_default=True,
        help="Receive the reply while it is written; --timeout then limits each pause in the reply.",
    ),
    model_option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULTS.timeout,
        show_default=True,
        metavar="SECONDS",
        envvar="ABLATION_PLANNER_TIMEOUT",
        help="Longest wait for a whole reply; with --stream, longest pause within a reply.",
    ),
    model_option(
        "--max-wait",
        type=click.FloatRange(min=0),
        default=_DEFAULTS.max_wait,
        show_default=True,
        metavar="SECONDS",
        envvar="ABLATION_PLANNER_MAX_WAIT",
        help="Longest total wait for one request while the endpoint is busy or fails.",
    ),
    model_option("--reasoning-effort", default="", metavar="LEVEL", help="Reasoning effort.  [default: not sent]"),
    model_option("--temperature", type=float, help="Sampling temperature.  [default: not sent]"),
    model_option("--max-tokens", type=click.IntRange(min=1), help="Maximum tokens in a reply.  [default: not sent]"),
    model_option(
        "--price",
        default="",
        metavar="IN,OUT",
        envvar="ABLATION_PLANNER_PRICE",
        help="USD per million input and output tokens, for a model whose price is unknown.",
    ),
)

endpoint_options = make_options_decorator("endpoint", ModelSpec, *_ENDPOINT_OPTIONS)

model_options = make_options_decorator(
    "model_spec",
    ModelSpec,
    model_option(
        "-m",
        "--model",
        default="",
        envvar="ABLATION_PLANNER_MODEL",
        help="Model, such as gpt-4o or ollama/llama3.1 (see `models`), or extractive for the built-in planner.",
    ),
    *_ENDPOINT_OPTIONS,
    complete_argument=lambda spec: get_settings().complete_model_spec(spec),
)


def create_cached_arxiv_client(*, offline: bool) -> "ArxivClient":
    """Return a client of arXiv with the user's cache. An environment variable may name a mirror of arXiv."""
    from planner.papers.arxiv import BASE_URL, ArxivClient  # only commands that read papers need it

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ablation-planner" / "arxiv"
    return ArxivClient(base_url=os.environ.get(_ARXIV_URL_VARIABLE) or BASE_URL, cache=cache, offline=offline)
