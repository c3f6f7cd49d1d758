"""Find the experiments that compare a method with a change of it, also where no ablation study is named."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple

from planner.analysis.parts import list_full_names
from planner.analysis.passages import IndexedSection
from planner.matching import (
    COMMON_STEMS,
    collect_stems,
    extract_numbers,
    extract_stems,
    is_value,
    list_beginnings,
)
from planner.papers.leaks import split_sentences
from planner.schema import Ablation, Action

_MAX_SENTENCE_CHARS: Final = 1_200  # a sentence may list what it compares
_MAX_SENTENCE_LINES: Final = 4  # more lines are rows of a table
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
)  # words without a stem that make the difference
_SETTINGS: Final = re.compile(r"\b(?:settings?|set-?up|data\s?sets?|implementations?|details)\b", re.I)
_CLAUSE_END: Final = re.compile(r"[,;:.]\s|\s(?:and|but|while)\s")
_BRACKETS: Final = re.compile(r"\([^()]*\)")


class _Sentence(NamedTuple):
    """A sentence of an experiment, with the passage in which it stands and the heading above it."""

    text: str
    passage: str
    heading: str

    def compares(self, stems: frozenset[str]) -> bool:
        """Return whether it compares what has these stems; if there are many, its passage may say that it does."""
        return bool(_COMPARES.search(self.passage if len(stems) >= _TELLING_WORDS else self.text))


class ComparisonSearch:
    """A search for an ablation among the comparisons that the experiments of a paper make."""

    def __init__(self, sections: Sequence[IndexedSection]) -> None:
        self._passages = [
            (each.heading, passage)
            for each in sections
            if each.is_experiment and not _SETTINGS.search(each.heading)
            for passage in each.passages
        ]

    @cached_property
    def _lowered(self) -> list[str]:
        return [passage.lower() for _, passage in self._passages]

    def find_comparison(self, ablation: Ablation) -> tuple[str, str] | None:
        """Return the words of an ablation that an experiment compares with the method, and the heading, if any."""
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
        for sentence in self._list_sentences(part, 1):
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
        beginnings = list_beginnings(stems)
        for (heading, passage), lowered in zip(self._passages, self._lowered, strict=True):
            if sum(each in lowered for each in beginnings) < max(count, 1):
                continue
            for text in split_sentences(passage):
                is_short = len(text) <= _MAX_SENTENCE_CHARS and text.count("\n") < _MAX_SENTENCE_LINES
                if is_short and len(stems & collect_stems(text)) >= count:
                    yield _Sentence(text, passage, heading)


def _list_names(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the names in a description that say which thing is meant, and all its words if there are few."""
    yield from list_full_names(text)
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
