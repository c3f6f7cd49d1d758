"""Convert elements to headings and blocks in one walk over the page, in reading order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from planner.papers.html.colours import WHITE, Colour, ground, ink, is_lost
from planner.papers.html.dom import BLOCKS, Element
from planner.papers.html.formulas import formula
from planner.papers.html.visible import Styles, hidden
from planner.papers.levels import Ranked
from planner.papers.paper import Block, BlockKind, SectionKind

_SKIPPED_WORDS: Final = """
    script style nav noscript template head svg iframe button input select textarea canvas video audio object
    datalist footer d-front-matter d-bibliography dt-banner d-contents
"""
_SKIPPED: Final = frozenset(_SKIPPED_WORDS.split())
_SKIPPED_CLASSES: Final = frozenset(
    {"ltx_page_navbar", "ltx_page_header", "ltx_page_footer", "ltx_TOC", "ltx_pagination", "toc", "navbar", "sidebar"}
    | {"abstract-title"}  # pandoc's own heading in an abstract element
)
_NOTES: Final = frozenset({"ltx_note", "footnote-ref"})  # footnotes, no part of a heading
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SECTIONS: Final = re.compile(
    r"ltx_title_(?:part|chapter|(?:sub)*section|(?:sub)?paragraph|appendix|bibliography|acknowledgements|abstract|index)"
)
_FLOATS: Final = frozenset({"figure", "d-figure", "dt-figure"})
_CAPTIONS: Final = frozenset({"figcaption", "caption"})
_EQUATIONS: Final = frozenset({"ltx_equation", "ltx_equationgroup", "ltx_eqn_table"})
_ABSTRACTS: Final = frozenset({"abstract", "ltx_abstract"})
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")
_GROUNDS: Final = 40  # ancestors searched for the background of coloured text
BREAK: Final = Ranked("", 0, "")  # ends a heading's section where no heading follows


@dataclass(slots=True)
class Flow:
    """A walk over a page that collects its headings and blocks in order, and its hidden texts."""

    styles: Styles
    within: bool = False  # in a cell or a heading, where a table is plain text
    items: list[Ranked | Block] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    _words: list[str] = field(default_factory=list)
    _float: list[str] | None = None  # the lines of the float that the walk is in
    _outermost: Element | None = None  # the element of that float
    _tables: int = 0
    _grounds: dict[Element, Colour] = field(default_factory=dict)

    def page(self, root: Element) -> None:
        """Walk over everything below an element."""
        waiting: list[tuple[Element | str, bool]] = [(root, False)]
        while waiting:
            item, leaving = waiting.pop()
            if isinstance(item, str):
                self._words.append(item)
            elif leaving:
                self._leave(item)
            elif self._enter(item):
                waiting.append((item, True))
                waiting.extend((child, False) for child in reversed(item.children))
        self._paragraph()

    def _enter(self, element: Element) -> bool:
        """Handle the start of an element and return whether to walk over its children."""
        tag = element.tag
        if (tex := formula(element)) is not None:
            self._words.append(tex)
            return False
        if tag in _SKIPPED or element.classes & _SKIPPED_CLASSES or element.attributes.get("role") == "navigation":
            return False
        if self._is_unseen(element):
            if _LETTERS.search(text := element.text()):
                self.unseen.append(text)
            return False
        if tag in BLOCKS or tag == "hr":
            self._paragraph()
        if tag in _HEADINGS and self._float is None and not _is_part_of_text(element):
            self._heading(element)
            return False
        if tag == "pre" or (tag == "table" and not self.within and _is_data(element)):
            self._whole(element)
            return False
        self._begin(element)
        return True

    def _begin(self, element: Element) -> None:
        tag = element.tag
        if tag in _FLOATS and self._float is None:
            self._float, self._tables, self._outermost = [], 0, element
        elif tag in ("sup", "sub"):
            self._words.append("^" if tag == "sup" else "_")
        elif tag == "br":
            self._words.append("\n")
        elif tag == "li":
            self._words.append("- ")
        elif tag in ("dt-cite", "d-cite"):
            key = element.attributes.get("key") or element.attributes.get("bibtex-key", "")
            self._words.append(f"[{key}]" if key else "")
        elif _is_bare_abstract(element):
            self.items.append(Ranked("Abstract", 2, "Abstract", SectionKind.ABSTRACT))

    def _leave(self, element: Element) -> None:
        if element.tag in _CAPTIONS and self._float is None:
            self._paragraph(BlockKind.FIGURE)
        elif element.tag in BLOCKS:
            self._paragraph()
        if element is self._outermost and self._float is not None:
            lines, self._float, self._outermost = self._float, None, None
            kind = BlockKind.TABLE if self._tables or "ltx_table" in element.classes else BlockKind.FIGURE
            self._block("\n".join(lines), kind)
        if element.tag == "d-abstract" or element.classes & _ABSTRACTS:
            self.items.append(BREAK)

    def _is_unseen(self, element: Element) -> bool:
        style = self.styles.of(element)
        if not style:
            return hidden(element, style)
        return hidden(element, style) or ((colour := ink(style)) is not None and is_lost(colour, self._behind(element)))

    def _behind(self, element: Element) -> Colour:
        """Return the nearest background behind an element, else white; only a few ancestors are tried, each once."""
        around, asked, found = element, list[Element](), None
        while found is None and len(asked) < _GROUNDS:
            asked.append(around)
            found = self._grounds.get(around) or ground(self.styles.of(around), around)
            if around.parent is None:
                break
            around = around.parent
        self._grounds.update(dict.fromkeys(asked, found or WHITE))
        return found or WHITE

    def _paragraph(self, kind: BlockKind = BlockKind.PROSE) -> None:
        text = tidy("".join(self._words))
        self._words.clear()
        if text and text != "-":
            self._block(text, kind)

    def _block(self, text: str, kind: BlockKind) -> None:
        if self._float is not None:
            self._float.append(text)
        elif text.strip():
            self.items.append(Block(kind, text))

    def _heading(self, element: Element) -> None:
        source = " ".join(self.inline(element).split())
        text = " ".join(self.inline(without_notes(element)).split())
        if not text:
            return
        names = element.classes
        kind = SectionKind.ABSTRACT if "ltx_title_abstract" in names else None
        kind = SectionKind.REFERENCES if "ltx_title_bibliography" in names else kind
        rank = 2 if kind else int(element.tag[1])
        self.items.append(Ranked(text, rank, source, kind, "ltx_title_appendix" in names))

    def _whole(self, element: Element) -> None:
        """Add a table (one line a row) or preformatted text as one block."""
        if element.tag == "pre":
            self._block(element.text().strip("\n"), BlockKind.PROSE)
            return
        self._tables += 1
        captions = [tidy(self.inline(c)) for c in element.children if isinstance(c, Element) and c.tag == "caption"]
        rows = (" | ".join(self._cells(row)) for row in rows_of(element))
        self._block("\n".join((*captions, *(row for row in rows if row.strip(" |")))), BlockKind.TABLE)

    def _cells(self, row: Element) -> Iterator[str]:
        """Yield the text of each visible cell of a row."""
        for cell in cells(row):
            if any(self._is_unseen(element) for element in (row, cell)):
                self.unseen.append(cell.text())
            else:
                yield tidy(self.inline(cell)).replace("\n", " ")

    def inline(self, root: Element) -> str:
        """Return the text of an element in one piece, formulas as TeX."""
        inner = Flow(self.styles, within=True)
        inner._float = []
        inner.page(Element("", {}, None, list(root.children)))
        self.unseen += inner.unseen
        return "\n".join(inner._float)


def without_notes(heading: Element) -> Element:
    """Return a heading or title without the footnotes that LaTeXML writes into it."""
    children = [c for c in heading.children if isinstance(c, str) or not c.classes & _NOTES]
    return Element(heading.tag, heading.attributes, heading.parent, children)


def tidy(text: str) -> str:
    """Return the text with single spaces and its line breaks, but no blank lines."""
    lines = (" ".join(line.split()) for line in _soft_breaks(text).split("\n"))
    return "\n".join(line for line in lines if line)


def _soft_breaks(text: str) -> str:
    return re.sub(r"[ \t\r\f]*\n[ \t\r\f]*", "\n", text)


def rows_of(table: Element) -> Iterator[Element]:
    """Yield the rows of a table, but not those of tables within it."""
    for child in table.children:
        if isinstance(child, Element) and child.tag == "tr":
            yield child
        elif isinstance(child, Element) and child.tag in ("thead", "tbody", "tfoot"):
            yield from (row for row in child.children if isinstance(row, Element) and row.tag == "tr")


def cells(row: Element) -> list[Element]:
    """Return the cells of a row."""
    return [cell for cell in row.children if isinstance(cell, Element) and cell.tag in ("td", "th")]


def _is_data(table: Element) -> bool:
    """Return whether a table shows data; a table for layout or an equation is plain text."""
    if table.classes & _EQUATIONS:
        return False
    widths = [len(cells(row)) for row in rows_of(table)]
    return len(widths) > 1 and max(widths) > 1


def _is_part_of_text(heading: Element) -> bool:
    """Return whether LaTeXML made a heading of other text, such as a theorem's name or a date."""
    return "ltx_title" in heading.classes and not (
        "ltx_title_document" in heading.classes or any(_SECTIONS.fullmatch(name) for name in heading.classes)
    )


def _is_bare_abstract(element: Element) -> bool:
    """Return whether an element is an abstract without a heading of its own."""
    named = element.tag == "d-abstract" or bool(element.classes & _ABSTRACTS)
    first = next((c for c in element.children if isinstance(c, Element)), None)
    return named and (first is None or first.tag not in _HEADINGS)
