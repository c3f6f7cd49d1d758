"""Find hidden elements by their attributes, inline styles and the page's own style rules."""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Final

from planner.papers.html.dom import Element
from planner.papers.html.selectors import Patience, Selector, selector

_RULE: Final = re.compile(r"([^{}]{1,500})\{([^{}]{0,2000})\}")
_PASSED_OVER: Final = re.compile(  # comments, and rules for other media than a usual screen
    r"/\*.*?\*/|@media(?!\s*(?:only\s+)?(?:screen|all)\s*\{)[^{]*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", re.DOTALL
)
_VARIABLE: Final = re.compile(r"(--[\w-]+)\s*:([^;{}]*)")
_CALLED: Final = re.compile(r"var\(\s*(--[\w-]+)[^()]*\)")
_ESCAPE: Final = re.compile(r"\\([0-9a-f]{1,6})\s?", re.I)
_LENGTH: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(px|pt|pc|r?em|ex|ch|mm|cm|in|vw|vh|vmin|vmax|%)?")
_PIXELS: Final = {
    "": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "mm": 3.78, "cm": 37.8,
    "in": 96.0, "vw": 12.8, "vh": 8.0, "vmin": 8.0, "vmax": 12.8,
}  # fmt: skip
_MOST_RULES: Final = 60  # for one tag, class or id; the last ones, since later rules win
_STEPS: Final = 500_000  # elements visited to match the rules of one page
_LEAST_SIZE: Final = 8 / 3  # pixels, which are two points
_FAR: Final = -999.0  # pixels
_FAINT: Final = 0.05


class Styles:
    """The rules of a page's style sheets, looked up by element."""

    def __init__(self, root: Element) -> None:
        self._rules: defaultdict[str, deque[tuple[int, Selector, str]]] = defaultdict(lambda: deque(maxlen=_MOST_RULES))
        self._count = 0
        self._patience = Patience(_STEPS)
        self._variables: dict[str, str] = {}
        for element in root.elements():
            if element.tag == "style":
                self._add(element.text())

    @property
    def overtaxed(self) -> bool:
        """True if there were too many rules to apply them all."""
        return self._patience.steps <= 0

    def _add(self, sheet: str) -> None:
        sheet = _PASSED_OVER.sub("", sheet).lower()
        self._variables.update(_VARIABLE.findall(sheet))
        for selectors, body in _RULE.findall(sheet):
            for written in selectors.split(","):
                if (found := selector(written)) is not None:
                    key = next((part for part in found.last.parts if part[0] in ".#"), found.last.tag)
                    self._rules[key].append((self._count, found, body))
                    self._count += 1

    def of(self, element: Element) -> str:
        """Return the declarations that apply to an element, its own last."""
        inline = own_style(element)
        if not self._rules:
            return inline
        names = (f"#{element.attributes.get('id', '')}", *(f".{name}" for name in element.classes))
        keys = ("", element.tag, *map(str.lower, names))
        rules = sorted(
            (place, body)
            for key in keys
            for place, one, body in self._rules.get(key, ())
            if one.fits(element, self._patience)
        )
        style = ";".join((*(body for _, body in rules), inline))
        return _CALLED.sub(lambda found: self._variables.get(found[1], ""), style) if "var(" in style else style


def own_style(element: Element) -> str:
    """Return the declarations of an element's own attributes."""
    style = element.attributes.get("style", "")
    colour = element.attributes.get("color", "") if element.tag == "font" else ""
    return f"color:{colour};{style}" if colour else style


def declarations(style: str) -> dict[str, str]:
    """Return each property of a style with its last value, in lower case."""
    plain = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    plain = _ESCAPE.sub(lambda found: chr(min(int(found[1], 16), 0xFFFF)), plain).lower()
    found: dict[str, str] = {}
    for declaration in plain.split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip()] = value.replace("!important", "").strip()
    return found


def hidden(element: Element, style: str) -> bool:
    """Return whether an element's attributes or `style` hide it; its ancestors do not count."""
    attributes = element.attributes
    if "hidden" in attributes and attributes["hidden"].lower() != "until-found":
        return True
    if element.tag == "dialog" and "open" not in attributes:
        return True
    return bool(style) and _hides(declarations(style))


def _hides(style: Mapping[str, str]) -> bool:
    if any(check(style[name]) for name, check in _HIDING.items() if name in style):
        return True
    cut = any(style.get(name) in ("hidden", "clip") for name in ("overflow", "overflow-x", "overflow-y"))
    return cut and any(_is_at_most(style.get(name, ""), 1) for name in ("width", "height", "max-width", "max-height"))


def _pixels(value: str, whole: float) -> float | None:
    """Return a length in pixels, a percentage as part of `whole`; None if the value is no length."""
    found = _LENGTH.fullmatch(value)
    if found is None:
        return None
    return float(found[1]) * (whole / 100 if found[2] == "%" else _PIXELS[found[2] or ""])


def _is_at_most(value: str, limit: float, whole: float = 1_000) -> bool:
    length = _pixels(value, whole)
    return length is not None and length <= limit


def _is_tiny(value: str) -> bool:
    length = _pixels(value, 16)
    return length is not None and length < _LEAST_SIZE


def _is_tiny_font(value: str) -> bool:
    """Return whether a `font` sets a tiny size: its first length, or a bare 0."""
    sizes = [word for word in re.split(r"[\s/]+", value) if (m := _LENGTH.fullmatch(word)) and (m[2] or m[1] == "0")]
    return bool(sizes) and _is_tiny(sizes[0])


def _is_faint(value: str) -> bool:
    found = _LENGTH.fullmatch(value)
    return found is not None and float(found[1]) / (100 if found[2] == "%" else 1) < _FAINT


def _is_far_off(value: str) -> bool:
    return _is_at_most(value, _FAR, 900)


def _is_moved_off(value: str) -> bool:
    """Return whether a `transform` shrinks to nothing or moves off the page."""
    return any(
        (name.startswith("scale") and _is_faint(first)) or (name.startswith("translate") and _is_far_off(first))
        for name, first in re.findall(r"(\w+)\(\s*([^\s,()]+)", value)
    )


def _is_empty_clip(value: str) -> bool:
    """Return whether a `clip` leaves nothing between its top, right, bottom and left."""
    sides = [_pixels(word, 1_000) for word in re.split(r"[\s,]+", value.removeprefix("rect(").rstrip(") "))]
    if len(sides) != 4 or any(side is None for side in sides):
        return False
    top, right, bottom, left = (side or 0.0 for side in sides)
    return right - left <= 1 or bottom - top <= 1


def _is(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.match(value) is not None


_HIDING: Final[Mapping[str, Callable[[str], bool]]] = {
    "display": _is("none"),
    "visibility": _is("hidden|collapse"),
    "content-visibility": _is("hidden"),
    "opacity": _is_faint,
    "filter": lambda value: any(map(_is_faint, re.findall(r"opacity\(\s*([^()]*?)\s*\)", value))),
    "font-size": _is_tiny,
    "font": _is_tiny_font,
    "zoom": _is_faint,
    "max-height": lambda value: _is_at_most(value, 0),
    "clip": _is_empty_clip,
    "clip-path": _is(r"inset\(\s*(?:[5-9]\d|100)%|circle\(\s*0"),
    "transform": _is_moved_off,
    **dict.fromkeys(("text-indent", "left", "right", "top", "bottom", "margin-left", "margin-top"), _is_far_off),
}
