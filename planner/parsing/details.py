"""Read the details of ablations from a reply; what cannot be read is left out with a note and makes no plan invalid."""

import json
import re
from math import isfinite
from typing import Any, Final

from planner.details import Details, Effort, EffortKind, Evidence, ReportedStudy
from planner.parsing.nesting import normalize_key
from planner.parsing.predictions import ParseLog, quote_value
from planner.sanitize import repair_surrogates

# Other names that models give to a detail.
_OTHER_KEYS: Final = {
    "rationale": "reason",
    "why": "reason",
    "quote": "evidence",
    "expected": "hypothesis",
    "expectation": "hypothesis",
    "controls": "control",
    "probability": "chance",
    "likelihood": "chance",
    "confidence": "chance",
}
_MAX_TEXT_CHARS: Final = 2_000  # of one detail; a long one has 500
_MAX_REPORTED: Final = 100
_NUMBER: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_RUNS: Final = re.compile(r"(\d{1,6})\s*(?:x\s*)?(?:[a-z-]{1,20}\s+){0,2}runs?\b", re.IGNORECASE)
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")
_MAX_RUNS: Final = 100_000
# The first of these words that is not denied names the kind of work.
_KIND_WORD: Final = re.compile(
    r"\b(?P<evaluate>(?:no|without|without any) (?:re-?)?train\w*)|(?:no|without|without any) new code"
    r"|\b(?:(?P<implement>implement|new code)|(?P<retrain>(?:re-?)?train)|(?P<more>evaluat|inference))",
    re.IGNORECASE,
)
_QUOTATION_MARKS: Final = "\"'“”‘’«» "
_REPORTED_LINE: Final = re.compile(r"[-*•\d.)\s]*(?P<name>[^\n]*?)\s*[:–—-]\s*[\"“«](?P<quote>[^\n]*?)[\"”»]?\s*$")


def is_detail_key(key: str) -> bool:
    """Return whether a key of a JSON object names a detail."""
    name = normalize_key(key)
    return name == "details" or _OTHER_KEYS.get(name, name) in Details.model_fields


def read_ablation_details(value: dict[str, Any], place: str, log: ParseLog) -> Details:
    """Return the details in a JSON object; `place` names the object in notes."""
    nested = value.get("details")
    given: dict[str, Any] = {}
    for key, item in [*value.items(), *(nested.items() if isinstance(nested, dict) else ())]:
        name = normalize_key(str(key))
        name = _OTHER_KEYS.get(name, name)
        if name in Details.model_fields and item is not None:
            given.setdefault(name, item)
    if not given:
        return Details()
    return Details(
        reason=_read_text(given.get("reason")),
        evidence=_read_evidence(given.get("evidence")),
        hypothesis=_read_text(given.get("hypothesis")),
        control=_read_text(given.get("control")),
        effort=_read_effort(given.get("effort"), f"{place}, effort", log),
        chance=_read_chance(given.get("chance"), f"{place}, chance", log),
    )


def read_reported_studies(text: str) -> tuple[ReportedStudy, ...]:
    """Return the studies in the text of a <reported> block, which has a JSON object or "name: quote" on each line."""
    studies = (_read_reported_line(line.strip().rstrip(",")) for line in text.split("\n"))
    return tuple(dict.fromkeys(study for study in studies if study is not None))[:_MAX_REPORTED]


def _read_reported_line(line: str) -> ReportedStudy | None:
    name, quote = "", ""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        if found := _REPORTED_LINE.match(line[:_MAX_TEXT_CHARS]):
            name, quote = found["name"], found["quote"]
    else:
        if isinstance(value, dict):
            name, quote = _read_text(value.get("name")), _read_text(value.get("quote"))
    name = _read_text(name)
    return ReportedStudy(name=name, quote=_read_text(quote)) if name else None


def _read_text(value: Any) -> str:
    if isinstance(value, list):
        value = "; ".join(item for item in value if isinstance(item, str))
    if not isinstance(value, str):
        return ""
    return " ".join(repair_surrogates(value[:_MAX_TEXT_CHARS]).split())


def _read_evidence(value: Any) -> Evidence | None:
    if isinstance(value, dict):
        value = value.get("quote")
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, str)), None)
    quote = _read_text(value).strip(_QUOTATION_MARKS)
    return Evidence(quote=quote) if quote else None


def _read_effort(value: Any, place: str, log: ParseLog) -> Effort | None:
    if value is None:
        return None
    text = " ".join(f"{item} {key}" for key, item in value.items()) if isinstance(value, dict) else _read_text(value)
    text = text[:_MAX_TEXT_CHARS]
    words = (word.lastgroup for word in _KIND_WORD.finditer(text) if word.lastgroup)
    kind = next((EffortKind.EVALUATE if word == "more" else EffortKind(word) for word in words), None)
    if kind is None:
        log.add_note(f"{place}: {quote_value(value)} was left out, since it names no kind of work")
        return None
    counts = _RUNS.findall(_THOUSANDS.sub("", text))
    runs = [int(count) for count in counts if int(count) <= _MAX_RUNS]
    return Effort(kind=kind, runs=runs[0] if runs else (0 if kind is EffortKind.EVALUATE else None))


def _read_chance(value: Any, place: str, log: ParseLog) -> int | None:
    if value is None:
        return None
    number = None
    if isinstance(value, str) and (found := _NUMBER.search(value[:_MAX_TEXT_CHARS])):
        number = float(found[0])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) <= 100 and isfinite(value) else None
    is_share = number is not None and 0 < number < 1 and "%" not in str(value)
    chance = round(number * 100 if is_share else number) if number is not None else -1
    if not 0 <= chance <= 100:
        log.add_note(f"{place}: {quote_value(value)} was left out, since it is no percentage")
        return None
    return chance
