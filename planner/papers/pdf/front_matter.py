"""Find the title and the abstract of a paper.

The title is the largest type on the first page that is no banner, stamp or drop cap. The abstract stands under its
heading, behind a label in its first line, or is the longest early paragraph.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from planner.papers.headings import classify_heading
from planner.papers.paper import Block, BlockKind, SectionKind
from planner.papers.pdf.floats import LineKind
from planner.papers.pdf.lines import BodyStyle, Line
from planner.papers.pdf.outline import PrintedHeading, find_section_spans
from planner.papers.pdf.paragraphs import Vocabulary, build_blocks, join_lines

_SIZE_TOLERANCE: Final = 0.06
_MAX_LINE_DISTANCE: Final = 2.2
_MIN_LETTERS: Final = 4
_MIN_LIKENESS: Final = 0.75
_BANNER: Final = re.compile(
    r"^(?:proceedings of|published (?:as|in|at)|under review|accepted (?:at|to|by|for)|preprint\b|submitted to"
    r"|journal of|transactions on|workshop (?:on|at)|contents lists available|article$|research article"
    r"|original (?:article|paper)|technical report|openreview|arxiv:|ieee (?:transactions|access)|vol(?:ume|\.)\s*\d"
    r"|(?:graphical )?abstract$|highlights$|supplementary material$)",
    re.I,
)
_CITATION: Final = re.compile(r"\b(?:vol|no|pp)\.\s*\d", re.I)  # a journal's banner cites the paper itself
_LETTERS: Final = re.compile(r"[^\W\d_]")
_NON_WORD: Final = re.compile(r"\W+")
_ABSTRACT_LABEL: Final = re.compile(r"^(?:abstract|summary)\s*[.:—–\-]+\s*(?=\S)|^abstract\s+(?=[A-Z])", re.I)
_NOT_ABSTRACT: Final = re.compile(
    r"^(?:keywords?|key\s?words|index terms|ccs concepts|acm reference|categories and subject|general terms|copyright"
    r"|©|\*?\s*(?:equal contribution|corresponding author|work done)|code (?:is )?available|correspondence to"
    r"|contents$|[∗†‡§]\s*\w|proceedings of|editors?:"
    r"|permission to make|acm isbn|authors?['’]s? address|this work is licensed)",
    re.I,
)
_MIN_ABSTRACT_WORDS: Final = 40
_LOWER_CASE_SHARE: Final = 0.6  # of the words of prose; in lists of authors and places few begin with a small letter


def find_title(lines: Sequence[Line], metadata_title: str, vocabulary: Vocabulary) -> tuple[str, tuple[Line, ...]]:
    """Return the title and its lines on the first page, or ("", ()) if nothing there looks like a title.

    The title in the file's metadata only serves to choose between groups of large type.
    """
    groups = [group for group in _group_lines_by_type(lines) if _is_title_candidate(group)]
    if not groups:
        return "", ()
    best = max(groups, key=lambda group: (round(group[0].size, 1), group[0].y))
    texts = [join_lines([line.bare_text for line in group], vocabulary) for group in groups]
    candidates = [(group, _measure_likeness(text, metadata_title)) for group, text in zip(groups, texts, strict=True)]
    closest, likeness = max(candidates, key=lambda pair: pair[1])
    if likeness >= _MIN_LIKENESS and closest[0].size >= 0.6 * best[0].size:
        best = closest
    return join_lines([line.bare_text for line in best], vocabulary), tuple(best)


def _group_lines_by_type(lines: Sequence[Line]) -> list[list[Line]]:
    """Return groups of lines of one type that stand close below each other."""
    upright = sorted((line for line in lines if not line.is_rotated), key=lambda line: -line.y)
    if not upright:
        return []
    groups = [[upright[0]]]
    for before, line in pairwise(upright):
        is_same_type = abs(line.size - before.size) <= _SIZE_TOLERANCE * before.size and line.bold == before.bold
        is_near = before.y - line.y <= _MAX_LINE_DISTANCE * before.size
        if is_same_type and is_near:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _is_title_candidate(group: Sequence[Line]) -> bool:
    text = " ".join(line.text for line in group).strip()
    is_banner = _BANNER.match(text) or _CITATION.search(text)
    return len(_LETTERS.findall(text)) >= _MIN_LETTERS and not is_banner


def _measure_likeness(text: str, metadata_title: str) -> float:
    """Return the share of letters that two titles have in the same order, or 0 if it is too small to count."""
    if len(metadata_title) < 2 * _MIN_LETTERS:
        return 0.0
    letters, metadata_letters = (_NON_WORD.sub("", title.casefold()) for title in (text, metadata_title))
    matcher = SequenceMatcher(None, letters, metadata_letters, autojunk=False)
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio)  # rule out paragraphs cheaply
    return matcher.ratio() if all(bound() >= _MIN_LIKENESS for bound in bounds) else 0.0


def find_abstract(
    lines: Sequence[Line],
    headings: Sequence[PrintedHeading],
    line_kinds: Sequence[LineKind],
    body_style: BodyStyle,
    vocabulary: Vocabulary,
) -> str:
    """Return the abstract's text, or "" if none is found."""
    for heading, start, end in find_section_spans(headings, len(lines)):
        if classify_heading(heading.text) is SectionKind.ABSTRACT:
            end = start + _count_same_width_lines(lines[start:end])
            return _join_leading_prose(build_blocks(lines[start:end], line_kinds[start:end], body_style, vocabulary))
    first = headings[0].first_line if headings else len(lines)
    front = build_blocks(lines[:first], line_kinds[:first], body_style, vocabulary)
    for at, block in enumerate(front):
        if label := _ABSTRACT_LABEL.match(block.text):
            rest = Block(block.kind, block.text[label.end() :])
            return _join_leading_prose([rest, *front[at + 1 :]])
    return _find_longest_prose(front)


def _count_same_width_lines(lines: Sequence[Line]) -> int:
    """Return the number of lines before the text widens on both sides: an abstract is often set narrower."""
    for at in range(3, len(lines)):
        line = lines[at]
        margin = 0.7 * line.size
        column = [
            above for above in lines[:at] if above.page == line.page and line.x0 < above.x1 and above.x0 < line.x1
        ]
        if len(column) < 3:
            continue
        left, right = min(above.x0 for above in column), max(above.x1 for above in column)
        if line.x0 < left - margin and line.x1 > right + margin:
            return at
    return len(lines)


def _join_leading_prose(blocks: Sequence[Block]) -> str:
    """Return the paragraphs before the first that is no abstract, such as keywords or a copyright note."""
    paragraphs: list[str] = []
    for block in blocks:
        if block.kind is not BlockKind.PROSE:
            continue
        if _NOT_ABSTRACT.match(block.text):
            break
        paragraphs.append(block.text)
    return "\n\n".join(paragraphs)


def _is_prose(text: str) -> bool:
    """Return whether a paragraph is prose rather than a list of authors and their places of work."""
    words = text.split()
    return sum(word[0].islower() for word in words) >= _LOWER_CASE_SHARE * len(words)


def _find_longest_prose(blocks: Sequence[Block]) -> str:
    """Return the longest paragraph of prose, or "" if it is too short for an abstract."""
    prose = [block.text for block in blocks if block.kind is BlockKind.PROSE and not _NOT_ABSTRACT.match(block.text)]
    longest = max((text for text in prose if _is_prose(text)), key=len, default="")
    return longest if len(longest.split()) >= _MIN_ABSTRACT_WORDS else ""
