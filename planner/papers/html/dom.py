"""Parse HTML of any quality and depth into a tree of elements.

Of the rules of implied end tags, only those that matter for text are followed. Nothing recurses or looks far up, so
a hundred thousand nested elements are no problem.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from planner.papers.html.tokens import Close, Open, tokens

VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_BLOCK_NAMES: Final = """
    address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul
    dt-article dt-appendix d-article d-appendix d-abstract d-title dt-byline d-byline d-figure
"""
BLOCKS: Final = frozenset(_BLOCK_NAMES.split())
_SELF_CLOSED: Final = frozenset({"dt-cite", "d-cite", "mspace", "mprescripts", "none", "path", "use", "a", "span"})
_CELLS: Final = ("td", "th")
_ROWS: Final = ("tr", *_CELLS)

# The tags that an opening tag closes, and the tags at which the search upwards stops.
_ENDS: Final = {
    "li": (("li",), ("ul", "ol", "menu")),
    "dt": (("dt", "dd"), ("dl",)),
    "dd": (("dt", "dd"), ("dl",)),
    "td": (_CELLS, ("table",)),
    "th": (_CELLS, ("table",)),
    "tr": (_ROWS, ("table",)),
    "tbody": ((*_ROWS, "thead", "tbody", "tfoot"), ("table",)),
    "tfoot": ((*_ROWS, "thead", "tbody", "tfoot"), ("table",)),
    "option": (("option",), ("select",)),
}
_PIECES: Final = 8  # siblings searched for the element before
_FENCES: Final = ("table", "td", "th", "li", "div", "section", "article", "body", "figure", "blockquote", "button")


@dataclass(eq=False, slots=True)
class Element:
    """An element of a page, with its children (elements and strings in order), its parent and the element before it."""

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)
    before: "Element | None" = None
    _folded: frozenset[str] | None = None

    @property
    def classes(self) -> frozenset[str]:
        """The names in its class attribute."""
        return frozenset(self.attributes.get("class", "").split())

    @property
    def folded_classes(self) -> frozenset[str]:
        """The class names in lower case, computed once because style rules need them often."""
        if self._folded is None:
            self._folded = frozenset(self.attributes.get("class", "").lower().split())
        return self._folded

    def elements(self) -> Iterator["Element"]:
        """Yield the element and all elements below it, in the order of the page."""
        waiting: list[Element] = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(child for child in reversed(element.children) if isinstance(child, Element))

    def text(self) -> str:
        """Return all text below the element, as it stands in the source."""
        found: list[str] = []
        waiting: list[Element | str] = [self]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                found.append(item)
            else:
                waiting.extend(reversed(item.children))
        return "".join(found)


def parse(html: str) -> Element:
    """Return the root of a page; its tag is ""."""
    builder = _Builder()
    for token in tokens(html):
        builder.take(token)
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root = Element("", {})
        self._here = self.root
        self._open: Counter[str] = Counter()

    def take(self, token: Open | Close | str) -> None:
        """Add one token to the tree."""
        if isinstance(token, str):
            self._here.children.append(token)
        elif isinstance(token, Open):
            self._begin(token)
        elif self._open[token.tag]:
            self._close(token.tag)

    def _begin(self, token: Open) -> None:
        self._imply(token.tag)
        siblings = self._here.children
        before = next((child for child in reversed(siblings[-_PIECES:]) if isinstance(child, Element)), None)
        element = Element(token.tag, token.attributes, self._here, before=before)
        siblings.append(element)
        if token.tag not in VOID and not (token.closed and token.tag in _SELF_CLOSED):
            self._here = element
            self._open[token.tag] += 1

    def _close(self, tag: str) -> None:
        while self._here.parent is not None:
            closed, self._here = self._here, self._here.parent
            self._open[closed.tag] -= 1
            if closed.tag == tag:
                return

    def _imply(self, tag: str) -> None:
        """Close the elements that an opening tag ends without their end tags."""
        if tag in _ENDS:
            ended, fences = _ENDS[tag]
            self._close_above(ended, fences)
        if tag in BLOCKS and self._open["p"]:
            self._close_above(("p",), _FENCES)

    def _close_above(self, ended: tuple[str, ...], fences: tuple[str, ...]) -> None:
        """Close the outermost of the `ended` elements below the nearest fence, at most a few levels up."""
        element, outermost = self._here, None
        for _ in range(12):
            if element.parent is None or element.tag in fences:
                break
            outermost = element if element.tag in ended else outermost
            element = element.parent
        while outermost is not None and self._here is not outermost.parent and self._here.parent is not None:
            self._open[self._here.tag] -= 1
            self._here = self._here.parent
