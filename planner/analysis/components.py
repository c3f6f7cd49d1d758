"""Find the components of a method: named in headings, in bold, by acronym, by "we propose …", or repeatedly."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from planner.analysis.acronyms import acronyms
from planner.analysis.mentions import NameIndex
from planner.analysis.naming import hyperparameters, in_bold, proposed, repeated
from planner.analysis.passages import Found, Passage, bare_markup
from planner.analysis.phrases import is_generic, noun_phrase, run_in_headings
from planner.matching.words import stems
from planner.papers.headings import bare
from planner.papers.paper import BlockKind, SectionKind

_IN_TITLE: Final = 0.75  # least share of a component's name in the title at which it is the whole method


class Source(StrEnum):
    """The kind of evidence in a text that something is a component."""

    HEADING = "heading"
    RUN_IN = "run-in heading"
    BOLD = "bold"
    ACRONYM = "acronym"
    PROPOSED = "proposed"
    REPEATED = "repeated"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Component:
    """A named part of a method; `acronym` may be "".

    `mentions` counts its name and acronym in the sections of the kinds in `_READ`, so not in related work or
    experiments.
    """

    name: str
    acronym: str
    found: Found
    sources: frozenset[Source]
    mentions: int = 0

    @property
    def label(self) -> str:
        """The name with its acronym: "gated fusion unit (GFU)"."""
        return f"{self.name} ({self.acronym})" if self.acronym else self.name

    def is_subject_of(self, title: str) -> bool:
        """Tell if this is the whole method or its subject, judged by the share of the name in a paper's title."""
        name = set(stems(self.name))
        return len(name) > 1 and len(name & set(stems(title))) >= _IN_TITLE * len(name)


_READ: Final = frozenset(
    {SectionKind.ABSTRACT, SectionKind.INTRODUCTION, SectionKind.METHOD, SectionKind.OTHER, SectionKind.CONCLUSION}
)


def components(passages: Sequence[Passage]) -> tuple[Component, ...]:
    """Find the components that the passages name, each once, in the order of their first appearance."""
    readable = [passage for passage in passages if passage.kind in _READ]
    candidates = [candidate for passage in readable for candidate in _candidates(passage)]
    method = [passage for passage in readable if passage.in_method and passage.block is not BlockKind.HEADING]
    again = ((phrase, found) for phrase, found in repeated(method))
    candidates += [Component(phrase, "", found, frozenset({Source.REPEATED})) for phrase, found in again]
    merged = _merge(candidate for candidate in candidates if candidate.name and not is_generic(candidate.name))
    return tuple(sorted(_counted(merged, readable), key=lambda component: component.found.offset))


def _candidates(passage: Passage) -> list[Component]:
    if passage.block is BlockKind.HEADING:
        heading = bare(bare_markup(passage.heading))
        return [_named(passage, heading, 0, Source.HEADING)] if passage.in_method and passage.level > 1 else []
    found = [
        Component(
            bare_markup(one.expansion),
            one.short,
            passage.found(one.expansion, one.start),
            frozenset({Source.ACRONYM}),
        )
        for one in acronyms(passage.flat)
    ]
    found += [_named(passage, text, start, Source.PROPOSED) for text, start in proposed(passage.flat)]
    if passage.in_method or passage.kind is SectionKind.INTRODUCTION:
        found += [_named(passage, text, start, Source.BOLD) for text, start in in_bold(passage.text)]
    if passage.in_method:
        found += [_named(passage, text, start, Source.RUN_IN) for text, start in run_in_headings(passage.text)]
        found += [
            Component(text, "", passage.found(text, start), frozenset({Source.SYMBOL}))
            for text, start in hyperparameters(passage.flat)
        ]
    return found


def _named(passage: Passage, text: str, start: int, source: Source) -> Component:
    name = noun_phrase(text)
    return Component(name, "", passage.found(name, start), frozenset({source}))


# Words for a part that papers use or omit freely: "gated fusion" is the "gated fusion module".
_LOOSE: Final = frozenset(stems("module mechanism strategy unit layer block network method technique"))


def _merge(candidates: Iterable[Component]) -> list[Component]:
    """Merge candidates whose names have the same stems, or of which one contains the acronym of the other."""
    found: dict[tuple[str, ...], Component] = {}
    by_acronym: dict[str, tuple[str, ...]] = {}
    for candidate in candidates:
        key = _key(candidate, by_acronym)
        known = found.get(key)
        found[key] = candidate if known is None else _joined(known, candidate)
        if candidate.acronym:
            by_acronym.setdefault(candidate.acronym, key)
    return list(found.values())


def _key(candidate: Component, by_acronym: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    for word in (candidate.acronym, *candidate.name.split()):
        if word in by_acronym:
            return by_acronym[word]
    key = stems(candidate.name)
    return tuple(stem for stem in key if stem not in _LOOSE) or key


def _joined(known: Component, other: Component) -> Component:
    return replace(known, acronym=known.acronym or other.acronym, sources=known.sources | other.sources)


def _counted(found: Sequence[Component], readable: Sequence[Passage]) -> list[Component]:
    index = NameIndex((component.name, component.acronym) for component in found)
    counts = Counter(number for passage in readable for number, _ in index.mentions(passage.text))
    return [replace(component, mentions=counts[number]) for number, component in enumerate(found)]
