"""Read the colours of text and of its background from style sheets."""

import colorsys
import re
from typing import Final

from planner.papers.html.dom import Element
from planner.papers.html.visibility import parse_declarations

Colour = tuple[int, int, int]
WHITE: Final[Colour] = (255, 255, 255)
UNKNOWN_BACKGROUND: Final[Colour] = (-1000, -1000, -1000)  # an unknown or many-coloured background: like no colour
_LARGEST_DIFFERENCE: Final = 20  # of 255: the largest difference of a channel that nobody sees
_NAMED: Final = {
    "white": WHITE, "snow": (255, 250, 250), "ivory": (255, 255, 240), "ghostwhite": (248, 248, 255),
    "floralwhite": (255, 250, 240), "whitesmoke": (245, 245, 245), "mintcream": (245, 255, 250),
    "azure": (240, 255, 255), "black": (0, 0, 0), "navy": (0, 0, 128), "red": (255, 0, 0), "blue": (0, 0, 255),
    "green": (0, 128, 0), "gray": (128, 128, 128), "grey": (128, 128, 128), "yellow": (255, 255, 0),
}  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)%?")


def find_text_colour(style: str) -> Colour | None:
    """Return the text colour that a style sets, None if it sets none or an unknown one."""
    found = parse_declarations(style)
    written = found.get("-webkit-text-fill-color") or found.get("color", "")
    return _parse_colour(written) if written else None


def find_background(style: str, element: Element) -> Colour | None:
    """Return the background that a style or a `bgcolor` attribute sets, None if it sets none."""
    found = parse_declarations(style)
    names = ("background", "background-color", "background-image")
    written = [found[name] for name in names if found.get(name)] or [element.attributes.get("bgcolor", "")]
    written = [value for value in written if value and not re.match(r"none|transparent|inherit|initial|unset", value)]
    if not written:
        return None
    return (
        UNKNOWN_BACKGROUND
        if "url(" in written[-1] or "gradient(" in written[-1]
        else _parse_colour(written[-1]) or UNKNOWN_BACKGROUND
    )


def is_invisible(colour: Colour | None, background: Colour) -> bool:
    """Return whether text of a colour cannot be seen on its background."""
    if colour is None:
        return False
    return colour == TRANSPARENT or all(
        abs(one - other) <= _LARGEST_DIFFERENCE for one, other in zip(colour, background, strict=True)
    )


TRANSPARENT: Final[Colour] = (1000, 1000, 1000)  # see-through text, which shows only its background


def _parse_colour(value: str) -> Colour | None:
    """Return the colour that a value begins with; None if it is not known."""
    word = re.split(r"[\s;]", value.strip(), maxsplit=1)[0] if "(" not in value else value.strip()
    if word == "transparent":
        return TRANSPARENT
    if found := re.fullmatch(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", word):
        digits = found[1] if len(found[1]) >= 6 else "".join(digit * 2 for digit in found[1])
        red, green, blue, *alpha = bytes.fromhex(digits)
        return TRANSPARENT if alpha and alpha[0] <= _LARGEST_DIFFERENCE else (red, green, blue)
    if found := re.match(r"(rgb|hsl)a?\(([^()]*)\)", word):
        return _compute_colour(found[1], _NUMBER.findall(found[2]))
    return _NAMED.get(word)


def _compute_colour(kind: str, numbers: list[str]) -> Colour | None:
    """Return the colour of an `rgb` or `hsl` value with an optional opacity; None with fewer than three numbers."""
    if len(numbers) < 3:
        return None
    if len(numbers) > 3 and _parse_share(numbers[3], 1) < _LARGEST_DIFFERENCE / 255:
        return TRANSPARENT
    if kind == "rgb":
        red, green, blue = (round(255 * _parse_share(number, 255)) for number in numbers[:3])
        return red, green, blue
    hue, saturation, light = (
        float(numbers[0].rstrip("%")) / 360,
        _parse_share(numbers[1], 100),
        _parse_share(numbers[2], 100),
    )
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue % 1, light, saturation))
    return red, green, blue


def _parse_share(number: str, whole: float) -> float:
    """Return a number or percentage as a share of `repair_json_surrogates`, between 0 and 1."""
    value = float(number.rstrip("%")) / (100 if number.endswith("%") else whole)
    return min(max(value, 0.0), 1.0)
