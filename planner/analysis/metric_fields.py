"""Metrics by their fields: the names of a metric in a text, and the metrics that the words of a paper imply."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import islice
from typing import Final

_MIN_MENTIONS: Final = 8  # mentions in the text of a field that the abstract does not name
# Names that are words with another meaning in other letters: "feature map", "per class".
_AMBIGUOUS_NAMES: Final = frozenset({"ap", "em", "emd", "is", "map", "per"})
_COST: Final = re.compile(
    r"\b(?:time|runtime|memory|param\w*|[gt]?flops|macs|latency|throughput|speed\w*|fps|converg\w*|loss|variance|deviation|"
    r"norm|size|cost|energy|epochs?|steps)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class MetricField:
    """A field, by a pattern of words that occur in its papers, and its metrics, each with all its names."""

    cue: str
    metrics: tuple[tuple[str, ...], ...]

    def is_field_of(self, abstract: str, text: str) -> bool:
        """Return whether a paper with this title and abstract, and this whole text, is of the field."""
        cue = re.compile(rf"\b(?:{self.cue})", re.I)
        return bool(cue.search(abstract)) or len(list(islice(cue.finditer(text), _MIN_MENTIONS))) == _MIN_MENTIONS


@cache
def _read_fields() -> tuple[MetricField, ...]:
    table = tomllib.loads((files("planner") / "analysis" / "metric_fields.toml").read_text(encoding="utf-8"))
    return tuple(
        MetricField(field["cue"], tuple(tuple(names.split(" = ")) for names in field["metrics"]))
        for field in table["fields"]
    )


def has_metric(metric: str, text: str, lowered: str) -> bool | None:
    """Return whether a text names all the known metrics in a plan's metric, or None if there is none in it.

    `lowered` is the text in lower case.
    """
    known = _find_known(metric)
    return all(_is_named(names, text, lowered) for _, names in known) if known else None


def is_reportable_by_any_paper(metric: str) -> bool:
    """Return whether a metric measures what training or a run costs, which any paper can report."""
    return _COST.search(metric) is not None


def is_implied(metric: str, abstract: str, text: str) -> bool:
    """Return whether a metric is common in a field of a paper."""
    return any(field.is_field_of(abstract, text) for field, _ in _find_known(metric))


@lru_cache(maxsize=4096)
def _find_known(metric: str) -> tuple[tuple[MetricField, tuple[str, ...]], ...]:
    """Return the known metrics in a plan's metric, each with its field and its names."""
    lowered = metric.lower()
    return tuple(
        (field, names) for field in _read_fields() for names in field.metrics if _is_named(names, metric, lowered)
    )


def _is_named(names: tuple[str, ...], text: str, lowered: str) -> bool:
    for name, first_word in _list_first_words(names):
        if first_word in lowered:
            searched = text if name.lower() in _AMBIGUOUS_NAMES else lowered
            # A pattern that starts with letters is found ten times faster than one that looks behind them.
            starts = (match.start() for match in _compile_name(name).finditer(searched))
            if any(not searched[start - 1 : start].isalpha() for start in starts):
                return True
    return False


@cache
def _list_first_words(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return each name with its first word in lower case."""
    return tuple((name, re.split(r"[\s-]", name.lower(), maxsplit=1)[0]) for name in names)


@cache
def _compile_name(name: str) -> re.Pattern[str]:
    """Return the pattern of a name, in lower case unless the name is ambiguous.

    Its words may be joined by any separator, and a number may stand at its end.
    """
    words = re.split(r"[\s-]+", name if name.lower() in _AMBIGUOUS_NAMES else name.lower())
    separated = r"[\s-]+".join(map(re.escape, words))
    return re.compile(rf"{separated}s?(?![A-Za-z])")
