"""Read a paper, a title or a fragment from HTML."""

import re
from typing import Final

from planner.papers.characters import clean
from planner.papers.hidden import quoted
from planner.papers.html.dom import Element, parse
from planner.papers.html.flow import Flow, without_notes
from planner.papers.html.visible import Styles
from planner.papers.levels import Ranked, settle
from planner.papers.outline import abstract_of, outline
from planner.papers.paper import Block, Reading

_TITLES: Final = ("citation_title", "dc.title", "og:title", "twitter:title")
_SITE: Final = re.compile(
    r"^\[[\w./-]+\]\s*|\s+[|•·]\s+[^|•·]{1,40}$|\s+[-–—]\s+(?:arXiv|ar5iv|OpenReview|Distill)\b.*$"
)

_OVERTAXED: Final = "the page has too many style rules to follow; text that they hide may have been kept"


def read_html(text: str, name: str) -> Reading:
    """Return the paper that a page shows; `name` is its file name, kept as `main_file`."""
    text, warnings = clean(text)
    root = parse(text)
    flow = Flow(Styles(root))
    flow.page(_main(root))
    known = page_title(root)
    settled = settle(flow.items, known_title=known)
    sections = outline(settled.pieces)
    found = (*warnings, *quoted(flow.unseen), *([_OVERTAXED] if flow.styles.overtaxed else []))
    return Reading(known or settled.title, abstract_of(sections), sections, name, found)


def fragment(html: str) -> tuple[list[Ranked | Block], list[str]]:
    """Return the headings and blocks of a piece of HTML in Markdown, and its hidden texts."""
    root = parse(html)
    flow = Flow(Styles(root))
    flow.page(root)
    return flow.items, flow.unseen


def page_title(root: Element) -> str:
    """Return a page's title from its metadata, LaTeXML's title, Distill's, or its `<title>`; "" if there is none."""
    metas: dict[str, str] = {}
    titles: dict[str, str] = {}
    for element in root.elements():
        attributes = element.attributes
        if element.tag == "meta":
            metas.setdefault(
                (attributes.get("name") or attributes.get("property", "")).lower(), attributes.get("content", "")
            )
        elif "ltx_title_document" in element.classes:
            titles.setdefault("document", Flow(Styles(Element("", {}))).inline(without_notes(element)))
        elif element.tag == "title" and (element.parent is None or element.parent.tag != "svg"):
            titles.setdefault("title", _SITE.sub("", element.text().strip()))
        elif element.tag == "script" and attributes.get("type") in ("text/front-matter", "text/json"):
            titles.setdefault("front", _front_title(element.text()))
    order = (*(metas.get(name, "") for name in _TITLES[:1]), titles.get("document"), titles.get("front"))
    rest = (*(metas.get(name, "") for name in _TITLES[1:]), titles.get("title"))
    return next((" ".join(title.split()) for title in (*order, *rest) if title and title.strip()), "")


def _front_title(text: str) -> str:
    found = re.search(r"""^\s*"?title"?\s*:\s*["']?(.+?)["']?\s*,?\s*$""", text, re.MULTILINE)
    return found[1] if found else ""


def _main(root: Element) -> Element:
    """Return the element that holds the paper if the page marks it, else the whole page."""
    for element in root.elements():
        if element.classes & {"ltx_page_main", "ltx_page_content"} or element.tag == "main":
            return element
    return root
