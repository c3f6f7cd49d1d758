"""Find hidden elements by their attributes, inline styles and colours, and by the style rules of the page.

Rules with selectors for states, such as `:hover`, are ignored.
"""

import math
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from planner.papers.colours import TRANSPARENT, WHITE, Colour, is_similar_colour, parse_css_colour
from planner.papers.html.dom import Element

_CONDITION: Final = re.compile(r"[.#][\w-]+|\[[^\[\]]*\]|:first-child|:nth-child\(\s*\d{1,2}\s*\)|:not\([^()\s:]+\)")
_COMPOUND: Final = re.compile(rf"(\*|[\w-]+)?((?:{_CONDITION.pattern})*)")
_ATTRIBUTE: Final = re.compile(r"\[\s*([\w-]+)\s*(?:[~|^$*]?=\s*[\"']?(.*?)[\"']?\s*)?\]", re.DOTALL)
_RELATION: Final = re.compile(r"\s*([>+~])\s*(?![^\[]*\])")
_MAX_RELATED: Final = 25  # ancestors or siblings to look at
_MAX_ANCESTORS: Final = 40  # ancestors searched for the background of coloured text
_RULE: Final = re.compile(r"([^{}]{1,500})\{([^{}]{0,2000})\}")
_IGNORED_CSS: Final = re.compile(  # comments, and rules for other media than a usual screen
    r"/\*.*?\*/|@media(?!\s*(?:only\s+)?(?:screen|all)\s*\{)[^{]*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", re.DOTALL
)
_VARIABLE: Final = re.compile(r"(--[\w-]+)\s*:([^;{}]*)")
_VARIABLE_USE: Final = re.compile(r"var\(\s*(--[\w-]+)[^()]*\)")
_ESCAPE: Final = re.compile(r"\\([0-9a-f]{1,6})\s?", re.I)
_LENGTH: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(px|pt|pc|r?em|ex|ch|mm|cm|in|vw|vh|vmin|vmax|%)?")
_PIXELS: Final = {
    "": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "mm": 3.78, "cm": 37.8,
    "in": 96.0, "vw": 12.8, "vh": 8.0, "vmin": 8.0, "vmax": 12.8,
}  # fmt: skip
_MAX_RULES: Final = 60  # for one tag, class or id; the last rules are kept, since later ones win
_MAX_STEPS: Final = 500_000  # elements visited to match the rules of one page
_MAX_TINY_SIZE: Final = math.nextafter(8 / 3, 0)  # pixels; text of two points counts as readable
_FAR_OFF: Final = -999.0  # pixels
_MAX_FAINT_SHARE: Final = math.nextafter(0.05, 0)  # of an opacity or a scale
_MAX_COLOUR_DIFFERENCE: Final = 20.5 / 255  # largest difference of a component that nobody sees
_UNKNOWN_COLOUR: Final[Colour] = (-1000.0, -1000.0, -1000.0)  # an unknown or many-coloured background
_NO_COLOUR: Final = re.compile(r"none|transparent|inherit|initial|unset")


@dataclass(frozen=True, slots=True)
class _CompoundSelector:
    """A CSS selector for one element: its tag ("" for any) and conditions such as `.class` and `:first-child`."""

    tag: str
    conditions: tuple[str, ...]

    def is_match(self, element: Element) -> bool:
        """Return whether an element has the tag and meets all conditions."""
        return self.tag in ("", element.tag) and all(_has_condition(element, part) for part in self.conditions)


# The parts of a CSS selector such as `div > p.note`, the last part first. Each comes with its relation to the part that
# is before it in CSS: "" for any ancestor, ">" for the parent, "+" for the previous sibling, "~" for earlier siblings.
_Selector = Sequence[tuple[str, _CompoundSelector]]


class StyleRules:
    """The style rules in the `style` elements of a page."""

    def __init__(self, root: Element) -> None:
        self._rules: defaultdict[str, deque[tuple[int, _Selector, str]]] = defaultdict(lambda: deque(maxlen=_MAX_RULES))
        self._count = 0
        self._steps_left = _MAX_STEPS  # elements that may still be visited, since a page may have any number of rules
        self._variables: dict[str, str] = {}
        self._backgrounds: dict[Element, Colour] = {}
        for element in root.iterate_elements():
            if element.tag == "style":
                self._add_sheet(element.collect_text())

    @property
    def has_too_many_rules(self) -> bool:
        """True if the page has so many rules that some were not applied."""
        return self._steps_left <= 0

    def _add_sheet(self, sheet: str) -> None:
        sheet = _IGNORED_CSS.sub("", sheet).lower()
        self._variables.update(_VARIABLE.findall(sheet))
        for selectors, body in _RULE.findall(sheet):
            for selector in map(_parse_selector, selectors.split(",")):
                if selector:
                    _, subject = selector[0]
                    key = next((part for part in subject.conditions if part[0] in ".#"), subject.tag)
                    self._rules[key].append((self._count, selector, body))
                    self._count += 1

    def is_hidden(self, element: Element) -> bool:
        """Return whether an element is hidden by its attributes, its style, or its colour on the background.

        Elements around it are checked only for their background.
        """
        attributes = element.attributes
        if "hidden" in attributes and attributes["hidden"].lower() != "until-found":
            return True
        if element.tag == "dialog" and "open" not in attributes:
            return True
        style = self._find_style(element)
        colour = parse_css_colour(style.get("-webkit-text-fill-color") or style.get("color", ""))
        return _is_hiding_style(style) or (
            colour is not None and _is_invisible_on(colour, self._find_background(element))
        )

    def _find_background(self, element: Element) -> Colour:
        """Return the background colour of the element or its nearest coloured ancestor; white if there is none."""
        searched, background = list[Element](), None
        for around in islice(chain((element,), element.iterate_ancestors()), _MAX_ANCESTORS):
            searched.append(around)
            background = self._backgrounds.get(around) or _parse_background(self._find_style(around), around)
            if background is not None:
                break
        self._backgrounds.update(dict.fromkeys(searched, background or WHITE))
        return background or WHITE

    def _find_style(self, element: Element) -> dict[str, str]:
        """Return the declarations of matching rules and of the element's attributes: the last value by property."""
        inline = element.attributes.get("style", "")
        if element.tag == "font" and (colour := element.attributes.get("color", "")):
            inline = f"color:{colour};{inline}"
        if not self._rules:
            return _parse_declarations(inline)
        names = (f"#{element.attributes.get('id', '')}", *(f".{name}" for name in element.classes))
        keys = ("", element.tag, *map(str.lower, names))
        rules = sorted(
            (number, body)
            for key in keys
            for number, selector, body in self._rules.get(key, ())
            if self._is_match(selector, element)
        )
        style = ";".join((*(body for _, body in rules), inline))
        if "var(" in style:
            style = _VARIABLE_USE.sub(lambda match: self._variables.get(match[1], ""), style)
        return _parse_declarations(style)

    def _is_match(self, selector: _Selector, element: Element) -> bool:
        """Return whether a selector matches an element; False if the page has used up its search steps."""
        (relation, subject), *others = selector
        if (others and self._steps_left <= 0) or not subject.is_match(element):
            return False
        related: Element | None = element
        for next_relation, compound in others:
            related = self._find_related(related, relation, compound) if related else None
            relation = next_relation
        return related is not None

    def _find_related(self, element: Element, relation: str, compound: _CompoundSelector) -> Element | None:
        """Return the nearest ancestor or earlier sibling that `compound` matches; None if there is none.

        `relation` says which elements are tried, such as ">" for the parent only.
        """
        other: Element | None = element
        for _ in range(min(1 if relation in (">", "+") else _MAX_RELATED, self._steps_left)):
            self._steps_left -= 1
            other = other and (other.previous_sibling if relation in ("+", "~") else other.parent)
            if other is None or compound.is_match(other):
                return other
        return None


def _parse_declarations(style: str) -> dict[str, str]:
    """Return a dict from each property of a style to its last value; properties and values are in lower case."""
    if not style:
        return {}
    plain = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    plain = _ESCAPE.sub(lambda match: chr(min(int(match[1], 16), 0xFFFF)), plain).lower()
    values: dict[str, str] = {}
    for declaration in plain.split(";"):
        name, _, value = declaration.partition(":")
        values[name.strip()] = value.replace("!important", "").strip()
    return values


def _parse_background(style: Mapping[str, str], element: Element) -> Colour | None:
    """Return the background colour that a style or a `bgcolor` attribute sets; None if there is none."""
    values = [style.get(name, "") for name in ("background", "background-color", "background-image")]
    values = values if any(values) else [element.attributes.get("bgcolor", "")]
    values = [value for value in values if value and not _NO_COLOUR.match(value)]
    if not values:
        return None
    is_picture = "url(" in values[-1] or "gradient(" in values[-1]
    return _UNKNOWN_COLOUR if is_picture else parse_css_colour(values[-1]) or _UNKNOWN_COLOUR


def _is_invisible_on(colour: Colour, background: Colour) -> bool:
    return colour == TRANSPARENT or is_similar_colour(colour, background, _MAX_COLOUR_DIFFERENCE)


def _is_hiding_style(style: Mapping[str, str]) -> bool:
    if any(check(style[name]) for name, check in _HIDING_CHECKS.items() if name in style):
        return True
    is_cut = any(style.get(name) in ("hidden", "clip") for name in ("overflow", "overflow-x", "overflow-y"))
    return is_cut and any(
        _is_at_most(style.get(name, ""), 1) for name in ("width", "height", "max-width", "max-height")
    )


def _parse_selector(text: str) -> _Selector:
    """Parse a CSS selector that is in lower case; return () if a part of it is not supported."""
    parts: list[tuple[str, _CompoundSelector]] = []
    for word in _RELATION.sub(r" \1", text.strip()).split():
        relation = word[0] if word[0] in ">+~" else ""
        compound = _parse_compound(word.removeprefix(relation))
        if compound is None:
            return ()
        parts.append((relation, compound))
    return parts[::-1]


def _parse_compound(text: str) -> _CompoundSelector | None:
    match = _COMPOUND.fullmatch(text)
    if match is None or not text:
        return None
    return _CompoundSelector((match[1] or "").replace("*", ""), tuple(_CONDITION.findall(match[2])))


def _find_position(element: Element) -> int:
    """Return the position of an element among its siblings, counted from 1; counting stops at a limit."""
    position, sibling = 1, element.previous_sibling
    while sibling is not None and position <= _MAX_RELATED:
        position, sibling = position + 1, sibling.previous_sibling
    return position


def _has_condition(element: Element, condition: str) -> bool:
    if condition.startswith("."):
        return condition[1:] in element.lowercase_classes
    if condition.startswith("#"):
        return element.attributes.get("id", "").lower() == condition[1:]
    if condition.startswith(":not"):
        excluded = _parse_compound(condition.removeprefix(":not(").removesuffix(")"))
        return excluded is not None and not excluded.is_match(element)
    if condition.startswith(":"):
        return _find_position(element) == int("".join(c for c in condition if c.isdigit()) or 1)
    match = _ATTRIBUTE.fullmatch(condition)
    if match is None or match[1].lower() not in element.attributes:
        return False
    return match[2] is None or match[2] in element.attributes[match[1].lower()].lower()


def _parse_pixels(value: str, whole: float) -> float | None:
    """Return a length in pixels, or None if `value` is no length; a percentage is a share of `whole`."""
    match = _LENGTH.fullmatch(value)
    if match is None:
        return None
    return float(match[1]) * (whole / 100 if match[2] == "%" else _PIXELS[match[2] or ""])


def _is_at_most(value: str, limit: float, whole: float = 1_000) -> bool:
    length = _parse_pixels(value, whole)
    return length is not None and length <= limit


def _is_far_off(value: str) -> bool:
    return _is_at_most(value, _FAR_OFF, 900)


def _is_tiny(value: str) -> bool:
    return _is_at_most(value, _MAX_TINY_SIZE, 16)


def _is_tiny_font(value: str) -> bool:
    sizes = [word for word in re.split(r"[\s/]+", value) if (m := _LENGTH.fullmatch(word)) and (m[2] or m[1] == "0")]
    return bool(sizes) and _is_tiny(sizes[0])


def _is_faint(value: str) -> bool:
    return _is_at_most(value, _MAX_FAINT_SHARE, 1)


def _is_moved_off(value: str) -> bool:
    """Return whether a `transform` shrinks text to nothing or moves text off the page."""
    return any(
        (name.startswith("scale") and _is_faint(first)) or (name.startswith("translate") and _is_far_off(first))
        for name, first in re.findall(r"(\w+)\(\s*([^\s,()]+)", value)
    )


def _is_empty_clip(value: str) -> bool:
    """Return whether a `clip` shows an area that is at most one pixel wide or high."""
    sides = [_parse_pixels(word, 1_000) for word in re.split(r"[\s,]+", value.removeprefix("rect(").rstrip(") "))]
    if len(sides) != 4 or any(side is None for side in sides):
        return False
    top, right, bottom, left = (side or 0.0 for side in sides)
    return right - left <= 1 or bottom - top <= 1


_HIDING_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "display": re.compile("none").match,
    "visibility": re.compile("hidden|collapse").match,
    "content-visibility": re.compile("hidden").match,
    "opacity": _is_faint,
    "filter": lambda value: any(map(_is_faint, re.findall(r"opacity\(\s*([^()]*?)\s*\)", value))),
    "font-size": _is_tiny,
    "font": _is_tiny_font,
    "zoom": _is_faint,
    "max-height": lambda value: _is_at_most(value, 0),
    "clip": _is_empty_clip,
    "clip-path": re.compile(r"inset\(\s*(?:[5-9]\d|100)%|circle\(\s*0").match,
    "transform": _is_moved_off,
    **dict.fromkeys(("text-indent", "left", "right", "top", "bottom", "margin-left", "margin-top"), _is_far_off),
}
