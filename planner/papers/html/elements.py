"""Recognise elements of a page: formulas, tables, abstracts and lists of references."""

import re
import unicodedata
from itertools import islice
from typing import Final

from planner.papers.html.dom import Element

HEADING_TAGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_EQUATION_CLASSES: Final = frozenset({"ltx_equation", "ltx_equationgroup", "ltx_eqn_table"})
_ABSTRACT_CLASSES: Final = frozenset({"abstract", "ltx_abstract"})
_MIN_SUMMARY_WORDS: Final = 30  # of the paragraph below a Distill title, which is its abstract
_REFERENCES_CLASSES: Final = frozenset(
    {"references", "csl-bib-body", "ltx_biblist", "ltx_bibliography", "bibliography", "thebibliography"}
    | {"ref-list", "reference-list", "citation-list"}
)
_CELL_CLASSES: Final = frozenset({"ltx_td", "ltx_th"})
_MAX_TABLE_DEPTH: Final = 4  # elements between a table and its rows, such as row groups
_AUTHOR_CLASSES: Final = frozenset({"ltx_authors", "ltx_personname"})
_DISPLAY_CLASSES: Final = frozenset({"katex-display", "ltx_equation", "ltx_eqn_table"})
_IMAGE_CLASSES: Final = frozenset(
    {"tex", "math", "latex", "mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"}
)
_GLYPH_CLASS: Final = re.compile(r"mjx-c([0-9A-F]{1,6})", re.ASCII)


def _is_table(element: Element) -> bool:
    attributes = element.attributes
    return element.tag == "table" or "ltx_tabular" in attributes.get("class", "") or attributes.get("role") == "table"


def find_table_rows(table: Element, max_depth: int = _MAX_TABLE_DEPTH) -> list[Element]:
    """Return the rows of a table in order, without the rows of inner tables.

    `max_depth` is the number of levels to search below the children.
    """
    rows = list[Element]()
    for child in table.find_children():
        if _is_row(child):
            rows.append(child)
        elif max_depth and not _is_table(child):
            rows += find_table_rows(child, max_depth - 1)
    return rows


def find_row_cells(row: Element) -> list[Element]:
    """Return the cells of a row."""
    return [child for child in row.find_children() if _is_cell(child)]


def _is_row(element: Element) -> bool:
    return element.tag == "tr" or "ltx_tr" in element.classes or element.attributes.get("role") == "row"


def _is_cell(element: Element) -> bool:
    has_role = element.attributes.get("role") in ("cell", "gridcell", "rowheader", "columnheader")
    return has_role or element.tag in ("td", "th") or bool(element.classes & _CELL_CLASSES)


def is_data_table(element: Element) -> bool:
    """Return whether an element is a table of data, and not a table for the layout or for an equation."""
    if not _is_table(element) or element.classes & _EQUATION_CLASSES:
        return False
    widths = [len(find_row_cells(row)) for row in find_table_rows(element)]
    if element.tag == "table":
        return len(widths) > 1 and max(widths) > 1
    is_of_authors = any(around.classes & _AUTHOR_CLASSES for around in islice(element.iterate_ancestors(), 6))
    return max(widths, default=0) > 1 and not is_of_authors


def is_abstract(element: Element) -> bool:
    """Return whether an element is marked as the abstract."""
    is_marked = element.tag in ("d-abstract", "dt-abstract") or bool(element.classes & _ABSTRACT_CLASSES)
    return is_marked or element.attributes.get("role") == "doc-abstract" or _is_distill_summary(element)


def _is_distill_summary(element: Element) -> bool:
    """Return whether an element is the summary (a long paragraph or heading) below the title of a Distill page."""
    parent, previous = element.parent, element.previous_sibling
    if element.tag not in ("p", "h2") or parent is None or parent.tag not in ("d-title", "dt-title", "dt-article"):
        return False
    is_below_title = previous is not None and previous.tag == "h1"
    return is_below_title and len(element.collect_text().split()) >= _MIN_SUMMARY_WORDS


def is_abstract_without_heading(element: Element) -> bool:
    """Return whether an element is an abstract that does not begin with a heading."""
    children = element.find_children()
    return is_abstract(element) and not (children and children[0].tag in HEADING_TAGS)


def is_reference_list_without_heading(element: Element) -> bool:
    """Return whether an element is a list of references that has no heading."""
    is_marked = element.tag in ("div", "section", "ol", "ul", "dl") and (
        bool(element.lowercase_classes & _REFERENCES_CLASSES)
        or element.attributes.get("id") == "refs"
        or element.attributes.get("role") == "doc-bibliography"
    )
    if not is_marked and element.tag not in ("d-citation-list", "dt-bibliography"):
        return False
    return not any(inner.tag in HEADING_TAGS for inner in islice(element.iterate_elements(), 6))


def read_formula_tex(element: Element) -> str | None:
    """Return the TeX of a formula between dollar signs, or None for other elements."""
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
    if tag == "mjx-container":
        return _format_tex(_read_mathjax(element), is_display=element.attributes.get("display") == "true")
    around = element.parent if "katex-html" in classes else None
    if around and "katex" in around.classes and len(around.find_children()) == 1:  # the only rendering
        return _format_tex(element.collect_text(), is_display=_is_displayed(element))
    return None


def _read_mathjax(container: Element) -> str:
    """Return the TeX or MathML of a MathJax formula; if there is neither, return its printed characters."""
    codes: list[str] = []
    for element in container.iterate_elements():
        if element.tag == "math":
            return _read_tex(element)
        if tex := element.attributes.get("data-latex"):
            return tex
        codes += _GLYPH_CLASS.findall(element.attributes.get("class", "")) if element.tag == "mjx-c" else ()
        codes += [element.attributes["data-c"]] if "data-c" in element.attributes else ()
    return unicodedata.normalize("NFKC", "".join(map(_decode_glyph, codes)))


def _decode_glyph(code: str) -> str:
    number = int(code, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,6}", code) else 0
    return chr(number) if 0x20 <= number < 0xD800 or 0xE000 <= number <= 0x10FFFF else ""


def _read_tex(math: Element) -> str:
    """Return the TeX that a `math` element holds; if it holds none, return its characters."""
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
