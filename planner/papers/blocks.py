"""A CommonMark parser for the blocks of a Markdown text; it does not parse the text within the blocks."""

from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock


def _paragraph(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Parse a paragraph whose lines all begin with a letter; no other block begins so or can interrupt it so.

    This rule runs first, so that most blocks skip the eleven other rules. Its token has no content.
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
"""The parser; its input must be clean text with LF line ends, and each token has its line range in `map`."""
