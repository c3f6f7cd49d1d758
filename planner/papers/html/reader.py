"""Read a paper, a title or a fragment from HTML, and remove hidden HTML elements from other texts, such as Markdown."""

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Final

from planner.papers.characters import clean_source_text
from planner.papers.colours import WHITE
from planner.papers.headings import find_abstract_text
from planner.papers.html.dom import VOID_TAGS, Element, StartTag, parse_html, tokenize_html
from planner.papers.html.flow import PageWalker, remove_footnotes
from planner.papers.html.visibility import (
    StyleRules,
    find_background,
    find_text_colour,
    is_hiding_element,
    is_invisible_on,
    join_inline_declarations,
)
from planner.papers.outline import MarkedHeading, assemble_sections, mark_back_matter, resolve_headings
from planner.papers.paper import Block, ParsedPaper, warn_of_hidden_text

_HIDING_TAG: Final = re.compile(r"<([A-Za-z][\w-]*)\s[^<>]{0,1000}?(?:style|hidden|color)\b[^<>]{0,1000}>", re.I)
_CODE: Final = re.compile(
    r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1|\Z)|(?<!`)(`+)(?!`)[^\n]*?(?<!`)\2(?!`)", re.M | re.S
)
_PARAGRAPH_END: Final = re.compile(r"\n[ \t]*\n|\Z")
_MAX_CONTENT_CHARS: Final = 100_000  # of a hidden element

# The most reliable first.
_TITLE_SOURCES: Final = (
    *("meta citation_title", "document", "front matter", "meta dc.title", "meta og:title", "meta twitter:title"),
    "title",
)
_SITE_NAME: Final = re.compile(
    r"^\[[\w./-]+\]\s*|\s+[|•·]\s+[^|•·]{1,40}$|\s+[-–—]\s+(?:arXiv|ar5iv|OpenReview|Distill)\b.*$"
)
_NAME_OF_FILE: Final = re.compile(
    r"(?:arXiv[: ]\s*)?\d{4}\.\d{4,5}(?:\s*v\d+)?|\S+\.(?:x?html?|tex|pdf|dvi|docx?|md)", re.I
)
_TOO_MANY_RULES: Final = "the page has too many style rules to follow; text that they hide may have been kept"


def read_html(html: str, file_name: str) -> ParsedPaper:
    """Read the paper that a page shows; `file_name` is the name of its file."""
    html, warnings = clean_source_text(html)
    root = parse_html(html)
    walker = PageWalker(StyleRules(root))
    walker.walk_page(_find_main_element(root))
    known_title = find_page_title(root)
    resolved = resolve_headings(mark_back_matter(walker.items), known_title=known_title)
    sections = assemble_sections(resolved.items)
    warnings += warn_of_hidden_text(walker.hidden_texts)
    if walker.styles.has_skipped_rules:
        warnings += (_TOO_MANY_RULES,)
    abstract = find_abstract_text(sections)
    return ParsedPaper(known_title or resolved.title, abstract, sections, file_name, warnings, _list_authors(root))


def _find_main_element(root: Element) -> Element:
    """Return the element that holds the paper if the page marks it, else the whole page."""
    for element in root.iterate_elements():
        if element.classes & {"ltx_page_main", "ltx_page_content"} or element.tag == "main":
            return element
    return root


def read_html_fragment(html: str) -> tuple[list[MarkedHeading | Block], list[str]]:
    """Return the headings and blocks of a piece of HTML in Markdown, and its hidden texts."""
    root = parse_html(html)
    walker = PageWalker(StyleRules(root))
    walker.walk_page(root)
    return walker.items, walker.hidden_texts


def find_page_title(root: Element) -> str:
    """Return a page's title from its metadata, LaTeXML's title, Distill's, or its `<title>`; "" if there is none."""
    titles: dict[str, str] = {}
    for element in root.iterate_elements():
        attributes = element.attributes
        if element.tag == "meta":
            name = (attributes.get("name") or attributes.get("property", "")).lower()
            titles.setdefault(f"meta {name}", attributes.get("content", ""))
        elif "ltx_title_document" in element.classes:
            walker = PageWalker(StyleRules(Element("", {})))
            titles.setdefault("document", walker.read_inline_text(remove_footnotes(element)))
        elif element.tag == "title" and (element.parent is None or element.parent.tag != "svg"):
            title = _SITE_NAME.sub("", element.collect_text().strip())
            titles.setdefault("title", "" if _NAME_OF_FILE.fullmatch(title) else title)
        elif element.tag == "script" and attributes.get("type") in ("text/front-matter", "text/json"):
            titles.setdefault("front matter", _find_front_matter_title(element.collect_text()))
    in_order = (" ".join(titles.get(source, "").split()) for source in _TITLE_SOURCES)
    return next(filter(None, in_order), "")


def _list_authors(root: Element) -> tuple[str, ...]:
    """Return the authors that a page names for search engines, as publishers and arXiv do."""
    tags = (element.attributes for element in root.iterate_elements() if element.tag == "meta")
    names = (tag.get("content", "") for tag in tags if tag.get("name", "").lower() == "citation_author")
    in_order = (" ".join(" ".join(reversed(name.split(","))).split()) for name in names)  # of "Example, Ada"
    return tuple(filter(None, in_order))


def _find_front_matter_title(text: str) -> str:
    match = re.search(r"""^\s*"?title"?\s*:\s*["']?(.+?)["']?\s*,?\s*$""", text, re.MULTILINE)
    return match[1] if match else ""


def split_hidden_elements(text: str) -> tuple[str, list[str]]:
    """Return the text without elements that hide their content, and the content of each; code stays as it is."""
    if "<" not in text or not _HIDING_TAG.search(text):
        return text, []
    code = [match.span() for match in _CODE.finditer(text)]
    chunks, hidden_texts, last = list[str](), list[str](), 0
    for match in _HIDING_TAG.finditer(text):
        start, content_start = match.span()
        if start < last or _is_within(code, start) or not _is_hiding_tag(match[0]):
            continue
        content_end, end = _find_content_end(text, match[1], content_start)
        chunks.append(text[last:start])
        hidden_texts.append(re.sub(r"<[^<>]*>", "", text[content_start:content_end]))
        last = end
    return "".join((*chunks, text[last:])), hidden_texts


@lru_cache(maxsize=1024)  # the same tags come again and again
def _is_hiding_tag(tag: str) -> bool:
    token = next(tokenize_html(tag))
    if not isinstance(token, StartTag) or token.tag in VOID_TAGS:
        return False
    element = Element(token.tag, token.attributes)
    style = join_inline_declarations(element)
    return is_hiding_element(element, style) or is_invisible_on(
        find_text_colour(style), find_background(style, element) or WHITE
    )


def _find_content_end(text: str, tag: str, position: int) -> tuple[int, int]:
    """Return the ends of an element's content and of its end tag; one that is never closed ends with its paragraph."""
    depth = 1
    for match in re.finditer(rf"<(/?){tag}\b[^<>]*>", text[position : position + _MAX_CONTENT_CHARS], re.I):
        depth += -1 if match[1] else 1
        if not depth:
            return position + match.start(), position + match.end()
    blank_line = _PARAGRAPH_END.search(text, position)
    end = blank_line.start() if blank_line else len(text)
    return end, end


def _is_within(spans: list[tuple[int, int]], position: int) -> bool:
    index = bisect_right(spans, (position, 1 << 60)) - 1
    return index >= 0 and position < spans[index][1]
