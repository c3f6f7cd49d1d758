"""Parse the colours of LaTeX and style sheets; a colour is (red, green, blue), and each number is from 0 to 1."""

import colorsys
import re
from itertools import zip_longest
from typing import Final

Colour = tuple[float, float, float]
WHITE: Final[Colour] = (1.0, 1.0, 1.0)
BLACK: Final[Colour] = (0.0, 0.0, 0.0)
TRANSPARENT: Final[Colour] = (1000.0, 1000.0, 1000.0)  # see-through text, which shows only its background
_MAX_DIFFERENCE: Final = 0.05  # largest difference of a component that nobody sees
_MAX_UNSEEN_OPACITY: Final = 20 / 255
_DEFINITION: Final = re.compile(r"\\(?:define|provide)color\s*\{([^{}]+)\}\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_ALIAS: Final = re.compile(r"\\colorlet\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_CSS_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)%?")
_STANDARD_COLOURS: Final[dict[str, Colour]] = {
    "white": WHITE, "White": WHITE, "black": BLACK, "Black": BLACK, "red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0), "cyan": (0.0, 1.0, 1.0), "magenta": (1.0, 0.0, 1.0), "yellow": (1.0, 1.0, 0.0),
    "gray": (0.5, 0.5, 0.5), "darkgray": (0.25, 0.25, 0.25), "lightgray": (0.75, 0.75, 0.75),
}  # fmt: skip
_CSS_COLOURS: Final = {
    "white": "#ffffff", "snow": "#fffafa", "ivory": "#fffff0", "ghostwhite": "#f8f8ff", "floralwhite": "#fffaf0",
    "whitesmoke": "#f5f5f5", "mintcream": "#f5fffa", "azure": "#f0ffff", "black": "#000000", "navy": "#000080",
    "red": "#ff0000", "blue": "#0000ff", "green": "#008000", "gray": "#808080", "grey": "#808080", "yellow": "#ffff00",
}  # fmt: skip


def is_similar_colour(first: Colour, second: Colour, max_difference: float = _MAX_DIFFERENCE) -> bool:
    """Return whether two colours look the same: no component differs by more than `max_difference`."""
    return all(abs(a - b) <= max_difference for a, b in zip(first, second, strict=True))


class LatexPalette:
    """The named colours of a LaTeX text: the standard colours, and the colours that the text defines."""

    def __init__(self, text: str) -> None:
        self._named: dict[str, Colour | None] = {**_STANDARD_COLOURS}
        for name, model, value in _DEFINITION.findall(text):
            self._named[name.strip()] = self.parse_colour(value, model)
        for name, value in _ALIAS.findall(text):
            self._named[name.strip()] = self.parse_colour(value)

    def parse_colour(self, value: str, model: str = "") -> Colour | None:
        """Return the colour for a value in a colour model, such as `1,0,0` in `rgb`; None if it is unknown.

        If no model is given, the value is a name such as `red` or a mixture such as `red!30!blue`.
        """
        value, model = value.strip(), model.strip()
        if not model or model == "named":
            return self._mix_colours(value)
        if model.upper() == "HTML":
            parts = bytes.fromhex(value) if re.fullmatch(r"[0-9A-Fa-f]{6}", value) else b""
            return _make_colour([part / 255 for part in parts])
        numbers = [float(number) for number in _NUMBER.findall(value)]
        match model:
            case "RGB":
                return _make_colour([number / 255 for number in numbers])
            case "hsb" | "HSB" if len(numbers) == 3:
                whole = 1.0 if model == "hsb" else 240.0
                hue, saturation, brightness = (min(1.0, number / whole) for number in numbers)
                return colorsys.hsv_to_rgb(hue, saturation, brightness)
            case "cmyk" if len(numbers) == 4:
                return _make_colour([1 - min(1.0, ink + numbers[3]) for ink in numbers[:3]])
            case "cmy":
                return _make_colour([1 - min(1.0, ink) for ink in numbers])
            case "gray" | "Gray" if len(numbers) == 1:
                return _make_colour([numbers[0] / (15 if model == "Gray" else 1)] * 3)
        return _make_colour(numbers)

    def _mix_colours(self, value: str) -> Colour | None:
        """Return the colour of a name or mixture: `red!30!blue` is 30 % red and 70 % blue, `red!30` is 70 % white.

        Return None if a colour is unknown, unless its share is too small to be seen.
        """
        name, *rest = (part.strip() for part in value.split("!"))
        mixed = self._named.get(name)
        for percentage, other_name in zip_longest(rest[::2], rest[1::2], fillvalue="white"):
            if not re.fullmatch(r"\d{1,3}(?:\.\d+)?", percentage):
                return None
            share = min(1.0, float(percentage) / 100)
            other = self._named.get(other_name)
            if mixed is None or other is None:
                mixed = other if share <= _MAX_DIFFERENCE else mixed if share >= 1 - _MAX_DIFFERENCE else None
            else:
                mixed = _make_colour([share * a + (1 - share) * b for a, b in zip(mixed, other, strict=True)])
        return mixed


def _make_colour(numbers: list[float]) -> Colour | None:
    """Return a colour from three numbers, or None for any other count; numbers above 1 become 1."""
    if len(numbers) != 3:
        return None
    red, green, blue = (min(1.0, number) for number in numbers)
    return red, green, blue


def parse_css_colour(value: str) -> Colour | None:
    """Return the colour at the start of a CSS value, such as `red` in `red fixed`; None if no known colour is there."""
    word = re.split(r"[\s;]", value.strip(), maxsplit=1)[0] if "(" not in value else value.strip()
    if word == "transparent":
        return TRANSPARENT
    if match := re.fullmatch(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", _CSS_COLOURS.get(word, word)):
        digits = match[1] if len(match[1]) >= 6 else "".join(digit * 2 for digit in match[1])
        red, green, blue, *opacity = (part / 255 for part in bytes.fromhex(digits))
        return TRANSPARENT if opacity and opacity[0] <= _MAX_UNSEEN_OPACITY else (red, green, blue)
    if match := re.match(r"(rgb|hsl)a?\(([^()]*)\)", word):
        return _compute_colour(match[1], _CSS_NUMBER.findall(match[2]))
    return None


def _compute_colour(kind: str, numbers: list[str]) -> Colour | None:
    """Return the colour of `rgb(…)` or `hsl(…)` from its `numbers`; `kind` is "rgb" or "hsl".

    Return None if there are fewer than three numbers.
    """
    if len(numbers) < 3:
        return None
    if len(numbers) > 3 and _parse_share(numbers[3], 1) < _MAX_UNSEEN_OPACITY:
        return TRANSPARENT
    if kind == "rgb":
        return _make_colour([_parse_share(number, 255) for number in numbers[:3]])
    hue = float(numbers[0].rstrip("%")) / 360 % 1
    saturation, lightness = (_parse_share(number, 100) for number in numbers[1:3])
    return colorsys.hls_to_rgb(hue, lightness, saturation)


def _parse_share(number: str, whole: float) -> float:
    """Return a share from 0 to 1: a percentage such as `50%`, or a number divided by `whole`."""
    value = float(number.rstrip("%")) / (100 if number.endswith("%") else whole)
    return min(max(value, 0.0), 1.0)
