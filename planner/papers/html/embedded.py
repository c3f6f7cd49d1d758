"""Remove hidden HTML elements from a text that is not HTML, such as Markdown."""

import re
from bisect import bisect_right
from typing import Final

from planner.papers.html.colours import WHITE, ground, ink, is_lost
from planner.papers.html.dom import VOID, Element
from planner.papers.html.tokens import Open, tokens
from planner.papers.html.visible import hidden, own_style

_MAYBE: Final = re.compile(r"<([A-Za-z][\w-]*)\s[^<>]{0,1000}?(?:style|hidden|color)\b[^<>]{0,1000}>", re.I)
_FENCE: Final = re.compile(
    r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1|\Z)|(?<!`)(`+)(?!`)[^\n]*?(?<!`)\2(?!`)", re.M | re.S
)
_BLANK: Final = re.compile(r"\n[ \t]*\n|\Z")


def without_hidden(text: str) -> tuple[str, list[str]]:
    """Return the text without elements that hide their content, and the content of each; code stays as it is."""
    if not _MAYBE.search(text):
        return text, []
    code = [found.span() for found in _FENCE.finditer(text)]
    out, stretches, last = list[str](), list[str](), 0
    for found in _MAYBE.finditer(text):
        if found.start() < last or _within(code, found.start()) or not _hides(found[0]):
            continue
        inner, end = _content(text, found[1], found.end())
        out.append(text[last : found.start()])
        stretches.append(re.sub(r"<[^<>]*>", "", text[found.end() : inner]))
        last = end
    return "".join((*out, text[last:])), stretches


def _hides(tag: str) -> bool:
    start = next(tokens(tag))
    if not isinstance(start, Open) or start.tag in VOID:
        return False
    element = Element(start.tag, start.attributes)
    style = own_style(element)
    return hidden(element, style) or is_lost(ink(style), ground(style, element) or WHITE)


def _content(text: str, tag: str, place: int) -> tuple[int, int]:
    """Return the ends of an element's content and of its end tag; one that is never closed ends with its paragraph."""
    depth = 1
    for found in re.finditer(rf"<(/?){tag}\b[^<>]*>", text[place : place + 100_000], re.I):
        depth += -1 if found[1] else 1
        if not depth:
            return place + found.start(), place + found.end()
    blank = _BLANK.search(text, place)
    end = blank.start() if blank else len(text)
    return end, end


def _within(spans: list[tuple[int, int]], place: int) -> bool:
    index = bisect_right(spans, (place, 1 << 60)) - 1
    return index >= 0 and place < spans[index][1]
