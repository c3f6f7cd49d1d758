"""Replace markdown-it's block rules by rules that record the blocks they find and leave the text as it is."""

import re
from collections.abc import Callable
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, fence, heading, hr, html_block, lheading, reference, table
from markdown_it.token import Token

from planner.trajectory.inline_rules import OPENING

_FENCE_LIKE: Final = re.compile(r"^[\s>]*(?:`{3}|~{3})", re.MULTILINE)

_BlockRule = Callable[[StateBlock, int, int, bool], bool]


def watch_blocks(parser: MarkdownIt) -> None:
    """Replace the parser's own block rules by recording ones, which write to the `survey` in its environment."""
    rules = parser.block.ruler
    ends_text: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote"]}
    ends_item: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    rules.before("fence", "noticed_table", _notice_table, {"alt": ["paragraph", "reference"]})
    rules.at("fence", _notice_fence, ends_item)
    rules.at("hr", _notice_rule, ends_item)
    rules.at("reference", _notice_reference)
    rules.at("html_block", _notice_html_block, ends_text)
    rules.at("heading", _notice_heading, ends_text)
    rules.at("lheading", _notice_lheading)


def _start(state: StateBlock, line: int) -> int:
    return state.bMarks[line] + state.tShift[line]


def _line_before(state: StateBlock, line: int) -> str:
    """Return the whole line above, its quote marks included."""
    begin = state.src.rfind("\n", 0, _start(state, line))
    return state.src[: max(begin, 0)].rpartition("\n")[2]


def _would_end(rule: _BlockRule, state: StateBlock, start: int, end: int) -> int | None:
    """Return the line after the block that a rule would make, or None. The state stays as it was."""
    tokens, line, parent = len(state.tokens), state.line, state.parentType
    made = rule(state, start, end, False)
    after = state.line
    del state.tokens[tokens:]
    state.line, state.parentType = line, parent
    state.env.pop("references", None)
    return after if made else None


def _notice_heading(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    if heading(state, start, end, True):
        state.env["survey"].insert(_start(state, start), "\\", "a heading")
    return False


def _notice_lheading(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    after = _would_end(lheading, state, start, end)
    if after is not None:
        state.env["survey"].insert(_start(state, after - 1), "\\", "a heading")
    return False


def _notice_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Record a rule of dashes right below text, which some renderers read as the underline of a heading."""
    line = state.src[_start(state, start) : state.eMarks[start]].rstrip()
    if hr(state, start, end, True) and not line.strip("-") and _line_before(state, start).strip(" \t>"):
        state.env["survey"].insert(_start(state, start), "\\", "a heading")
        return False
    return hr(state, start, end, silent)


def _notice_reference(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    if _would_end(reference, state, start, end) is not None:
        state.env["survey"].insert(_start(state, start), "\\", "a link")
    return False


def _notice_html_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    after = None if silent else _would_end(html_block, state, start, end)
    if after is not None:
        state.env["survey"].html_blocks[start] = after
    return False


def _notice_table(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    """Record a table that holds a tag: tables cut lines at each `|`, even inside code."""
    after = _would_end(table, state, start, end)
    if after is not None and OPENING.search(state.src, state.bMarks[start], state.eMarks[after - 1]):
        state.env["survey"].insert(_start(state, start + 1), "\\", "a table")
    return False


def _notice_fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if not fence(state, start, end, silent):
        return False
    if silent:
        return True
    token = state.tokens[-1]
    if not (_is_closed(token) and _is_plain_fence(state, token)):
        state.env["survey"].escape(_start(state, start), token.markup, "a code fence")
    return True


def _is_closed(token: Token) -> bool:
    assert token.map is not None
    lines = token.content.count("\n") + (not token.content.endswith("\n") and token.content != "")
    return lines == token.map[1] - token.map[0] - 2


def _is_plain_fence(state: StateBlock, token: Token) -> bool:
    """Tell if all renderers read the same fence, or if its content is harmless in any reading."""
    assert token.map is not None
    harmless = not OPENING.search(token.content) and "](" not in token.content
    follows = state.tokens[-2].type if len(state.tokens) > 1 else ""
    apart = token.map[0] == 0 or state.isEmpty(token.map[0] - 1) or follows == "paragraph_close"
    return not _FENCE_LIKE.search(token.content) and (harmless or (state.level == 0 and apart))
