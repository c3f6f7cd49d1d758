"""Convert a page to headings and blocks in one walk, in reading order.

Each formula is read once, as TeX, whatever renders it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from planner.papers.html.colours import WHITE, Colour, find_background, find_text_colour, is_invisible
from planner.papers.html.dom import BLOCK_TAGS, Element
from planner.papers.html.visibility import StyleRules, is_hidden
from planner.papers.outline import MarkedHeading
from planner.papers.paper import Block, BlockKind, SectionKind

_RENDERED_CLASSES: Final = frozenset({"katex-html", "MathJax", "MathJax_Preview", "MathJax_Display", "MathJax_SVG"})
_DISPLAY_CLASSES: Final = frozenset({"katex-display", "ltx_equation", "ltx_eqn_table"})
_IMAGE_CLASSES: Final = frozenset(
    {"tex", "math", "latex", "mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"}
)
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
_ABSTRACT_CLASSES: Final = frozenset({"abstract", "ltx_abstract"})
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
        if tag in _HEADING_TAGS and self._float_lines is None and not _is_text_heading(element):
            self._add_heading(element)
            return False
        if tag == "pre" or (tag == "table" and not self.is_nested and _is_data_table(element)):
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
        elif _is_abstract_without_heading(element):
            self.items.append(MarkedHeading("Abstract", 2, "Abstract", SectionKind.ABSTRACT))

    def _leave_element(self, element: Element) -> None:
        if element.tag in _CAPTION_TAGS and self._float_lines is None:
            self._add_paragraph(BlockKind.FIGURE)
        elif element.tag in BLOCK_TAGS:
            self._add_paragraph()
        if element is self._float_element and self._float_lines is not None:
            lines, self._float_lines, self._float_element = self._float_lines, None, None
            kind = BlockKind.TABLE if self._table_count or "ltx_table" in element.classes else BlockKind.FIGURE
            self._add_block("\n".join(lines), kind)
        if element.tag == "d-abstract" or element.classes & _ABSTRACT_CLASSES:
            self.items.append(_SECTION_END)

    def _is_hidden(self, element: Element) -> bool:
        style = self.styles.find_style(element)
        if is_hidden(element, style):
            return True
        colour = find_text_colour(style) if style else None
        return colour is not None and is_invisible(colour, self._find_background(element))

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
        for cell in row.find_children("td", "th"):
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


def read_formula(element: Element) -> str | None:
    """Return the TeX of a formula element, "" for a second rendering of a formula, None for any other element."""
    tag, classes = element.tag, element.classes
    if tag == "math":
        is_display = element.attributes.get("display") == "block" or _is_displayed(element)
        return _format_tex(_read_tex(element), is_display=is_display)
    if tag == "script" and element.attributes.get("type", "").startswith("math/tex"):
        return _format_tex(element.collect_text(), is_display="mode=display" in element.attributes["type"])
    if tag in ("d-math", "dt-math"):
        return _format_tex(element.collect_text(), is_display="block" in element.attributes)
    if tag == "img" and classes & _IMAGE_CLASSES:
        return _format_tex(element.attributes.get("alt", ""), is_display=False)
    if classes & _RENDERED_CLASSES or tag == "mjx-assistive-mml":
        return ""
    if tag == "mjx-container":
        math = next((child for child in element.iterate_elements() if child.tag == "math"), None)
        return _format_tex(_read_tex(math), is_display=False) if math else ""
    return None


def _read_tex(math: Element) -> str:
    """Return the TeX of a `math` element, its letters if it has none."""
    for element in math.iterate_elements():
        if element.tag in ("annotation", "annotation-xml") and "tex" in element.attributes.get("encoding", "").lower():
            return element.collect_text()
    letters = math.collect_text(skipped_tags=("annotation", "annotation-xml"))
    return math.attributes.get("alttext") or " ".join(letters.split())


def _is_displayed(math: Element) -> bool:
    return any(element.classes & _DISPLAY_CLASSES for element in islice(math.iterate_ancestors(), 4))


def _format_tex(tex: str, *, is_display: bool) -> str:
    tex = " ".join(tex.replace("%\n", "").split()).strip("$ ")
    tex = tex.removeprefix("\\displaystyle").strip()
    if not tex:
        return ""
    return f" $${tex}$$ " if is_display else f"${tex}$"


def _tidy_spaces(text: str) -> str:
    """Return the text with single spaces and its line breaks, but no blank lines."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _find_rows(table: Element) -> list[Element]:
    """Return the rows of a table, but not those of tables within it."""
    children = table.find_children("tr", "thead", "tbody", "tfoot")
    return [row for child in children for row in ([child] if child.tag == "tr" else child.find_children("tr"))]


def _is_data_table(table: Element) -> bool:
    """Return whether a table shows data; a table for layout or an equation is plain text."""
    if table.classes & _EQUATION_CLASSES:
        return False
    widths = [len(row.find_children("td", "th")) for row in _find_rows(table)]
    return len(widths) > 1 and max(widths) > 1


def _is_text_heading(heading: Element) -> bool:
    """Return whether LaTeXML made a heading of other text, such as a theorem's name or a date."""
    if "ltx_title" not in heading.classes or "ltx_title_document" in heading.classes:
        return False
    return not any(_SECTION_TITLE.fullmatch(name) for name in heading.classes)


def _is_abstract_without_heading(element: Element) -> bool:
    """Return whether an element is an abstract without a heading of its own."""
    if element.tag != "d-abstract" and not element.classes & _ABSTRACT_CLASSES:
        return False
    children = element.find_children()
    return not children or children[0].tag not in _HEADING_TAGS
