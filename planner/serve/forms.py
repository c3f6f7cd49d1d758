"""The messages of the pages, checked: settings of a plan, replies and edits; and the values that stand without them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from planner.errors import UsageError
from planner.models.connect import EXTRACTIVE, ModelSpec
from planner.planning.first_prompt import PlanSettings
from planner.planning.strategies import STRATEGIES
from planner.schema import DEFAULT_K, MAX_K, OneLine, Task
from planner.serve.edits import MAX_REPLACEMENTS, Change

BY_HAND: Final = "by-hand"
OTHER: Final = "other"
_DEFAULT_NAME: Final = "pasted"  # as in `parse`


class PageMessage(BaseModel):
    """A message of a page."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArxivMessage(PageMessage):
    """An arXiv id or address."""

    id: str


def _check_strategy(name: str) -> str:
    if name not in STRATEGIES:
        raise ValueError(f"must be one of {', '.join(STRATEGIES)}")
    return name


class PlanForm(PageMessage):
    """The settings of a plan as the form gives them; `model` is a name, or one of the choices that need `name`."""

    task: Task
    k: Annotated[int, Field(ge=1, le=MAX_K)] | None = None
    model: str = ""
    name: str = ""
    strategy: Annotated[str, AfterValidator(_check_strategy)] = "single"
    force: bool = False


class ReplyMessage(PageMessage):
    """A pasted reply to the prompt with this number."""

    number: int
    reply: str


class EditMessage(PageMessage):
    """A change of a plan; `version` is that of the edits on the page."""

    change: Change
    ablation: str
    version: str
    replacement: tuple[OneLine, ...] = Field(default=(), max_length=MAX_REPLACEMENTS)


@dataclass(frozen=True, slots=True)
class PageDefaults:
    """The values of the command line: the output folder, the model, the settings, and k if it was given."""

    output: Path
    model_spec: ModelSpec
    settings: PlanSettings
    k: int | None = None
    offline: bool = False

    def make_settings(self, form: PlanForm) -> PlanSettings:
        """Return the settings of a plan; k is that of the form, or of the command line, or of the task."""
        k = form.k or self.k or DEFAULT_K[form.task]
        return replace(self.settings, task=form.task, k=k, strategy=form.strategy)

    def make_model_spec(self, form: PlanForm) -> ModelSpec:
        """Return the model that a form names; by hand, the name is only for headings.

        Raises:
            UsageError: if the name is missing.
        """
        name = form.name.strip()
        if form.model == OTHER and not name:
            raise UsageError("write the name of the model, such as gpt-4o or ollama/llama3.1")
        names = {OTHER: name, BY_HAND: name or _DEFAULT_NAME}
        model = names.get(form.model, form.model) or self.default_model
        # A price on the command line is that of the model there.
        price = self.model_spec.price if model == self.default_model else ""
        return replace(self.model_spec, model=model, price=price)

    @property
    def default_model(self) -> str:
        """The model that the command line or the environment names, else the built-in planner."""
        return self.model_spec.model or EXTRACTIVE

    def list_models(self) -> Iterator[tuple[str, str]]:
        """Yield the value and the label of each choice of a model."""
        if self.default_model != EXTRACTIVE:
            yield self.default_model, self.default_model
        yield EXTRACTIVE, "built-in planner, which sends nothing"
        yield BY_HAND, "by hand: copy the prompt, paste the reply"
        if not self.offline:
            yield OTHER, "another model, named here:"
