"""Render texts of models and papers as safe HTML, with Markdown, harmless tags, web links and formulas.

Formulas become MathML, which browsers show without a script. Only known MathML elements and attributes are written,
since the converter is not trusted. A formula that cannot be converted stays as it was written.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from html import unescape
from typing import Final
from xml.etree.ElementTree import Element

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape

from planner.matching import split_into_word_set
from planner.sanitize import remove_unsafe_characters
from planner.trajectory.escape import has_too_many_markup_characters
from planner.trajectory.markdown_rules import INERT_TAG

MAX_MARKDOWN_CHARS: Final = 200_000  # a longer text is shown as it is: reading it as Markdown could take minutes
_WEB_ADDRESS: Final = re.compile(r"https?://", re.I)
_MARKUP: Final = re.compile(r"[\\`*_\[<&~$]")
_HEADING_OFFSET: Final = 3  # the page's own headings go down to the third level
FORMULA: Final = re.compile(
    r"\$\$[^$]{1,2000}\$\$|\$(?![\s$])[^$\n]{0,500}?(?<=[^\s\\])\$(?!\d)|\\\(.{1,2000}?\\\)|\\\[.{1,2000}?\\\]",
    re.DOTALL,
)
"""A formula with its delimiters; "$5 and $10" holds none."""

_MAX_CHARS: Final = 600
_MAX_DEPTH: Final = 24  # levels of nested elements
_ERRORS: Final = (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError)  # by odd formulas
_MACRO: Final = re.compile(r"\\(?:\w*newcommand|providecommand|[egx]?def|let|Declare\w+)")  # may grow without end
_WORDS_IN_FORMULA: Final = re.compile(r"\\(?:text|math|operatorname|mbox)\w*\s*\{[^{}]*\}")
_PROSE: Final = re.compile(r"(?<!\S)[^\W\d_]{2,}[.,;:]?(?!\S)")  # "$5, or 10$" is no formula
_NAMES: Final = re.compile(r"[a-z -]{1,24}")
_LENGTH: Final = re.compile(r"-?\d?(?:\.\d{1,4})?em|0px|0|(?:negative)?(?:thin|medium|thick)mathspace")
_ATTRIBUTES: Final[Mapping[str, re.Pattern[str]]] = {
    **dict.fromkeys(("accent", "displaystyle", "fence", "form", "mathvariant", "movablelimits", "separator"), _NAMES),
    **dict.fromkeys(("stretchy", "columnalign"), _NAMES),
    **dict.fromkeys(("lspace", "rspace", "width", "height", "depth", "minsize", "maxsize", "linethickness"), _LENGTH),
    **dict.fromkeys(("rowspacing", "columnspacing"), _LENGTH),
}
_ELEMENTS: Final = split_into_word_set(
    """
    math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mpadded mphantom mstyle
    mtable mtr mtd
    """
)
_CHILD_COUNTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("mfrac", "mroot", "msub", "msup", "munder", "mover"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}
_TEXTS: Final[Mapping[str, str]] = {
    "msub": "{}_{}",
    "msup": "{}^{}",
    "msubsup": "{}_{}^{}",
    "mfrac": "{}/{}",
}
_PLAIN_ELEMENTS: Final = frozenset(("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", *_TEXTS))


def render_block_markdown(text: str) -> Markup:
    """Render Markdown with paragraphs, lists, tables and code as HTML."""
    text = remove_unsafe_characters(text)
    if len(text) > MAX_MARKDOWN_CHARS or has_too_many_markup_characters(text):
        return Markup('<pre class="plain">{}</pre>').format(text)
    return Markup(_build_parser().render(text))  # noqa: S704 - the parser escapes what it does not know


def render_inline_markdown(text: str) -> Markup:
    """Render one line of Markdown as HTML."""
    text = remove_unsafe_characters(text)
    if len(text) > MAX_MARKDOWN_CHARS or not _MARKUP.search(text) or has_too_many_markup_characters(text):
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
    return _render_formula(tokens[at].content)


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
    """Keep a harmless tag, such as <b>, if it is closed within the same element. Turn any other tag into text."""
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


def render_formulas_as_html(text: str) -> Markup:
    """Return a text as HTML. Its formulas become MathML, and everything else is escaped."""
    if has_too_many_markup_characters(text):
        return escape(text)
    parts = re.split(f"({FORMULA.pattern})", text, flags=FORMULA.flags)  # every second one is a formula
    return Markup().join(_render_formula(part) if at % 2 else escape(part) for at, part in enumerate(parts))


def render_formulas_as_text(text: str) -> str:
    """Return a text with its formulas as plain text, such as "x^2". A formula that cannot be converted is kept."""
    return (
        text if has_too_many_markup_characters(text) else FORMULA.sub(lambda each: _render_plain_formula(each[0]), text)
    )


@lru_cache(maxsize=4096)
def _render_formula(formula: str) -> Markup:
    """Return a formula, with its delimiters, as MathML. If it cannot be converted, return it as it was written."""
    if (tree := _convert_formula(formula)) is None:
        return Markup('<span class="math">{}</span>').format(formula)
    inside = Markup().join(map(_render_element, tree))
    return Markup('<math display="{}">{}</math>').format(_choose_display(formula), inside)


def _render_plain_formula(formula: str) -> str:
    tree = _convert_formula(formula)
    if tree is None or any(element.tag not in _PLAIN_ELEMENTS for element in tree.iter()):
        return formula
    return " ".join(_render_plain_element(tree).split())


def _convert_formula(formula: str) -> Element | None:
    """Return the MathML tree of a formula, or None if the formula cannot be converted safely."""
    from latex2mathml import exceptions  # most pages hold no formula
    from latex2mathml.converter import Converter

    tex = formula[2:-2] if formula.startswith(("$$", "\\")) else formula[1:-1]
    if len(tex) > _MAX_CHARS or _MACRO.search(tex) or _PROSE.search(_WORDS_IN_FORMULA.sub("", tex)):
        return None
    own_errors = (error for error in vars(exceptions).values() if isinstance(error, type))  # they have no common base
    errors: tuple[type[Exception], ...] = (*_ERRORS, *own_errors)
    try:
        tree = Converter(display=_choose_display(formula)).convert_to_element(tex)
    except errors:
        return None
    return tree if _is_allowed(tree) else None


def _choose_display(formula: str) -> str:
    return "block" if formula.startswith(("$$", r"\[")) else "inline"


def _is_allowed(tree: Element) -> bool:
    """Return whether a MathML tree is safe: its elements and attributes are known, and its text has no TeX command."""
    level: Iterable[Element] = (tree,)
    for _ in range(_MAX_DEPTH):
        if not all(map(_is_allowed_element, level)):
            return False
        level = [child for element in level for child in element]
        if not level:
            return True
    return False


def _is_allowed_element(element: Element) -> bool:
    attributes = {} if element.tag == "math" else element.attrib
    return (
        element.tag in _ELEMENTS
        and len(element) == _CHILD_COUNTS.get(element.tag, len(element))
        and "\\" not in (element.text or "")
        and all(name in _ATTRIBUTES and _ATTRIBUTES[name].fullmatch(text) for name, text in attributes.items())
    )


def _render_element(element: Element) -> Markup:
    attributes = Markup().join(Markup(' {}="{}"').format(name, text) for name, text in element.attrib.items())
    inside = Markup().join(map(_render_element, element))
    tag = Markup(element.tag)  # noqa: S704 - one of `_ELEMENTS`
    return Markup("<{0}{1}>{2}{3}</{0}>").format(tag, attributes, _read_text(element), inside)


def _render_plain_element(element: Element) -> str:
    parts = [_render_plain_element(child) for child in element]
    if element.tag in _TEXTS:
        return _TEXTS[element.tag].format(*(part if part.isalnum() else f"({part})" for part in parts))
    return _read_text(element) + "".join(parts)


def _read_text(element: Element) -> str:
    """Return the text of an element. Character references in it, such as "&#x02112;", are replaced."""
    return unescape(element.text or "")
