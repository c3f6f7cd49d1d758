"""Read the colours of text and of its background from style sheets."""

import colorsys
import re
from typing import Final

from planner.papers.html.dom import Element
from planner.papers.html.visibility import parse_declarations

Colour = tuple[int, int, int]
WHITE: Final[Colour] = (255, 255, 255)
_UNKNOWN: Final[Colour] = (-1000, -1000, -1000)  # an unknown or many-coloured background, unlike any colour
_TRANSPARENT: Final[Colour] = (1000, 1000, 1000)  # see-through text, which shows only its background
_MAX_DIFFERENCE: Final = 20  # of 255 in a channel, that nobody sees
_NAMED: Final = {
    "white": WHITE, "snow": (255, 250, 250), "ivory": (255, 255, 240), "ghostwhite": (248, 248, 255),
    "floralwhite": (255, 250, 240), "whitesmoke": (245, 245, 245), "mintcream": (245, 255, 250),
    "azure": (240, 255, 255), "black": (0, 0, 0), "navy": (0, 0, 128), "red": (255, 0, 0), "blue": (0, 0, 255),
    "green": (0, 128, 0), "gray": (128, 128, 128), "grey": (128, 128, 128), "yellow": (255, 255, 0),
}  # fmt: skip
_NO_COLOUR: Final = re.compile(r"none|transparent|inherit|initial|unset")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)%?")


def find_text_colour(style: str) -> Colour | None:
    """Return the text colour that a style sets, None if it sets none or an unknown one."""
    declarations = parse_declarations(style)
    value = declarations.get("-webkit-text-fill-color") or declarations.get("color", "")
    return _parse_colour(value) if value else None


def find_background(style: str, element: Element) -> Colour | None:
    """Return the background that a style or a `bgcolor` attribute sets, None if it sets none."""
    declarations = parse_declarations(style)
    values = [declarations.get(name, "") for name in ("background", "background-color", "background-image")]
    values = values if any(values) else [element.attributes.get("bgcolor", "")]
    values = [value for value in values if value and not _NO_COLOUR.match(value)]
    if not values:
        return None
    if "url(" in values[-1] or "gradient(" in values[-1]:
        return _UNKNOWN
    return _parse_colour(values[-1]) or _UNKNOWN


def is_invisible(colour: Colour | None, background: Colour) -> bool:
    """Return whether text of a colour cannot be seen on its background."""
    if colour is None:
        return False
    return colour == _TRANSPARENT or all(abs(a - b) <= _MAX_DIFFERENCE for a, b in zip(colour, background, strict=True))


def _parse_colour(value: str) -> Colour | None:
    """Return the colour that a value begins with; None if it is not known."""
    word = re.split(r"[\s;]", value.strip(), maxsplit=1)[0] if "(" not in value else value.strip()
    if word == "transparent":
        return _TRANSPARENT
    if match := re.fullmatch(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", word):
        digits = match[1] if len(match[1]) >= 6 else "".join(digit * 2 for digit in match[1])
        red, green, blue, *alpha = bytes.fromhex(digits)
        return _TRANSPARENT if alpha and alpha[0] <= _MAX_DIFFERENCE else (red, green, blue)
    if match := re.match(r"(rgb|hsl)a?\(([^()]*)\)", word):
        return _compute_colour(match[1], _NUMBER.findall(match[2]))
    return _NAMED.get(word)


def _compute_colour(kind: str, numbers: list[str]) -> Colour | None:
    """Return the colour of an `rgb` or `hsl` value with an optional opacity; None with fewer than three numbers."""
    if len(numbers) < 3:
        return None
    if len(numbers) > 3 and _parse_share(numbers[3], 1) < _MAX_DIFFERENCE / 255:
        return _TRANSPARENT
    if kind == "rgb":
        red, green, blue = (round(255 * _parse_share(number, 255)) for number in numbers[:3])
        return red, green, blue
    hue = float(numbers[0].rstrip("%")) / 360 % 1
    saturation, lightness = (_parse_share(number, 100) for number in numbers[1:3])
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, saturation))
    return red, green, blue


def _parse_share(number: str, whole: float) -> float:
    """Return a number or percentage as a share of `whole`, between 0 and 1."""
    value = float(number.rstrip("%")) / (100 if number.endswith("%") else whole)
    return min(max(value, 0.0), 1.0)
