"""Ablations that a paper already reports: rows, captions, headings and sentences that say so."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.analysis.passages import Found, Passage, bare_markup
from planner.analysis.phrases import is_generic, noun_phrase, run_in_headings
from planner.matching.words import stems
from planner.papers.headings import bare
from planner.papers.paper import BlockKind, SectionKind
from planner.schema import Action


@dataclass(frozen=True, slots=True)
class Reported:
    """An ablation that the paper seems to report; `replacement` is "" where the text names none."""

    part: str
    action: Action
    replacement: str
    found: Found


_CELL_END: Final = r"(?=\s*(?:[|&]|\\\\|$)|\s+[-+±]?\d)"
_ROW_WITHOUT: Final = re.compile(
    r"^[\s|&*_]*(?:[\w+() -]{0,30}?\s)?[(\[]?(?:w\s?/\s?o\.?|wo/|w\.o\.|without|no|-|–|−|"
    r"—|\\ominus|minus|excl\.?)\s*"
    r"([^\W\d][^|&\n]{1,60}?)[)\]]?" + _CELL_END,
    re.I,
)
_ROW_CHANGED: Final = re.compile(
    r"^[\s|&*_]*([^\W\d][^|&\n→]{1,50}?)\s*(?:→|->|\\to\b|\\rightarrow\b|⇒)\s*([^|&\n]{1,50}?)" + _CELL_END
)
_ROW_REPLACED: Final = re.compile(r"^[\s|&*_]*(?:w/|with|repl\.?|replace)\s+([^\W\d][^|&\n]{1,50}?)" + _CELL_END, re.I)
_NUMBERS_FOLLOW: Final = re.compile(r"[|&\s][-+±]?\d+(?:[.,]\d+)?")

_REMOVING: Final = re.compile(
    r"\b(?:without|w/o|remov(?:e|es|ed|ing|al of)|discard(?:s|ed|ing)?|drop(?:s|ped|ping)?|disabl(?:e|es|ed|ing)|"
    r"eliminat(?:e|es|ed|ing)|omit(?:s|ted|ting)?|ablat(?:e|es|ed|ing)|skip(?:s|ped|ping)?|mask(?:ed|ing)? out|"
    r"exclud(?:e|es|ed|ing))\s+(?=[^\W\d])([^.;:,\n(]{3,80})",
    re.I,
)
_REPLACING: Final = re.compile(
    r"\breplac(?:e|es|ed|ing)\s+([^.;:,(]{3,80}?)\s+(?:with|by)\s+([^.;:,(]{3,80})"
    r"|([A-Z][^.;:,(]{3,80}?)\s+(?:is|are|was|were)\s+replaced\s+(?:with|by)\s+([^.;:,(]{3,80})"
)
_STUDIED: Final = re.compile(
    r"\b(?:effect(?:s|iveness)?|impacts?|influences?|contributions?|roles?|importance|"
    r"necessity|sensitivity|benefits?|"
    r"choices?|ablations?(?: stud(?:y|ies)| experiments?)?|analysis|study|"
    r"comparisons?)\s+(?:of|on|to|for|with|from)\s+"
    r"(?:(?:the|our|each|using|different|various|number of different)\s+)*([^.;:,(]{3,70})",
    re.I,
)
_VARIED: Final = re.compile(
    r"\b(?:var(?:y|ies|ied|ying)|chang(?:e|es|ed|ing)|tun(?:e|ed|ing)|different (?:values|"
    r"settings|choices|numbers|types)"
    r" of|sweep(?:ing)?|increas(?:e|ing)|values? of)\s+(?:the\s+)?([^.;:,(]{1,60}?)"
    r"(?=\s+(?:from|in|within|between|among|to|over|as|on|and|across|with)\b|[.;:,(])",
    re.I,
)
_CAPTION: Final = re.compile(r"^\W*(?:\\caption\S*\{)?(?:table|figure|fig\.?)\b.{0,12}?[.:|]\s*", re.I)
_ABLATION_WORD: Final = re.compile(r"\bablat|\bsensitivity\b|\beffect(?:iveness)? of\b|\bvariants?\b", re.I)


def reported_ablations(passages: Sequence[Passage]) -> tuple[Reported, ...]:
    """What the passages report as ablated, each part once for each action, in reading order."""
    kept: dict[tuple[frozenset[str], Action, str], Reported] = {}
    for one in (r for p in passages for r in _in_passage(p)):
        kept.setdefault((frozenset(stems(one.part)), one.action, one.replacement.lower()), one)
    return tuple(kept.values())


_READ: Final = frozenset({SectionKind.ABLATION, SectionKind.EXPERIMENTS, SectionKind.APPENDIX})


def _in_passage(passage: Passage) -> Iterator[Reported]:
    if passage.kind in (SectionKind.REFERENCES, SectionKind.RELATED_WORK, SectionKind.CHECKLIST):
        return
    yield from _rows(passage)
    if passage.kind not in _READ:
        return
    in_ablation = passage.kind is SectionKind.ABLATION or bool(_ABLATION_WORD.search(passage.text))
    if passage.block is BlockKind.HEADING:
        yield from _heading(passage, in_ablation)
    elif passage.block in (BlockKind.TABLE, BlockKind.FIGURE):
        yield from _sentences(passage, (_STUDIED,) if in_ablation else ())
    elif in_ablation:
        yield from _run_ins(passage)
        yield from _sentences(passage, (_STUDIED, _VARIED))
    if in_ablation:
        yield from _removed_or_replaced(passage)


def _rows(passage: Passage) -> Iterator[Reported]:
    start = 0
    for line in passage.text.split("\n"):
        if len(line) < 400 and _NUMBERS_FOLLOW.search(line):
            yield from _row(passage, line, start)
        start += len(line) + 1


def _row(passage: Passage, line: str, start: int) -> Iterator[Reported]:
    if changed := _ROW_CHANGED.match(line):
        yield from _one(passage, changed[1], Action.REPLACE, bare_markup(changed[2]), start + changed.start(1))
    elif without := _ROW_WITHOUT.match(line):
        yield from _one(passage, without[1], Action.REMOVE, "", start + without.start(1))


def _heading(passage: Passage, in_ablation: bool) -> Iterator[Reported]:
    text = bare(bare_markup(passage.text))
    if studied := _STUDIED.search(text):
        yield from _one(passage, studied[1], Action.REMOVE, "", 0)
    elif in_ablation:
        yield from _one(passage, text, Action.REMOVE, "", 0)


def _run_ins(passage: Passage) -> Iterator[Reported]:
    for text, start in run_in_headings(passage.text):
        studied = _STUDIED.search(text)
        yield from _one(passage, studied[1] if studied else text, Action.REMOVE, "", start)


def _sentences(passage: Passage, patterns: Sequence[re.Pattern[str]]) -> Iterator[Reported]:
    for pattern in patterns:
        action = Action.REPLACE if pattern is _VARIED else Action.REMOVE
        for match in pattern.finditer(passage.flat):
            yield from _one(passage, match[1], action, "", match.start(1))


def _removed_or_replaced(passage: Passage) -> Iterator[Reported]:
    for match in _REMOVING.finditer(passage.flat):
        yield from _one(passage, match[1], Action.REMOVE, "", match.start(1))
    for match in _REPLACING.finditer(passage.flat):
        group = 1 if match[1] else 3
        yield from _one(passage, match[group], Action.REPLACE, noun_phrase(match[group + 1]), match.start(group))


def _one(passage: Passage, part: str, action: Action, replacement: str, start: int) -> Iterator[Reported]:
    name = noun_phrase(part)
    if name and not is_generic(name):
        yield Reported(name, action, replacement, passage.found(name, start))
