"""The data types of a plan and the rules that every plan must follow.

Fields and actions are those of AblationBench (arXiv 2507.08038). Some published files break the rules. To read them,
validate with the context `PUBLISHED_CONTEXT`, which checks only the types; `find_rule_violations` then lists the broken
rules. `PLAN_FIELDS` is the list of fields from which prompts, parser, exports and pages are made.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator


class Task(StrEnum):
    """The task: to find ablations that a paper lacks (reviewer), or to propose ablations to run (author)."""

    REVIEWER = "reviewer"
    AUTHOR = "author"


DEFAULT_K: Final[Mapping[Task, int]] = {Task.REVIEWER: 2, Task.AUTHOR: 5}
MAX_K: Final = 50

PUBLISHED_CONTEXT: Final[Mapping[str, bool]] = {"published": True}


class Action(StrEnum):
    """The change made to the ablated part."""

    REMOVE = "REMOVE"
    REPLACE = "REPLACE"
    ADD = "ADD"


def _check_one_line(text: str, info: ValidationInfo) -> str:
    """Return the text. Raise ValueError if it is empty or has several lines."""
    if "\n" in text or "\r" in text:
        raise ValueError("must be one line")
    if not text.strip() and info.context is not PUBLISHED_CONTEXT:
        raise ValueError("must not be empty")
    return text


OneLine = Annotated[str, AfterValidator(_check_one_line)]

_REPLACEMENT_RULE: Final[dict[str, Any]] = {
    "if": {"properties": {"action": {"const": "REMOVE"}}},
    "then": {"properties": {"replacement": {"maxItems": 0}}},
    "else": {"properties": {"replacement": {"minItems": 1}}, "required": ["replacement"]},
}


class Ablation(BaseModel):
    """One ablation study: the part of the method that is changed, the change, and the metrics to measure."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, json_schema_extra=_REPLACEMENT_RULE)

    name: OneLine = Field(description="short name of the study, unique in the plan")
    ablated_part: OneLine = Field(description="the part of the method that is ablated, in the paper's own words")
    action: Action = Field(description="REMOVE the part, REPLACE it, or ADD something to it")
    replacement: tuple[OneLine, ...] = Field(
        default=(), description="for REPLACE and ADD: the concrete alternatives to run; empty for REMOVE"
    )
    metrics: tuple[OneLine, ...] = Field(description="the paper's own metrics on which the effect is measured")

    @model_validator(mode="after")
    def _check_rules(self, info: ValidationInfo) -> Self:
        if info.context is not PUBLISHED_CONTEXT and (broken := _find_broken_rules(self)):
            raise ValueError("; ".join(broken))
        return self


@dataclass(frozen=True, slots=True)
class AblationField:
    """A field of an ablation. `choices` are the allowed values, or empty if any text is allowed."""

    name: str
    description: str
    is_required: bool
    is_list: bool
    choices: tuple[str, ...]

    @property
    def type(self) -> str:
        """The type of the field as a prompt states it."""
        return "list of strings" if self.is_list else "string"

    @property
    def label(self) -> str:
        """The name of the field as people read it, such as "Ablated Part"."""
        return self.name.replace("_", " ").title()

    @property
    def accepted_keys(self) -> tuple[str, ...]:
        """The names that a reply may use for the field, such as `metric` and `metrics`."""
        return (self.name, self.name.removesuffix("s") + "s" * (self.name[-1] != "s")) if self.is_list else (self.name,)


def _list_plan_fields() -> Iterator[AblationField]:
    for name, info in Ablation.model_fields.items():
        is_list = get_origin(info.annotation) is tuple
        kinds = () if is_list else get_args(info.annotation) or (info.annotation,)
        choices = tuple(
            choice for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum) for choice in kind
        )
        yield AblationField(name, info.description or "", info.is_required(), is_list, choices)


PLAN_FIELDS: Final = tuple(_list_plan_fields())
_BENCHMARK_FIELDS: Final = ("name", "ablated_part", "action", "replacement", "metrics")


def format_field_values(ablation: Ablation) -> tuple[str, ...]:
    """Return the value of each field as text, "" for no value. The items of a list are joined by "; "."""
    values = ((field, getattr(ablation, field.name)) for field in PLAN_FIELDS)
    return tuple("; ".join(value) if field.is_list else str(value or "") for field, value in values)


def list_labelled_non_benchmark_fields(ablation: Ablation) -> tuple[tuple[str, str], ...]:
    """Return (label, text) for each field that has a value and is not part of AblationBench."""
    texts = zip(PLAN_FIELDS, format_field_values(ablation), strict=True)
    return tuple((field.label, text) for field, text in texts if text and field.name not in _BENCHMARK_FIELDS)


class Plan(BaseModel):
    """A list of ablations with different names, the most important first."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    ablations: tuple[Ablation, ...] = Field(min_length=1, description="the studies, the most important first")

    @model_validator(mode="after")
    def _check_names(self, info: ValidationInfo) -> Self:
        if info.context is not PUBLISHED_CONTEXT and (twice := _find_repeated_names(self)):
            raise ValueError("; ".join(twice))
        return self


def find_rule_violations(plan: Plan) -> tuple[str, ...]:
    """Return one sentence for each rule that a plan from a published file breaks."""
    rules = [
        f"ablation {number} ({ablation.name!r}): {rule}"
        for number, ablation in enumerate(plan.ablations, start=1)
        for rule in _find_broken_rules(ablation)
    ]
    return (*rules, *_find_repeated_names(plan))


def list_validation_faults(error: ValidationError) -> tuple[str, ...]:
    """Return one line for each fault in a Pydantic error, such as "ablations.0.name: Field required"."""
    errors = error.errors(include_url=False, include_input=False)
    places = [e["loc"] for e in errors]

    def is_echo(place: tuple[int | str, ...], kind: str) -> bool:
        # Pydantic also reports a list as too short if all its items are invalid.
        return kind == "too_short" and any(other[: len(place)] == place and other != place for other in places)

    return tuple(
        ": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, "))))
        for e in errors
        if not is_echo(e["loc"], e["type"])
    )


def _find_broken_rules(ablation: Ablation) -> list[str]:
    broken = []
    if ablation.action is Action.REMOVE and ablation.replacement:
        broken.append("REMOVE takes no replacement")
    if ablation.action is not Action.REMOVE and not ablation.replacement:
        broken.append(f"{ablation.action} needs at least one replacement")
    if not ablation.metrics:
        broken.append("metrics must not be empty")
    return broken


def _find_repeated_names(plan: Plan) -> list[str]:
    counts = Counter(ablation.name for ablation in plan.ablations)
    return [f"the name {name!r} stands {count} times" for name, count in counts.items() if count > 1]
