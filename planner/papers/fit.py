"""Omit the least important sections of a paper, in a fixed order, until it fits the context window of a model."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from planner.errors import TooLongError
from planner.papers.cut import Cut
from planner.papers.paper import Paper, Section, SectionKind

Measure = Callable[[str], int]

_WHY: Final = "left out to fit the model's window"
_DISPENSABLE: Final = (SectionKind.REFERENCES, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CHECKLIST)
_WORD: Final = re.compile(r"[^\W\d_]{4,}")


def fit(cut: Cut, paper: Paper, room: int, measure: Measure) -> Cut:
    """Omit sections until title, abstract and text have at most `room` tokens, as counted by `measure`.

    References, acknowledgements and checklists are omitted first, then the sections of the appendix that share the
    fewest words with title, abstract and method. All other sections are always kept.

    Raises:
        TooLongError: if the sections that are always kept do not fit.
    """
    texts = (paper.title, cut.abstract, *(section.text for section in cut.kept))
    if sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) < room:
        return cut  # a token has at least one byte, so the text fits without a count
    needed = measure(f"{paper.title}\n{cut.abstract}") + sum(measure(section.text) for section in cut.kept)
    dropped: list[Section] = []
    for section in _by_dispensability(cut, paper):
        if needed <= room:
            break
        needed -= measure(section.text)
        dropped.append(section)
    if needed > room:
        raise TooLongError(
            f"{paper.source}: about {needed:,} tokens must be sent and {max(room, 0):,} fit; "
            "use a model with a larger context window, or set its size with --context-window",
            limit=room,
        )
    return cut.without(dropped, _WHY)


def _by_dispensability(cut: Cut, paper: Paper) -> Iterator[Section]:
    for kind in _DISPENSABLE:
        yield from (section for section in cut.kept if section.kind is kind)
    method = [section.text for section in cut.kept if section.kind is SectionKind.METHOD]
    words = _words(" ".join((paper.title, cut.abstract, *method)))
    appendix = (section for section in cut.kept if section.kind is SectionKind.APPENDIX)
    yield from sorted(appendix, key=lambda section: _share(section, words))


def _share(section: Section, words: frozenset[str]) -> float:
    own = _words(section.text)
    return len(own & words) / len(own) if own else 0.0


def _words(text: str) -> frozenset[str]:
    return frozenset(match[0].casefold() for match in _WORD.finditer(text))
