"""Rules for the parser markdown-it, which note markup that a browser would act on. They do not change the text.

Inline rules add tokens with offsets from the start of the inline text. Block rules add to the `MarkupScan` in the
parser's environment.
"""

import re
from collections.abc import Callable
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, fence, heading, hr, html_block, lheading, reference, table
from markdown_it.rules_block.html_block import HTML_SEQUENCES
from markdown_it.rules_inline import StateInline, backtick
from markdown_it.token import Token

TAG_START: Final = re.compile(r"<(?=[A-Za-z/!?])")
# The characters that the writer escapes, as character references: renderers show these, and none reads them as markup.
ESCAPES: Final = {mark: f"&#{ord(mark)};" for mark in "#=-[(:`~|@."} | {"<": "&lt;"}
ESCAPE: Final = re.compile(f"&(?:amp;)*(?:{'|'.join(reference[1:] for reference in ESCAPES.values())})")
INERT_TAG: Final = re.compile(r"<(?:(?P<close>/)?(?P<name>sup|sub|b|i|em|strong|code)|br ?/?)>")
# A label without markup and an address that all renderers read in the same way.
_PLAIN_LINK: Final = re.compile(r"\[[^\[\]`<>&\\\n!]+\]\(https?://[A-Za-z0-9][A-Za-z0-9.:/?#@$+,;=%~_-]*\)")
_FENCE_LIKE: Final = re.compile(r"^(?:>|[^\S\n])*+(?:`{3}|~{3})", re.MULTILINE)

_BlockRule = Callable[[StateBlock, int, int, bool], bool]


def install_markup_recorders(parser: MarkdownIt) -> None:
    """Replace rules of the parser with rules that record markup, block rules in the environment's `scan`."""
    inline_rules, rules = parser.inline.ruler, parser.block.ruler
    inline_rules.at("link", _detect_link)
    inline_rules.at("backticks", _detect_code)
    inline_rules.at("entity", _detect_entity)
    inline_rules.before("entity", "angle", _detect_tag)
    ends_text: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote"]}
    ends_item: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    rules.before("fence", "recorded_table", _detect_table, {"alt": ["paragraph", "reference"]})
    rules.at("fence", _detect_fence, ends_item)
    rules.at("hr", _detect_rule, ends_item)
    rules.at("reference", _detect_reference)
    rules.at("html_block", _detect_html_block, ends_text)
    rules.at("heading", _detect_heading, ends_text)
    rules.at("lheading", _detect_underlined_heading)


def _detect_tag(state: StateInline, silent: bool) -> bool:
    if not TAG_START.match(state.src, state.pos):
        return False
    inert = INERT_TAG.match(state.src, state.pos)
    _push_token(state, "inert_tag" if inert else "angle", inert.end() if inert else state.pos + 1, silent)
    return True


def _push_token(state: StateInline, kind: str, end: int, silent: bool) -> None:
    """Move to offset `end`; add a token for the skipped text, unless `silent` is true."""
    if not silent:
        token = state.push(kind, "", 0)
        token.content = state.src[state.pos : end]
        token.meta = {"at": state.pos}
    state.pos = end


def _detect_entity(state: StateInline, silent: bool) -> bool:
    entity = ESCAPE.match(state.src, state.pos)
    if entity:
        _push_token(state, "escape", entity.end(), silent)
    return entity is not None


def _detect_link(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "[":
        return False
    plain = _PLAIN_LINK.match(state.src, state.pos)
    is_image = state.pos > 0 and state.src[state.pos - 1] == "!"
    if plain and not is_image:
        _push_token(state, "plain_link", plain.end(), silent)
        if not silent:
            state.tokens[-1].meta["end"] = plain.end()
        return True
    end = state.md.helpers.parseLinkLabel(state, state.pos)
    follows = state.src[end + 1 : end + 2] if end >= 0 else ""
    is_link = not silent and (follows == "(" or (follows == ":" and _opens_line(state)))
    if is_link:
        _push_token(state, "link_mark", state.pos + 1, silent)
    return is_link


def _opens_line(state: StateInline) -> bool:
    return not state.src[state.src.rfind("\n", 0, state.pos) + 1 : state.pos].strip()


def _detect_code(state: StateInline, silent: bool) -> bool:
    start, tokens = state.pos, len(state.tokens)
    if not backtick(state, silent):
        return False
    if len(state.tokens) > tokens and state.tokens[-1].type == "code_inline":
        state.tokens[-1].meta = {"at": start, "end": state.pos}
    return True


def _find_line_start(state: StateBlock, line: int) -> int:
    return state.bMarks[line] + state.tShift[line]


def _mark_line(state: StateBlock, line: int) -> None:
    """Record that the first character of a line must be escaped."""
    state.env["scan"].mark_offsets.add(_find_line_start(state, line))


def _read_line_above(state: StateBlock, line: int) -> str:
    """Return the line above `line`, including the `>` of a quote."""
    end = max(state.src.rfind("\n", 0, _find_line_start(state, line)), 0)
    return state.src[state.src.rfind("\n", 0, end) + 1 : end]


def _find_block_end(rule: _BlockRule, state: StateBlock, start: int, end: int) -> int | None:
    """Return the line after the block that `rule` finds, None if it finds none; leave the state unchanged."""
    tokens, line, parent = len(state.tokens), state.line, state.parentType
    is_block = rule(state, start, end, False)
    after = state.line
    del state.tokens[tokens:]
    state.line, state.parentType = line, parent
    state.env.pop("references", None)
    return after if is_block else None


def _detect_heading(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    if heading(state, start, end, True):
        _mark_line(state, start)
    return False


def _detect_underlined_heading(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    after = _find_block_end(lheading, state, start, end)
    if after is not None:
        _mark_line(state, after - 1)
    return False


def _detect_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Record dashes below a line of text, because some renderers read them as the underline of a heading."""
    line = state.src[_find_line_start(state, start) : state.eMarks[start]].rstrip()
    if hr(state, start, end, True) and not line.strip("-") and _read_line_above(state, start).strip(" \t>"):
        _mark_line(state, start)
        return False
    return hr(state, start, end, silent)


def _detect_reference(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    if _find_block_end(reference, state, start, end) is not None:
        _mark_line(state, start)
    return False


def _detect_html_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Record the first line and the end of a block of raw HTML."""
    line = state.src[_find_line_start(state, start) : state.eMarks[start]]
    closing = next((closing for opening, closing, _ in HTML_SEQUENCES if opening.search(line)), None)
    if silent or closing is None or state.is_code_block(start):
        return False
    scan, place = state.env["scan"], (closing.pattern, state.blkIndent, end)
    after: int | None = scan.html_end_cache.get(place, 0)
    if after is None or after <= start:
        after = scan.html_end_cache[place] = _find_block_end(html_block, state, start, end)
    if after is not None:
        scan.html_block_lines[start] = after
    return False


def _detect_table(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    """Record a table that contains a tag, because a table is split at each `|`, even inside code."""
    after = _find_block_end(table, state, start, end)
    if after is not None and TAG_START.search(state.src, state.bMarks[start], state.eMarks[after - 1]):
        _mark_line(state, start + 1)
    return False


def _detect_fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if not fence(state, start, end, silent):
        return False
    if silent:
        return True
    token = state.tokens[-1]
    if not (_is_closed(token) and _is_safe_fence(state, token)):
        line_start = _find_line_start(state, start)
        state.env["scan"].mark_offsets.update(range(line_start, line_start + len(token.markup)))
    return True


def _is_closed(token: Token) -> bool:
    assert token.map is not None
    lines = token.content.count("\n") + (not token.content.endswith("\n") and token.content != "")
    return lines == token.map[1] - token.map[0] - 2


def _is_safe_fence(state: StateBlock, token: Token) -> bool:
    """Return whether fenced code is safe in all renderers, even in those that do not read it as code."""
    assert token.map is not None
    is_harmless = not TAG_START.search(token.content) and "](" not in token.content
    previous = state.tokens[-2].type if len(state.tokens) > 1 else ""
    is_apart = token.map[0] == 0 or state.isEmpty(token.map[0] - 1) or previous == "paragraph_close"
    return not _FENCE_LIKE.search(token.content) and (is_harmless or (state.level == 0 and is_apart))
