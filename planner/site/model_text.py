"""Render model text as HTML without active content: Markdown, a few inert tags, links to the web, and formulas."""

import re
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape

from planner.sanitize import clean_text
from planner.site.formulas import FORMULA, render_formula
from planner.trajectory.escape import has_too_much_markup
from planner.trajectory.markdown_rules import INERT_TAG

MAX_MARKDOWN_CHARS: Final = 200_000  # a longer text is shown as it is: reading it as Markdown could take minutes
_WEB_ADDRESS: Final = re.compile(r"https?://", re.I)
_MARKUP: Final = re.compile(r"[\\`*_\[<&~$]")
_HEADING_OFFSET: Final = 3  # the page's own headings go down to the third level


def render_block_markdown(text: str) -> Markup:
    """Render a text of paragraphs, lists, tables and code."""
    text = clean_text(text).text
    if len(text) > MAX_MARKDOWN_CHARS or has_too_much_markup(text):
        return Markup('<pre class="plain">{}</pre>').format(text)
    return Markup(_build_parser().render(text))  # noqa: S704 - the parser escapes what it does not know


def render_inline_markdown(text: str) -> Markup:
    """Render a text of one line."""
    text = clean_text(text).text
    if len(text) > MAX_MARKDOWN_CHARS or not _MARKUP.search(text) or has_too_much_markup(text):
        return escape(text)
    return Markup(_build_parser().renderInline(text))  # noqa: S704 - the parser escapes what it does not know


@cache
def _build_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    parser.inline.ruler.before("escape", "math", _read_math)
    parser.inline.ruler.before("html_inline", "inert_tag", _read_inert_tag)
    parser.core.ruler.push("adjust_tokens", _adjust_tokens)
    parser.validateLink = lambda url: bool(_WEB_ADDRESS.match(url))  # type: ignore[method-assign]
    parser.add_render_rule("math", _render_math)
    return parser


def _read_math(state: StateInline, silent: bool) -> bool:
    math = FORMULA.match(state.src, state.pos) if state.src[state.pos] in "$\\" else None
    if math is None:
        return False
    if not silent:
        state.push("math", "", 0).content = math[0]
    state.pos = math.end()
    return True


def _render_math(_self: object, tokens: list[Token], at: int, _options: object, _env: object) -> str:
    return render_formula(tokens[at].content)


def _read_inert_tag(state: StateInline, silent: bool) -> bool:
    tag = INERT_TAG.match(state.src, state.pos)
    if tag is None:
        return False
    if not silent:
        token = state.push("html_inline", tag["name"] or "", 0)
        token.content, token.markup = tag[0], tag["close"] or ""
    state.pos = tag.end()
    return True


def _adjust_tokens(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + _HEADING_OFFSET)}"
        token.attrs.pop("style", None)  # the alignment of a table's column; the page's policy forbids this attribute
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "noopener noreferrer nofollow")
        _balance_tags(token.children or [])


def _balance_tags(tokens: list[Token]) -> None:
    """Turn inert tags into text if they do not close within the element in which they open."""
    open_tokens: list[Token] = []
    for token in tokens:
        if token.nesting == 1 or _is_opening_tag(token):
            open_tokens.append(token)
        elif _is_closing_tag(token):
            if open_tokens and _is_opening_tag(open_tokens[-1]) and open_tokens[-1].tag == token.tag:
                open_tokens.pop()
            else:
                token.type = "text"
        elif token.nesting == -1:
            while _is_opening_tag(unclosed := open_tokens.pop()):
                unclosed.type = "text"
    for token in filter(_is_opening_tag, open_tokens):
        token.type = "text"


def _is_opening_tag(token: Token) -> bool:
    return token.type == "html_inline" and bool(token.tag) and not token.markup


def _is_closing_tag(token: Token) -> bool:
    return token.type == "html_inline" and bool(token.markup)
