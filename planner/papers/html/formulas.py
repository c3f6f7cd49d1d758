"""Read each formula of a page once, as TeX, whatever renders it."""

from typing import Final

from planner.papers.html.dom import Element

_RENDERED: Final = frozenset({"katex-html", "MathJax", "MathJax_Preview", "MathJax_Display", "MathJax_SVG"})
_DISPLAYS: Final = frozenset({"katex-display", "ltx_equation", "ltx_eqn_table"})
_IMAGES: Final = frozenset(
    {"tex", "math", "latex", "mwe-math-fallback-image-inline", "mwe-math-fallback-image-display"}
)


def formula(element: Element) -> str | None:
    """Return the TeX of a formula element, "" for a second rendering of a formula, None for any other element."""
    tag, classes = element.tag, element.classes
    if tag == "math":
        return _fenced(_tex(element), display=element.attributes.get("display") == "block" or _displayed(element))
    if tag == "script" and element.attributes.get("type", "").startswith("math/tex"):
        return _fenced(element.text(), display="mode=display" in element.attributes["type"])
    if tag in ("d-math", "dt-math"):
        return _fenced(element.text(), display="block" in element.attributes)
    if tag == "img" and classes & _IMAGES:
        return _fenced(element.attributes.get("alt", ""), display=False)
    if classes & _RENDERED or tag == "mjx-assistive-mml":
        return ""
    if tag == "mjx-container":
        return next((_fenced(_tex(e), display=False) for e in element.elements() if e.tag == "math"), "")
    return None


def _tex(math: Element) -> str:
    for element in math.elements():
        if element.tag in ("annotation", "annotation-xml") and "tex" in element.attributes.get("encoding", "").lower():
            return element.text()
    return math.attributes.get("alttext") or _letters(math)


def _letters(math: Element) -> str:
    """Return the letters of a formula that has no TeX, without its annotations."""
    found: list[str] = []
    waiting: list[Element | str] = [math]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found.append(item)
        elif not item.tag.startswith("annotation"):
            waiting.extend(reversed(item.children))
    return " ".join("".join(found).split())


def _displayed(math: Element) -> bool:
    element = math.parent
    for _ in range(4):
        if element is None:
            return False
        if element.classes & _DISPLAYS:
            return True
        element = element.parent
    return False


def _fenced(tex: str, *, display: bool) -> str:
    tex = " ".join(tex.replace("%\n", "").split()).strip("$ ")
    tex = tex.removeprefix("\\displaystyle").strip()
    if not tex:
        return ""
    return f" $${tex}$$ " if display else f"${tex}$"
