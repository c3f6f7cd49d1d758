"""Read ablations from other programs' files, and repair their known flaws."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import ValidationError

from planner.schema import PUBLISHED, Ablation, findings

_FIELDS: Final = frozenset(Ablation.model_fields)
_NOTHING: Final = frozenset({"", "none", "null", "n/a"})


def read_ablation(value: Any) -> Ablation:
    """Read one ablation of a published plan, of a paper's annotation, or of our own files; ignore unknown fields.

    A line break becomes a space, a single string a list of one, and a replacement such as "none" or "n/a" is dropped.

    Raises:
        ValueError: if a field is missing or has the wrong type; the text names the field.
    """
    if not isinstance(value, dict):
        raise ValueError(f"should be an object, is {type(value).__name__}")  # noqa: TRY004 - the data are wrong
    known = {name: field for name, field in value.items() if name in _FIELDS}
    for name in ("name", "ablated_part", "action"):
        if isinstance(known.get(name), str):
            known[name] = _line(known[name])
    known["action"] = str(known.get("action", "")).upper()
    known["replacement"] = tuple(_items(known.get("replacement")))
    known["metrics"] = tuple(_items(known.get("metrics")))
    try:
        return Ablation.model_validate(known, context=PUBLISHED)
    except ValidationError as error:
        raise ValueError("; ".join(findings(error))) from error


def unique_names(ablations: Iterable[Ablation]) -> tuple[tuple[Ablation, ...], tuple[str, ...]]:
    """Return the ablations with unique names, and a warning for each name that was changed.

    Verdicts refer to ablations by name, so two with one name would count as one.
    """
    seen: set[str] = set()
    renamed: list[Ablation] = []
    warnings: list[str] = []
    for ablation in ablations:
        name = next(name for name in _names(ablation.name) if name not in seen)
        if name != ablation.name:
            warnings.append(f"the name {ablation.name!r} occurs more than once; one of them is called {name!r} here")
            ablation = ablation.model_copy(update={"name": name})
        seen.add(name)
        renamed.append(ablation)
    return tuple(renamed), tuple(warnings)


def _names(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1


def _items(value: Any) -> Iterator[str]:
    """Yield the texts of a list, of a single value, or of nothing; values that are not text are converted by `str`."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING):
        return
    for item in value if isinstance(value, list | tuple) else [value]:
        if item is not None and str(item).strip().lower() not in _NOTHING:
            yield _line(str(item))


def _line(text: str) -> str:
    return " ".join(text.split("\n")).replace("\r", " ") if "\n" in text or "\r" in text else text
