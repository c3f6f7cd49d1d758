"""Finds the abstract: under its heading, run into its first line, or as the prose before the introduction."""

import re
from collections.abc import Sequence
from typing import Final

from planner.papers.paper import Block, BlockKind, Section, SectionKind

_RUN_IN: Final = re.compile(r"^(?:abstract|summary)\s*[.:—–\-]+\s*(?=\S)|^abstract\s+(?=[A-Z])", re.I)
_AFTER: Final = re.compile(
    r"^(?:keywords?|key\s?words|index terms|ccs concepts|acm reference|categories and subject|general terms|copyright"
    r"|©|\*?\s*(?:equal contribution|corresponding author|work done)|code (?:is )?available|correspondence to"
    r"|proceedings of|editors?:)",
    re.I,
)
_LEAST_WORDS: Final = 40


def find_abstract(sections: Sequence[Section]) -> str:
    """The abstract's text, "" where the paper has none that can be told."""
    for section in sections:
        if section.kind is SectionKind.ABSTRACT:
            return _leading_prose(section.blocks)
    front = [block for section in sections[:1] if section.level == 0 for block in section.blocks]
    for at, block in enumerate(front):
        start = _RUN_IN.match(block.text)
        if start:
            rest = Block(block.kind, block.text[start.end() :])
            return _leading_prose([rest, *front[at + 1 :]])
    return _longest(front)


def _leading_prose(blocks: Sequence[Block]) -> str:
    """The paragraphs up to the first that belongs to something else."""
    kept: list[str] = []
    for block in blocks:
        if block.kind is not BlockKind.PROSE:
            continue
        if _AFTER.match(block.text):
            break
        kept.append(block.text)
    return "\n\n".join(kept)


def _longest(blocks: Sequence[Block]) -> str:
    """The longest paragraph before the first heading, where it is long enough to be an abstract."""
    prose = [block.text for block in blocks if block.kind is BlockKind.PROSE]
    longest = max(prose, key=len, default="")
    return longest if len(longest.split()) >= _LEAST_WORDS else ""
