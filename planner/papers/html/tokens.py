"""Split a page into tags and text, in order and in linear time.

The standard library's tokenizer takes quadratic time on broken markup before Python 3.13 (CVE-2025-6069), and common
HTML5 parsers do on deep nesting. Papers come from strangers, so we use our own. It follows the tokenizer of the HTML
standard (https://html.spec.whatwg.org/#tokenization) where text depends on it.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final, NamedTuple

_TAG: Final = re.compile(r"<(?:(!--)|([!?])|(/?)([A-Za-z][^\s/>]*))")
_ATTRIBUTE: Final = re.compile(r"""[\s/]*([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s>]*)))?""")
_END: Final = re.compile(r"[\s/]*>?")
_RAW: Final = {
    name: re.compile(rf"</{name}(?=[\s/>]|\Z)", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}


class Open(NamedTuple):
    """A start tag, which may end with `/>`; the first of two attributes with the same name counts."""

    tag: str
    attributes: dict[str, str]
    closed: bool


class Close(NamedTuple):
    """An end tag."""

    tag: str


def tokens(html: str) -> Iterator[Open | Close | str]:
    """Yield start tags, end tags and text; comments, doctypes and processing instructions are left out."""
    place = 0
    while found := _TAG.search(html, place):
        if found.start() > place:
            yield unescape(html[place : found.start()])
        comment, declared, slash, name = found.groups()
        if comment or declared:
            place = _past(html, "-->" if comment else ">", found.end())
            continue
        attributes, place = _attributes(html, found.end())
        tag = name.lower()
        yield Close(tag) if slash else Open(tag, attributes, html.startswith("/>", place - 2))
        if not slash and tag in _RAW:
            end = _RAW[tag].search(html, place)
            content = html[place : end.start() if end else len(html)]
            yield unescape(content) if tag in ("title", "textarea") else content
            place = end.start() if end else len(html)
    if place < len(html):
        yield unescape(html[place:])


def _attributes(html: str, place: int) -> tuple[dict[str, str], int]:
    attributes: dict[str, str] = {}
    while found := _ATTRIBUTE.match(html, place):
        value = found[2] or found[3] or found[4] or ""
        attributes.setdefault(found[1].lower(), unescape(value))
        place = found.end()
    end = _END.match(html, place)
    return attributes, end.end() if end else place


def _past(html: str, end: str, place: int) -> int:
    found = html.find(end, place)
    return found + len(end) if found >= 0 else len(html)
