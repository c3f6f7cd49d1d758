"""Find a paper's abstract: under its heading, behind a label in its first line, or as the longest early paragraph."""

import re
from collections.abc import Sequence
from typing import Final

from planner.papers.headings import section_kind
from planner.papers.paper import Block, BlockKind, SectionKind
from planner.papers.pdf.captions import Part
from planner.papers.pdf.headline import Headline, spans
from planner.papers.pdf.hyphens import Vocabulary
from planner.papers.pdf.lines import Line
from planner.papers.pdf.paragraphs import blocks_of
from planner.papers.pdf.setting import Setting

_RUN_IN: Final = re.compile(r"^(?:abstract|summary)\s*[.:—–\-]+\s*(?=\S)|^abstract\s+(?=[A-Z])", re.I)
_AFTER: Final = re.compile(
    r"^(?:keywords?|key\s?words|index terms|ccs concepts|acm reference|categories and subject|general terms|copyright"
    r"|©|\*?\s*(?:equal contribution|corresponding author|work done)|code (?:is )?available|correspondence to"
    r"|contents$|[∗†‡§]\s*\w|proceedings of|editors?:"
    r"|permission to make|acm isbn|authors?['’]s? address|this work is licensed)",
    re.I,
)
_LEAST_WORDS: Final = 40
_SMALL: Final = 0.6  # of the words of prose begin with a small letter; in lists of authors and places few do


def find_abstract(
    lines: Sequence[Line],
    headlines: Sequence[Headline],
    parts: Sequence[Part],
    setting: Setting,
    words: Vocabulary,
) -> str:
    """Return the abstract's text, or "" if none is found."""
    for headline, start, end in spans(headlines, len(lines)):
        if section_kind(headline.text) is SectionKind.ABSTRACT:
            end = start + _same_setting(lines[start:end])
            return _leading_prose(blocks_of(lines[start:end], parts[start:end], setting, words))
    first = headlines[0].at if headlines else len(lines)
    front = blocks_of(lines[:first], parts[:first], setting, words)
    for at, block in enumerate(front):
        start_of = _RUN_IN.match(block.text)
        if start_of:
            rest = Block(block.kind, block.text[start_of.end() :])
            return _leading_prose([rest, *front[at + 1 :]])
    return _longest(front)


def _same_setting(lines: Sequence[Line]) -> int:
    """Return the number of lines before the text widens on both sides: an abstract is often set narrower."""
    for at in range(3, len(lines)):
        above, line = lines[:at], lines[at]
        em = line.size
        same_column = [
            other for other in above if other.page == line.page and other.x1 > line.x0 and other.x0 < line.x1
        ]
        if len(same_column) < 3:
            continue
        left, right = min(other.x0 for other in same_column), max(other.x1 for other in same_column)
        if line.x0 < left - 0.7 * em and line.x1 > right + 0.7 * em:
            return at
    return len(lines)


def _leading_prose(blocks: Sequence[Block]) -> str:
    """Return the paragraphs before the first that is no abstract, such as keywords or a copyright note."""
    kept: list[str] = []
    for block in blocks:
        if block.kind is not BlockKind.PROSE:
            continue
        if _AFTER.match(block.text):
            break
        kept.append(block.text)
    return "\n\n".join(kept)


def _is_said(text: str) -> bool:
    """Return whether a paragraph is prose rather than a list of authors and their places of work."""
    words = text.split()
    return sum(word[0].islower() for word in words) >= _SMALL * len(words)


def _longest(blocks: Sequence[Block]) -> str:
    """Return the longest paragraph of prose, or "" if it is too short for an abstract."""
    prose = [block.text for block in blocks if block.kind is BlockKind.PROSE and not _AFTER.match(block.text)]
    longest = max((text for text in prose if _is_said(text)), key=len, default="")
    return longest if len(longest.split()) >= _LEAST_WORDS else ""
