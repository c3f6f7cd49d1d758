"""Read a paper from an HTML page by collecting the headings and blocks of its elements in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from planner.papers.characters import normalize_characters_with_warnings
from planner.papers.headings import classify_heading, find_abstract_text
from planner.papers.html.dom import BLOCK_TAGS, Element, parse_html
from planner.papers.html.elements import (
    HEADING_TAGS,
    find_row_cells,
    find_table_rows,
    is_abstract,
    is_abstract_without_heading,
    is_data_table,
    is_reference_list_without_heading,
    read_formula_tex,
)
from planner.papers.html.visibility import StyleRules
from planner.papers.outline import Heading, HeadingOrBlock, assemble_sections, correct_headings
from planner.papers.paper import Block, BlockKind, ParsedPaper, SectionKind, build_hidden_text_warnings
from planner.papers.sources import FileFormat

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
_TOO_MANY_RULES: Final = "the page has too many style rules to apply them all; some hidden text may have been kept"
_SKIPPED_TAG_WORDS: Final = """
    script style nav noscript template head svg iframe button input select textarea canvas video audio object
    datalist footer d-front-matter d-bibliography dt-banner d-contents mjx-assistive-mml
"""
_SKIPPED_TAGS: Final = frozenset(_SKIPPED_TAG_WORDS.split())
_SKIPPED_CLASSES: Final = frozenset(
    {"ltx_page_navbar", "ltx_page_header", "ltx_page_footer", "ltx_TOC", "ltx_pagination", "toc", "navbar", "sidebar"}
    | {"abstract-title"}  # pandoc's own heading in an abstract element
    | {"katex-html", "MathJax", "MathJax_Preview", "MathJax_Display", "MathJax_SVG"}  # repeat a formula in another form
)
_SECTION_TITLE: Final = re.compile(
    r"ltx_title_(?:part|chapter|(?:sub)*section|(?:sub)?paragraph|appendix|bibliography|acknowledgements|abstract|index)"
)
_PICTURE_TAGS: Final = frozenset({"img", "svg", "canvas", "video", "picture", "object"})
_ALGORITHM_CLASS: Final = re.compile(r"algorithm|listing|pseudo-?code", re.I)
_NOTE_CLASSES: Final = frozenset({"ltx_note", "footnote-ref"})  # footnotes, no part of a heading
_TEXT_BY_TAG: Final = {"sup": "^", "sub": "_", "br": "\n", "li": "- "}  # at the start of an element
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")
_SECTION_END: Final = Heading("", 0, "")  # ends a section where no heading follows


def read_html(html: str, file_name: str) -> ParsedPaper:
    """Read the paper that a page shows; `file_name` becomes the main file of the paper."""
    html, warnings = normalize_characters_with_warnings(html)
    root = parse_html(html)
    walker = _PageWalker(StyleRules(root))
    walker.walk_page(_find_main_element(root))
    known_title = find_page_title(root)
    corrected = correct_headings(walker.items, known_title=known_title)
    sections = assemble_sections(corrected.headings_and_blocks)
    warnings += build_hidden_text_warnings(walker.hidden_texts)
    if walker.styles.has_too_many_rules:
        warnings += (_TOO_MANY_RULES,)
    abstract = find_abstract_text(sections)
    title, authors = known_title or corrected.title, _list_authors(root)
    return ParsedPaper(title, abstract, sections, FileFormat.HTML, file_name, warnings, authors)


def _find_main_element(root: Element) -> Element:
    """Return the element that is marked as the main part of the page, or `root` if none is marked."""
    marks = {"ltx_page_main", "ltx_page_content"}
    return next((each for each in root.iterate_elements() if each.tag == "main" or each.classes & marks), root)


def read_html_fragment_in_markdown(html_fragment: str) -> tuple[list[HeadingOrBlock], list[str]]:
    """Return the headings and blocks in a piece of HTML from a Markdown file, and the hidden texts in it."""
    root = parse_html(html_fragment)
    walker = _PageWalker(StyleRules(root))
    walker.walk_page(root)
    return walker.items, walker.hidden_texts


def find_page_title(root: Element) -> str:
    """Return the title that a page states, for example in `meta` elements or in `<title>`; "" if it states none."""
    titles: dict[str, str] = {}
    for element in root.iterate_elements():
        attributes = element.attributes
        if element.tag == "meta":
            name = (attributes.get("name") or attributes.get("property", "")).lower()
            titles.setdefault(f"meta {name}", attributes.get("content", ""))
        elif "ltx_title_document" in element.classes:
            walker = _PageWalker(StyleRules(Element("", {})))
            titles.setdefault("document", walker.read_inline_text(_remove_footnotes(element)))
        elif element.tag == "title" and (element.parent is None or element.parent.tag != "svg"):
            title = _SITE_NAME.sub("", element.collect_text().strip())
            titles.setdefault("title", "" if _NAME_OF_FILE.fullmatch(title) else title)
        elif element.tag == "script" and attributes.get("type") in ("text/front-matter", "text/json"):
            titles.setdefault("front matter", _find_front_matter_title(element.collect_text()))
    in_order = (" ".join(titles.get(source, "").split()) for source in _TITLE_SOURCES)
    return next(filter(None, in_order), "")


def _list_authors(root: Element) -> tuple[str, ...]:
    """Return the authors in the `citation_author` tags that publishers and arXiv write for search engines."""
    tags = (element.attributes for element in root.iterate_elements() if element.tag == "meta")
    names = (tag.get("content", "") for tag in tags if tag.get("name", "").lower() == "citation_author")
    in_order = (" ".join(" ".join(reversed(name.split(","))).split()) for name in names)  # of "Example, Ada"
    return tuple(filter(None, in_order))


def _find_front_matter_title(text: str) -> str:
    match = re.search(r"""^\s*"?title"?\s*:\s*["']?(.+?)["']?\s*,?\s*$""", text, re.MULTILINE)
    return match[1] if match else ""


@dataclass(slots=True)
class _PageWalker:
    """A walk over the elements of a page, which collects headings, blocks and hidden texts in order."""

    styles: StyleRules
    is_in_cell_or_heading: bool = False  # in a cell or a heading, where a table is plain text
    items: list[HeadingOrBlock] = field(default_factory=list)
    hidden_texts: list[str] = field(default_factory=list)
    _words: list[str] = field(default_factory=list)
    _float_lines: list[str] | None = None  # the lines of the float that the walk is in
    _float_element: Element | None = None  # the element of that float
    _references: Element | None = None  # the list of references, without a heading, that the walk is in
    _table_count: int = 0

    def walk_page(self, root: Element) -> None:
        """Collect the headings, blocks and hidden texts in the element `root`."""
        waiting: list[tuple[Element | str, bool]] = [(root, False)]
        while waiting:
            item, is_end = waiting.pop()
            if isinstance(item, str):
                self._words.append(item)
            elif is_end:
                self._leave_element(item)
            elif self._enter_element(item):
                waiting.append((item, True))
                waiting.extend((child, False) for child in reversed(item.children))
        self._add_paragraph()

    def _enter_element(self, element: Element) -> bool:
        """Handle the start of an element, and return whether its children must be walked over too."""
        tag = element.tag
        if (tex := read_formula_tex(element)) is not None:
            self._words.append(tex)
            return False
        if tag in _SKIPPED_TAGS or element.classes & _SKIPPED_CLASSES or element.attributes.get("role") == "navigation":
            return False
        if self.styles.is_hidden(element):
            if _LETTERS.search(text := element.collect_text()):
                self.hidden_texts.append(text)
            return False
        if tag in BLOCK_TAGS or tag == "hr":
            self._add_paragraph()
        if self._float_lines is None and self._add_unmarked_heading(element):
            return True
        if tag in HEADING_TAGS and self._float_lines is None and not _is_false_latexml_heading(element):
            self._add_heading(element)
            return False
        if tag == "pre" or (not self.is_in_cell_or_heading and is_data_table(element)):
            self._add_paragraph()
            self._add_table_or_code(element)
            return False
        self._begin_element(element)
        return True

    def _begin_element(self, element: Element) -> None:
        tag = element.tag
        if tag in ("figure", "d-figure", "dt-figure") and self._float_lines is None:
            self._float_lines, self._table_count, self._float_element = [], 0, element
        elif tag in _TEXT_BY_TAG:
            self._words.append(_TEXT_BY_TAG[tag])
        elif tag in ("dt-cite", "d-cite"):
            key = element.attributes.get("key") or element.attributes.get("bibtex-key", "")
            self._words.append(f"[{key}]" if key else "")

    def _add_unmarked_heading(self, element: Element) -> bool:
        """Add a heading for an abstract or a list of references that has none; return whether one was added."""
        if is_abstract_without_heading(element):
            self._add_paragraph()
            self.items.append(Heading("Abstract", 2, "Abstract", SectionKind.ABSTRACT))
            return True
        if self._references is None and is_reference_list_without_heading(element) and not self._is_in_references():
            self._add_paragraph()
            self.items.append(Heading("References", 2, "References", SectionKind.REFERENCES))
            self._references = element
            return True
        return False

    def _is_in_references(self) -> bool:
        last = next((item for item in reversed(self.items) if isinstance(item, Heading)), _SECTION_END)
        return SectionKind.REFERENCES in (last.kind, classify_heading(last.text))

    def _leave_element(self, element: Element) -> None:
        if self._float_lines is None and _is_caption(element):
            self._add_paragraph(BlockKind.FIGURE)
        elif element.tag in BLOCK_TAGS:
            self._add_paragraph()
        if element is self._float_element and self._float_lines is not None:
            lines, self._float_lines, self._float_element = self._float_lines, None, None
            self._add_block("\n".join(lines), _classify_float(element, self._table_count))
        if element is self._references or is_abstract(element):
            self._add_paragraph()
            self.items.append(_SECTION_END)
            self._references = None if element is self._references else self._references

    def _add_paragraph(self, kind: BlockKind = BlockKind.PROSE) -> None:
        text = _tidy_spaces("".join(self._words))
        self._words.clear()
        if text and text != "-":
            self._add_block(text, kind)

    def _add_block(self, text: str, kind: BlockKind) -> None:
        if self._float_lines is not None:
            self._float_lines.append(text)
        elif text.strip():
            self.items.append(Block(kind, text))

    def _add_heading(self, element: Element) -> None:
        source_text = " ".join(self.read_inline_text(element).split())
        text = " ".join(self.read_inline_text(_remove_footnotes(element)).split())
        if not text:
            return
        classes = element.classes
        kind = SectionKind.ABSTRACT if "ltx_title_abstract" in classes else None
        kind = SectionKind.REFERENCES if "ltx_title_bibliography" in classes else kind
        level = 2 if kind else int(element.tag[1])
        self.items.append(Heading(text, level, source_text, kind, "ltx_title_appendix" in classes))

    def _add_table_or_code(self, element: Element) -> None:
        """Add a table (with one line for each row) or code as one block."""
        if element.tag == "pre":
            self._add_block(element.collect_text().strip("\n"), BlockKind.PROSE)
            return
        self._table_count += 1
        captions = [_tidy_spaces(self.read_inline_text(child)) for child in element.find_children("caption")]
        rows = (" | ".join(self._read_visible_cells(row)) for row in find_table_rows(element))
        self._add_block("\n".join((*captions, *(row for row in rows if row.strip(" |")))), BlockKind.TABLE)

    def _read_visible_cells(self, row: Element) -> Iterator[str]:
        for cell in find_row_cells(row):
            if self.styles.is_hidden(row) or self.styles.is_hidden(cell):
                self.hidden_texts.append(cell.collect_text())
            else:
                yield _tidy_spaces(self.read_inline_text(cell)).replace("\n", " ")

    def read_inline_text(self, root: Element) -> str:
        """Return the text in an element as one string; formulas are TeX."""
        inner = _PageWalker(self.styles, is_in_cell_or_heading=True)
        inner._float_lines = []
        inner.walk_page(Element("", {}, None, list(root.children)))
        self.hidden_texts += inner.hidden_texts
        return "\n".join(inner._float_lines)


def _classify_float(element: Element, table_count: int) -> BlockKind:
    """Return the kind of a float: prose if it is an algorithm, a table if it holds tables, else a figure."""
    if any(map(_ALGORITHM_CLASS.search, element.classes)):
        return BlockKind.PROSE
    if table_count or "ltx_table" in element.classes:
        return BlockKind.TABLE
    inner = list(element.iterate_elements())
    has_code = any(part.tag == "pre" or any(map(_ALGORITHM_CLASS.search, part.classes)) for part in inner)
    has_picture = any(part.tag in _PICTURE_TAGS for part in inner)
    return BlockKind.PROSE if has_code and not has_picture else BlockKind.FIGURE


def _is_caption(element: Element) -> bool:
    return element.tag in ("figcaption", "caption") or (element.tag in BLOCK_TAGS and "caption" in element.classes)


def _is_false_latexml_heading(heading: Element) -> bool:
    """Return whether a heading that LaTeXML marked is in fact another text, such as a theorem's name or a date."""
    if "ltx_title" not in heading.classes or "ltx_title_document" in heading.classes:
        return False
    return not any(_SECTION_TITLE.fullmatch(name) for name in heading.classes)


def _remove_footnotes(heading: Element) -> Element:
    """Return a heading without the footnotes that LaTeXML puts into headings."""
    children = [c for c in heading.children if isinstance(c, str) or not c.classes & _NOTE_CLASSES]
    return Element(heading.tag, heading.attributes, heading.parent, children)


def _tidy_spaces(text: str) -> str:
    """Return the text without blank lines and with single spaces; other line breaks stay."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
