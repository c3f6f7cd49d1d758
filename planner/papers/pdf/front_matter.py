"""Find the title and the abstract of a paper.

The title is the text in the largest type on the first page; banners, stamps and large initials do not count. The
abstract follows its heading or a label such as "Abstract:". If there is neither, it is the longest early paragraph.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Final

from planner.papers.headings import classify_heading
from planner.papers.paper import Block, BlockKind, SectionKind
from planner.papers.pdf.lines import Line, measure_body_style
from planner.papers.pdf.outline import PrintedHeading, find_line_range_under_each_heading, fold_to_alphanumerics
from planner.papers.pdf.paragraphs import BlockBuilder, Vocabulary, join_lines

_SIZE_TOLERANCE: Final = 0.06
_CAPITALS_TOLERANCE: Final = 0.27  # in a line of small capitals, most letters are smaller
_MAX_LINE_DISTANCE: Final = 2.2
_UNFINISHED: Final = re.compile(
    r"(?:[:,&\u2013-]|\b(?:a|an|and|as|at|by|for|from|in|of|on|or|the|to|via|with))\s*$", re.I
)
_TITLE_END: Final = frozenset({SectionKind.ABSTRACT, SectionKind.INTRODUCTION})
_MAX_OPEN_GROUPS: Final = 4
_MIN_TITLE_WORDS: Final = 3  # logos have fewer
_MIN_SIZE_SHARE: Final = 0.5  # of the type size of a logo
_TITLE_SHARE: Final = 1.25  # of the type size of running text
_MAX_SUBTITLE_DISTANCE: Final = 1.5
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


def find_title_lines(first_page_lines: Sequence[Line], metadata_title: str, vocabulary: Vocabulary) -> list[Line]:
    """Return the lines of the title, or [] if the first page has no title.

    If a text in large type is like the title in the PDF's metadata, that text is the title.
    """
    groups = [
        group for group in _group_lines_by_type(_select_top_lines(first_page_lines)) if _is_title_candidate(group)
    ]
    if not groups:
        return []
    best = _choose_group(groups, _TITLE_SHARE * measure_body_style(first_page_lines).font_size)
    texts = [join_lines([line.bare_text for line in group], vocabulary) for group in groups]
    candidates = [(group, _measure_likeness(text, metadata_title)) for group, text in zip(groups, texts, strict=True)]
    closest, likeness = max(candidates, key=lambda pair: pair[1])
    if likeness >= _MIN_LIKENESS and closest[0].size >= 0.6 * best[0].size:
        best = closest
    return best


def _choose_group(groups: Sequence[list[Line]], min_size: float) -> list[Line]:
    """Return the lines of the title: the group in the largest type, or another group if that one is a logo or a label.

    `groups` are sorted from the top down. The type of another group must have at least the size `min_size`.
    """

    def rank_group(group: Sequence[Line]) -> tuple[float, float]:
        return round(group[0].size, 1), group[0].y

    best = max(groups, key=rank_group)
    place = groups.index(best)
    is_logo = _count_words(best) < _MIN_TITLE_WORDS
    rivals = [
        group
        for at, group in enumerate(groups)
        if group[0].size >= max(_MIN_SIZE_SHARE * best[0].size, min_size)
        and _count_words(group) >= _MIN_TITLE_WORDS
        and not _is_list_of_names(group)
        and (is_logo or any(between[0].size < group[0].size for between in groups[at:place]))
    ]
    if group := max(rivals, key=rank_group, default=None):
        is_subtitle = is_logo and 0 < best[-1].y - group[0].y <= _MAX_SUBTITLE_DISTANCE * best[-1].size
        return best + group if is_subtitle else group
    return best


def _is_list_of_names(group: Sequence[Line]) -> bool:
    """Return whether lines may list authors: no word begins with a small letter, except "and"."""
    words = " ".join(line.bare_text for line in group).split()
    is_list = any(word == "and" or word.endswith((",", ".")) for word in words)
    return is_list and all(word == "and" or not word[0].islower() for word in words)


def _count_words(group: Sequence[Line]) -> int:
    return sum(len(line.text.split()) for line in group)


def _select_top_lines(lines: Sequence[Line]) -> list[Line]:
    """Return the lines of a page from the top down to the heading of the abstract or the introduction."""
    upright = sorted((line for line in lines if not line.is_rotated), key=lambda line: -line.y)
    ends = (at for at, line in enumerate(upright) if at and classify_heading(line.bare_text) in _TITLE_END)
    return upright[: next(ends, len(upright))]


def _group_lines_by_type(lines: Sequence[Line]) -> list[list[Line]]:
    """Return groups of lines that have the same type and are close together; `lines` are sorted from the top down."""
    groups: list[list[Line]] = []
    for line in lines:
        group = next((group for group in reversed(groups[-_MAX_OPEN_GROUPS:]) if _is_continued(group[-1], line)), None)
        if group:
            group.append(line)
        else:
            groups.append([line])
    return groups


def _is_continued(before: Line, line: Line) -> bool:
    """Return whether a line has the type of the line before and is close below it, as in one title."""
    growth = (line.size - before.size) / before.size
    is_same_size = -_SIZE_TOLERANCE <= growth <= (_CAPITALS_TOLERANCE if before.text.isupper() else _SIZE_TOLERANCE)
    is_near = 0 <= before.y - line.y <= _MAX_LINE_DISTANCE * before.size
    is_same_type = line.bold == before.bold or bool(_UNFINISHED.search(before.text))
    return is_same_size and is_near and is_same_type and line.x0 < before.x1 and before.x0 < line.x1


def _is_title_candidate(group: Sequence[Line]) -> bool:
    text = " ".join(line.text for line in group).strip()
    is_banner = _BANNER.match(text) or _CITATION.search(text)
    return len(_LETTERS.findall(text)) >= _MIN_LETTERS and not is_banner


def _measure_likeness(text: str, metadata_title: str) -> float:
    """Return the share of letters that two titles have in common, from 0 to 1; a small share counts as 0."""
    if len(metadata_title) < 2 * _MIN_LETTERS:
        return 0.0
    letters, metadata_letters = fold_to_alphanumerics(text), fold_to_alphanumerics(metadata_title)
    matcher = SequenceMatcher(None, letters, metadata_letters, autojunk=False)
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio)  # rule out paragraphs cheaply
    return matcher.ratio() if all(bound() >= _MIN_LIKENESS for bound in bounds) else 0.0


def find_abstract(headings: Sequence[PrintedHeading], block_builder: BlockBuilder) -> str:
    """Return the text of the abstract, or "" if there is none."""
    lines = block_builder.lines
    for heading, below in zip(headings, find_line_range_under_each_heading(headings, len(lines)), strict=True):
        if classify_heading(heading.text) is SectionKind.ABSTRACT:
            end = below.start + _count_same_width_lines(lines[below.start : below.stop])
            return _join_leading_prose(block_builder.build_blocks(below.start, end))
    front = block_builder.build_blocks(0, headings[0].line_indices.start if headings else len(lines))
    for at, block in enumerate(front):
        if label := _ABSTRACT_LABEL.match(block.text):
            rest = Block(block.kind, block.text[label.end() :])
            return _join_leading_prose([rest, *front[at + 1 :]])
    return _find_longest_prose(front)


def _count_same_width_lines(lines: Sequence[Line]) -> int:
    """Return the number of lines before the first line that is wider on both sides than the lines above it."""
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
    """Return the prose before the first paragraph that cannot be part of an abstract, such as the keywords."""
    prose = (block.text for block in blocks if block.kind is BlockKind.PROSE)
    return "\n\n".join(takewhile(lambda text: not _NOT_ABSTRACT.match(text), prose))


def _is_prose(text: str) -> bool:
    """Return whether a paragraph is prose: most of its words begin with a small letter, unlike those of names."""
    words = text.split()
    return sum(word[0].islower() for word in words) >= _LOWER_CASE_SHARE * len(words)


def _find_longest_prose(blocks: Sequence[Block]) -> str:
    """Return the longest paragraph of prose, or "" if all are too short for an abstract."""
    prose = [block.text for block in blocks if block.kind is BlockKind.PROSE and not _NOT_ABSTRACT.match(block.text)]
    longest = max((text for text in prose if _is_prose(text)), key=len, default="")
    return longest if len(longest.split()) >= _MIN_ABSTRACT_WORDS else ""
