"""Options that several commands share, grouped into one value each."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from planner.cli.command import GroupedOption
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
ARXIV_URL_VARIABLE: Final = "ABLATION_PLANNER_ARXIV_URL"


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    """Metadata that replaces the metadata found in a paper; `offline` forbids to download it, `fetch` allows it."""

    title: str = ""
    abstract: str = ""
    paper_id: str = ""
    offline: bool = False
    fetch: bool = False


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """The task and the settings of its prompt."""

    task: Task
    k: int | None
    cut_at: str
    prompts: Path | None
    context_window: int | None
    plain: bool | None
    strategy: str
    min_chance: int | None

    @property
    def settings(self) -> PlanSettings:
        """The settings for planning.

        Raises:
            UsageError: if k is out of range, or chances are to be read of a plain plan.
        """
        if self.plain and self.min_chance is not None:
            raise UsageError("--plain asks for no chances, so --min-chance has nothing to keep; leave one of them out")
        k = DEFAULT_K[self.task] if self.k is None else self.k
        if not 1 <= k <= MAX_K:
            raise UsageError(f"-k {k}: a plan has 1 to {MAX_K} ablations")
        return PlanSettings(
            self.task,
            k,
            templates=self.prompts,
            cut_at=self.cut_at,
            window=self.context_window,
            plain=False if self.min_chance is not None else self.plain,
            min_chance=self.min_chance,
            strategy=self.strategy,
        )


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The amount of log messages, from errors alone to debug messages with time and origin, and the file for them."""

    verbose: int
    quiet: bool
    log_file: Path | None


def group_options(
    name: str,
    options_class: type,
    *options: Callable[[CommandFunction], CommandFunction],
    complete: Callable[[Any], Any] = lambda value: value,
) -> Callable[[CommandFunction], CommandFunction]:
    """Return a decorator that gives a command the `options` as one argument `name` of the dataclass `options_class`.

    Fields without an option keep their defaults; `complete` returns the value with what else belongs to it.
    """

    def decorate(command: CommandFunction) -> CommandFunction:
        @functools.wraps(command)
        def with_value(*args: Any, **kwargs: Any) -> Any:
            given = {field.name: kwargs.pop(field.name) for field in fields(options_class) if field.name in kwargs}
            return command(*args, **{name: complete(options_class(**given))}, **kwargs)

        decorated: CommandFunction = with_value
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def complete_path(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a path, where an argument may also be an id or an address."""
    return [CompletionItem(incomplete, type="file")]


paper_option = functools.partial(click.option, cls=GroupedOption, group="Paper")
task_option = functools.partial(click.option, cls=GroupedOption, group="Task")
model_option = functools.partial(click.option, cls=GroupedOption, group="Model")
output_option = functools.partial(click.option, cls=GroupedOption, group="Output")
message_option = functools.partial(click.option, cls=GroupedOption, group="Messages")

offline_option = functools.partial(
    paper_option,
    "--offline",
    is_flag=True,
    envvar="ABLATION_PLANNER_OFFLINE",
    help="Send no requests, and download nothing.",
)

metadata_options = group_options(
    "metadata",
    MetadataOptions,
    paper_option("--title", default="", help="The paper's title, if the detected one is wrong."),
    paper_option("--abstract", default="", help="The paper's abstract, if the detected one is wrong."),
    paper_option("--id", "paper_id", default="", help="Id of the paper in headings and file names.  [its file's name]"),
    offline_option(),
    paper_option("--fetch", is_flag=True, help="Read the paper at an https address; its host is printed first."),
)

task_options = group_options(
    "task",
    TaskOptions,
    task_option(
        "--task",
        type=click.Choice(Task, case_sensitive=False),
        default=Task.REVIEWER,
        envvar="ABLATION_PLANNER_TASK",
        help="reviewer: ablations missing from the whole paper; author: ablations to run, from the method alone.  "
        "[default: reviewer]",
    ),
    task_option(
        "-k",
        type=int,
        envvar="ABLATION_PLANNER_K",
        help="Most ablations in a plan.  [reviewer 2, author 5]",
    ),
    task_option("--cut-at", default="", metavar="HEADING", help="Author task: the heading at which the method ends."),
    task_option(
        "--prompts",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        envvar="ABLATION_PLANNER_PROMPTS",
        help="A folder of your own prompt templates.",
    ),
    task_option(
        "--context-window",
        type=click.IntRange(min=1000),
        metavar="TOKENS",
        envvar="ABLATION_PLANNER_CONTEXT_WINDOW",
        help="The model's context window; a longer paper is cut, and the cuts are reported.  "
        "[that of the model, if it is known]",
    ),
    task_option(
        "--plain/--details",
        default=None,
        help="Ask for the benchmark's five fields alone, or for reasons, quotes, effort and chances too.  "
        "[details, or as the run or plan that is there]",
    ),
    task_option(
        "--strategy",
        type=click.Choice(tuple(STRATEGIES)),
        default="single",
        show_default=True,
        envvar="ABLATION_PLANNER_STRATEGY",
        help="single: one request; revise: a second one that shows the model what the program finds wrong in its plan.",
    ),
    task_option(
        "--min-chance",
        type=click.IntRange(0, 100),
        metavar="PERCENT",
        envvar="ABLATION_PLANNER_MIN_CHANCE",
        help=f"Keep only ablations with at least this chance, and always the best one.  "
        f"[author {DEFAULT_MIN_CHANCE[Task.AUTHOR]}, reviewer {DEFAULT_MIN_CHANCE[Task.REVIEWER]}]",
    ),
)

_DEFAULTS: Final = ModelSpec()
_ENDPOINT_OPTIONS: Final = (
    model_option(
        "--base-url",
        multiple=True,
        metavar="URL",
        help="Address of a Chat Completions endpoint; repeat it for copies that share the work.  "
        "[env var: OPENAI_BASE_URL]",
    ),
    model_option(
        "--stream/--no-stream",
        default=_DEFAULTS.stream,
        show_default=True,
        help="Receive the reply while it is written; --timeout then limits each pause.",
    ),
    model_option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULTS.timeout,
        show_default=True,
        metavar="SECONDS",
        envvar="ABLATION_PLANNER_TIMEOUT",
        help="Longest time for a whole reply; with --stream, longest pause within it.",
    ),
    model_option(
        "--max-wait",
        type=click.FloatRange(min=0),
        default=_DEFAULTS.max_wait,
        show_default=True,
        metavar="SECONDS",
        envvar="ABLATION_PLANNER_MAX_WAIT",
        help="Longest total wait for a busy or failing endpoint.",
    ),
    model_option("--reasoning-effort", default="", metavar="LEVEL", help="Sent unchanged; not sent if not given."),
    model_option("--temperature", type=float, help="Sent unchanged; not sent if not given."),
    model_option("--max-tokens", type=click.IntRange(min=1), help="Most tokens in a reply; not sent if not given."),
    model_option(
        "--price",
        default="",
        metavar="IN,OUT",
        envvar="ABLATION_PLANNER_PRICE",
        help="USD per million input and output tokens, for a model whose price is unknown.",
    ),
)

endpoint_options = group_options("endpoint", ModelSpec, *_ENDPOINT_OPTIONS)

model_options = group_options(
    "model_spec",
    ModelSpec,
    model_option(
        "-m",
        "--model",
        default="",
        envvar="ABLATION_PLANNER_MODEL",
        help="Model: gpt-4o, openrouter/anthropic/claude-3.5-sonnet, ollama/llama3.1, …, or extractive (built in).",
    ),
    *_ENDPOINT_OPTIONS,
    complete=lambda spec: get_settings().complete_model_spec(spec),
)

log_options = group_options(
    "log_settings",
    LogOptions,
    message_option("-v", "--verbose", count=True, help="Print debug messages too; -vv adds the time and the module."),
    message_option("-q", "--quiet", is_flag=True, help="Print only errors."),
    message_option(
        "--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Write all messages to a file too."
    ),
)


def open_arxiv(*, offline: bool) -> "ArxivClient":
    """Return access to arXiv, or to the mirror that the environment names, with the user's cache."""
    from planner.papers.arxiv import BASE_URL, ArxivClient  # only commands that read papers need it

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ablation-planner" / "arxiv"
    return ArxivClient(base_url=os.environ.get(ARXIV_URL_VARIABLE) or BASE_URL, cache=cache, offline=offline)
