"""Measure the similarity of two ablations by their words, following AblationBench's match rule.

The rule (arXiv 2507.08038): the same ablated part, an action that the other side allows, and for REPLACE and ADD at
least one replacement in common; no match in doubt.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from planner.matching.words import spell_out, stems, words
from planner.schema import Ablation, Action

# Words that many parts share, so they say little about which part is meant.
_COMMON: Final = frozenset(
    stems(
        """
        module modules mechanism strategy component components method methods model models network networks layer layers
        block unit feature features representation data function approach technique process framework architecture
        system proposed term parameter parameters hyperparameter value values number size setting different learning
        training trained input output based standard full design choice part step stage information
        """
    )
)
_COMMON_WEIGHT: Final = 0.3

# Words of a study's name that say nothing about the part, as in "Ablation Study 2".
_NAMING: Final = re.compile(
    r"\b(?:ablat\w*|stud(?:y|ies)|analysis|effects?|impact|role|importance|remov\w*|replac\w*|add(?:ing)?|w/o|without|"
    r"no|vs|versus|comparison|sensitivity|[A-Z]|\d+)\b",
    re.I,
)
_SAME_REPLACEMENT: Final = 0.5
_REMOVED: Final = re.compile(
    r"\b(?:no|none|without|w/o|remov\w*|absen\w*|disabl\w*|drop(?:ped|ping)?|omit\w*|exclud\w*|skip\w*|zero)\b"
    r"|(?:^|=\s*)0(?:\.0+)?(?![\w.])",
    re.I,
)
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?=\s?(%)|(?![\d.]))", re.I)
_BETWEEN: Final = re.compile(r"\s+|(?<=\w)-(?=[a-z])|(?<=\d)[x×](?=\d)", re.I)
_NUMBER_WORDS: Final = {"single": "1", "one": "1", "two": "2", "three": "3", "four": "4", "half": "0.5"}


def part_similarity(a: Ablation, b: Ablation) -> float:
    """Return the similarity, from 0 to 1, of the parts that two ablations concern, by their parts and names."""
    parts = overlap(a.ablated_part, b.ablated_part)
    left, right = _NAMING.sub(" ", a.name), _NAMING.sub(" ", b.name)
    named = max(overlap(left, right), overlap(left, b.ablated_part), overlap(a.ablated_part, right))
    return max(parts, (parts + named) / 2)


def overlap(a: str, b: str) -> float:
    """Return the weight of the stems that two texts share over the geometric mean of their weights, from 0 to 1."""
    left, right = set(stems(spell_out(a, b))), set(stems(spell_out(b, a)))
    whole = (_weight(left) * _weight(right)) ** 0.5
    return min(1.0, _weight(left & right) / whole) if whole else 0.0


def actions_agree(a: Ablation, b: Ablation) -> bool:
    """Tell if two ablations take the same action, with at least one common replacement for REPLACE and ADD."""
    if a.action is Action.REMOVE or b.action is Action.REMOVE:
        return _removes(a) and _removes(b)
    if a.action is not b.action:
        return False
    return (_removes(a) and _removes(b)) or any(same_replacement(x, y) for x in a.replacement for y in b.replacement)


def _weight(said: Iterable[str]) -> float:
    return sum(_COMMON_WEIGHT if stem in _COMMON else 1.0 for stem in said)


def _removes(ablation: Ablation) -> bool:
    return ablation.action is Action.REMOVE or any(_REMOVED.search(item) for item in ablation.replacement)


def same_replacement(x: str, y: str) -> bool:
    """Tell if two replacements are the same: they share a number if both hold numbers, else most of their words."""
    left, right = _numbers(x), _numbers(y)
    if left and right:
        return bool(left & right) and (_is_value(x, left) or _is_value(y, right) or overlap(x, y) >= _SAME_REPLACEMENT)
    return overlap(x, y) >= _SAME_REPLACEMENT


def _numbers(text: str) -> frozenset[float]:
    """Return the numbers in a text; "25%" is 0.25 and "single" is 1."""
    written = " ".join(_NUMBER_WORDS.get(word.lower(), word) for word in _BETWEEN.split(text))
    return frozenset(float(m[0]) / (100 if m[1] else 1) for m in _NUMBER.finditer(written))


def _is_value(text: str, numbers: Sequence[float] | frozenset[float]) -> bool:
    return len(words(text)) <= len(numbers) + 2
