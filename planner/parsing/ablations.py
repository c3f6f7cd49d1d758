"""Read ablations and their details from JSON objects.

Harmless format errors are repaired, and other errors become findings. A detail that cannot be read is left out.
"""

import json
import re
from typing import Any, Final

from pydantic import ValidationError

from planner.details import Details, Effort, EffortKind, Evidence, ReportedStudy
from planner.parsing.json_objects import FIELDS_BY_KEY, normalize_key
from planner.parsing.predictions import LocatedObject, ParseLog, quote_value
from planner.sanitize import repair_surrogates
from planner.schema import Ablation, AblationField, Action, list_validation_faults

_EMPTY_WORDS: Final = {"", "none", "null", "n/a", "-"}
_MAX_ABLATION_CHARS: Final = 10_000  # characters of the fields of an ablation; a long one has 2,000
_LINE_BREAK: Final = re.compile(r"[\r\n]")

# "\beta" and "\frac" are valid JSON: a backspace and a form feed before the rest of the word. So are "\tau" and
# "\nabla", but tabs and line breaks also stand before ordinary words, hence the list.
_LOST_BACKSLASH: Final = re.compile(
    r"[\b\f](?=[a-z])|\t(?=(?:au|heta|imes|ext|ilde|op)\b)|\n(?=(?:abla|u|eq)\b)|\r(?=(?:ho|ightarrow)\b)"
)
_BACKSLASH_ESCAPES: Final = {"\b": r"\b", "\f": r"\f", "\t": r"\t", "\n": r"\n", "\r": r"\r"}

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
_DETAIL_KEYS: Final = frozenset((*Details.model_fields, "details"))
_MAX_TEXT_CHARS: Final = 2_000  # of one detail; a long one has 500
_MAX_REPORTED: Final = 100
_NUMBER: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_RUNS: Final = re.compile(r"(\d{1,6})\s*(?:x\s*)?(?:[a-z-]{1,20}\s+){0,2}runs?\b", re.IGNORECASE)
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}\b)")
_MAX_RUNS: Final = 100_000
# The first of these words that is not negated names the kind of work.
_KIND_WORD: Final = re.compile(
    r"\b(?P<evaluate>(?:no|without|without any) (?:re-?)?train\w*)|(?:no|without|without any) new code"
    r"|\b(?:(?P<implement>implement|new code)|(?P<retrain>(?:re-?)?train)|(?P<more>evaluat|inference))",
    re.IGNORECASE,
)
_QUOTATION_MARKS: Final = "\"'“”‘’«» "
_REPORTED_LINE: Final = re.compile(r"[-*•\d.)\s]*(?P<name>[^\n]*?)\s*[:–—-]\s*[\"“«](?P<quote>[^\n]*?)[\"”»]?\s*$")


def build_ablation(located_object: LocatedObject, log: ParseLog) -> Ablation | None:
    """Return the ablation in an object of a reply; if it breaks a rule, add findings to `log` and return None."""
    place = f"line {located_object.line_in_block}"
    try:
        fields = _normalize_fields(located_object.value, place, log)
        return None if fields is None else Ablation.model_validate(fields)
    except ValidationError as error:
        log.add_invalidating_fault(*(f"{place}, {finding}" for finding in list_validation_faults(error)))
    except RecursionError:
        log.add_invalidating_fault(f"{place}: is nested too deeply")
    return None


def _normalize_fields(value: dict[str, Any], place: str, log: ParseLog) -> dict[str, Any] | None:
    """Return an ablation's fields with wrong types repaired; if they are too long, add a finding and return None."""
    named = _rename_keys(value, place, log)
    if (size := sum(len(str(item)) for item in named.values())) > _MAX_ABLATION_CHARS:
        log.add_invalidating_fault(f"{place}: has {size:,} characters, over {_MAX_ABLATION_CHARS:,}")
        return None
    fields = {
        name: _normalize_value(FIELDS_BY_KEY[name], item, f"{place}, {name}", log) for name, item in named.items()
    }
    replacement = fields.get("replacement", [])
    if fields.get("action") == Action.REMOVE and all(item.strip().lower() in _EMPTY_WORDS for item in replacement):
        fields["replacement"] = []
    return fields


def _rename_keys(value: dict[str, Any], place: str, log: ParseLog) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, item in value.items():
        field = FIELDS_BY_KEY.get(normalize_key(key))
        if field is None and log.reads_details and _name_detail(key) in _DETAIL_KEYS:
            continue
        if field is None or field.name in named:
            log.add_repair(f"{place}: the key {quote_value(key)} was left out")
            continue
        if field.name != key:
            log.add_repair(f"{place}: the key {quote_value(key)} was read as {field.name!r}")
        named[field.name] = item
    return named


def _normalize_value(field: AblationField, value: Any, place: str, log: ParseLog) -> Any:
    if field.is_list:
        return _normalize_texts(value, place, log)
    return _normalize_choice(field, value, place, log) if field.choices else _normalize_text(value, place, log)


def _normalize_text(value: Any, place: str, log: ParseLog) -> Any:
    if isinstance(value, list) and len(value) == 1:
        log.add_repair(f"{place}: a list was given instead of a string")
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _mend_line(value, place, log) if isinstance(value, str) else value


def _normalize_choice(field: AblationField, value: Any, place: str, log: ParseLog) -> Any:
    if not isinstance(value, str) or value in field.choices:
        return value
    log.add_repair(f"{place}: {quote_value(value)} was read without regard to case and spaces")
    return next((choice for choice in field.choices if choice.upper() == value.strip().upper()), value)


def _normalize_texts(value: Any, place: str, log: ParseLog) -> Any:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        log.add_repair(f"{place}: a single value was given instead of a list")
        value = [value]
    # published plans hold numbers, objects and lists as `str` writes them
    items = [_mend_line(str(item), place, log) for item in value if item is not None]
    kept = [item for item in items if item.strip()]
    if len(kept) < len(value) and kept:
        log.add_repair(f"{place}: empty items were left out")
    return kept


def _mend_line(text: str, place: str, log: ParseLog) -> str:
    """Return the text as one line of valid Unicode, and add a note for each repair."""
    mended = _LOST_BACKSLASH.sub(lambda match: _BACKSLASH_ESCAPES[match[0]], text)
    if mended != text:
        log.add_repair(f"{place}: a backslash that JSON had read as an escape was restored")
    whole = repair_surrogates(mended)
    if whole != mended:
        log.add_repair(f"{place}: an invalid character (half a surrogate pair) was replaced")
    line = _join_lines(whole.strip("\r\n"))
    if line != whole:
        log.add_repair(f"{place}: line breaks became spaces")
    return line


def _join_lines(text: str) -> str:
    """Replace each line break and the blanks around it with one blank."""
    first, *others = _LINE_BREAK.split(text)
    if not others:
        return text
    *middle, last = others
    return " ".join((first.rstrip(), *filter(None, map(str.strip, middle)), last.lstrip()))


def _name_detail(key: str) -> str:
    name = normalize_key(key)
    return _OTHER_KEYS.get(name, name)


def read_ablation_details(ablation_object: dict[str, Any], place: str, log: ParseLog) -> Details:
    """Return the details of an ablation from its JSON object; `place` names the object in messages."""
    nested = ablation_object.get("details")
    given: dict[str, Any] = {}
    for key, item in [*ablation_object.items(), *(nested.items() if isinstance(nested, dict) else ())]:
        name = _name_detail(str(key))
        if name in _DETAIL_KEYS and item is not None:
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


def read_reported_studies(block_text: str) -> tuple[ReportedStudy, ...]:
    """Return the studies in a <reported> block; each line of `block_text` is a JSON object or "name: quote"."""
    studies = (_read_reported_line(line.strip().rstrip(",")) for line in block_text.split("\n"))
    return tuple(dict.fromkeys(study for study in studies if study is not None))[:_MAX_REPORTED]


def _read_reported_line(line: str) -> ReportedStudy | None:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        found = _REPORTED_LINE.match(line[:_MAX_TEXT_CHARS])
        given = found.groupdict() if found else None
    name = _read_text(given.get("name")) if isinstance(given, dict) else ""
    return ReportedStudy(name=name, quote=_read_text(given.get("quote"))) if name else None


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
        log.add_repair(f"{place}: {quote_value(value)} was left out; it should be evaluate, retrain or implement")
        return None
    counts = _RUNS.findall(_THOUSANDS.sub("", text))
    runs = [int(count) for count in counts if int(count) <= _MAX_RUNS]
    return Effort(kind=kind, runs=runs[0] if runs else (0 if kind is EffortKind.EVALUATE else None))


def _read_chance(value: Any, place: str, log: ParseLog) -> int | None:
    if value is None:
        return None
    number = -1.0
    if isinstance(value, str) and (found := _NUMBER.search(value[:_MAX_TEXT_CHARS])):
        number = float(found[0])
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 100:
        number = float(value)
    is_share = 0 < number < 1 and "%" not in str(value)
    chance = round(number * 100 if is_share else number)
    if not 0 <= chance <= 100:
        log.add_repair(f"{place}: {quote_value(value)} was left out, since it is not a percentage")
        return None
    return chance
