"""How alike two ablations are, under AblationBench's match rule read lexically.

The rule (arXiv 2507.08038): the same ablated part, an action that the other side allows, and for REPLACE and ADD at
least one replacement in common; when unclear, no match.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from planner.matching.words import stems, words
from planner.schema import Ablation, Action

# Words that many parts share and that tell little of which part is meant.
_COMMON: Final = frozenset(
    stems(
        """
    module modules mechanism strategy component components method model models network networks layer layers
    block unit feature features representation data function approach technique process framework architecture
    system proposed term parameter parameters hyperparameter value values number size setting different learning
    training trained input output based standard full design choice part step stage information
        """
    )
)
_COMMON_WEIGHT: Final = 0.3
_REMOVED: Final = re.compile(
    r"\b(?:no|none|without|w/o|remov\w*|absen\w*|disabl\w*|drop(?:ped|ping)?|omit\w*|exclud\w*|skip\w*|zero)\b"
    r"|^0(?:\.0+)?\b|=\s*0(?:\.0+)?\b",
    re.I,
)
_SAME_REPLACEMENT: Final = 0.5


def part_similarity(a: Ablation, b: Ablation) -> float:
    """From 0 to 1, how much two ablations seem to concern the same part; names count beside the parts."""
    parts = _overlap(stems(a.ablated_part), stems(b.ablated_part))
    crossed = max(_overlap(stems(a.name), stems(b.ablated_part)), _overlap(stems(a.ablated_part), stems(b.name)))
    named = _overlap(stems(a.name), stems(b.name))
    return max(parts, 0.5 * parts + 0.5 * max(crossed, named))


def _overlap(a: Sequence[str], b: Sequence[str]) -> float:
    """Weight of the common stems, against the geometric mean of what each side says."""
    left, right = set(a), set(b)
    whole = (_weight(left) * _weight(right)) ** 0.5
    return _weight(left & right) / whole if whole else 0.0


def _weight(said: Iterable[str]) -> float:
    return sum(_COMMON_WEIGHT if stem in _COMMON else 1.0 for stem in said)


def actions_agree(a: Ablation, b: Ablation) -> bool:
    """Whether what is done in one ablation is among the things done in the other."""
    if a.action is Action.REMOVE or b.action is Action.REMOVE:
        return _removes(a) and _removes(b)
    if a.action is not b.action:
        return False
    return (_removes(a) and _removes(b)) or any(_same(x, y) for x in a.replacement for y in b.replacement)


def _removes(ablation: Ablation) -> bool:
    return ablation.action is Action.REMOVE or any(_REMOVED.search(item) for item in ablation.replacement)


def _same(x: str, y: str) -> bool:
    numbers = _numbers(x), _numbers(y)
    if all(numbers):
        return bool(numbers[0] & numbers[1])
    left, right = stems(x), stems(y)
    return _overlap(left, right) >= _SAME_REPLACEMENT


def _numbers(text: str) -> frozenset[float]:
    """The numbers of a replacement that is little else than a number: "0.5", "λ = 0.5", "32 layers"."""
    found = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?", text.lower())
    return frozenset(map(float, found)) if found and len(words(text)) <= len(found) + 2 else frozenset()
