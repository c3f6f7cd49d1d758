"""Replace markdown-it's inline rules by rules that record markup on tokens, with its offset into the inline text.

Only the block knows the place of its inline text, so `dialect` converts the offsets later.
"""

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, backtick

OPENING: Final = re.compile(r"<(?=[A-Za-z/!?])")
LESS_THAN: Final = re.compile(r"&(?:amp;)*lt;")
INERT: Final = re.compile(r"<(?:(?P<close>/)?(?P<name>sup|sub|b|i|em|strong|code)|br ?/?)>")
# A label without markup and an address that all renderers read in the same way.
_PLAIN_LINK: Final = re.compile(r"\[[^\[\]`<>&\\\n!]+\]\(https?://[A-Za-z0-9][A-Za-z0-9.:/?#@$+,;=%~_-]*\)")


def watch_inlines(parser: MarkdownIt) -> None:
    """Replace the parser's own inline rules by recording ones."""
    rules = parser.inline.ruler
    rules.at("link", _notice_link)
    rules.at("backticks", _notice_code)
    rules.at("entity", _notice_entity)
    rules.before("entity", "angle", _notice_angle)


def _push(state: StateInline, kind: str, start: int, end: int) -> None:
    token = state.push(kind, "", 0)
    token.content = state.src[start:end]
    token.meta = {"at": start}
    state.pos = end


def _notice_angle(state: StateInline, silent: bool) -> bool:
    if not OPENING.match(state.src, state.pos):
        return False
    inert = INERT.match(state.src, state.pos)
    end = inert.end() if inert else state.pos + 1
    if silent:
        state.pos = end
    else:
        _push(state, "inert_tag" if inert else "angle", state.pos, end)
    return True


def _notice_entity(state: StateInline, silent: bool) -> bool:
    written = LESS_THAN.match(state.src, state.pos)
    if not written:
        return False
    if silent:
        state.pos = written.end()
    else:
        _push(state, "less_than", state.pos, written.end())
    return True


def _notice_link(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "[":
        return False
    plain = _PLAIN_LINK.match(state.src, state.pos)
    is_image = state.pos > 0 and state.src[state.pos - 1] == "!"
    if plain and not is_image:
        state.pos = plain.end()
        return True
    end = state.md.helpers.parseLinkLabel(state, state.pos)
    follows = state.src[end + 1 : end + 2] if end >= 0 else ""
    opens_line = not state.src[: state.pos].rpartition("\n")[2].strip()
    if not silent and (follows == "(" or (follows == ":" and opens_line)):
        _push(state, "image_mark" if is_image else "link_mark", state.pos, state.pos + 1)
        return True
    return False


def _notice_code(state: StateInline, silent: bool) -> bool:
    start, tokens = state.pos, len(state.tokens)
    if not backtick(state, silent):
        return False
    if len(state.tokens) > tokens and state.tokens[-1].type == "code_inline":
        state.tokens[-1].meta = {"at": start, "end": state.pos}
    return True
