"""Convert a page to headings and blocks in one walk, in reading order.

Each formula is read once, as TeX, whatever renders it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from planner.papers.colours import WHITE, Colour
from planner.papers.headings import classify_heading
from planner.papers.html.dom import BLOCK_TAGS, Element
from planner.papers.html.formulas import read_formula
from planner.papers.html.visibility import (
    StyleRules,
    find_background,
    find_text_colour,
    is_hiding_element,
    is_invisible_on,
)
from planner.papers.outline import MarkedHeading
from planner.papers.paper import Block, BlockKind, SectionKind

_SKIPPED_TAG_WORDS: Final = """
    script style nav noscript template head svg iframe button input select textarea canvas video audio object
    datalist footer d-front-matter d-bibliography dt-banner d-contents
"""
_SKIPPED_TAGS: Final = frozenset(_SKIPPED_TAG_WORDS.split())
_SKIPPED_CLASSES: Final = frozenset(
    {"ltx_page_navbar", "ltx_page_header", "ltx_page_footer", "ltx_TOC", "ltx_pagination", "toc", "navbar", "sidebar"}
    | {"abstract-title"}  # pandoc's own heading in an abstract element
)
_NOTE_CLASSES: Final = frozenset({"ltx_note", "footnote-ref"})  # footnotes, no part of a heading
_HEADING_TAGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SECTION_TITLE: Final = re.compile(
    r"ltx_title_(?:part|chapter|(?:sub)*section|(?:sub)?paragraph|appendix|bibliography|acknowledgements|abstract|index)"
)
_FLOAT_TAGS: Final = frozenset({"figure", "d-figure", "dt-figure"})
_CAPTION_TAGS: Final = frozenset({"figcaption", "caption"})
_EQUATION_CLASSES: Final = frozenset({"ltx_equation", "ltx_equationgroup", "ltx_eqn_table"})
_ABSTRACT_TAGS: Final = frozenset({"d-abstract", "dt-abstract"})
_ABSTRACT_CLASSES: Final = frozenset({"abstract", "ltx_abstract"})
_SUMMARY_PARENTS: Final = frozenset({"d-title", "dt-title", "dt-article"})
_MIN_SUMMARY_WORDS: Final = 30  # of the paragraph below a Distill title, which is its abstract
_REFERENCES_TAGS: Final = frozenset({"d-citation-list", "dt-bibliography"})
_REFERENCES_CLASSES: Final = frozenset(
    {"references", "csl-bib-body", "ltx_biblist", "ltx_bibliography", "bibliography", "thebibliography"}
    | {"ref-list", "reference-list", "citation-list"}
)
_REFERENCES_CONTAINERS: Final = frozenset({"div", "section", "ol", "ul", "dl"})
_CELL_CLASSES: Final = frozenset({"ltx_td", "ltx_th"})
_CELL_ROLES: Final = frozenset({"cell", "gridcell", "rowheader", "columnheader"})
_PICTURE_TAGS: Final = frozenset({"img", "svg", "canvas", "video", "picture", "object"})
_MAX_TABLE_DEPTH: Final = 4  # elements between a table and its rows, such as row groups
_ALGORITHM_CLASS: Final = re.compile(r"algorithm|listing|pseudo-?code", re.I)
_AUTHOR_CLASSES: Final = frozenset({"ltx_authors", "ltx_personname"})
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")
_MAX_ANCESTORS: Final = 40  # ancestors searched for the background of coloured text
_SECTION_END: Final = MarkedHeading("", 0, "")  # ends a section where no heading follows


@dataclass(slots=True)
class PageWalker:
    """A walk over a page that collects its headings and blocks in order, and its hidden texts."""

    styles: StyleRules
    is_nested: bool = False  # in a cell or a heading, where a table is plain text
    items: list[MarkedHeading | Block] = field(default_factory=list)
    hidden_texts: list[str] = field(default_factory=list)
    _words: list[str] = field(default_factory=list)
    _float_lines: list[str] | None = None  # the lines of the float that the walk is in
    _float_element: Element | None = None  # the element of that float
    _references: Element | None = None  # the list of references, without a heading, that the walk is in
    _table_count: int = 0
    _backgrounds: dict[Element, Colour] = field(default_factory=dict)

    def walk_page(self, root: Element) -> None:
        """Walk over everything below an element."""
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
        """Handle the start of an element and return whether to walk over its children."""
        tag = element.tag
        if (tex := read_formula(element)) is not None:
            self._words.append(tex)
            return False
        if tag in _SKIPPED_TAGS or element.classes & _SKIPPED_CLASSES or element.attributes.get("role") == "navigation":
            return False
        if self._is_hidden(element):
            if _LETTERS.search(text := element.collect_text()):
                self.hidden_texts.append(text)
            return False
        if tag in BLOCK_TAGS or tag == "hr":
            self._add_paragraph()
        if self._float_lines is None and self._add_unmarked_heading(element):
            return True
        if tag in _HEADING_TAGS and self._float_lines is None and not _is_text_heading(element):
            self._add_heading(element)
            return False
        if tag == "pre" or (not self.is_nested and _is_data_table(element)):
            self._add_paragraph()
            self._add_table_or_code(element)
            return False
        self._begin_element(element)
        return True

    def _begin_element(self, element: Element) -> None:
        tag = element.tag
        if tag in _FLOAT_TAGS and self._float_lines is None:
            self._float_lines, self._table_count, self._float_element = [], 0, element
        elif tag in ("sup", "sub"):
            self._words.append("^" if tag == "sup" else "_")
        elif tag == "br":
            self._words.append("\n")
        elif tag == "li":
            self._words.append("- ")
        elif tag in ("dt-cite", "d-cite"):
            key = element.attributes.get("key") or element.attributes.get("bibtex-key", "")
            self._words.append(f"[{key}]" if key else "")

    def _add_unmarked_heading(self, element: Element) -> bool:
        """Add a heading if an element is an abstract or a list of references without one; return whether it is."""
        if _is_abstract_without_heading(element):
            self._add_paragraph()
            self.items.append(MarkedHeading("Abstract", 2, "Abstract", SectionKind.ABSTRACT))
            return True
        if self._references is None and _is_reference_list(element) and not self._is_in_references():
            self._add_paragraph()
            self.items.append(MarkedHeading("References", 2, "References", SectionKind.REFERENCES))
            self._references = element
            return True
        return False

    def _is_in_references(self) -> bool:
        """Return whether the last heading is that of the references."""
        last = next((item for item in reversed(self.items) if isinstance(item, MarkedHeading)), _SECTION_END)
        return SectionKind.REFERENCES in (last.kind, classify_heading(last.text))

    def _leave_element(self, element: Element) -> None:
        if self._float_lines is None and _is_caption(element):
            self._add_paragraph(BlockKind.FIGURE)
        elif element.tag in BLOCK_TAGS:
            self._add_paragraph()
        if element is self._float_element and self._float_lines is not None:
            lines, self._float_lines, self._float_element = self._float_lines, None, None
            self._add_block("\n".join(lines), _classify_float(element, self._table_count))
        if element is self._references or _is_abstract(element):
            self._add_paragraph()
            self.items.append(_SECTION_END)
            self._references = None if element is self._references else self._references

    def _is_hidden(self, element: Element) -> bool:
        style = self.styles.find_style(element)
        if is_hiding_element(element, style):
            return True
        colour = find_text_colour(style) if style else None
        return colour is not None and is_invisible_on(colour, self._find_background(element))

    def _find_background(self, element: Element) -> Colour:
        """Return the nearest background behind an element, else white; only a few ancestors are tried, each once."""
        searched, background = list[Element](), None
        for around in islice(chain((element,), element.iterate_ancestors()), _MAX_ANCESTORS):
            searched.append(around)
            background = self._backgrounds.get(around) or find_background(self.styles.find_style(around), around)
            if background is not None:
                break
        self._backgrounds.update(dict.fromkeys(searched, background or WHITE))
        return background or WHITE

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
        text = " ".join(self.read_inline_text(remove_footnotes(element)).split())
        if not text:
            return
        classes = element.classes
        kind = SectionKind.ABSTRACT if "ltx_title_abstract" in classes else None
        kind = SectionKind.REFERENCES if "ltx_title_bibliography" in classes else kind
        rank = 2 if kind else int(element.tag[1])
        self.items.append(MarkedHeading(text, rank, source_text, kind, "ltx_title_appendix" in classes))

    def _add_table_or_code(self, element: Element) -> None:
        """Add a table (one line a row) or preformatted text as one block."""
        if element.tag == "pre":
            self._add_block(element.collect_text().strip("\n"), BlockKind.PROSE)
            return
        self._table_count += 1
        captions = [_tidy_spaces(self.read_inline_text(child)) for child in element.find_children("caption")]
        rows = (" | ".join(self._read_visible_cells(row)) for row in _find_rows(element))
        self._add_block("\n".join((*captions, *(row for row in rows if row.strip(" |")))), BlockKind.TABLE)

    def _read_visible_cells(self, row: Element) -> Iterator[str]:
        """Yield the text of each visible cell of a row."""
        for cell in _find_cells(row):
            if self._is_hidden(row) or self._is_hidden(cell):
                self.hidden_texts.append(cell.collect_text())
            else:
                yield _tidy_spaces(self.read_inline_text(cell)).replace("\n", " ")

    def read_inline_text(self, root: Element) -> str:
        """Return the text of an element in one piece, formulas as TeX."""
        inner = PageWalker(self.styles, is_nested=True)
        inner._float_lines = []
        inner.walk_page(Element("", {}, None, list(root.children)))
        self.hidden_texts += inner.hidden_texts
        return "\n".join(inner._float_lines)


def remove_footnotes(heading: Element) -> Element:
    """Return a heading or title without the footnotes that LaTeXML writes into it."""
    children = [c for c in heading.children if isinstance(c, str) or not c.classes & _NOTE_CLASSES]
    return Element(heading.tag, heading.attributes, heading.parent, children)


def _tidy_spaces(text: str) -> str:
    """Return the text with single spaces and its line breaks, but no blank lines."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _is_table(element: Element) -> bool:
    attributes = element.attributes
    return element.tag == "table" or "ltx_tabular" in attributes.get("class", "") or attributes.get("role") == "table"


def _find_parts(element: Element, is_part: Callable[[Element], bool], *, depth: int) -> list[Element]:
    """Return the nearest parts below an element, in order, but not those of tables within it."""
    parts = list[Element]()
    for child in element.find_children():
        if is_part(child):
            parts.append(child)
        elif depth and not _is_table(child):
            parts += _find_parts(child, is_part, depth=depth - 1)
    return parts


def _find_rows(table: Element) -> list[Element]:
    return _find_parts(table, _is_row, depth=_MAX_TABLE_DEPTH)


def _find_cells(row: Element) -> list[Element]:
    return _find_parts(row, _is_cell, depth=0)


def _is_row(element: Element) -> bool:
    return element.tag == "tr" or "ltx_tr" in element.classes or element.attributes.get("role") == "row"


def _is_cell(element: Element) -> bool:
    is_marked = bool(element.classes & _CELL_CLASSES) or element.attributes.get("role") in _CELL_ROLES
    return element.tag in ("td", "th") or is_marked


def _is_data_table(element: Element) -> bool:
    """Return whether an element is a table of data; a table for layout or an equation is plain text."""
    if not _is_table(element) or element.classes & _EQUATION_CLASSES:
        return False
    widths = [len(_find_cells(row)) for row in _find_rows(element)]
    if element.tag == "table":
        return len(widths) > 1 and max(widths) > 1
    is_of_authors = any(around.classes & _AUTHOR_CLASSES for around in islice(element.iterate_ancestors(), 6))
    return max(widths, default=0) > 1 and not is_of_authors


def _classify_float(element: Element, table_count: int) -> BlockKind:
    """Return the kind of a float; an algorithm or a listing is prose, as it is part of the text."""
    if any(map(_ALGORITHM_CLASS.search, element.classes)):
        return BlockKind.PROSE
    if table_count or "ltx_table" in element.classes:
        return BlockKind.TABLE
    inner = list(element.iterate_elements())
    has_code = any(part.tag == "pre" or any(map(_ALGORITHM_CLASS.search, part.classes)) for part in inner)
    has_picture = any(part.tag in _PICTURE_TAGS for part in inner)
    return BlockKind.PROSE if has_code and not has_picture else BlockKind.FIGURE


def _is_caption(element: Element) -> bool:
    is_marked = element.tag in BLOCK_TAGS and "caption" in element.classes
    return element.tag in _CAPTION_TAGS or is_marked


def _is_text_heading(heading: Element) -> bool:
    """Return whether LaTeXML made a heading of other text, such as a theorem's name or a date."""
    if "ltx_title" not in heading.classes or "ltx_title_document" in heading.classes:
        return False
    return not any(_SECTION_TITLE.fullmatch(name) for name in heading.classes)


def _is_abstract(element: Element) -> bool:
    if element.tag in _ABSTRACT_TAGS or element.classes & _ABSTRACT_CLASSES or _is_distill_summary(element):
        return True
    return element.attributes.get("role") == "doc-abstract"


def _is_distill_summary(element: Element) -> bool:
    """Return whether an element is the long paragraph or heading below the title of a Distill page."""
    if element.tag not in ("p", "h2") or element.parent is None or element.parent.tag not in _SUMMARY_PARENTS:
        return False
    previous = element.previous_sibling
    is_below_title = previous is not None and previous.tag == "h1"
    return is_below_title and len(element.collect_text().split()) >= _MIN_SUMMARY_WORDS


def _is_abstract_without_heading(element: Element) -> bool:
    """Return whether an element is an abstract without a heading of its own."""
    children = element.find_children()
    return _is_abstract(element) and not (children and children[0].tag in _HEADING_TAGS)


def _is_reference_list(element: Element) -> bool:
    """Return whether an element is a list of references without a heading of its own."""
    is_marked = element.tag in _REFERENCES_CONTAINERS and (
        bool(element.lowercase_classes & _REFERENCES_CLASSES)
        or element.attributes.get("id") == "refs"
        or element.attributes.get("role") == "doc-bibliography"
    )
    if not is_marked and element.tag not in _REFERENCES_TAGS:
        return False
    return not any(inner.tag in _HEADING_TAGS for inner in islice(element.iterate_elements(), 6))
