"""The HTML of the pages, the facts about a paper that they show, and the messages that they send."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from planner.chat import TokenCounter
from planner.errors import PlannerError, UsageError
from planner.exports.export import EXPORT_FORMATS
from planner.models.connect import EXTRACTIVE, ModelSpec
from planner.papers.paper import Omission, Paper
from planner.planning.first_prompt import PlanSettings, describe_paper_as_dict, select_excerpt
from planner.planning.strategies import STRATEGIES
from planner.schema import DEFAULT_K, MAX_K, OneLine, Task
from planner.serve.edits import MAX_REPLACEMENTS, Change
from planner.site.facts import fix_title_case
from planner.site.pages import create_template_environment

BY_HAND: Final = "by-hand"
OTHER: Final = "other"
_DEFAULT_NAME: Final = "pasted"  # as in `parse`
_HIDDEN: Final = re.compile(r"page does not show|hidden text")
_OWN_ASSETS: Final = ("serve.css", "serve.js")
_SITE_ASSETS: Final = ("look.css", "paper.css", "theme.js", "paper.js")


@dataclass(frozen=True, slots=True)
class PaperFacts:
    """The facts about a paper for its page. `author_task_omissions` are the parts not sent in the author task."""

    description: dict[str, Any]
    author_task_omissions: tuple[Omission, ...]

    @property
    def title(self) -> str:
        """The title. If the paper has it in capitals, it is changed to title case."""
        return fix_title_case(self.description["title"], self.description["abstract"])

    @property
    def hidden_text_warnings(self) -> tuple[str, ...]:
        """The warnings about hidden text, which readers of the paper do not see."""
        return tuple(warning for warning in self.description["warnings"] if _HIDDEN.search(warning))

    @property
    def other_warnings(self) -> tuple[str, ...]:
        """The warnings that are not about hidden text."""
        return tuple(warning for warning in self.description["warnings"] if not _HIDDEN.search(warning))

    @classmethod
    def collect(cls, paper: Paper, settings: PlanSettings) -> "PaperFacts":
        """Return the facts about a paper. Some depend on the settings, such as the parts that are not sent."""
        try:
            author_task_omissions = select_excerpt(paper, replace(settings, task=Task.AUTHOR), TokenCounter()).omissions
        except PlannerError:
            author_task_omissions = ()  # no method was found; the description for the author task says so
        return cls(describe_paper_as_dict(paper, settings), author_task_omissions)


def render_page(template_name: str, base: str, **values: object) -> str:
    """Render a page from a template. Every address on the page begins with `base`."""
    return _get_environment().get_template(f"{template_name}.html.jinja").render(base=base, **values)


def read_asset(name: str) -> str | None:
    """Return the text of a style sheet or a script, or None if there is no such file."""
    if name not in (*_OWN_ASSETS, *_SITE_ASSETS):
        return None
    package = "planner.serve" if name in _OWN_ASSETS else "planner.site"
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


@cache
def _get_environment() -> Environment:
    environment = create_template_environment(
        ChoiceLoader([PackageLoader("planner.serve", "templates"), PackageLoader("planner.site", "templates")])
    )
    environment.globals["formats"] = tuple(EXPORT_FORMATS)
    environment.filters["path"] = quote
    return environment


class _PageMessage(BaseModel):
    """The base class of the messages that a page sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArxivMessage(_PageMessage):
    """A message with an arXiv id or an address at arXiv."""

    id: str


def _check_strategy(name: str) -> str:
    if name not in STRATEGIES:
        raise ValueError(f"must be one of {', '.join(STRATEGIES)}")
    return name


class PlanForm(_PageMessage):
    """The form for a new plan. `name` is the name of the model if `model` is "other" or "by-hand"."""

    task: Task
    k: Annotated[int, Field(ge=1, le=MAX_K)] | None = None
    model: str = ""
    name: str = ""
    strategy: Annotated[str, AfterValidator(_check_strategy)] = "single"
    force: bool = False


class ReplyMessage(_PageMessage):
    """A message with a pasted reply. `number` is the number of its prompt."""

    number: int
    reply: str


class EditMessage(_PageMessage):
    """A message with a change of a plan. `version` is that of the edits that the page shows."""

    change: Change
    ablation: str
    version: str
    replacement: tuple[OneLine, ...] = Field(default=(), max_length=MAX_REPLACEMENTS)


@dataclass(frozen=True, slots=True)
class PageDefaults:
    """The values that the user gave on the command line. `k` is None if the user gave no k."""

    output: Path
    model_spec: ModelSpec
    settings: PlanSettings
    k: int | None = None
    offline: bool = False

    def make_settings(self, form: PlanForm) -> PlanSettings:
        """Return the settings for a plan. If the form has no k, it is taken from the command line or the task."""
        k = form.k or self.k or DEFAULT_K[form.task]
        return replace(self.settings, task=form.task, k=k, strategy=form.strategy)

    def make_model_spec(self, form: PlanForm) -> ModelSpec:
        """Return the model spec for a form. If the model is "by-hand", its name is only used in headings and files.

        Raises:
            UsageError: if the name is missing.
        """
        name = form.name.strip()
        if form.model == OTHER and not name:
            raise UsageError("write the name of the model, such as gpt-4o or ollama/llama3.1")
        names = {OTHER: name, BY_HAND: name or _DEFAULT_NAME}
        model = names.get(form.model, form.model) or self.default_model
        # A price on the command line is for the model on the command line.
        price = self.model_spec.price if model == self.default_model else ""
        return replace(self.model_spec, model=model, price=price)

    @property
    def default_model(self) -> str:
        """The model from the command line or the environment, or the built-in planner if there is none."""
        return self.model_spec.model or EXTRACTIVE

    def iterate_model_choices(self) -> Iterator[tuple[str, str]]:
        """Yield (value, label) for each model that the form offers."""
        if self.default_model != EXTRACTIVE:
            yield self.default_model, self.default_model
        yield EXTRACTIVE, "built-in planner, which sends nothing"
        yield BY_HAND, "by hand: copy the prompt, paste the reply"
        if not self.offline:
            yield OTHER, "another model, named below"
