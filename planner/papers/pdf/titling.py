"""Find the title of a paper on its first page: the largest type that is no banner, stamp or drop cap."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from planner.papers.pdf.hyphens import Vocabulary, joined
from planner.papers.pdf.lines import Line

_SAME_SIZE: Final = 0.06
_LEADING: Final = 2.2
_LEAST_LETTERS: Final = 4
_LIKENESS: Final = 0.75
_BANNER: Final = re.compile(
    r"^(?:proceedings of|published (?:as|in|at)|under review|accepted (?:at|to|by|for)|preprint\b|submitted to"
    r"|journal of|transactions on|workshop (?:on|at)|contents lists available|article$|research article"
    r"|original (?:article|paper)|technical report|openreview|arxiv:|ieee (?:transactions|access)|vol(?:ume|\.)\s*\d"
    r"|(?:graphical )?abstract$|highlights$|supplementary material$)",
    re.I,
)
_CITATION: Final = re.compile(r"\b(?:vol|no|pp)\.\s*\d", re.I)  # a journal's banner cites the paper itself
_LETTERS: Final = re.compile(r"[^\W\d_]")
_NO_WORD: Final = re.compile(r"\W+")


def find_title(lines: Sequence[Line], declared: str, words: Vocabulary) -> tuple[str, tuple[Line, ...]]:
    """Return the title and its lines on the first page, or ("", ()) if nothing there looks like a title.

    The title in the file's metadata only serves to choose between groups of large type.
    """
    groups = [group for group in _groups(lines) if _could_be_title(group)]
    if not groups:
        return "", ()
    best = max(groups, key=lambda group: (round(group[0].size, 1), group[0].y))
    texts = [joined([line.bare for line in group], words) for group in groups]
    like = [(group, _likeness(text, declared)) for group, text in zip(groups, texts, strict=True)]
    closest, likeness = max(like, key=lambda pair: pair[1])
    if likeness >= _LIKENESS and closest[0].size >= 0.6 * best[0].size:
        best = closest
    return joined([line.bare for line in best], words), tuple(best)


def _groups(lines: Sequence[Line]) -> list[list[Line]]:
    """Return groups of lines of one type that stand close below each other."""
    level = sorted((line for line in lines if not line.turned), key=lambda line: -line.y)
    if not level:
        return []
    groups = [[level[0]]]
    for before, line in pairwise(level):
        same = abs(line.size - before.size) <= _SAME_SIZE * before.size and line.bold == before.bold
        near = before.y - line.y <= _LEADING * before.size
        if same and near:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _could_be_title(group: Sequence[Line]) -> bool:
    text = " ".join(line.text for line in group).strip()
    banner = _BANNER.match(text) or _CITATION.search(text)
    return len(_LETTERS.findall(text)) >= _LEAST_LETTERS and not banner


def _likeness(text: str, declared: str) -> float:
    """Return the share of letters that two titles have in the same order, or 0 if it is too small to count."""
    if len(declared) < 2 * _LEAST_LETTERS:
        return 0.0
    one, other = (_NO_WORD.sub("", each.casefold()) for each in (text, declared))
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio)  # rules out paragraphs cheaply
    return matcher.ratio() if all(bound() >= _LIKENESS for bound in bounds) else 0.0
