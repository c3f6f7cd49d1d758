"""Read the colours of text and of its background from style sheets."""

import colorsys
import re
from typing import Final

from planner.papers.html.dom import Element
from planner.papers.html.visible import declarations

Colour = tuple[int, int, int]
WHITE: Final[Colour] = (255, 255, 255)
PICTURE: Final[Colour] = (-1000, -1000, -1000)  # an unknown or many-coloured background: like no colour
_ALIKE: Final = 20  # of 255: the largest difference of a channel that nobody sees
_NAMED: Final = {
    "white": WHITE, "snow": (255, 250, 250), "ivory": (255, 255, 240), "ghostwhite": (248, 248, 255),
    "floralwhite": (255, 250, 240), "whitesmoke": (245, 245, 245), "mintcream": (245, 255, 250),
    "azure": (240, 255, 255), "black": (0, 0, 0), "navy": (0, 0, 128), "red": (255, 0, 0), "blue": (0, 0, 255),
    "green": (0, 128, 0), "gray": (128, 128, 128), "grey": (128, 128, 128), "yellow": (255, 255, 0),
}  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)%?")


def ink(style: str) -> Colour | None:
    """Return the text colour that a style sets, None if it sets none or an unknown one."""
    found = declarations(style)
    written = found.get("-webkit-text-fill-color") or found.get("color", "")
    return _colour(written) if written else None


def ground(style: str, element: Element) -> Colour | None:
    """Return the background that a style or a `bgcolor` attribute sets, None if it sets none."""
    found = declarations(style)
    names = ("background", "background-color", "background-image")
    written = [found[name] for name in names if found.get(name)] or [element.attributes.get("bgcolor", "")]
    written = [value for value in written if value and not re.match(r"none|transparent|inherit|initial|unset", value)]
    if not written:
        return None
    return PICTURE if "url(" in written[-1] or "gradient(" in written[-1] else _colour(written[-1]) or PICTURE


def is_lost(colour: Colour | None, behind: Colour) -> bool:
    """Return whether text of a colour cannot be seen on its background."""
    if colour is None:
        return False
    return colour == CLEAR or all(abs(one - other) <= _ALIKE for one, other in zip(colour, behind, strict=True))


CLEAR: Final[Colour] = (1000, 1000, 1000)  # see-through text, which shows only its background


def _colour(written: str) -> Colour | None:
    """Return the colour that a value begins with; None if it is not known."""
    word = re.split(r"[\s;]", written.strip(), maxsplit=1)[0] if "(" not in written else written.strip()
    if word == "transparent":
        return CLEAR
    if found := re.fullmatch(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", word):
        digits = found[1] if len(found[1]) >= 6 else "".join(digit * 2 for digit in found[1])
        red, green, blue, *alpha = bytes.fromhex(digits)
        return CLEAR if alpha and alpha[0] <= _ALIKE else (red, green, blue)
    if found := re.match(r"(rgb|hsl)a?\(([^()]*)\)", word):
        return _computed(found[1], _NUMBER.findall(found[2]))
    return _NAMED.get(word)


def _computed(kind: str, numbers: list[str]) -> Colour | None:
    """Return the colour of an `rgb` or `hsl` value with an optional opacity; None with fewer than three numbers."""
    if len(numbers) < 3:
        return None
    if len(numbers) > 3 and _share(numbers[3], 1) < _ALIKE / 255:
        return CLEAR
    if kind == "rgb":
        red, green, blue = (round(255 * _share(number, 255)) for number in numbers[:3])
        return red, green, blue
    hue, saturation, light = float(numbers[0].rstrip("%")) / 360, _share(numbers[1], 100), _share(numbers[2], 100)
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue % 1, light, saturation))
    return red, green, blue


def _share(number: str, whole: float) -> float:
    """Return a number or percentage as a share of `whole`, between 0 and 1."""
    value = float(number.rstrip("%")) / (100 if number.endswith("%") else whole)
    return min(max(value, 0.0), 1.0)
