"""Choose the ablations of a plan among the candidates of a reply, by their chances and the number that is wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.details import Candidate, Details, RejectionReason, find_rejections
from planner.parsing.details import read_details
from planner.parsing.fields import build_ablation, build_plan
from planner.parsing.records import JsonObject, ParseLog
from planner.schema import Plan

_MAX_CONSIDERED: Final = 50


@dataclass(frozen=True, slots=True)
class ChosenPlan:
    """A plan with the details of its ablations (none if the reply gave none), and the candidates that it leaves out."""

    plan: Plan
    details: tuple[Details, ...] = ()
    considered: tuple[Candidate, ...] = ()


def choose_plan(objects: Sequence[JsonObject], k: int, min_chance: int | None, log: ParseLog) -> ChosenPlan | None:
    """Return the plan of the best candidates, or None, with findings in `log`, if they break the plan's rules.

    At most `k` are kept, those with at least `min_chance` percent, and the best one always. Without chances, the first
    `k` are kept. If `min_chance` is None, details are not read.
    """
    details = [Details() if min_chance is None else read_details(o.value, f"line {o.line}", log) for o in objects]
    ranks = _rank_candidates(details)
    has_chances = any(each.chance is not None for each in details)
    if len(objects) > k and not has_chances:
        log.add_note(f"{len(objects)} ablations were given, the first {k} are kept")
    rejections = dict(zip(ranks, find_rejections([details[n].chance for n in ranks], k, min_chance), strict=True))
    kept = [number for number, why in rejections.items() if why is None]
    plan = build_plan([objects[n] for n in kept], log)
    if plan is None:
        return None
    if all(each == Details() for each in details):
        return ChosenPlan(plan)
    left_out = [(objects[number], details[number], why) for number, why in rejections.items() if why]
    return ChosenPlan(plan, tuple(details[n] for n in kept), tuple(_build_candidates(left_out[:_MAX_CONSIDERED], log)))


def _rank_candidates(details: Sequence[Details]) -> list[int]:
    """Return the numbers of the candidates, the likeliest first; in the reply's order if any has no chance."""
    chances = [each.chance for each in details]
    if None in chances:
        return list(range(len(details)))
    return sorted(range(len(details)), key=lambda number: -(chances[number] or 0))


def _build_candidates(
    left_out: Sequence[tuple[JsonObject, Details, RejectionReason]], log: ParseLog
) -> Iterator[Candidate]:
    """Yield the candidates that are not kept; one that breaks a rule is left out, since nothing depends on it."""
    for json_object, details, why in left_out:
        own_log = ParseLog(reads_details=True)
        if ablation := build_ablation(json_object, own_log):
            yield Candidate(**dict(ablation), details=details, why=why)
        else:
            log.add_note(f"line {json_object.line}: a candidate that the plan does not keep cannot be read")
