"""Split technical text into words and reduce them to stems that can be compared."""

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:\.\d+)?")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_ENDINGS: Final = (
    ("ization", "iz"), ("isation", "iz"), ("izing", "iz"), ("ising", "iz"), ("ized", "iz"), ("ised", "iz"),
    ("izer", "iz"), ("iser", "iz"), ("ize", "iz"), ("ise", "iz"),
    ("ations", ""), ("ation", ""), ("ating", ""), ("ated", ""), ("ates", ""), ("ators", ""), ("ator", ""),
    ("ative", ""), ("ate", ""),
    ("ments", ""), ("ment", ""), ("ings", ""), ("ing", ""), ("ions", ""), ("ion", ""), ("ies", "y"),
    ("ers", ""), ("er", ""), ("ed", ""), ("es", ""), ("al", ""), ("ly", ""), ("e", ""), ("s", ""),
)  # fmt: skip


def word_set(text: str) -> frozenset[str]:
    """Return the set of the words in a list that is written as text, separated by white space."""
    return frozenset(text.split())


STOP_WORDS: Final = word_set(
    """
    a an and any are as at be been being between both but by can do does during each either every for from had
    has have how if in instead into is it its just kind level made makes making more most no not of off on only
    onto or other our out over own per rather same so some step such than that the their them then there these
    they this those through to under up upon use used uses using via vs was we were what when where whether
    which while who whose will with within would
    """
)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return a word's rough stem of at least three letters: "normalization" and "normalize" have the same one."""
    word = word.lower()
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: len(word) - len(ending)] + instead
    return word


def words(text: str) -> list[str]:
    """Return the words of a text in order, as written; "CrossAttention" counts as two."""
    return [part for word in _WORD.findall(text) for part in _HUMP.split(word)]


def stems(text: str) -> tuple[str, ...]:
    """Return the stems of the words of a text, without stop words, in order."""
    return tuple(stem(word) for word in words(text) if word.lower() not in STOP_WORDS)


def spell_out(text: str, other: str) -> str:
    """Replace acronyms of a text by their words in the other text ("GCN" by "graph convolutional network")."""
    acronyms = {word for word in words(text) if 2 <= len(word) <= 6 and word.isupper()}
    if not acronyms:
        return text
    spelt = words(other)
    initials = "".join(word[0] for word in spelt).upper()
    found = {a: " ".join(spelt[at : at + len(a)]) for a in acronyms if (at := initials.find(a)) >= 0}
    return " ".join(found.get(word, word) for word in words(text)) if found else text
