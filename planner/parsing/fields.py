"""Turn JSON objects into the ablations of a plan. Harmless errors of form are mended; others become findings."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from pydantic import ValidationError

from planner.parsing.records import Record
from planner.parsing.remarks import Remarks, shown
from planner.schema import Ablation, Action, Plan, findings

_ALIASES: Final = {"replacements": "replacement", "metric": "metrics"}
_NOTHING: Final = {"", "none", "null", "n/a", "-"}
_LINE_BREAK: Final = re.compile(r"[^\S\r\n]*[\r\n]\s*")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

# "\beta" and "\frac" are valid JSON: a backspace and a form feed before the rest of the word. So are "\tau" and
# "\nabla", but tabs and line breaks also stand before ordinary words, hence the list.
_EATEN_BACKSLASH: Final = re.compile(
    r"[\b\f](?=[a-z])|\t(?=(?:au|heta|imes|ext|ilde|op)\b)|\n(?=(?:abla|u|eq)\b)|\r(?=(?:ho|ightarrow)\b)"
)
_ESCAPES: Final = {"\b": r"\b", "\f": r"\f", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def build_plan(records: tuple[Record, ...], k: int, said: Remarks) -> Plan | None:
    """Return the plan of the first `k` records, or None, with findings in `said`, if they break the plan's rules."""
    if len(records) > k:
        said.note(f"{len(records)} ablations were given, the first {k} are kept")
    ablations = [ablation for record in records[:k] if (ablation := _ablation(record, said))]
    if said.findings:
        return None
    try:
        return Plan(ablations=tuple(ablations))
    except ValidationError as error:
        for finding in findings(error):
            said.find(finding)
        return None


def _ablation(record: Record, said: Remarks) -> Ablation | None:
    place = f"line {record.line}"
    try:
        fields = _fields(record.value, place, said)
        return Ablation.model_validate(fields)
    except ValidationError as error:
        for finding in findings(error):
            said.find(f"{place}, {finding}")
    except RecursionError:
        said.find(f"{place}: is nested too deeply")
    return None


def _fields(value: dict[str, Any], place: str, said: Remarks) -> dict[str, Any]:
    """Keep the keys of `Ablation` and bring each value into the type of its field where its meaning is clear."""
    named = _named(value, place, said)
    forms: dict[str, Callable[[Any, str, Remarks], Any]] = {
        "name": _text,
        "ablated_part": _text,
        "action": _action,
        "replacement": _texts,
        "metrics": _texts,
    }
    fields = {key: forms[key](item, f"{place}, {key}", said) for key, item in named.items()}
    if fields.get("action") == Action.REMOVE and _means_nothing(fields.get("replacement", [])):
        fields["replacement"] = []
    return fields


def _named(value: dict[str, Any], place: str, said: Remarks) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, item in value.items():
        plain = key.strip().lower().replace(" ", "_").replace("-", "_")
        field = _ALIASES.get(plain, plain)
        if field not in Ablation.model_fields or field in named:
            said.note(f"{place}: the key {shown(key)} was left out")
            continue
        if field != key:
            said.note(f"{place}: the key {shown(key)} was read as {field!r}")
        named[field] = item
    return named


def _text(value: Any, place: str, said: Remarks) -> Any:
    if isinstance(value, list) and len(value) == 1:
        said.note(f"{place}: a list stood where a string belongs")
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _one_line(value, place, said) if isinstance(value, str) else value


def _action(value: Any, place: str, said: Remarks) -> Any:
    if not isinstance(value, str) or value in tuple(Action):
        return value
    said.note(f"{place}: {shown(value)} was read without regard to case and spaces")
    return value.strip().upper()


def _texts(value: Any, place: str, said: Remarks) -> Any:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        said.note(f"{place}: a single value stood where a list belongs")
        value = [value]
    items = [_one_line(_str(item), place, said) for item in value if item is not None]
    kept = [item for item in items if item.strip()]
    if len(kept) < len(value) and kept:
        said.note(f"{place}: empty items were left out")
    return kept


def _str(value: Any) -> str:
    """Convert a value with `str`, since published plans hold numbers, objects and lists in that form."""
    return value if isinstance(value, str) else str(value)


def _means_nothing(items: Iterable[str]) -> bool:
    return all(item.strip().lower() in _NOTHING for item in items)


def _one_line(text: str, place: str, said: Remarks) -> str:
    """Mend what cannot stand in one line of UTF-8. Whitespace other than line breaks is content and stays."""
    mended = _EATEN_BACKSLASH.sub(lambda match: _ESCAPES[match[0]], text)
    if mended != text:
        said.note(f"{place}: a backslash that JSON had read as an escape was restored")
    whole = _SURROGATE.sub("\ufffd", mended)
    if whole != mended:
        said.note(f"{place}: half a surrogate pair was replaced")
    line = _LINE_BREAK.sub(" ", whole.strip("\r\n"))
    if line != whole:
        said.note(f"{place}: line breaks became spaces")
    return line
