"""Find the ablations of a plan that the paper reports, in an ablation study or in a comparison in its experiments."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple

from planner.analysis.parts import (
    extract_content_stems,
    extract_head_stems,
    extract_stems_without_kinds,
    find_limiting_word_kinds,
    find_replacements_with_words_of_part,
    is_ablation_of_part,
    is_greek_symbol,
    is_same_part,
    is_specific_stem,
    is_text_about_part,
    list_names_of_part,
    list_searchable_names_with_stems,
    list_specific_names,
    strip_study_words,
)
from planner.analysis.passages import IndexedSection, PaperIndex, ReportedAblation
from planner.analysis.sentences import is_part_left_out
from planner.details import ReportedStudy
from planner.matching import (
    extract_number_set,
    extract_stem_set,
    extract_stems,
    is_mostly_number,
    is_same_replacement,
    shorten_stems_to_word_beginnings,
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
# "Added to the baseline" is told of what was taken out too.
_TAKES_OUT: Final = re.compile(r"\b(?:no|none|without|w/o|remov\w*|only|zero|off|0|add(?:ed|ing)?)\b", re.I)
_REMOVAL_OR_VALUE: Final = re.compile(
    r"^(?:remov\w*|no|none|without|w/o|zero|off)\b|(?<![\w.])\d[\d.]*(?:e-?\d+|[x×]\d+)?(?!\w)", re.I
)
_PLACES: Final = re.compile(r"\b(?:layer|stage|block)s?\s\d+(?:(?:,|-|\sand)\s?\d+)*", re.I)  # no values
_PUTS_IN: Final = re.compile(r"\b(?:replac\w*|vs|versus|against|instead)\b", re.I)
_REPLACED_BY: Final = re.compile(r"\breplac\w* (?:by|with) (.+)", re.I)
_MIN_ITEM_SHARE: Final = 0.75  # share of the words of a replacement in a comparison
_COMPARISON_SENTENCES: Final = 3  # a sentence that compares, and those after it that describe what is compared
_MAX_TABLE_SENTENCES: Final = 30  # with its caption
_MIN_VALUES: Final = 2  # values of a sweep that one sentence names
_MIN_PART_SHARE: Final = 0.5  # share of the part's words beside its replacement
_COMPARISON: Final = (
    r"\b(?<!fair )(?:compar(?:e|ed|es|ing|isons?)\b(?! to\b)|(?:vs|versus)\b|"
    r"(?:different|various|several|two|three|four|five|\d) (?:[\w-]+\s){0,5}"
    r"(?:methods|strategies|options|choices|approaches|types|kinds|functions)\b)"
)
_COMPARES_NAMES: Final = re.compile(_COMPARISON, re.I)
_OTHER_METHODS: Final = re.compile(r"\b(?:previous|prior|existing|state[- ]of[- ]the[- ]art|SOTA|baselines)\b", re.I)
_VARIES_PART: Final = re.compile(r"\b(?:vary\w*|varied|(?:different \w+|effects?|impact) of)((?: [\w-]+){1,6})", re.I)
_COMPARES: Final = re.compile(
    rf"{_COMPARISON}|\b(?:ablat\w*|(?:effects?|choices?) of|options|alternatives?|variants?|experiment(?:ed)? with)\b",
    re.I,
)
_VARIES: Final = re.compile(
    r"\b(?:var(?:y|ies|ied|ying)|different|rang(?:es?|ed|ing)|sweep\w*|swept|test(?:ed)?|tried|impact|effect|influence)\b",
    re.I,
)
# Nobody has these outside an experiment. A paper puts them in place of a part to see how far it is from perfect.
_ORACLE: Final = re.compile(
    r"\b(?:oracles?|true|ground[- ]truth|upper[- ]bound|perfect|annotations)\b(?![- ](?:positive|negative))", re.I
)
_WITHOUT: Final = re.compile(r"(?:(?:.{1,9} = )?0 \(no|without|w/o) (?:the |an? )?([^(:,;)]+)", re.I)
_SETTINGS: Final = re.compile(r"\b(?:settings?|set-?up|data\s?sets?|implementations?|details)\b", re.I)


class _Sentence(NamedTuple):
    """A sentence about an experiment. `around` also has the next sentences or, in a table, the whole table."""

    heading: str
    text: str
    stems: frozenset[str]
    is_table: bool
    around: str
    stems_around: frozenset[str]
    is_about_ablations: bool

    def is_about(self, part: frozenset[str], head: frozenset[str] = frozenset()) -> bool:
        """Return whether sentence and heading have half of `part`. If they have all of `head`, `around` counts too."""
        words = self.stems | extract_stem_set(self.heading)
        if head and head <= words:
            words |= self.stems_around
        return len(part & words) >= _MIN_PART_SHARE * len(part)

    def compares(self, limits: frozenset[str | None]) -> bool:
        """Return whether the sentence makes a comparison, and `around` has each kind of limiting word in `limits`."""
        return bool(_COMPARES.search(self.text)) and limits <= find_limiting_word_kinds(self.around)

    def compares_name(self, stems: frozenset[str]) -> bool:
        """Return whether the sentence is short, compares things of this paper by name, and has all these stems."""
        if len(self.text) > _MAX_SENTENCE_CHARS or _OTHER_METHODS.search(self.text):
            return False
        return stems <= self.stems and bool(_COMPARES_NAMES.search(self.text))


class _ComparisonSearch:
    """A search of a paper's experiments for a comparison that an ablation would repeat."""

    def __init__(self, sections: Sequence[IndexedSection]) -> None:
        self._sections = [each for each in sections if each.is_experiment and not _SETTINGS.search(each.heading)]
        self._sentences: dict[str, list[_Sentence]] = {}

    @cached_property
    def _lowered(self) -> str:
        return "\n".join(chain.from_iterable(each.lowered_passages for each in self._sections))

    def find_repeated_comparisons(self, ablation: Ablation) -> Iterator[tuple[str, str]]:
        """Yield (words of the ablation, heading) for each experiment that already makes this comparison."""
        part, action = ablation.ablated_part, ablation.action
        items = ablation.replacement if action is Action.REPLACE else ()
        return chain(
            self._find_removals(part) if action is Action.REMOVE else (),
            self._find_sweeps(part, [item for item in ablation.replacement if is_mostly_number(item)]),
            *(self._find_replacements(item, part) for item in items if not is_mostly_number(item)),
            *(self._find_single_use(item, part) for item in items if "only" in find_limiting_word_kinds(item)),
            self._find_oracles(ablation) if action is Action.REPLACE else (),
        )

    def _find_removals(self, part: str) -> Iterator[tuple[str, str]]:
        for name, stems in list_searchable_names_with_stems(part):
            sentences = self._list_sentences(stems, len(stems))
            yield from ((name, each.heading) for each in sentences if is_part_left_out(stems, each.text))

    def _find_sweeps(self, name: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
        if len(values) < _MIN_VALUES:
            return
        part = extract_stems_without_kinds(name)
        symbols = frozenset(stem for stem in part if len(stem) == 1 and stem.isalpha())
        numbers = frozenset[float]().union(*map(extract_number_set, values))
        for sentence in self._list_sentences(frozenset(stem for stem in part if not stem.isdigit()), 1):
            is_varied = _VARIES.search(sentence.text) and (sentence.is_about(part) or symbols & sentence.stems)
            text = sentence.around if sentence.is_table else sentence.text
            named = _VARIES_PART.finditer(sentence.text) if part <= sentence.stems else ()
            if any(part & extract_stem_set(match[1]) for match in named):
                yield name, sentence.heading
            if is_varied and len(numbers & extract_number_set(text)) >= max(_MIN_VALUES, len(values) / 2):
                yield name, sentence.heading

    def _find_replacements(self, item: str, part: str) -> Iterator[tuple[str, str]]:
        """Yield (name, heading) for each comparison about `part` that has the replacement `item` or a name in it."""
        about, limits = extract_stems_without_kinds(part), find_limiting_word_kinds(item)
        for name, words in list_searchable_names_with_stems(item):
            stems = words - about
            is_whole, says_enough = name == item and len(stems) > 1, len(stems) > 1 or any(map(is_specific_stem, stems))
            for each in self._list_sentences(stems, _MIN_ITEM_SHARE * len(stems)) if says_enough else ():
                is_compared = each.compares(limits) if is_whole else not limits and each.compares_name(stems)
                if is_compared and each.is_about(about, extract_head_stems(part)):
                    yield name, each.heading

    def _find_single_use(self, item: str, part: str) -> Iterator[tuple[str, str]]:
        """Yield (`item`, heading) for each sentence on ablations with `item`, such as "the coarse features only"."""
        about, limits = extract_stems_without_kinds(part), find_limiting_word_kinds(item)
        stems = extract_stems_without_kinds(item)
        least = _MIN_ITEM_SHARE * len(stems)
        for each in self._list_sentences(stems, least):
            is_said = len(stems & each.stems) >= least and limits <= find_limiting_word_kinds(each.text)
            if each.is_about_ablations and is_said and each.is_about(about, extract_head_stems(part)):
                yield item, each.heading

    def _find_oracles(self, ablation: Ablation) -> Iterator[tuple[str, str]]:
        part, items = ablation.ablated_part, ablation.replacement
        named = items[:1] if _ORACLE.search(ablation.name) else ()
        oracles = tuple(filter(_ORACLE.search, items)) or named
        stems = extract_stems_without_kinds(part)
        for each in self._list_sentences(stems, 1) if oracles and not _ORACLE.search(part) else ():
            if _ORACLE.search(each.text) and _COMPARES.search(each.around) and each.is_about(stems):
                yield oracles[0], each.heading

    def _list_sentences(self, stems: frozenset[str], count: float) -> Iterator[_Sentence]:
        """Yield the sentences whose `around` has at least `count` of these stems."""
        beginnings = shorten_stems_to_word_beginnings(stems)

        def may_hold(lowered: str) -> bool:
            return sum(each in lowered for each in beginnings) >= max(count, 1)

        for section in self._sections if may_hold(self._lowered) else ():
            for number, lowered in enumerate(section.lowered_passages):
                sentences = self._split_passage(section, number) if may_hold(lowered) else ()
                yield from (each for each in sentences if len(stems & each.stems_around) >= count)

    def _split_passage(self, section: IndexedSection, number: int) -> list[_Sentence]:
        passage = section.passages[number]
        if passage not in self._sentences:
            texts = list(split_sentences(passage))
            stems = list(map(extract_stem_set, texts))
            is_float = number >= len(section.passages) - len(section.float_indices)
            if is_table := is_float and len(texts) <= _MAX_TABLE_SENTENCES:
                around = [(passage, frozenset[str]().union(*stems))] * len(texts)
            else:
                near = [slice(at, at + _COMPARISON_SENTENCES) for at in range(len(texts))]
                around = [("".join(texts[part]), frozenset[str]().union(*stems[part])) for part in near]
            self._sentences[passage] = [
                _Sentence(section.heading, text, words, is_table, *rest, number in section.ablation_passage_indices)
                for text, words, rest in zip(texts, stems, around, strict=True)
            ]
        return self._sentences[passage]


@dataclass(frozen=True)
class _AblationPassage:
    """A passage that reports ablations, the same text in lower case, and the heading above the passage."""

    heading: str
    text: str
    lowered: str

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of the text."""
        return extract_stem_set(self.text)

    @cached_property
    def statements(self) -> list[tuple[str, frozenset[str]]]:
        """The sentences about an ablation, each with its stems."""
        return [(text, extract_stem_set(text)) for text in _split_statements(self.text)]


@dataclass(frozen=True)
class RepeatSearch:
    """A search for proposed ablations that a paper reports already, in the paper's index and sentences.

    `reported_studies` are the ablation studies that the model found in the paper.
    """

    paper_index: PaperIndex
    reported_studies: Sequence[ReportedStudy] = ()

    @cached_property
    def _comparisons(self) -> _ComparisonSearch:
        return _ComparisonSearch(self.paper_index.sections)

    @cached_property
    def _passages(self) -> list[_AblationPassage]:
        return [
            _AblationPassage(section.heading, section.passages[number], section.lowered_passages[number])
            for section in self.paper_index.sections
            for number in section.ablation_passage_indices
        ]

    @cached_property
    def _lowered(self) -> str:
        return "\n".join(passage.lowered for passage in self._passages)

    def _find_statements(self, stems: frozenset[str]) -> Iterator[tuple[str, frozenset[str], _AblationPassage]]:
        """Yield (statement, its stems, its passage) for each statement about ablations that has the stems `stems`.

        Only passages with the beginnings of the words are split into statements, because splitting is slow.
        """
        beginnings = shorten_stems_to_word_beginnings(stems)
        if all(each in self._lowered for each in beginnings):
            for passage in self._passages:
                if all(each in passage.lowered for each in beginnings):
                    yield from ((text, words, passage) for text, words in passage.statements if stems <= words)

    def find_repeated_study(self, ablation: Ablation) -> ReportedStudy | None:
        """Return the study in the paper that `ablation` seems to repeat, or None; its quote is left out."""
        found = next(self._find_repeats(ablation), None)
        return ReportedStudy(name=found[0], section=found[1], by="program") if found else None

    def _find_repeats(self, ablation: Ablation) -> Iterator[tuple[str, str]]:
        """Yield (name, heading) for each study in the paper that `ablation` seems to repeat."""
        same = [each for each in self.paper_index.reported_ablations if is_ablation_of_part(ablation, each.part)]
        yield from ((each.part, each.location.heading) for each in same if self._tells_change(each, ablation))
        yield from self._find_told(ablation) if not same else ()
        # A paper that reports another change of the part may also report this one.
        if not same or ablation.action is Action.REMOVE or _only_replaces(ablation):
            yield from self._comparisons.find_repeated_comparisons(ablation)

    def _find_told(self, ablation: Ablation) -> Iterator[tuple[str, str]]:
        """Yield (name, heading) for each reported removal, study or statement that may be about this ablation."""
        left_out = [match[1] for match in map(_WITHOUT.match, ablation.replacement) if match]
        for each in self.paper_index.reported_ablations if left_out else ():
            if each.action is Action.REMOVE and any(is_same_part(name, each.part) for name in left_out):
                yield each.part, each.location.heading
        for study in self.reported_studies:
            if _is_study_of(study, ablation):
                yield study.name, study.section
        for name in list_specific_names(ablation.ablated_part):
            stems = extract_content_stems(name)
            for text, words, passage in self._find_statements(stems):
                if _may_tell_change(text, words, passage, ablation) and is_text_about_part(stems, text):
                    yield name, passage.heading
        for name in find_replacements_with_words_of_part(ablation):
            yield from ((name, passage.heading) for *_, passage in self._find_statements(extract_stem_set(name)))

    def _tells_change(self, reported: ReportedAblation, ablation: Ablation) -> bool:
        """Return whether the paper may report the change that `ablation` makes to a part, not just the removal."""
        if reported.replacement:
            return any(is_same_replacement(item, reported.replacement) for item in ablation.replacement)
        return not _only_replaces(ablation) or any(
            # "Replaced" in a sentence on a symbol does not tell of the symbol's values.
            _may_tell_change("" if is_greek_symbol(reported.part) else text, words, passage, ablation)
            for name in list_names_of_part(reported.part)
            for text, words, passage in self._find_statements(extract_stem_set(name))
        )


def _may_tell_change(text: str, stems: frozenset[str], passage: _AblationPassage, ablation: Ablation) -> bool:
    """Return whether a statement about a part may report the change that an ablation makes to the part."""
    if not _only_replaces(ablation) or _PUTS_IN.search(text):
        return True
    part = extract_stem_set(ablation.ablated_part)
    items = (frozenset(filter(is_specific_stem, extract_stems(item))) - part for item in ablation.replacement)
    return any(item and (len(item & stems) * 2 >= len(item) or item <= passage.stems) for item in items)


def _is_study_of(study: ReportedStudy, ablation: Ablation) -> bool:
    """Return whether a study that the model found is about the ablation's part, and about the same change of it."""
    if study.by == "program" or not is_ablation_of_part(ablation, strip_study_words(study.name)):
        return False
    if not _only_replaces(ablation):
        return True
    if named := _REPLACED_BY.search(study.name):
        return any(is_same_replacement(item, named[1]) for item in ablation.replacement)
    return not _TAKES_OUT.search(study.name) or bool(_PUTS_IN.search(study.name))


def _only_replaces(ablation: Ablation) -> bool:
    """Return whether an ablation only puts other things in place of its part: it tries no values and no removal."""
    items = [_PLACES.sub("", item) for item in ablation.replacement]
    has_other = is_mostly_number if ablation.action is Action.ADD else _REMOVAL_OR_VALUE.search
    return bool(items) and not any(map(has_other, items))


def _split_statements(passage: str) -> Iterator[str]:
    """Yield the sentences of a passage, split at semicolons, that speak of an ablation."""
    for part in chain.from_iterable(sentence.split(";") for sentence in split_sentences(passage)):
        is_short = len(part) <= _MAX_SENTENCE_CHARS and part.count("\n") < _MAX_SENTENCE_LINES
        if is_short and _REPORTS.search(part):
            yield part
