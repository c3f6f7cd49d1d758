"""Measure how similar two ablations are, and group the ablations that are the same study.

Texts are compared by the stems of their words. Two ablations match by the rule of AblationBench (arXiv 2507.08038):
they have the same ablated part, compatible actions and, for REPLACE and ADD, a common replacement. The rule for groups
is stricter, since it is worse to join two different studies than to miss a pair. `SURENESS` tells how many joins are
right. Opposites, such as "inner" and "outer", are never in one group.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain, combinations, permutations, product, starmap
from math import fsum
from typing import Final

from planner.schema import Ablation, Action

_WORD: Final = re.compile(r"[^\W_]+(?:\.\d+)?")
_CASE_BOUNDARY: Final = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_ENDINGS: Final = (
    ("ization", "iz"), ("isation", "iz"), ("izing", "iz"), ("ising", "iz"), ("ized", "iz"), ("ised", "iz"),
    ("izer", "iz"), ("iser", "iz"), ("ize", "iz"), ("ise", "iz"),
    ("ations", ""), ("ation", ""), ("ating", ""), ("ated", ""), ("ates", ""), ("ators", ""), ("ator", ""),
    ("ative", ""), ("ate", ""),
    ("ments", ""), ("ment", ""), ("ings", ""), ("ing", ""), ("ions", ""), ("ion", ""), ("ies", "y"),
    ("ers", ""), ("er", ""), ("ed", ""), ("es", ""), ("al", ""), ("ly", ""), ("e", ""), ("s", ""),
)  # fmt: skip
_COMMON_WEIGHT: Final = 0.3

_GREEK: Final = re.compile("[α-ωΑ-Ω]")
GREEK_NAMES: Final = {
    letter: unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda")
    for letter in "αβγδεζηθικλμνξοπρςστυφχψω"
}

# Words of a study's name that say nothing about the part, as in "Ablation Study 2".
STUDY_WORDS: Final = re.compile(
    r"\b(?:ablat\w*|stud(?:y|ies)|analysis|effects?|impact|role|importance|remov\w*|replac\w*|add(?:ing)?|w/o|without|"
    r"no|vs|versus|comparison|sensitivity|[A-Z]|\d+)\b",
    re.I,
)
_MIN_REPLACEMENT_OVERLAP: Final = 0.5
REMOVAL_WORDS: Final = r"no|none|without|w/o|remov\w*|absen\w*|disabl\w*|drop(?:ped|ping)?|omit\w*|exclud\w*|skip\w*"
_REMOVAL: Final = re.compile(
    rf"\b(?:{REMOVAL_WORDS})\b"
    r"|\bzero\b(?![- ](?:shot|init))"
    r"|(?:^|=\s*)0(?:\.0+)?(?![\w.])",
    re.I,
)
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?=\s?(%)|(?!\.?\d))", re.I)
_WORD_GAP: Final = re.compile(r"\s+|(?<=\w)-(?=[a-z])|(?<=\d)[x×](?=\d)", re.I)
# "1 × 10−3", "10^{-3}", and "10−3" from a PDF; then "16k" and "16,000".
_POWER: Final = re.compile(
    r"(?:(?<![\w.])(\d+(?:\.\d+)?)\s?(?:[×x*·]|\\times|\\cdot)\s?|(?<![\w.]))"
    r"10\s?(?:\^\s?\{?\s?|(?=−\d(?!\d))|(?:(?<=[×x*·]10)|(?<=[×x*·] 10))(?=[–-]\d))"
    r"([−–-]?)\s?(\d{1,2})(?!\.?\d)\}?"
)
_THOUSANDS: Final = re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)(?:\s?[kK](?!\w)|((?:,000)+)(?!,?\d))")
_NUMBER_WORDS: Final = {"single": "1", "one": "1", "two": "2", "three": "3", "four": "4", "half": "0.5"}

SURE_SIMILARITY: Final = 0.6
"""Any two ablations in a group have at least this similarity, from 0 to 1."""
_SURE_OVERLAP: Final = 0.7  # of replacements; at 0.5, "average pooling" and "random pooling" would be the same

# Groups of words or of their beginnings. A text changes its meaning if a word is replaced by another of its group.
_OPPOSITES: Final = """
    inner outer, local global, left right, for back, upper lower, top bottom, up down, over under, early late,
    first second third fourth last, high low, small large, long short, hard soft, static dynamic, on off, in out,
    in ex, im ex, in de, en de, intra inter, pre post, before after, min max, source target, teacher student,
    train test, query key value, single multi, single multiple, uni bi, uni multi, homo hetero, micro macro,
    positive negative, row column, horizontal vertical, shallow deep, sparse dense, discrete continuous,
    fixed learned, spatial temporal, frozen trainable
"""
_OPPOSITE_PAIRS: Final = [pair for group in _OPPOSITES.split(",") for pair in permutations(group.split(), 2)]
# "No" is left out, since replacements use it for the things that they remove.
_NEGATIONS: Final = frozenset({"non", "un", "anti", "semi", "not", "without"})
_NEGATIVE_PREFIX: Final = re.compile(r"non(?=\w\w)|(?:un|in|im|ir|il|anti|dis|mis|semi)(?=\w{4})|a(?=\w{6})")
_HYPHENATED_PREFIX: Final = re.compile(r"\b(on|off|in|out|up|down|pre|post|intra|inter|uni|bi)[-‐‑](?:of[-‐‑])?", re.I)

SURENESS: Final = "Of 120 joins of ablations in published plans, 116 are right (97 %; 95 % interval: 92 to 99 %)."
"""The share of joins that are right, with its 95 % interval. The joins that were read are in tests/matching."""

# Far above any plan that a prompt asks for; comparing the whole of a hostile plan could take hours.
MAX_ABLATIONS: Final = 40
_MAX_REPLACEMENTS: Final = 10
_MAX_CHARS: Final = 300

Place = tuple[int, int]
"""The place of an ablation: (index of its plan, index of the ablation in this plan)."""


def split_into_word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set. Words are separated by white space."""
    return frozenset(text.split())


STOP_WORDS: Final = split_into_word_set(
    """
    a an and any are as at be been being between both but by can do does during each either every for from had
    has have how if in instead into is it its just kind level made makes making more most no not of off on only
    onto or other our out over own per rather same so some step such than that the their them then there these
    they this those through to under up upon use used uses using via vs was we were what when where whether
    which while who whose will with within would
    """
)


@lru_cache(maxsize=65536)
def stem_word(word: str) -> str:
    """Return a rough stem of a word, such as "normaliz" for both "normalization" and "normalize"."""
    word = word.lower()
    for ending, new_ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: len(word) - len(ending)] + new_ending
    return word


def split_words(text: str) -> list[str]:
    """Return the words of a text in order. "CrossAttention" counts as two words."""
    return [part for word in _WORD.findall(text) for part in _CASE_BOUNDARY.split(word)]


def extract_stems(text: str) -> tuple[str, ...]:
    """Return the stems of a text's words in order, without stop words."""
    return tuple(chain.from_iterable(map(_extract_word_stems, _WORD.findall(text))))


def extract_stem_set(text: str) -> frozenset[str]:
    """Return the stems of a text's words as a set, without stop words."""
    return frozenset(chain.from_iterable(map(_extract_word_stems, set(_WORD.findall(text)))))


def shorten_stems_to_word_beginnings(stems: Iterable[str]) -> list[str]:
    """Return for each stem the letters with which all words of this stem begin: "normal" for "normaliz"."""
    return [stem.removesuffix("iz").removesuffix("y") for stem in stems]


@lru_cache(maxsize=65536)
def _extract_word_stems(word: str) -> tuple[str, ...]:
    return tuple(stem_word(part) for part in _CASE_BOUNDARY.split(word) if part.lower() not in STOP_WORDS)


def spell_greek(text: str) -> str:
    """Replace Greek letters by their names, such as "λ" by "lambda"."""
    return text if text.isascii() else _GREEK.sub(lambda letter: f" {GREEK_NAMES[letter[0].lower()]} ", text)


def expand_acronyms(text: str, other_text: str) -> str:
    """Replace acronyms by words with these initials in `other_text` ("GCN" by "graph convolutional network")."""
    acronyms = {word for word in split_words(text) if 2 <= len(word) <= 6 and word.isupper()}
    if not acronyms:
        return text
    other_words = split_words(other_text)
    initials = "".join(word[0] for word in other_words).upper()
    expansions = {
        acronym: " ".join(other_words[at : at + len(acronym)])
        for acronym in acronyms
        if (at := initials.find(acronym)) >= 0
    }
    return " ".join(expansions.get(word, word) for word in split_words(text)) if expansions else text


# Words that many parts share, so they say little about which part is meant.
COMMON_STEMS: Final = frozenset(
    extract_stems(
        """
        module modules mechanism strategy component components method methods model models network networks layer layers
        block unit feature features representation data function approach technique process framework architecture
        system proposed term parameter parameters hyperparameter value values number size setting different learning
        training trained input output based standard full design choice part step stage information
        """
    )
)


def compute_ablation_similarity(ablation: Ablation, other: Ablation) -> float:
    """Return the similarity of two ablations, from 0 to 1. It is 0 if their actions or replacements do not match."""
    return compute_ablated_part_similarity(ablation, other) if has_same_action_and_replacement(ablation, other) else 0.0


def compute_ablated_part_similarity(ablation: Ablation, other: Ablation) -> float:
    """Return the similarity of two ablated parts, from 0 to 1. The names of the ablations are compared too."""
    part, other_part = ablation.ablated_part, other.ablated_part
    name, other_name = STUDY_WORDS.sub(" ", ablation.name), STUDY_WORDS.sub(" ", other.name)
    parts = compute_stem_overlap(part, other_part)
    pairs = ((name, other_name), (name, other_part), (part, other_name))
    names = max(starmap(compute_stem_overlap, pairs))
    return max(parts, (parts + names) / 2)


def compute_stem_overlap(text_a: str, text_b: str) -> float:
    """Return the cosine similarity of two texts' stems, from 0 to 1. Stems in `COMMON_STEMS` weigh less."""
    stems_a = set(extract_stems(expand_acronyms(text_a, text_b)))
    stems_b = set(extract_stems(expand_acronyms(text_b, text_a)))
    mean_weight = (_sum_weights(stems_a) * _sum_weights(stems_b)) ** 0.5
    return min(1.0, _sum_weights(stems_a & stems_b) / mean_weight) if mean_weight else 0.0


def _sum_weights(stems: Iterable[str]) -> float:
    return fsum(_COMMON_WEIGHT if stem in COMMON_STEMS else 1.0 for stem in stems)  # exact in any order


def _is_removal(ablation: Ablation) -> bool:
    return ablation.action is Action.REMOVE or any(_REMOVAL.search(item) for item in ablation.replacement)


def is_same_replacement(text_a: str, text_b: str, min_overlap: float = _MIN_REPLACEMENT_OVERLAP) -> bool:
    """Return whether two replacements seem the same. Their numbers and the overlap of their stems decide."""
    numbers_a, numbers_b = extract_number_set(text_a), extract_number_set(text_b)
    if numbers_a and numbers_b:
        if not numbers_a & numbers_b:
            return False
        if is_mostly_number(text_a) or is_mostly_number(text_b):
            return True
    return compute_stem_overlap(text_a, text_b) >= min_overlap


def has_same_action_and_replacement(
    ablation: Ablation, other: Ablation, are_replacements_same: Callable[[str, str], bool] = is_same_replacement
) -> bool:
    """Return whether two ablations both remove something, or have the same action and a common replacement.

    A replacement such as "none" counts as a removal. `are_replacements_same` compares two replacements.
    """
    if ablation.action is not other.action and Action.REMOVE not in (ablation.action, other.action):
        return False
    if _is_removal(ablation) and _is_removal(other):
        return True
    pairs = product(ablation.replacement, other.replacement)
    return ablation.action is other.action and any(starmap(are_replacements_same, pairs))


def extract_number_set(text: str) -> frozenset[float]:
    """Return the numbers in a text as a set."""
    return frozenset(extract_numbers(text))


def extract_numbers(text: str) -> list[float]:
    """Return the numbers in a text in order, such as 0.25 for "25%", 1 for "single" and 16000 for "16k"."""
    text = _THOUSANDS.sub(_write_thousands, _POWER.sub(_write_power, text))
    written = " ".join(_NUMBER_WORDS.get(word.lower(), word) for word in _WORD_GAP.split(text))
    return [float(m[0]) / (100 if m[1] else 1) for m in _NUMBER.finditer(written)]


def _write_power(power: re.Match[str]) -> str:
    return f"{power[1] or 1}e{'-' if power[2] else ''}{power[3]}"


def _write_thousands(number: re.Match[str]) -> str:
    return f"{number[1]}e{3 if number[2] is None else 3 * number[2].count(',')}"


@lru_cache(maxsize=4096)
def is_mostly_number(text: str) -> bool:
    """Return whether a text is little more than a number, such as "0.1" or "4 heads"."""
    numbers = extract_number_set(text)
    return bool(numbers) and len(split_words(text)) <= len(numbers) + 2


def group_ablations(plans: Sequence[Sequence[Ablation]]) -> tuple[tuple[Place, ...], ...]:
    """Group the ablations that are the same study in several plans for one paper.

    A group holds the places of its ablations, at most one from each plan. The most similar ablations are joined first.
    An ablation that is like no other is alone in its group. To limit the time, at most 40 ablations per plan,
    10 replacements per ablation and 300 characters per text are compared.
    """
    places = [(number, index) for number, plan in enumerate(plans) for index in range(len(plan))]
    groups: dict[Place, tuple[Place, ...]] = {place: (place,) for place in places}
    similarities = _compute_similarities(plans)
    for a, b in sorted(similarities, key=lambda pair: (-similarities[pair], pair)):
        left, right = groups[a], groups[b]
        if all((min(pair), max(pair)) in similarities for pair in product(left, right)):
            joined = tuple(sorted((*left, *right)))
            groups.update(dict.fromkeys(joined, joined))
    return tuple(dict.fromkeys(groups.values()))


def _compute_similarities(plans: Sequence[Sequence[Ablation]]) -> dict[tuple[Place, Place], float]:
    """Return the similarity of each pair of ablations in different plans that may share a group."""
    shortened = [[_shorten_ablation(ablation) for ablation in plan[:MAX_ABLATIONS]] for plan in plans]
    return {
        ((a, i), (b, j)): similarity
        for (a, left), (b, right) in combinations(enumerate(shortened), 2)
        for (i, x), (j, y) in product(enumerate(left), enumerate(right))
        if _has_letters(x.ablated_part) and _has_letters(y.ablated_part)
        if (similarity := compute_ablation_similarity(x, y)) >= SURE_SIMILARITY and _is_surely_same(x, y)
    }


def _is_surely_same(a: Ablation, b: Ablation) -> bool:
    """Return whether two similar ablations have compatible actions, and no opposites in their texts."""
    texts = (f"{ablation.ablated_part} {STUDY_WORDS.sub(' ', ablation.name)}" for ablation in (a, b))
    return (
        has_same_action_and_replacement(a, b, _is_surely_same_replacement)
        and not _have_opposite_words(a.ablated_part, b.ablated_part)
        and not _have_opposite_words(*texts)
    )


def _is_surely_same_replacement(text_a: str, text_b: str) -> bool:
    return is_same_replacement(text_a, text_b, _SURE_OVERLAP) and not _have_opposite_words(text_a, text_b)


def _have_opposite_words(text_a: str, text_b: str) -> bool:
    """Return whether two texts differ by a pair of opposites, such as "inner" and "outer"."""
    words_a, words_b = _collect_signed_words(text_a), _collect_signed_words(text_b)
    return _has_opposite(words_a, words_b) or _has_opposite(words_b, words_a)


def _has_opposite(words: frozenset[str], other_words: frozenset[str]) -> bool:
    stems, other_stems = set(map(stem_word, words)), set(map(stem_word, other_words))
    own = [word for word in words if stem_word(word) not in other_stems]
    return any(_list_opposite_stems(word) & (other_stems - stems) for word in own)


@lru_cache(maxsize=4096)
def _list_opposite_stems(word: str) -> frozenset[str]:
    """Return stems of the possible opposites of a word, such as "decod" for "encoder". Some are no real words."""
    opposites = [other + word.removeprefix(own) for own, other in _OPPOSITE_PAIRS if word.startswith(own)]
    if prefix := _NEGATIVE_PREFIX.match(word):
        opposites.append(word[prefix.end() :])
    return frozenset(map(stem_word, opposites))


@lru_cache(maxsize=4096)
def _collect_signed_words(text: str) -> frozenset[str]:
    """Return the words of a text in lower case, without stop words. "not shared" becomes the word "nonshared"."""
    words, prefix = set(), ""
    joined = _HYPHENATED_PREFIX.sub(r"\1", text)
    for word in map(str.lower, split_words(f"{text} {joined}".replace("w/o", "without"))):
        if word in _NEGATIONS:
            prefix = "non"
        elif word not in STOP_WORDS:
            words.add(prefix + word)
            prefix = ""
    return frozenset(words)


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _shorten_ablation(ablation: Ablation) -> Ablation:
    name, part = ablation.name[:_MAX_CHARS], ablation.ablated_part[:_MAX_CHARS]
    replacement = tuple(item[:_MAX_CHARS] for item in ablation.replacement[:_MAX_REPLACEMENTS])
    return ablation.model_copy(update={"name": name, "ablated_part": part, "replacement": replacement})
