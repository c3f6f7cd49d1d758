"""Read each formula of a page once, as TeX, whatever renders it."""

import re
import unicodedata
from itertools import islice
from typing import Final

from planner.papers.html.dom import Element

_RENDERED_CLASSES: Final = frozenset({"katex-html", "MathJax", "MathJax_Preview", "MathJax_Display", "MathJax_SVG"})
_DISPLAY_CLASSES: Final = frozenset({"katex-display", "ltx_equation", "ltx_eqn_table"})
_IMAGE_CLASSES: Final = frozenset(
    {"tex", "math", "latex", "mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"}
)
_GLYPH_CLASS: Final = re.compile(r"mjx-c([0-9A-F]{1,6})", re.ASCII)


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
    if tag == "mjx-container":
        return _format_tex(_read_mathjax(element), is_display=element.attributes.get("display") == "true")
    if "katex-html" in classes and element.parent and _is_alone_in_katex(element.parent):
        return _format_tex(element.collect_text(), is_display=_is_displayed(element))  # its only rendering
    if classes & _RENDERED_CLASSES or tag == "mjx-assistive-mml":
        return ""
    return None


def _is_alone_in_katex(formula: Element) -> bool:
    return "katex" in formula.classes and len(formula.find_children()) == 1


def _read_mathjax(container: Element) -> str:
    """Return the TeX or MathML of a formula of MathJax 3 or 4, else the characters of its glyphs."""
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
