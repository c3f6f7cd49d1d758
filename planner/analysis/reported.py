"""Find the ablations that a paper already reports in table rows, captions, headings and sentences."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from planner.analysis.components import Component
from planner.analysis.mentions import NameIndex
from planner.analysis.passages import Found, Passage, bare_markup
from planner.analysis.phrases import conjuncts, is_generic, noun_phrase, run_in_headings
from planner.analysis.rows import added, changed, marked_columns, table_rows, without
from planner.analysis.sentences import Said, compared, found_useful, removed_or_replaced, studied, varied
from planner.analysis.variants import altered, variants
from planner.matching.words import stems
from planner.papers.headings import bare
from planner.papers.paper import BlockKind, SectionKind
from planner.schema import Action


@dataclass(frozen=True, slots=True)
class Reported:
    """An ablation that the paper seems to report; `replacement` is "" if the text names none."""

    part: str
    action: Action
    replacement: str
    found: Found


_READ: Final = frozenset({SectionKind.ABLATION, SectionKind.EXPERIMENTS, SectionKind.APPENDIX})
_OTHERS: Final = frozenset({SectionKind.REFERENCES, SectionKind.RELATED_WORK, SectionKind.CHECKLIST})
_QUESTION: Final = re.compile(r"^R?Q\d+\s*[.:]\s*")
_SUMMARY: Final = re.compile(
    r"\b(?:summary|curves?|rankings?|findings?|benefits?|discussions?|details|overview|setup|extensibility)\b", re.I
)
_ABLATION_WORD: Final = re.compile(
    r"\bablat|\bsensitivity (?:to|analysis|of)\b|\bhyper-?parameter (?:analysis|study)", re.I
)
_EFFECT: Final = re.compile(
    r"effective|improv|contribut|gain|increase|decrease|drop|degrad|boost|benefit|perform|brings?|help|component", re.I
)


def reported_ablations(passages: Sequence[Passage], components: Sequence[Component] = ()) -> tuple[Reported, ...]:
    """Find the ablations that the passages report, each part once for each action, in reading order.

    A component that an ablation section names, beside a word of effect or in a table, counts as ablated there.
    """
    kept: dict[tuple[frozenset[str], Action], Reported] = {}
    labels = {stems(name): c.label for c in components for name in (c.name, c.acronym) if name}
    index = NameIndex((component.name, component.acronym) for component in components)
    for passage in passages:
        for one in _read(passage, components, index):
            known = replace(one, part=labels.get(stems(one.part), one.part))
            kept.setdefault((frozenset(stems(known.part)), known.action), known)
    return tuple(sorted(kept.values(), key=lambda one: one.found.offset))


def _read(passage: Passage, components: Sequence[Component], index: NameIndex) -> Iterator[Reported]:
    """Read all of an experiment section, and the tables of other sections, since tables float between sections."""
    if passage.kind in _READ:
        yield from _in_passage(passage)
        yield from _of_components(passage, components, index)
    elif passage.block is BlockKind.TABLE and passage.kind not in _OTHERS:
        yield from _in_table(passage)


def _in_passage(passage: Passage) -> Iterator[Reported]:
    yield from _in_table(passage)
    yield from _all(passage, found_useful(passage.flat))
    if not _speaks_of_ablations(passage):
        yield from _all(passage, _announced(passage))
        return
    if passage.block is BlockKind.HEADING:
        yield from _all(passage, _heading(passage.heading))
    elif passage.block is BlockKind.PROSE:
        yield from _all(passage, _run_ins(passage.text))
        yield from _all(passage, chain(varied(passage.flat), removed_or_replaced(passage.flat)))
    elif passage.block is BlockKind.FIGURE:
        yield from _all(passage, removed_or_replaced(passage.flat))
    yield from _all(passage, studied(passage.flat))
    if passage.block is BlockKind.TABLE:
        for header, start in marked_columns(passage.text):
            yield from _reported(passage, noun_phrase(header), Action.REMOVE, "", start)
        for variant, start in variants(passage.text):
            yield from _reported(passage, variant, Action.REPLACE, "", start)


def _in_table(passage: Passage) -> Iterator[Reported]:
    """Yield parts that table rows remove, add or replace, and parts that the head of a table names as varied."""
    yield from _from_rows(passage)
    for head, start in altered(passage.text) if passage.block is BlockKind.TABLE else ():
        yield from _reported(passage, noun_phrase(head), Action.REPLACE, "", start)


def _from_rows(passage: Passage) -> Iterator[Reported]:
    for row, start in table_rows(passage.text):
        if exchanged := changed(row):
            part, instead = noun_phrase(exchanged[1]), bare_markup(exchanged[2])
            yield from _reported(passage, part, Action.REPLACE, instead, start + exchanged.start(1))
        elif left_out := without(row):
            for part in conjuncts(left_out[1]):
                yield from _reported(passage, part, Action.REMOVE, "", start + left_out.start(1))
        elif put_in := added(row):
            yield from _reported(passage, noun_phrase(put_in[1]), Action.REMOVE, "", start + put_in.start(1))


def _announced(passage: Passage) -> Iterator[Said]:
    """Yield parts that a heading, caption or run-in heading outside ablation sections announces as studied."""
    if passage.block is BlockKind.HEADING:
        yield from _titled(bare(bare_markup(passage.heading)), 0)
    elif passage.block is BlockKind.PROSE:
        for heading, start in run_in_headings(passage.text):
            yield from (replace(said, start=start + said.start) for said in studied(heading))
    else:
        caption = max(0, passage.text.find("\\caption"))
        yield from _titled(passage.flat[caption:], caption)


def _titled(title: str, start: int) -> Iterator[Said]:
    return (replace(said, start=start + said.start) for said in chain(studied(title), compared(title)))


def _heading(text: str) -> list[Said]:
    """Return the parts that a heading in an ablation section names."""
    name = _QUESTION.sub("", bare(bare_markup(text)))
    found = list(_titled(name, 0))
    if not found and not _SUMMARY.search(name):
        found = [Said(name, Action.REMOVE, "", 0)]
    return [replace(said, start=0) for said in found]


def _run_ins(text: str) -> Iterator[Said]:
    for heading, start in run_in_headings(text):
        found = list(studied(heading)) or [Said(heading, Action.REMOVE, "", 0)]
        yield from (replace(said, start=start + said.start) for said in found)


def _of_components(passage: Passage, components: Sequence[Component], index: NameIndex) -> Iterator[Reported]:
    """Yield components that an ablation section credits with an effect, or that an experiment removes or replaces."""
    if _speaks_of_ablations(passage):
        credited = passage.block is BlockKind.TABLE or _EFFECT.search(passage.text)
        for number, start in index.mentions(passage.text) if credited else ():
            yield from _reported(passage, components[number].label, Action.REMOVE, "", start)
    else:
        for said in removed_or_replaced(passage.flat):
            for number, start in index.mentions(noun_phrase(said.part)):
                label, replacement = components[number].label, noun_phrase(said.replacement)
                yield from _reported(passage, label, said.action, replacement, said.start + start)


def _speaks_of_ablations(passage: Passage) -> bool:
    return passage.kind is SectionKind.ABLATION or bool(_ABLATION_WORD.search(passage.text))


def _all(passage: Passage, said: Iterable[Said]) -> Iterator[Reported]:
    for one in said:
        for part in conjuncts(one.part):
            yield from _reported(passage, part, one.action, noun_phrase(one.replacement), one.start)


def _reported(passage: Passage, part: str, action: Action, replacement: str, start: int) -> Iterator[Reported]:
    if part and not is_generic(part):
        yield Reported(part, action, replacement, passage.found(part, start))
