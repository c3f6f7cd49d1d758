"""The blocks of a Markdown text, by a CommonMark parser that leaves alone what is in them."""

from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock


def _paragraph(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """The rule for lines that all begin with a letter: nothing but a paragraph begins so, and nothing ends one so.

    Asked before the others, it spares most of a paper their eleven looks at each block. Its token has no content.
    """
    if silent or state.parentType != "root" or state.is_code_block(first):
        return False
    line = first
    while line < end and not state.isEmpty(line):
        if not state.src[state.bMarks[line] + state.tShift[line]].isalpha():
            return False
        line += 1
    state.line = line
    state.push("paragraph", "p", 0).map = [first, line]
    return True


def _blocks() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table").disable(["normalize", "inline", "text_join"])
    parser.block.ruler.before("table", "words", _paragraph)
    return parser


BLOCKS: Final = _blocks()
"""Parses clean text, in which lines end with a line feed; tokens have their lines in `map`."""
