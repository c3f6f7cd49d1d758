"""Find metrics that a text announces: in lists of metrics, captions of panels and heads of columns."""

import re
from collections.abc import Iterator
from typing import Final

from planner.analysis.passages import bare_markup
from planner.analysis.phrases import noun_phrase, run_in_headings
from planner.matching.words import word_set
from planner.papers.headings import bare

_QUANTITIES: Final = word_set(
    """
    score scores rate rates ratio ratios accuracy accuracies correctness consistency correlation correlations
    similarity similarities distance distances divergence entropy deviation variance length lengths time match matches
    loss losses error errors speed speedup reward rewards return returns regret cost costs frequency percentage
    index perplexity throughput latency agreement coverage diversity overlap gap
    """
)
_NO_RESULT: Final = re.compile(
    r"\b(?:learning|dropout|decay|sampling|clip|buffer|batch|max(?:imum)?|benchmark|test|high(?:est|er)?|low(?:est|er)?|best|better|"
    r"worse|good|poor|total|overall|same|time steps?)\b",
    re.I,
)
_LISTED: Final = r"((?:[^.;:()]|\([^()]{0,40}\)){3,250})"
_REPORTED: Final = re.compile(
    r"\b(?:reports?|metrics?(?: (?:is|are|include|used are))?:?|"
    rf"(?:measured|evaluated|quantified|assessed) (?:by|with|using|in terms of|via)|in terms of)\s+{_LISTED}"
)
_ITEM: Final = re.compile(r"[^,()]+")
_JOINT: Final = re.compile(r"\b(?:and|or|with|on|for|per|as)\b")
_MARKUP: Final = re.compile(r"\\text[a-z]{2}\s*\{|[{}*]")
_PANEL: Final = re.compile(
    r"\((?:[a-h]|left|right|top|bottom)\)[}*\s~:]*([A-Za-z][\w -]{2,50})(?=[:.,;(])"
    r"|(?:[.:]|\band)\s+([A-Za-z][\w -]{2,50}?)\s+\((?:[a-h]|left|right|top|bottom)\)"
)
_ARROW: Final = re.compile(r"([^|&\n↑↓]{1,60}?)[\s$(]{0,4}(?:↑|↓|\\(?:up|down)arrow\b)")
_UNIT: Final = re.compile(r"\([^()]*\)")
_LONGEST: Final = 5  # words of the name of a metric
_ABOUT_METRICS: Final = re.compile(r"(?:[a-z-]{1,20} ){0,2}(?:metrics?|measures)", re.I)
_NUMBERED: Final = re.compile(r"(?:table|figure|fig|section)\.? \d|metrics?\b|measures\b", re.I)


def listed(flat: str) -> Iterator[tuple[str, int]]:
    """Yield quantities that a sentence reports or measures ("we report the hoot rate, …"), with their places."""
    for sentence in _REPORTED.finditer(flat):
        parted = _JOINT.sub(lambda joint: "," * len(joint[0]), _blank_markup(sentence[1]))
        for item in _ITEM.finditer(parted):
            yield from _quantity(item[0], sentence.start(1) + item.start())


def panels(flat: str) -> Iterator[tuple[str, int]]:
    """Yield quantities that a caption names for panels ("(a) Hoot rate: …", "Hoot rate (left)"), with their places."""
    for panel in _PANEL.finditer(_blank_markup(flat)):
        number = panel.lastindex or 0
        yield from _quantity(panel[number], panel.start(number))


def arrowed(text: str) -> Iterator[tuple[str, int]]:
    """Yield column heads with an arrow ("FID ↓"), with their places. Without cells, as in PDFs, a head is one word."""
    in_cells = "|" in text or "&" in text
    for match in _ARROW.finditer(text):
        head = bare_markup(match[1]).strip(" ($%")
        name = noun_phrase(_UNIT.sub("", head).partition("@")[0]) if in_cells else head.rpartition(" ")[2]
        if any(letter.isalpha() for letter in name):
            yield name, match.start(1)


def introduced(heading: str, text: str) -> Iterator[tuple[str, int]]:
    """Yield run-in headings and bold items of a section headed "Metrics", with their places."""
    if not _ABOUT_METRICS.fullmatch(bare(bare_markup(heading))):
        return
    for name, start in run_in_headings(re.sub(r"\\item|^\s*[-*]\s", _spaces, text)):
        if len(name.split()) <= _LONGEST and not _NUMBERED.search(name):
            yield name, start


def is_quantity(name: str) -> bool:
    """Tell if a name has several words and ends in a word for a measured quantity: "hoot rate"."""
    named = name.lower().split()
    return len(named) > 1 and named[-1] in _QUANTITIES


def _quantity(text: str, start: int) -> Iterator[tuple[str, int]]:
    name = noun_phrase(_UNIT.sub("", text))
    if len(name.split()) <= _LONGEST and is_quantity(name) and not _NO_RESULT.search(name):
        yield name, start


def _blank_markup(text: str) -> str:
    return _MARKUP.sub(_spaces, text)


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match[0])
