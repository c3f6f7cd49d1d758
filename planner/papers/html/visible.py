"""What a reader of a page does not see, by attributes, inline styles and the page's own simple style rules."""

import re
from typing import Final

from planner.papers.html.dom import Element

_RULE: Final = re.compile(r"([^{}]{1,500})\{([^{}]{0,2000})\}")
_SIMPLE: Final = re.compile(r"([a-z][\w-]*)?([.#][\w-]+)?", re.I)
_HIDING: Final = re.compile(
    r"(?<![\w-])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?\.?0+(?![.\d])"
    r"|font-size\s*:\s*(?:0|[01](?:\.\d+)?p[xt]|0?\.0\d*r?em)(?![.\d\w])"
    r"|(?:text-indent|left|top|right|margin-left|margin-top)\s*:\s*-\d{4,}(?:\.\d+)?px"
    r"|clip\s*:\s*rect\(\s*0[^)]*\)|clip-path\s*:\s*inset\(\s*(?:50|100)%"
    r"|transform\s*:\s*scale\(\s*0\s*\)|max-height\s*:\s*0(?:px)?\s*(?:;|$)|color\s*:\s*transparent)",
    re.I,
)
_COLOUR: Final = re.compile(r"(?<![\w-])color\s*:\s*([^;!]+)", re.I)
_GROUND: Final = re.compile(r"(?<![\w-])background(?:-color|-image)?\s*:\s*([^;!]+)", re.I)
_NEAR_WHITE: Final = 240  # of 255


class Styles:
    """The rules of a page's style sheets that hide things, for selectors of one element, class or id."""

    def __init__(self, root: Element) -> None:
        self._rules: dict[str, str] = {}
        for element in root.elements():
            if element.tag == "style":
                self._add(element.text())

    def _add(self, sheet: str) -> None:
        sheet = re.sub(r"/\*.*?\*/|@media[^{]*print[^{]*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "", sheet, flags=re.DOTALL)
        for selectors, body in _RULE.findall(sheet):
            for selector in selectors.split(","):
                selector = selector.strip()
                if selector and _SIMPLE.fullmatch(selector):
                    self._rules[selector.lower()] = self._rules.get(selector.lower(), "") + ";" + body

    def of(self, element: Element) -> str:
        """The declarations that hold for an element, its own last."""
        inline = own_style(element)
        if not self._rules:
            return inline
        tag, names = element.tag, [f".{name}".lower() for name in element.classes]
        if identity := element.attributes.get("id"):
            names.append(f"#{identity}".lower())
        keys = (tag, *names, *(tag + name for name in names))
        return ";".join((*(self._rules[key] for key in keys if key in self._rules), inline))


def own_style(element: Element) -> str:
    """The declarations that an element brings itself."""
    style = element.attributes.get("style", "")
    colour = element.attributes.get("color", "") if element.tag == "font" else ""
    return f"color:{colour};{style}" if colour else style


def hidden(element: Element, style: str) -> bool:
    """Whether a reader does not see an element for its own sake."""
    attributes = element.attributes
    if "hidden" in attributes and attributes["hidden"].lower() != "until-found":
        return True
    return bool(style and _HIDING.search(_resolved(style)))


def white(style: str) -> bool | None:
    """Whether a style sets white letters (True), a colour that is seen (False), or no colour (None)."""
    found = _COLOUR.findall(style)
    return _is_white(found[-1]) if found else None


def dark_ground(style: str, element: Element) -> bool | None:
    """Whether a style puts something dark, or a picture, behind the letters; None if it puts nothing there."""
    found = _GROUND.findall(style) or ([element.attributes["bgcolor"]] if element.attributes.get("bgcolor") else [])
    if not found or re.match(r"\s*(?:none|transparent|inherit|initial)\b", found[-1]):
        return None
    return not _is_white(found[-1])


def _resolved(style: str) -> str:
    """The style with the last word on whether it is shown: a later `display` undoes an earlier one."""
    last: dict[str, str] = {}
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        last[name.strip().lower()] = value.strip()
    return ";".join(f"{name}:{value}" for name, value in last.items() if name)


def _is_white(colour: str) -> bool:
    colour = colour.strip().lower()
    if colour in ("white", "snow", "ivory", "ghostwhite", "floralwhite", "#fff"):
        return True
    if found := re.match(r"#([0-9a-f]{3,8})\b", colour):
        digits = found[1] if len(found[1]) >= 6 else "".join(d * 2 for d in found[1][:3])
        return min(int(digits[i : i + 2], 16) for i in (0, 2, 4)) >= _NEAR_WHITE
    if found := re.match(r"rgba?\(\s*(\d+)[,\s]+(\d+)[,\s]+(\d+)(?:[,\s/]+([\d.]+))?", colour):
        return min(map(int, found.groups()[:3])) >= _NEAR_WHITE or found[4] in ("0", "0.0")
    return bool(re.match(r"hsla?\([^)]*,\s*(?:9[5-9]|100)%\s*[,)]", colour))
