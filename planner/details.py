"""The details of an ablation that AblationBench's five fields do not hold: reason, evidence, expectation and effort.

A model's reply gives the details together with the ablation. They are saved in the record of the plan, not in its
trajectory. `REQUESTED_DETAILS` lists the details as the prompt asks for them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter

from planner.schema import Ablation, OneLine, Task

DEFAULT_MIN_CHANCE: Final[Mapping[Task, int]] = {Task.REVIEWER: 40, Task.AUTHOR: 45}
_LEAST_CANDIDATES: Final[Mapping[Task, int]] = {Task.REVIEWER: 5, Task.AUTHOR: 8}
_CHANCE_MEANINGS: Final[Mapping[Task, str]] = {  # as the prompts ask for it
    Task.REVIEWER: "a careful reviewer is to ask for the ablation",
    Task.AUTHOR: "the finished paper is to report the ablation",
}
_LIKELY: Final = 70
_PLAUSIBLE: Final = 45

_Item = TypeVar("_Item")
# A list in a file. It is read only up to its first invalid item, since a file could have millions of them.
Items = Annotated[tuple[_Item, ...], FailFast()]

# The beginning of the finding that a reviewer must see, and that of the finding that names another ablation.
ALREADY_REPORTED: Final = "the paper seems to report an ablation of"
SAME_PART: Final = "it concerns the same part as the ablation"


class QuoteMatch(StrEnum):
    """The result of the search for a quote in the text that was sent to the model."""

    EXACT = "exact"
    CLOSE = "close"
    ABSENT = "absent"


class EffortKind(StrEnum):
    """The kind of work that an ablation needs: only evaluation, new training, or also new code."""

    EVALUATE = "evaluate"
    RETRAIN = "retrain"
    IMPLEMENT = "implement"


class RejectionReason(StrEnum):
    """The reason why a candidate is not in the plan."""

    BELOW_MIN_CHANCE = "below min-chance"
    BEYOND_K = "beyond k"
    WITHDRAWN = "withdrawn"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Evidence(_Part):
    """A quote from the paper and its place. `found` is None until the program has searched the paper for the quote."""

    quote: str
    found: QuoteMatch | None = None
    section: str = ""
    page: int | None = None

    @property
    def place(self) -> str:
        """The section and page of the quote, such as "Section 3, page 4", or "" if both are unknown."""
        section = re.sub(r"^(\d+(?:\.\d+)*)\.?\s.*$", r"Section \1", self.section.strip("# "))
        return ", ".join(filter(None, (section, f"page {self.page}" if self.page else "")))

    def __str__(self) -> str:
        """Return the quote and its place, with a warning if the exact quote was not found in the paper."""
        doubts = {QuoteMatch.ABSENT: "not found in the text that was sent", QuoteMatch.CLOSE: "in nearly these words"}
        notes = ", ".join(filter(None, (doubts.get(self.found) if self.found else "", self.place)))
        return f"“{self.quote}”" + (f" ({notes})" if notes else "")


class Effort(_Part):
    """The kind of work that an ablation needs, and the number of its training runs (None if unknown)."""

    kind: EffortKind
    runs: int | None = Field(default=None, ge=0)

    def __str__(self) -> str:
        """Return the kind of work and the number of runs, such as "retrain, 4 runs"."""
        return f"{self.kind}, {format_count(self.runs, 'run')}" if self.runs else self.kind


class Details(_Part):
    """The details of one ablation. A detail is "" or None if the reply does not give it."""

    reason: str = Field(default="", description="why this study and not another: one sentence")
    evidence: Evidence | None = Field(
        default=None,
        description="one sentence, or a part of one, copied letter for letter from the paper: the claim or the choice"
        " that this study tests; 8 to 40 words",
    )
    hypothesis: str = Field(
        default="",
        description="what the metrics do if the part matters as the paper says, and what it would mean if they do not;"
        " one sentence",
    )
    control: str = Field(
        default="",
        description="what this change would disturb and is therefore held fixed or matched (parameters, compute, number"
        " of items, initialisation, schedule), or what must be trained anew; not what stays anyway; one sentence",
    )
    effort: Effort | None = Field(
        default=None,
        description='"evaluate" (no training), "retrain" (a switch in the existing code) or "implement" (new code),'
        ' with the number of training runs, one for each variant and none for seeds, such as "retrain, 4 runs"',
    )
    chance: int | None = Field(
        default=None, ge=0, le=100, description="the chance in percent that you gave it, a whole number"
    )

    def list_labelled_lines(self) -> tuple[tuple[str, str], ...]:
        """Return (label, text) for each known detail, to be shown to people."""
        lines = (
            ("Chance", "" if self.chance is None else f"{self.chance} % ({_choose_chance_word(self.chance)})"),
            ("Why", self.reason),
            ("The paper says", str(self.evidence or "")),
            ("Expect", self.hypothesis),
            ("Hold fixed", self.control),
            ("Effort", str(self.effort or "")),
        )
        return tuple((label, text) for label, text in lines if text)


def _choose_chance_word(chance: int) -> str:
    return "likely" if chance >= _LIKELY else "plausible" if chance >= _PLAUSIBLE else "possible"


class RejectedAblation(Ablation):
    """An ablation that is in a model's reply but not in the plan. `why` is the reason."""

    model_config = ConfigDict(extra="ignore")

    replacement: Items[OneLine] = ()
    metrics: Items[OneLine]
    details: Details
    why: RejectionReason


class ReportedStudy(_Part):
    """An ablation that the paper already reports. `by` says who found it: "program", "model" or "both"."""

    name: str
    quote: str = ""
    section: str = ""
    by: str = "model"

    def __str__(self) -> str:
        """Return the name, the quote and the section as one text; unknown parts are left out."""
        quote = f": “{self.quote}”" if self.quote else ""
        return f"{self.name}{quote}" + (f" ({self.section})" if self.section else "")


def select_distinct_studies(studies: Iterable[ReportedStudy]) -> tuple[ReportedStudy, ...]:
    """Return the first study of each name. Names that differ only in case or spaces are the same."""
    by_name: dict[str, ReportedStudy] = {}
    for study in studies:
        by_name.setdefault(" ".join(study.name.casefold().split()), study)
    return tuple(by_name.values())


class FindingResponse(StrEnum):
    """The model's response to a fault in an ablation."""

    MENDED = "mended"
    WITHDRAWN = "withdrawn"
    DEFENDED = "defended"


class Revision(_Part):
    """The model's response to a fault in an ablation, which the program or the model found. `why` is its reason."""

    name: str
    finding: str
    response: FindingResponse
    why: str = ""

    def __str__(self) -> str:
        """Return the ablation's name, the fault, the response and its reason as one text."""
        return f"{self.name}: {self.finding}; {self.response}" + (f": {self.why}" if self.why else "")


class Vote(_Part):
    """A vote that a plan gives to an ablation when several plans are combined.

    `member` names the plan. `name`, `rank` (from 1) and `chance` are those of the ablation in this plan.
    """

    member: str
    name: str
    rank: int
    chance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDetails:
    """The facts about a plan that a trajectory does not hold.

    `details` is empty or has one item for each ablation. `considered` has the candidates that the plan does not keep.
    `reported` are the studies that the paper already reports. `revisions` are the model's responses to faults in its
    earlier plan.
    """

    details: tuple[Details, ...] = ()
    considered: tuple[RejectedAblation, ...] = ()
    reported: tuple[ReportedStudy, ...] = ()
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestedDetail:
    """The name, the type and the description of a detail, as the prompt states them."""

    name: str
    type: str
    description: str


REQUESTED_DETAILS: Final = tuple(
    RequestedDetail(name, "integer" if name == "chance" else "string", field.description or "")
    for name, field in Details.model_fields.items()
)


def format_count(number: int, thing: str) -> str:
    """Return a number with a noun, such as "1 run" or "2 runs"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def format_approximate_number(number: int) -> str:
    """Return an estimate as text, rounded to three digits, such as "about 152,000"."""
    return f"about {round(number, 3 - len(str(number))):,}"


def choose_candidate_limit(task: Task, k: int) -> int:
    """Return the number of candidates to ask a model for. It is at least `k`, the largest size of the plan."""
    return max(k, _LEAST_CANDIDATES[task])


def decide_rejection_reasons(
    chances: Sequence[int | None], k: int, min_chance: int | None
) -> tuple[RejectionReason | None, ...]:
    """Return one item for each candidate: the reason to reject it, or None to keep it.

    `chances` are in percent, the best candidate first. A candidate is rejected if its chance is known and below
    `min_chance`. The first `k` of the others are kept. If no candidate is left, the best one is kept.
    """
    are_likely = [chance is None or chance >= (min_chance or 0) for chance in chances]
    kept = ([number for number, is_likely in enumerate(are_likely) if is_likely] or [0])[:k]
    why = (RejectionReason.BELOW_MIN_CHANCE, RejectionReason.BEYOND_K)
    return tuple(None if number in kept else why[is_likely] for number, is_likely in enumerate(are_likely))


def make_details_list_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a list of details, with one item for each ablation of a plan."""
    return TypeAdapter(tuple[Details, ...]).json_schema()


def choose_run_order(details: Sequence[Details]) -> tuple[int, ...]:
    """Return the indices of the ablations in the order in which to run them.

    Ablations that need less work come first; those with unknown work come last. Among ablations that need equal work,
    the one with the highest chance comes first.
    """
    kinds = list(EffortKind)

    def rank(index: int) -> tuple[int, int]:
        effort, chance = details[index].effort, details[index].chance
        return kinds.index(effort.kind) if effort else len(kinds), -(chance or 0)

    return tuple(sorted(range(len(details)), key=rank))


def list_run_order_sentences(order: Sequence[int], details: Sequence[Details]) -> list[str]:
    """Return sentences on the order in which to run the ablations, the number of runs, and the controls they share.

    `order` has the indices of the ablations. There are no sentences if `order` is empty or there is only one ablation.
    """
    if len(details) < 2 or not order:
        return []
    runs = [each.effort.runs if each.effort else None for each in details]
    total = "" if None in runs else f"; {format_count(sum(filter(None, runs)), 'run')} in all"
    groups = [group for group in _group_by_control(details) if len(group) > 1]
    return [
        f"run in this order: {', '.join(str(index + 1) for index in order)}{total}",
        *(f"ablations {' and '.join(str(index + 1) for index in group)} share a control" for group in groups),
    ]


def explain_meaning_of_chance_if_known(task: Task, details: Iterable[Details]) -> str | None:
    """Return a sentence that explains what a chance means, or None if no ablation has a chance."""
    is_known = any(each.chance is not None for each in details)
    return f"a chance is the model's estimate of how likely {_CHANCE_MEANINGS[task]}" if is_known else None


def _group_by_control(details: Sequence[Details]) -> Iterable[list[int]]:
    groups: dict[str, list[int]] = {}
    for index, each in enumerate(details):
        if control := " ".join(re.findall(r"\w+", each.control.casefold())):
            groups.setdefault(control, []).append(index)
    return groups.values()
