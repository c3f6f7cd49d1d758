"""Find quotes in the text that was sent to a model.

Only letters and digits are compared, so spacing, hyphenation, ligatures, quotation marks, dashes, upper case, citation
markers, markup and the notation of mathematics make no difference.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain
from typing import Final

from planner.analysis.passages import IndexedSection
from planner.details import Evidence, QuoteMatch
from planner.matching import GREEK_NAMES, STOP_WORDS, spell_greek, split_into_word_set

# The least likeness of a close quote, of 100: the share of its words that stand in the text in the same order.
_CLOSE_RATIO: Final = 70.0
_MIN_WORDS: Final = 4  # a shorter quote is never exact, as its words may stand together by accident
_MIN_CONTENT_WORDS: Final = 2
_MAX_COMPARED_WORDS: Final = 300  # a longer quote is exact or absent
_MAX_POSITIONS: Final = 500  # positions of a word that are looked at for a close quote
_MAX_PARTS: Final = 8  # parts of a quote with ellipses; one with more is absent
_QUOTATION_MARKS: Final = " \t\n\"'`“”‘’«»„…."
_WINDOWS: Final = 3  # places that are compared for a close quote

_CITATION: Final = re.compile(
    r"\\(?:[cC]ite\w*|(?:eq|[cC]|auto|page)?ref|label|footnotemark)\*?(?:\[[^\[\]]{0,100}\]){0,2}\{[^{}]{0,500}\}"
    r"|\[\^?\d[\d,;\s–-]{0,60}\]|\[-?@[^\[\]]{1,300}\]|\\(?:begin|end)\{[^{}]{0,40}\}|(?<=\])\([^()\s]{1,300}\)"
    r"|</?[a-zA-Z][^<>]{0,200}>"
)
_BRACKET: Final = re.compile(r"\([^()]{4,300}\)")
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d[a-z]?\b")
_ACCENT: Final = re.compile(r"[\u0300-\u036f]")
_COMMAND: Final = re.compile(r"\\([a-zA-Z]+)\*?")
_WORD: Final = re.compile(r"\d+(?:[.,]\d+)*|[⺀-\uffdc]|[^\W\d_⺀-\uffdc]+")
_OMITTED: Final = re.compile(r"(?:\[\s*)?(?:\.\s?){3,}\]?")
_SPELLED_COMMANDS: Final = split_into_word_set("arg det dim exp inf lim ln log max min sin cos sup tanh")
_LETTER_NAMES: Final = frozenset(GREEK_NAMES.values())


class QuoteSearch:
    """A search for quotes in the sections that were sent; the text is split into words only for an inexact quote."""

    def __init__(self, sections: Sequence[IndexedSection]) -> None:
        self._sections = sections

    @cached_property
    def _passages(self) -> list[tuple[str, str, int | None]]:
        """The text of each passage that was sent, the heading above it and its page."""
        return [
            (text, section.heading, section.pages[number] if section.pages else None)
            for section in self._sections
            if section.is_sent
            for number, text in enumerate(section.passages)
        ]

    @cached_property
    def _words_by_passage(self) -> list[list[str]]:
        return [_list_normalized_words(text) for text, _, _ in self._passages]

    @cached_property
    def _words(self) -> list[str]:
        return list(chain.from_iterable(self._words_by_passage))

    @cached_property
    def _text(self) -> str:
        return "".join(self._words)

    @cached_property
    def _word_starts(self) -> list[int]:
        """The offset of each word in the text, and the offset of the end."""
        return [0, *accumulate(map(len, self._words))]

    @cached_property
    def _passage_starts(self) -> list[int]:
        """The index of the first word of each passage."""
        return [0, *accumulate(map(len, self._words_by_passage))]

    @cached_property
    def _positions(self) -> dict[str, list[int]]:
        """The indices of the first `_MAX_POSITIONS` occurrences of each word. Stop words are left out."""
        positions: dict[str, list[int]] = defaultdict(list)
        for number, word in enumerate(self._words):
            if word not in STOP_WORDS and len(positions[word]) < _MAX_POSITIONS:
                positions[word].append(number)
        return positions

    def locate_quote(self, quote: str) -> Evidence:
        """Return the quote, whether it was found, and the section and page in which it begins.

        A quote with an ellipsis inside counts as close if each part around the ellipsis is found.
        """
        split_parts = map(_list_normalized_words, _OMITTED.split(unicodedata.normalize("NFKC", quote)))
        parts = [words for words in split_parts if words]
        literal = quote.strip(_QUOTATION_MARKS)
        if len(parts) == 1 and not _is_short(parts[0]):
            for text, heading, page in self._passages:
                if literal in text:
                    return Evidence(quote=quote, found=QuoteMatch.EXACT, section=heading, page=page)
        found = [self._find(words) for words in parts[:_MAX_PARTS]]
        places = [place for place in found if place]
        if not parts or len(places) < len(parts):
            return Evidence(quote=quote, found=QuoteMatch.ABSENT)
        match = places[0][1] if len(places) == 1 else QuoteMatch.CLOSE
        _, heading, page = self._passages[bisect_right(self._passage_starts, places[0][0]) - 1]
        return Evidence(quote=quote, found=match, section=heading, page=page)

    def _find(self, words: list[str]) -> tuple[int, QuoteMatch] | None:
        """Return (index of a word in the text that matches, kind of match), or None if the quote is absent."""
        if _is_short(words):
            at = None if STOP_WORDS.issuperset(words) else self._find_whole_words(words)
        elif (start := self._text.find("".join(words))) >= 0:
            return bisect_right(self._word_starts, start) - 1, QuoteMatch.EXACT
        else:
            at = self._find_close(words) if len(words) <= _MAX_COMPARED_WORDS else None
        return None if at is None else (at, QuoteMatch.CLOSE)

    def _find_whole_words(self, words: list[str]) -> int | None:
        text = f" {' '.join(self._words)} "
        at = text.find(f" {' '.join(words)} ")
        return None if at < 0 else text.count(" ", 0, at)

    def _find_close(self, words: list[str]) -> int | None:
        """Return the index of the middle word of the most similar stretch of text, or None if no stretch is close."""
        from rapidfuzz import fuzz  # takes longer to load than to find exact quotes

        likeness, place = _CLOSE_RATIO, None
        for start, near in self._list_near_words(words):
            if found := fuzz.partial_ratio_alignment(words, near, score_cutoff=likeness):
                likeness, place = found.score, start + (found.dest_start + found.dest_end) // 2
        return place

    def _list_near_words(self, words: list[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield (index of the first word, words) for the stretches of text that share the most words with a quote."""
        width = len(words)
        votes = Counter(
            (position - number) // width
            for number, word in enumerate(words)
            for position in self._positions.get(word, ())
        )
        for place, _ in votes.most_common(_WINDOWS):
            start = max(0, (place - 1) * width)
            yield start, self._words[start : (place + 3) * width]


def _is_short(words: Sequence[str]) -> bool:
    return len(words) < _MIN_WORDS or sum(word not in STOP_WORDS for word in words) < _MIN_CONTENT_WORDS


def _list_normalized_words(text: str) -> list[str]:
    """Return the words and numbers of a text in lower case, without citations, markup, accents and symbols.

    Greek letters become their names, and LaTeX commands become the letters that they print.
    """
    text = _BRACKET.sub(lambda bracket: " " if _YEAR.search(bracket[0]) else bracket[0], _CITATION.sub(" ", text))
    text = _COMMAND.sub(_spell_command, text)
    if not text.isascii():
        text = _ACCENT.sub("", unicodedata.normalize("NFKD", text))
    return _WORD.findall(spell_greek(text.casefold()))


def _spell_command(command: re.Match[str]) -> str:
    name = command[1].lower().removeprefix("var")
    if name == "ell":
        return "l"
    return f" {name} " if name in _LETTER_NAMES or name in _SPELLED_COMMANDS else " "
