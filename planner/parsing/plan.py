"""Build the plan of a reply from its JSON objects, and choose the ablations that it keeps among many candidates.

Harmless errors of form are mended; others become findings.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from planner.details import Candidate, Details, RejectionReason, find_rejections
from planner.parsing.details import is_detail_key, read_ablation_details
from planner.parsing.nesting import FIELDS_BY_KEY, normalize_key
from planner.parsing.predictions import LocatedObject, ParseLog, quote_value
from planner.sanitize import repair_surrogates
from planner.schema import Ablation, Action, Plan, PlanField, describe_validation_error

_MAX_CONSIDERED: Final = 50
_EMPTY_WORDS: Final = {"", "none", "null", "n/a", "-"}
_MAX_ABLATION_CHARS: Final = 10_000  # characters of the fields of an ablation; a long one has 2,000
_LINE_BREAK: Final = re.compile(r"[\r\n]")

# "\beta" and "\frac" are valid JSON: a backspace and a form feed before the rest of the word. So are "\tau" and
# "\nabla", but tabs and line breaks also stand before ordinary words, hence the list.
_LOST_BACKSLASH: Final = re.compile(
    r"[\b\f](?=[a-z])|\t(?=(?:au|heta|imes|ext|ilde|op)\b)|\n(?=(?:abla|u|eq)\b)|\r(?=(?:ho|ightarrow)\b)"
)
_BACKSLASH_ESCAPES: Final = {"\b": r"\b", "\f": r"\f", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


@dataclass(frozen=True, slots=True)
class ChosenPlan:
    """A plan with the details of its ablations (none if the reply gave none), and the candidates that it leaves out."""

    plan: Plan
    details: tuple[Details, ...] = ()
    considered: tuple[Candidate, ...] = ()


def choose_plan(objects: Sequence[LocatedObject], k: int, min_chance: int | None, log: ParseLog) -> ChosenPlan | None:
    """Return the plan of the best candidates, or None, with findings in `log`, if they break the plan's rules.

    At most `k` are kept, those with at least `min_chance` percent, and the best one always. Without chances, the first
    `k` are kept. If `min_chance` is None, details are not read.
    """
    details = [
        Details() if min_chance is None else read_ablation_details(o.value, f"line {o.line}", log) for o in objects
    ]
    ranks = _rank_candidates(details)
    has_chances = any(each.chance is not None for each in details)
    if len(objects) > k and not has_chances:
        log.add_note(f"{len(objects)} ablations were given, the first {k} are kept")
    rejections = dict(zip(ranks, find_rejections([details[n].chance for n in ranks], k, min_chance), strict=True))
    kept = [number for number, why in rejections.items() if why is None]
    plan = _build_plan([objects[n] for n in kept], log)
    if plan is None:
        return None
    if all(each == Details() for each in details):
        return ChosenPlan(plan)
    left_out = [(objects[number], details[number], why) for number, why in rejections.items() if why]
    return ChosenPlan(plan, tuple(details[n] for n in kept), tuple(_build_candidates(left_out[:_MAX_CONSIDERED], log)))


def _rank_candidates(details: Sequence[Details]) -> list[int]:
    """Return the numbers of the candidates, the likeliest first.

    One without a chance stays behind the one before it, since replies give the most important first.
    """
    chances: list[int] = []
    for each in details:
        chances.append(each.chance if each.chance is not None else min(chances, default=100))
    return sorted(range(len(details)), key=lambda number: -chances[number])


def _build_candidates(
    left_out: Sequence[tuple[LocatedObject, Details, RejectionReason]], log: ParseLog
) -> Iterator[Candidate]:
    """Yield the candidates that are not kept; one that breaks a rule is left out, since nothing depends on it."""
    for json_object, details, why in left_out:
        own_log = ParseLog(reads_details=True)
        if ablation := _build_ablation(json_object, own_log):
            yield Candidate(**dict(ablation), details=details, why=why)
        else:
            log.add_note(f"line {json_object.line}: a candidate that the plan does not keep cannot be read")


def _build_plan(objects: Sequence[LocatedObject], log: ParseLog) -> Plan | None:
    """Return the plan of these objects, or None, with findings in `log`, if they break the plan's rules."""
    ablations = [ablation for each in objects if (ablation := _build_ablation(each, log))]
    if log.findings:
        return None
    try:
        return Plan(ablations=tuple(ablations))
    except ValidationError as error:
        for finding in describe_validation_error(error):
            log.add_finding(finding)
        return None


def _build_ablation(json_object: LocatedObject, log: ParseLog) -> Ablation | None:
    """Return the ablation of a JSON object, or None, with findings in `log`, if it breaks a rule."""
    place = f"line {json_object.line}"
    try:
        fields = _normalize_fields(json_object.value, place, log)
        return None if fields is None else Ablation.model_validate(fields)
    except ValidationError as error:
        for finding in describe_validation_error(error):
            log.add_finding(f"{place}, {finding}")
    except RecursionError:
        log.add_finding(f"{place}: is nested too deeply")
    return None


def _normalize_fields(value: dict[str, Any], place: str, log: ParseLog) -> dict[str, Any] | None:
    """Keep the keys of `Ablation`, and bring each value into the type of its field if its meaning is clear.

    Return None, with a finding in `log`, if the fields are too long.
    """
    named = _rename_keys(value, place, log)
    if (size := sum(len(str(item)) for item in named.values())) > _MAX_ABLATION_CHARS:
        log.add_finding(f"{place}: has {size:,} characters, over {_MAX_ABLATION_CHARS:,}")
        return None
    fields = {
        name: _normalize_value(FIELDS_BY_KEY[name], item, f"{place}, {name}", log) for name, item in named.items()
    }
    if fields.get("action") == Action.REMOVE and _is_empty_replacement(fields.get("replacement", [])):
        fields["replacement"] = []
    return fields


def _rename_keys(value: dict[str, Any], place: str, log: ParseLog) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, item in value.items():
        field = FIELDS_BY_KEY.get(normalize_key(key))
        if field is None and log.reads_details and is_detail_key(key):
            continue
        if field is None or field.name in named:
            log.add_note(f"{place}: the key {quote_value(key)} was left out")
            continue
        if field.name != key:
            log.add_note(f"{place}: the key {quote_value(key)} was read as {field.name!r}")
        named[field.name] = item
    return named


def _normalize_value(field: PlanField, value: Any, place: str, log: ParseLog) -> Any:
    if field.is_list:
        return _normalize_texts(value, place, log)
    return _normalize_choice(field, value, place, log) if field.choices else _normalize_text(value, place, log)


def _normalize_text(value: Any, place: str, log: ParseLog) -> Any:
    if isinstance(value, list) and len(value) == 1:
        log.add_note(f"{place}: a list stood where a string belongs")
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _mend_line(value, place, log) if isinstance(value, str) else value


def _normalize_choice(field: PlanField, value: Any, place: str, log: ParseLog) -> Any:
    if not isinstance(value, str) or value in field.choices:
        return value
    log.add_note(f"{place}: {quote_value(value)} was read without regard to case and spaces")
    return next((choice for choice in field.choices if choice.upper() == value.strip().upper()), value)


def _normalize_texts(value: Any, place: str, log: ParseLog) -> Any:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        log.add_note(f"{place}: a single value stood where a list belongs")
        value = [value]
    items = [_mend_line(_convert_to_str(item), place, log) for item in value if item is not None]
    kept = [item for item in items if item.strip()]
    if len(kept) < len(value) and kept:
        log.add_note(f"{place}: empty items were left out")
    return kept


def _convert_to_str(value: Any) -> str:
    """Convert a value with `str`, since published plans hold numbers, objects and lists in that form."""
    return value if isinstance(value, str) else str(value)


def _is_empty_replacement(items: Iterable[str]) -> bool:
    return all(item.strip().lower() in _EMPTY_WORDS for item in items)


def _mend_line(text: str, place: str, log: ParseLog) -> str:
    """Mend what cannot stand in one line of UTF-8. Whitespace other than line breaks is content and stays."""
    mended = _LOST_BACKSLASH.sub(lambda match: _BACKSLASH_ESCAPES[match[0]], text)
    if mended != text:
        log.add_note(f"{place}: a backslash that JSON had read as an escape was restored")
    whole = repair_surrogates(mended)
    if whole != mended:
        log.add_note(f"{place}: half a surrogate pair was replaced")
    line = _join_lines(whole.strip("\r\n"))
    if line != whole:
        log.add_note(f"{place}: line breaks became spaces")
    return line


def _join_lines(text: str) -> str:
    """Replace line breaks, and the whitespace around them, with one blank each."""
    first, *others = _LINE_BREAK.split(text)
    if not others:
        return text
    *middle, last = others
    return " ".join((first.rstrip(), *filter(None, map(str.strip, middle)), last.lstrip()))
