"""Read a paper, a title or a fragment from HTML."""
# MERGED-DOC """Remove hidden HTML elements from a text that is not HTML, such as Markdown."""

import re
from bisect import bisect_right
from typing import Final

from planner.papers.characters import clean_source_text
from planner.papers.html.colours import WHITE, find_background, find_text_colour, is_invisible
from planner.papers.html.dom import VOID_TAGS, Element, StartTag, parse_html, tokenize_html
from planner.papers.html.flow import PageWalker, remove_footnotes
from planner.papers.html.visibility import StyleRules, is_hidden, read_inline_style
from planner.papers.outline import MarkedHeading, assemble_sections, extract_abstract, resolve_headings
from planner.papers.paper import Block, ParsedPaper, warn_of_hidden_text

_HIDING_TAG: Final = re.compile(r"<([A-Za-z][\w-]*)\s[^<>]{0,1000}?(?:style|hidden|color)\b[^<>]{0,1000}>", re.I)
_CODE: Final = re.compile(
    r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1|\Z)|(?<!`)(`+)(?!`)[^\n]*?(?<!`)\2(?!`)", re.M | re.S
)
_BLANK: Final = re.compile(r"\n[ \t]*\n|\Z")


def remove_hidden_elements(text: str) -> tuple[str, list[str]]:
    """Return the text without elements that hide their content, and the content of each; code stays as it is."""
    if not _HIDING_TAG.search(text):
        return text, []
    code = [found.span() for found in _CODE.finditer(text)]
    out, stretches, last = list[str](), list[str](), 0
    for found in _HIDING_TAG.finditer(text):
        if found.start() < last or _is_within(code, found.start()) or not _is_hiding_tag(found[0]):
            continue
        inner, end = _find_content_end(text, found[1], found.end())
        out.append(text[last : found.start()])
        stretches.append(re.sub(r"<[^<>]*>", "", text[found.end() : inner]))
        last = end
    return "".join((*out, text[last:])), stretches


def _is_hiding_tag(tag: str) -> bool:
    start = next(tokenize_html(tag))
    if not isinstance(start, StartTag) or start.tag in VOID_TAGS:
        return False
    element = Element(start.tag, start.attributes)
    style = read_inline_style(element)
    return is_hidden(element, style) or is_invisible(find_text_colour(style), find_background(style, element) or WHITE)


def _find_content_end(text: str, tag: str, position: int) -> tuple[int, int]:
    """Return the ends of an element's content and of its end tag; one that is never closed ends with its paragraph."""
    depth = 1
    for found in re.finditer(rf"<(/?){tag}\b[^<>]*>", text[position : position + 100_000], re.I):
        depth += -1 if found[1] else 1
        if not depth:
            return position + found.start(), position + found.end()
    blank = _BLANK.search(text, position)
    end = blank.start() if blank else len(text)
    return end, end


def _is_within(spans: list[tuple[int, int]], position: int) -> bool:
    index = bisect_right(spans, (position, 1 << 60)) - 1
    return index >= 0 and position < spans[index][1]


_TITLE_NAMES: Final = ("citation_title", "dc.title", "og:title", "twitter:title")
_SITE_NAME: Final = re.compile(
    r"^\[[\w./-]+\]\s*|\s+[|•·]\s+[^|•·]{1,40}$|\s+[-–—]\s+(?:arXiv|ar5iv|OpenReview|Distill)\b.*$"
)

_TOO_MANY_RULES: Final = "the page has too many style rules to follow; text that they hide may have been kept"


def read_html(html: str, file_name: str) -> ParsedPaper:
    """Return the paper that a page shows; `file_name` is its file name, kept as `find_main_file`."""
    html, warnings = clean_source_text(html)
    root = parse_html(html)
    flow = PageWalker(StyleRules(root))
    flow.walk_page(_find_main_element(root))
    known = find_page_title(root)
    settled = resolve_headings(flow.items, known_title=known)
    sections = assemble_sections(settled.items)
    found = (*warnings, *warn_of_hidden_text(flow.hidden_texts), *([_TOO_MANY_RULES] if flow.styles.is_overtaxed else []))
    return ParsedPaper(known or settled.title, extract_abstract(sections), sections, file_name, found)


def read_html_fragment(html: str) -> tuple[list[MarkedHeading | Block], list[str]]:
    """Return the headings and blocks of a piece of HTML in Markdown, and its hidden texts."""
    root = parse_html(html)
    flow = PageWalker(StyleRules(root))
    flow.walk_page(root)
    return flow.items, flow.hidden_texts


def find_page_title(root: Element) -> str:
    """Return a page's title from its metadata, LaTeXML's title, Distill's, or its `<title>`; "" if there is none."""
    metas: dict[str, str] = {}
    titles: dict[str, str] = {}
    for element in root.iterate_elements():
        attributes = element.attributes
        if element.tag == "meta":
            metas.setdefault(
                (attributes.get("name") or attributes.get("property", "")).lower(), attributes.get("content", "")
            )
        elif "ltx_title_document" in element.classes:
            titles.setdefault(
                "document", PageWalker(StyleRules(Element("", {}))).read_inline_text(remove_footnotes(element))
            )
        elif element.tag == "title" and (element.parent is None or element.parent.tag != "svg"):
            titles.setdefault("title", _SITE_NAME.sub("", element.collect_text().strip()))
        elif element.tag == "script" and attributes.get("type") in ("text/front-matter", "text/json"):
            titles.setdefault("front", _find_front_matter_title(element.collect_text()))
    order = (*(metas.get(name, "") for name in _TITLE_NAMES[:1]), titles.get("document"), titles.get("front"))
    rest = (*(metas.get(name, "") for name in _TITLE_NAMES[1:]), titles.get("title"))
    return next((" ".join(title.split()) for title in (*order, *rest) if title and title.strip()), "")


def _find_front_matter_title(text: str) -> str:
    found = re.search(r"""^\s*"?title"?\s*:\s*["']?(.+?)["']?\s*,?\s*$""", text, re.MULTILINE)
    return found[1] if found else ""


def _find_main_element(root: Element) -> Element:
    """Return the element that holds the paper if the page marks it, else the whole page."""
    for element in root.iterate_elements():
        if element.classes & {"ltx_page_main", "ltx_page_content"} or element.tag == "main":
            return element
    return root
