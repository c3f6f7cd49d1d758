"""Find the ablations of a plan that the paper reports, in an ablation study or in a comparison in its experiments."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple

from planner.analysis.parts import (
    is_same_part,
    is_symbol,
    is_telling,
    list_ablation_names,
    list_part_names,
    list_specific_names,
    strip_study_words,
)
from planner.analysis.passages import IndexedSection, PaperIndex, ReportedAblation
from planner.details import ReportedStudy
from planner.matching import (
    COMMON_STEMS,
    collect_stems,
    extract_numbers,
    extract_stems,
    is_same_replacement,
    is_value,
    list_word_beginnings,
)
from planner.papers.leaks import split_sentences
from planner.schema import Ablation, Action

_MAX_SENTENCE_CHARS: Final = 600
_MAX_SENTENCE_LINES: Final = 4  # more lines are rows of a table
# A sentence about an ablation has at least one of these words.
_REPORTS: Final = re.compile(
    r"\bw/o\b|\b(?:vs|versus|without|remov|replac|ablat|effect|impact|influence|var(?:y|ies|ied)\b|instead|compar|drop|"
    r"choice|sensitiv|skip|contribut|case study|hyper-?parameters?|differen\w* (?:\w+ )?(?:values?|choices?|settings?|"
    r"numbers?|sizes?|levels?|kinds?|types?|variants?|of)\b)",
    re.I,
)
_TAKES_OUT: Final = re.compile(
    r"\b(?:no|none|without|w/o|remov\w*|only|zero|off|0|add(?:ed|ing)?)\b", re.I
)  # "added to the baseline" may also describe a removal
_REMOVAL_OR_VALUE: Final = re.compile(
    r"^(?:remov\w*|no|none|without|w/o|zero|off)\b|(?<![\w.])\d[\d.]*(?:e-?\d+|[x×]\d+)?(?!\w)", re.I
)
_PUTS_IN: Final = re.compile(r"\b(?:replac\w*|vs|versus|against|instead)\b", re.I)
_REPLACED_BY: Final = re.compile(r"\breplac\w* (?:by|with) (.+)", re.I)
_MIN_ITEM_STEMS: Final = 3  # words of a replacement that do not stand in one sentence by accident
_MAX_COMPARISON_CHARS: Final = 1_200  # a sentence may list what it compares
_MIN_VALUES: Final = 2  # values of a sweep that one sentence names
_MIN_PART_SHARE: Final = 0.5  # share of the part's words beside its replacement
_TELLING_WORDS: Final = 3  # words of a replacement that do not stand in one sentence by accident
_MAX_WORDS_BETWEEN: Final = 2  # further words with the part after "without"
_LEAVES_OUT: Final = re.compile(
    r"\b(?:without|w/o|no|remov(?:es?|ed|ing)|ablat(?:es?|ed|ing)|dropp?(?:s|ed|ing)|omit(?:s|ted|ting)?)\s", re.I
)
_COMPARES: Final = re.compile(
    r"\b(?:compar\w+|variants?|baselines?|alternativ\w+|either|versus|vs|instead|replac\w+|experimented|tried)\b", re.I
)
_VARIES: Final = re.compile(
    r"\b(?:var(?:y|ies|ied|ying)|different|rang(?:es?|ed|ing)|sweep\w*|swept|test(?:ed)?|tried|impact|effect|influence)\b",
    re.I,
)
_RESTRICTS: Final = re.compile(
    r"\b(?:only|alone|one|single|each)\b", re.I
)  # words without a stem that change the meaning
_SETTINGS: Final = re.compile(r"\b(?:settings?|set-?up|data\s?sets?|implementations?|details)\b", re.I)
_CLAUSE_END: Final = re.compile(r"[,;:.]\s|\s(?:and|but|while)\s")
_BRACKETS: Final = re.compile(r"\([^()]*\)")


class _Sentence(NamedTuple):
    """A sentence of an experiment, with the passage in which it stands and the heading above it."""

    text: str
    passage: str
    heading: str

    def compares(self, stems: frozenset[str]) -> bool:
        """Return whether the sentence or, if there are many `stems`, its passage makes a comparison."""
        return bool(_COMPARES.search(self.passage if len(stems) >= _TELLING_WORDS else self.text))


class ComparisonSearch:
    """A search for an ablation among the comparisons that the experiments of a paper make."""

    def __init__(self, sections: Sequence[IndexedSection]) -> None:
        self._sections = [each for each in sections if each.is_experiment and not _SETTINGS.search(each.heading)]

    @cached_property
    def _lowered(self) -> str:
        return "\n".join(chain.from_iterable(each.lowered_passages for each in self._sections))

    def find_comparison(self, ablation: Ablation) -> tuple[str, str] | None:
        """Return the words of an ablation that an experiment compares with the method, and its heading, or None."""
        stems = frozenset(extract_stems(_BRACKETS.sub(" ", ablation.ablated_part)))
        part = stems - COMMON_STEMS or stems
        values = [item for item in ablation.replacement if is_value(item)]
        others = [item for item in ablation.replacement if item not in values and not _RESTRICTS.search(item)]
        found = chain(
            self._find_removals(ablation.ablated_part if ablation.action is Action.REMOVE else ""),
            self._find_sweeps(ablation.ablated_part, part, values),
            *(self._find_replacements(item, part) for item in others),
        )
        return next(found, None)

    def _find_removals(self, part: str) -> Iterator[tuple[str, str]]:
        for name, stems in _list_names(part):
            sentences = self._list_sentences(stems, len(stems))
            yield from ((name, each.heading) for each in sentences if _leaves_out(each.text, stems))

    def _find_sweeps(self, name: str, part: frozenset[str], values: Sequence[str]) -> Iterator[tuple[str, str]]:
        if len(values) < _MIN_VALUES:
            return
        numbers = frozenset[float]().union(*map(extract_numbers, values))
        for sentence in self._list_sentences(frozenset(stem for stem in part if not stem.isdigit()), 1):
            shared = numbers & extract_numbers(sentence.text)
            if len(shared) >= max(_MIN_VALUES, len(values) / 2) and _VARIES.search(sentence.text):
                yield name, sentence.heading

    def _find_replacements(self, item: str, part: frozenset[str]) -> Iterator[tuple[str, str]]:
        for name, stems in _list_names(item):
            about = part - stems or part
            for sentence in self._list_sentences(stems, len(stems)):
                words = collect_stems(f"{sentence.heading} {sentence.text}")
                if sentence.compares(stems) and len(about & words) >= _MIN_PART_SHARE * len(about):
                    yield name, sentence.heading

    def _list_sentences(self, stems: frozenset[str], count: int) -> Iterator[_Sentence]:
        """Yield the sentences with at least `count` of these stems."""
        beginnings = list_word_beginnings(stems)

        def may_hold(lowered: str) -> bool:
            return sum(each in lowered for each in beginnings) >= max(count, 1)

        for section in self._sections if may_hold(self._lowered) else ():
            for passage, lowered in zip(section.passages, section.lowered_passages, strict=True):
                for text in split_sentences(passage) if may_hold(lowered) else ():
                    is_short = len(text) <= _MAX_COMPARISON_CHARS and text.count("\n") < _MAX_SENTENCE_LINES
                    if is_short and len(stems & collect_stems(text)) >= count:
                        yield _Sentence(text, passage, section.heading)


def _list_names(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the specific names in a description, and the description if it has several words, each with its stems."""
    yield from list_specific_names(text)
    whole = frozenset(extract_stems(_BRACKETS.sub(" ", text))) - COMMON_STEMS
    if len(whole) > 1:
        yield text, whole


def _leaves_out(sentence: str, stems: frozenset[str]) -> bool:
    """Return whether a sentence says "without" or the like right before words with these stems."""
    return any(
        stems
        <= frozenset(extract_stems(_CLAUSE_END.split(sentence[match.end() :])[0])[: len(stems) + _MAX_WORDS_BETWEEN])
        for match in _LEAVES_OUT.finditer(sentence)
    )


@dataclass(frozen=True)
class _AblationPassage:
    """A passage that reports ablations, also in lower case, and the heading above it."""

    heading: str
    text: str
    lowered: str

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of the text."""
        return collect_stems(self.text)

    @cached_property
    def statements(self) -> list[tuple[str, frozenset[str]]]:
        """The sentences about an ablation, each with its stems."""
        return [(text, collect_stems(text)) for text in _split_statements(self.text)]


@dataclass(frozen=True)
class RepeatSearch:
    """A search for the report of an ablation, among the parts that the analysis found and in the paper's own words.

    `studies` are the ablation studies that the model found in the paper.
    """

    index: PaperIndex
    studies: Sequence[ReportedStudy] = ()

    @cached_property
    def _comparisons(self) -> ComparisonSearch:
        return ComparisonSearch(self.index.sections)

    @cached_property
    def _passages(self) -> list[_AblationPassage]:
        return [
            _AblationPassage(section.heading, section.passages[number], section.lowered_passages[number])
            for section in self.index.sections
            for number in section.ablation_passages
        ]

    @cached_property
    def _lowered(self) -> str:
        return "\n".join(passage.lowered for passage in self._passages)

    def _find_statements(self, stems: frozenset[str]) -> Iterator[tuple[str, frozenset[str], _AblationPassage]]:
        """Yield the statements about ablations that have these stems, each with all its stems and its passage.

        Only passages with the beginnings of the words are split into statements, because splitting is slow.
        """
        beginnings = list_word_beginnings(stems)
        if all(each in self._lowered for each in beginnings):
            for passage in self._passages:
                if all(each in passage.lowered for each in beginnings):
                    yield from ((text, words, passage) for text, words in passage.statements if stems <= words)

    def find_repeated(self, ablation: Ablation) -> tuple[str, str] | None:
        """Return the part of the reported ablation that this one seems to repeat, and the heading above it, or None."""
        same = [each for each in self.index.reported_ablations if _has_part(ablation, each.part)]
        for each in same:
            if _may_repeat(ablation, each) and (each.replacement or self._tells_change(each.part, ablation)):
                return each.part, each.location.heading
        if same:  # the paper reports another change of the part, and perhaps also this one
            is_other = ablation.action is Action.REMOVE or _only_replaces(ablation)
            return self._comparisons.find_comparison(ablation) if is_other else None
        told = next(self._find_told(ablation), None)
        return told or self._comparisons.find_comparison(ablation)

    def _find_told(self, ablation: Ablation) -> Iterator[tuple[str, str]]:
        """Yield each report of an ablation, in `studies` or in the paper's statements, as a name and a heading."""
        for study in self.studies:
            if _is_study_of(study, ablation):
                yield study.name, study.section
        for name, stems in list_specific_names(ablation.ablated_part):
            for text, words, passage in self._find_statements(stems):
                if _may_tell_change(text, words, passage, ablation):
                    yield name, passage.heading
        for name, stems in _list_named_replacements(ablation):
            yield from ((name, passage.heading) for _, _, passage in self._find_statements(stems))

    def _tells_change(self, part: str, ablation: Ablation) -> bool:
        """Return whether the paper may change its ablated part as `ablation` does, and not only remove the part."""
        return not _only_replaces(ablation) or any(
            _may_tell_change("" if is_symbol(part) else text, words, passage, ablation)  # other values of a symbol
            for name in list_part_names(part)
            for text, words, passage in self._find_statements(frozenset(extract_stems(name)))
        )


def _may_tell_change(text: str, stems: frozenset[str], passage: _AblationPassage, ablation: Ablation) -> bool:
    """Return whether a statement about a part may report the ablation's change; a pure replacement must be stated."""
    if not _only_replaces(ablation) or _PUTS_IN.search(text):
        return True
    part = frozenset(extract_stems(ablation.ablated_part))
    items = (frozenset(filter(is_telling, extract_stems(item))) - part for item in ablation.replacement)
    return any(item and (len(item & stems) * 2 >= len(item) or item <= passage.stems) for item in items)


def _list_named_replacements(ablation: Ablation) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the replacements that name their part, such as "a single layer of memory", each with its stems."""
    part = frozenset(extract_stems(ablation.ablated_part)) - COMMON_STEMS
    for item in ablation.replacement:
        stems = frozenset(extract_stems(item))
        if len(stems) >= _MIN_ITEM_STEMS and len(stems & part) * 2 >= len(part) > 0:
            yield item, stems


def _is_study_of(study: ReportedStudy, ablation: Ablation) -> bool:
    """Return whether a study that the model found concerns the ablation's part, and no other change of that part."""
    if study.by == "program" or not _has_part(ablation, strip_study_words(study.name)):
        return False
    if not _only_replaces(ablation):
        return True
    if named := _REPLACED_BY.search(study.name):
        return any(is_same_replacement(item, named[1]) for item in ablation.replacement)
    return not _TAKES_OUT.search(study.name) or bool(_PUTS_IN.search(study.name))


def _only_replaces(ablation: Ablation) -> bool:
    """Return whether each replacement puts another thing in place of the part: none has a number or removes it."""
    items = ablation.replacement if ablation.action is not Action.REMOVE else ()
    return bool(items) and not any(map(_REMOVAL_OR_VALUE.search, items))


def _has_part(ablation: Ablation, part: str) -> bool:
    return any(is_same_part(name, part) for name in list_ablation_names(ablation))


def _may_repeat(ablation: Ablation, reported_ablation: ReportedAblation) -> bool:
    """Return whether two ablations of one part may be the same by their actions and any replacement in the paper."""
    if not reported_ablation.replacement:
        return True
    if ablation.action is Action.REMOVE:
        return False
    return any(is_same_replacement(item, reported_ablation.replacement) for item in ablation.replacement)


def _split_statements(passage: str) -> Iterator[str]:
    """Yield the sentences of a passage, split at semicolons, that speak of an ablation."""
    for part in chain.from_iterable(sentence.split(";") for sentence in split_sentences(passage)):
        is_short = len(part) <= _MAX_SENTENCE_CHARS and part.count("\n") < _MAX_SENTENCE_LINES
        if is_short and _REPORTS.search(part):
            yield part
