"""A plan in the formats that people copy from a page: sentences for a review, Markdown, JSONL, CSV and JSON."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from planner.details import Details, QuoteMatch
from planner.sanitize import remove_unsafe_characters, render_csv
from planner.schema import PLAN_FIELDS, Ablation, Action, Plan, Task, format_field_values
from planner.site.entries import PlanEntry
from planner.trajectory import format
from planner.trajectory.format import Trajectory, render_trajectory

_OPENINGS: Final = {
    Task.REVIEWER: "I would like to see these ablations:",
    Task.AUTHOR: "Ablations to run:",
}

# The first matches replacements that only remove the part; the second, those that name the removed part.
_REMOVED: Final = re.compile(r"(?:removed|none)\b[:,]?\s*", re.IGNORECASE)
_NEGATION: Final = re.compile(r"(?:no|without)\b", re.IGNORECASE)

DETAIL_COLUMNS: Final = (
    *("chance", "why", "evidence", "evidence_found", "evidence_place", "hypothesis", "control"),
    *("effort", "runs", "run_order"),
)

# Names that do not describe the ablation.
_NUMBERED_NAME: Final = re.compile(r"\s*(?:missing |proposed )?ablation(?: study)?\s*[#:]?\s*\d*\s*", re.I)


def format_as_one_line(text: str) -> str:
    """Return a text as one line without control characters."""
    return " ".join(remove_unsafe_characters(text).split())


def _is_descriptive_name(name: str) -> bool:
    """Return whether a name describes an ablation. A name such as "Ablation 2" does not."""
    return bool(name.strip()) and not _NUMBERED_NAME.fullmatch(name)


def choose_descriptive_name_or_part(ablation: Ablation) -> str:
    """Return the name of an ablation. If the name does not describe the ablation, return the ablated part."""
    return ablation.name if _is_descriptive_name(ablation.name) else ablation.ablated_part or ablation.name


def format_replacement_as_phrase(replacement: str) -> str:
    """Return a phrase for a replacement: "with a mean" for "a mean", and "without it" for "removed"."""
    if removed := _REMOVED.match(replacement):
        return f"without it: {replacement[removed.end() :]}" if replacement[removed.end() :] else "without it"
    return replacement if _NEGATION.match(replacement) else f"with {replacement}"


def find_removed_part(ablation: Ablation, replacement: str) -> str:
    """Return the part that a replacement removes, or "" if it removes no part."""
    if ablation.action is Action.REMOVE or _REMOVED.match(replacement):
        return ablation.ablated_part
    negation = _NEGATION.match(replacement)
    return replacement[negation.end() :].strip() if negation else ""


def format_change_as_instruction(ablation: Ablation, replacements: Sequence[str]) -> str:
    """Return the change to make, such as "replace the gate by a mean". It names these replacements."""
    part = ablation.ablated_part.strip().rstrip(".")
    if ablation.action is Action.REMOVE:
        return f"remove {part}"
    if ablation.action is Action.ADD:
        return f"add {' or '.join(replacements) or '?'} to {part}"
    removals = [removed.string[removed.end() :] for item in replacements if (removed := _REMOVED.match(item))]
    negations = [item for item in replacements if _NEGATION.match(item)]
    others = [item for item in replacements if not _REMOVED.match(item) and item not in negations]
    changes = [f"remove {part}" + (f" ({rest})" if rest else "") for rest in removals[:1]]
    changes += [f"run the method {' or '.join(negations)}"] if negations else []
    if others or not changes:
        changes.append(f"replace {'it' if removals else part} by {' or '.join(others) or '?'}")
    return ", or ".join(changes)


@dataclass(frozen=True, slots=True)
class CopyableTexts:
    """The texts of one plan that people can copy from a page."""

    review: str
    markdown: str
    jsonl: str
    csv: str


def format_plan_copies(entry: PlanEntry) -> CopyableTexts:
    """Return a plan in each format that people can copy. The texts have no control characters."""
    assert entry.trajectory is not None, "an entry without a plan cannot be copied"
    forms = (
        format_plan_as_review(entry),
        _format_markdown(entry.trajectory),
        format_ablations_as_jsonl(entry.trajectory.plan),
        _format_csv(entry),
    )
    return CopyableTexts(*map(remove_unsafe_characters, forms))


def format_plan_as_review(entry: PlanEntry) -> str:
    """Return a plan as numbered sentences, to paste into a review or an issue."""
    sentences = (
        (_format_claim(ablation, entry.task, each), _format_sentence(ablation), *_list_reasons(each))
        for ablation, each in zip(entry.ablations, entry.review_details, strict=True)
    )
    lines = (f"{number}. {' '.join(filter(None, each))}" for number, each in enumerate(sentences, start=1))
    return "\n".join((_OPENINGS[entry.task], "", *lines)) + "\n"


def _format_markdown(trajectory: Trajectory) -> str:
    """Return the plan of a trajectory as Markdown, without the HTML box in which the trajectory shows the plan."""
    text = render_trajectory(replace(trajectory, reasoning=""), allow_violations=True)
    return text.rpartition(format.PLAN_BOXES[trajectory.task])[2].removesuffix(format.BOX_END).strip() + "\n"


def format_ablations_as_jsonl(plan: Plan) -> str:
    """Return a plan as JSONL with one ablation on each line."""
    return "".join(f"{ablation.model_dump_json()}\n" for ablation in plan.ablations)


def _format_csv(entry: PlanEntry) -> str:
    """Return a plan as CSV with a row for each ablation and, if there are details, a column for each detail."""
    columns = [*(field.name for field in PLAN_FIELDS), *(DETAIL_COLUMNS if entry.has_details else ())]
    rows = zip(map(format_field_values, entry.ablations), iterate_detail_rows(entry), strict=True)
    return render_csv((columns, *((*fields, *cells)[: len(columns)] for fields, cells in rows)))


def iterate_detail_rows(entry: PlanEntry) -> Iterator[tuple[str, ...]]:
    """Yield for each ablation the texts of its details, in the order of `DETAIL_COLUMNS`. An unknown detail is ""."""
    for number, details in enumerate(entry.details):
        evidence, effort = details.evidence, details.effort
        yield (
            "" if details.chance is None else str(details.chance),
            details.reason,
            *((evidence.quote, evidence.found or "", evidence.place) if evidence else ("", "", "")),
            details.hypothesis,
            details.control,
            *((effort.kind.value, "" if effort.runs is None else str(effort.runs)) if effort else ("", "")),
            str(entry.run_order.index(number) + 1) if number in entry.run_order else "",
        )


def _format_claim(ablation: Ablation, task: Task, details: Details) -> str:
    """Return a sentence that quotes the paper on the ablated part, or "" if the quote is not in the paper."""
    evidence = details.evidence
    if evidence is None or evidence.found not in (QuoteMatch.EXACT, QuoteMatch.CLOSE):
        return ""
    quote = f"“{' '.join(evidence.quote.split())}”"
    place = f", {' '.join(evidence.place.split())}" if evidence.place else ""
    part = ablation.ablated_part.strip().rstrip(".")
    if task is Task.AUTHOR:
        return f"We credit {part} ({quote}{place})."
    return f"The paper credits {part} ({quote}{place}), but no experiment isolates it."


def _list_reasons(details: Details) -> Iterator[str]:
    for opening, text in (("", details.reason), ("Hold fixed: ", details.control), ("Expected: ", details.hypothesis)):
        if sentence := " ".join(text.split()).rstrip("."):
            yield f"{opening or sentence[0].upper()}{sentence if opening else sentence[1:]}."


def _format_sentence(ablation: Ablation) -> str:
    done = format_change_as_instruction(ablation, ablation.replacement)
    measured = f"; report {', '.join(ablation.metrics)}" if ablation.metrics else ""
    if _is_descriptive_name(ablation.name):
        return f"{ablation.name.strip().rstrip('.:')}: {done}{measured}."
    return f"{done[0].upper()}{done[1:]}{measured}."


def build_plan_json_object(entry: PlanEntry) -> dict[str, object]:
    """Return a plan as a JSON object with its origin, reasoning, ablations, warnings, and fields of its record."""
    trajectory = entry.trajectory
    assert trajectory is not None, "an entry without a plan has no ablations"
    return {
        "planner": trajectory.planner,
        "model": trajectory.model,
        "paper_id": trajectory.paper_id,
        "task": trajectory.task.value,
        "reasoning": trajectory.reasoning,
        "ablations": [ablation.model_dump(mode="json") for ablation in trajectory.plan.ablations],
        "warnings": list(trajectory.warnings),
        **(entry.record.dump_plan_fields() if entry.record else {}),
    }
