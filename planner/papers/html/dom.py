"""Parse HTML of any quality and depth into a tree of elements, in linear time.

Papers come from strangers, so bad markup must not slow the parser down. Before Python 3.13, the parser of the standard
library takes quadratic time for some broken tags (CVE-2025-6069). Common HTML5 parsers take quadratic time for deep
nesting. This parser follows the HTML standard (https://html.spec.whatwg.org/#tokenization) as far as it affects the
text. A page may nest 100,000 elements.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Final, NamedTuple

_TAG: Final = re.compile(r"<(?:(!--)|([!?])|(/?)([A-Za-z][^\s/>]*))")
_ATTRIBUTE: Final = re.compile(r"""[\s/]*([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s>]*)))?""")
_TAG_END: Final = re.compile(r"[\s/]*>?")
_RAW_TEXT_ENDS: Final = {
    name: re.compile(rf"</{name}(?=[\s/>]|\Z)", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
VOID_TAGS: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_BLOCK_TAG_WORDS: Final = """
    address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul
    dt-article dt-appendix dt-abstract dt-title d-article d-appendix d-abstract d-title
    d-citation-list dt-byline d-byline d-figure
"""
BLOCK_TAGS: Final = frozenset(_BLOCK_TAG_WORDS.split())
_SELF_CLOSING_TAGS: Final = frozenset(
    {"dt-cite", "d-cite", "mspace", "mprescripts", "none", "path", "use", "a", "span"}
)
_CELL_TAGS: Final = ("td", "th")
_ROW_TAGS: Final = ("tr", *_CELL_TAGS)

# The tags that a start tag closes, and the tags at which the search upwards stops.
_IMPLIED_ENDS: Final = {
    "li": (("li",), ("ul", "ol", "menu")),
    "dt": (("dt", "dd"), ("dl",)),
    "dd": (("dt", "dd"), ("dl",)),
    "td": (_CELL_TAGS, ("table",)),
    "th": (_CELL_TAGS, ("table",)),
    "tr": (_ROW_TAGS, ("table",)),
    "tbody": ((*_ROW_TAGS, "thead", "tbody", "tfoot"), ("table",)),
    "tfoot": ((*_ROW_TAGS, "thead", "tbody", "tfoot"), ("table",)),
    "option": (("option",), ("select",)),
}
_MAX_SIBLINGS: Final = 8  # siblings searched for the previous element
_MAX_LEVELS: Final = 12  # levels searched upwards for an element to close
_PARAGRAPH_FENCES: Final = (
    "table", "td", "th", "li", "div", "section", "article", "body", "figure", "blockquote", "button"
)  # fmt: skip


class StartTag(NamedTuple):
    """A start tag; `is_self_closing` is true for `<br/>`. If an attribute is repeated, its first value is kept."""

    tag: str
    attributes: dict[str, str]
    is_self_closing: bool


class EndTag(NamedTuple):
    """An end tag."""

    tag: str


@dataclass(eq=False, slots=True)
class Element:
    """An element of a page, with its children (elements and strings), its parent and its previous sibling element.

    `classes` has the names in the class attribute, and `lowercase_classes` has them in lower case.
    """

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)
    previous_sibling: "Element | None" = None
    classes: frozenset[str] = field(init=False)
    lowercase_classes: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.classes = frozenset(self.attributes.get("class", "").split())
        self.lowercase_classes = frozenset(map(str.lower, self.classes))

    def find_children(self, *tags: str) -> list["Element"]:
        """Return the child elements with one of the tags; without tags, return all child elements."""
        return [child for child in self.children if isinstance(child, Element) and (not tags or child.tag in tags)]

    def iterate_ancestors(self) -> Iterator["Element"]:
        """Yield the parent of the element, the parent's parent, and so on."""
        element = self.parent
        while element is not None:
            yield element
            element = element.parent

    def iterate_elements(self) -> Iterator["Element"]:
        """Yield the element and all elements inside it, in the order of the page."""
        waiting: list[Element] = [self]
        while waiting:
            element = waiting.pop()
            yield element
            if element.children:
                waiting += [child for child in reversed(element.children) if isinstance(child, Element)]

    def collect_text(self, *, skipped_tags: Container[str] = ()) -> str:
        """Return the text in the element, without the text of elements whose tag is in `skipped_tags`."""
        texts: list[str] = []
        waiting: list[Element | str] = [self]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                texts.append(item)
            elif item.tag not in skipped_tags:
                waiting.extend(reversed(item.children))
        return "".join(texts)


def parse_html(html: str) -> Element:
    """Return the root of a page's tree of elements; the root has the tag ""."""
    builder = _TreeBuilder()
    for token in tokenize_html(html):
        builder.add_token(token)
    return builder.root


class _TreeBuilder:
    """A builder that makes the tree of a page from its tags and strings."""

    def __init__(self) -> None:
        self.root = Element("", {})
        self._current = self.root
        self._open_tags: Counter[str] = Counter()

    def add_token(self, token: StartTag | EndTag | str) -> None:
        if isinstance(token, str):
            self._current.children.append(token)
        elif isinstance(token, StartTag):
            self._open_element(token)
        elif self._open_tags[token.tag]:
            while self._current.tag != token.tag:
                self._close_current()
            self._close_current()

    def _open_element(self, token: StartTag) -> None:
        if token.tag in _IMPLIED_ENDS:  # as `<li>` ends the list item before it
            self._close_above(*_IMPLIED_ENDS[token.tag])
        if token.tag in BLOCK_TAGS and self._open_tags["p"]:
            self._close_above(("p",), _PARAGRAPH_FENCES)
        siblings = self._current.children
        previous = next((child for child in reversed(siblings[-_MAX_SIBLINGS:]) if isinstance(child, Element)), None)
        element = Element(token.tag, token.attributes, self._current, previous_sibling=previous)
        siblings.append(element)
        if token.tag not in VOID_TAGS and not (token.is_self_closing and token.tag in _SELF_CLOSING_TAGS):
            self._current = element
            self._open_tags[token.tag] += 1

    def _close_current(self) -> None:
        self._open_tags[self._current.tag] -= 1
        self._current = self._current.parent or self.root

    def _close_above(self, ended: tuple[str, ...], fences: tuple[str, ...]) -> None:
        """Close the outermost open element with a tag in `ended`, and all open elements inside it.

        The search goes outwards from the current element and ends at an element with a tag in `fences`.
        """
        element, outermost = self._current, None
        for _ in range(_MAX_LEVELS):
            if element.parent is None or element.tag in fences:
                break
            outermost = element if element.tag in ended else outermost
            element = element.parent
        while outermost is not None and self._current is not outermost.parent:
            self._close_current()


def tokenize_html(html: str) -> Iterator[StartTag | EndTag | str]:
    """Yield the start tags, end tags and texts of a page; comments, doctypes and other declarations are left out."""
    position = 0
    while match := _TAG.search(html, position):
        if match.start() > position:
            yield unescape(html[position : match.start()])
        comment, declaration, slash, name = match.groups()
        if comment or declaration:
            closing = "-->" if comment else ">"
            end = html.find(closing, match.end())
            position = end + len(closing) if end >= 0 else len(html)
            continue
        attributes, position = _read_attributes(html, match.end())
        tag = name.lower()
        yield EndTag(tag) if slash else StartTag(tag, attributes, html.startswith("/>", position - 2))
        if not slash and tag in _RAW_TEXT_ENDS:
            end_tag = _RAW_TEXT_ENDS[tag].search(html, position)
            end = end_tag.start() if end_tag else len(html)
            content = html[position:end]
            yield unescape(content) if tag in ("title", "textarea") else content
            position = end
    if position < len(html):
        yield unescape(html[position:])


def _read_attributes(html: str, position: int) -> tuple[dict[str, str], int]:
    attributes: dict[str, str] = {}
    while match := _ATTRIBUTE.match(html, position):
        attributes.setdefault(match[1].lower(), unescape(match[2] or match[3] or match[4] or ""))
        position = match.end()
    end = _TAG_END.match(html, position)
    return attributes, end.end() if end else position
