"""Text of a LaTeX source that the page would not show: white, phantom, or too small to be seen."""

import re
from collections.abc import Mapping
from typing import Final

from planner.papers.latex.macros import Macro
from planner.papers.latex.scan import Groups, Mark, Source

_LEAST: Final = 2.0  # points; anything smaller is no text
_FARTHEST: Final = 1_000.0  # points; what is moved more is off the page
_NEAR_WHITE: Final = 0.95
_BOXES: Final = frozenset(
    {"colorbox", "fcolorbox", "tcbox", "rowcolor", "cellcolor", "columncolor", "pagecolor", "tikz", "node"}
)
_BOX_ENVIRONMENTS: Final = frozenset({"tcolorbox", "tikzpicture", "mdframed", "beamercolorbox"})
_PHANTOMS: Final = frozenset(
    {"phantom", "hphantom", "vphantom", "textinvisible", "invisible", "@gobble", "censor", "pdfcomment", "pdfinfo"}
)
_LITERALS: Final = frozenset({"pdfliteral", "special", "pdfextension", "pdfrender", "textpdfrender"})
_UNPAINTED: Final = re.compile(
    r"\b[37] Tr\b|(?:^|\s)1 1 1 rg\b|(?:^|\s)1 g\b|color push (?:rgb 1 1 1|gray 1|White)"
    r"|TextRenderingMode\s*=\s*(?:[37]|Invisible|Clip)",
    re.I,
)
_LITERAL_WORDS: Final = re.compile(r"\s*(?:literal|direct|page|\s)*(?=\{)")
_LENGTH: Final = re.compile(r"\s*-?(\d+\.?\d*|\.\d+)\s*(pt|px|mm|cm|em|ex|in|bp|sp)?\s*")
_POINTS: Final = {
    "pt": 1.0,
    "bp": 1.0,
    "px": 0.75,
    "mm": 2.85,
    "cm": 28.5,
    "em": 10.0,
    "ex": 4.3,
    "in": 72.3,
    "sp": 0.0,
}
_DEFINED: Final = re.compile(r"\\(?:define|provide)color\s*\{([^{}]+)\}\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_ALIAS: Final = re.compile(r"\\colorlet\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_SWITCH_ENDS: Final = re.compile(
    r"\\(?:color\b|normalcolor\b|end\s*\{|endgroup\b|egroup\b|fontsize\b|normalsize\b|transparent\b|pdfliteral\b"
    r"|pdfextension\b|special\b|pdfrender\b)"
)
_WAYS: Final = re.compile(
    r"\\(?:text)?(?:color|transparent|pdfrender)\b|\\(?:[hv]?phantom|fontsize|scalebox|resizebox|raisebox)\b"
)
_OWN_BOX: Final = re.compile(r"\\(?:new|renew|New|Declare)(?:tcolorbox|TColorBox|mdenv)\s*(?:\[[^\]]*\]\s*)?\{(\w+)\}")
_LONGEST_BOX: Final = 100_000  # characters
_LONGEST_ROW: Final = 5_000
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")


def without_hidden(source: Source, preamble: str = "") -> tuple[Source, tuple[str, ...]]:
    """The text without what the page would not show, and each such stretch.

    White text on a dark box stays, and so do phantoms of digits and signs, which only align columns.
    """
    text, out, hidden, last = source.text, list[str](), list[str](), 0
    whites = _whites(preamble + text)
    boxed = _Boxes(source, whites, _BOX_ENVIRONMENTS | frozenset(_OWN_BOX.findall(preamble + text)))
    for mark in source.commands:
        found = _stretch(source.groups, mark.name, mark.end, whites) if mark.start >= last else None
        if found and _LETTERS.search(found[0]) and not (found[2] and boxed.around(mark.start)):
            out.append(text[last : mark.start])
            hidden.append(" ".join(found[0].split()))
            last = found[1]
    return Source("".join((*out, text[last:]))) if hidden else source, tuple(hidden)


def hiding(macros: Mapping[str, Macro], preamble: str) -> frozenset[str]:
    """The names of the paper's own commands that hide what they are given."""
    suspects = {name: macro for name, macro in macros.items() if macro.count and _WAYS.search(macro.body)}
    filled = {name: macro.expand(["words"] * macro.count) for name, macro in suspects.items()}
    return frozenset(name for name, text in filled.items() if without_hidden(Source(text), preamble)[1])


def _stretch(groups: Groups, name: str, end: int, whites: frozenset[str]) -> tuple[str, int, bool] | None:
    """The hidden text that a command begins, where it ends, and whether a dark ground would make it seen."""
    if name in _PHANTOMS:
        found = groups.group(end)
        return (*found, False) if found else None
    if name in ("textcolor", "color"):
        return _coloured(groups, name, end, whites)
    if name == "begin" and groups.text.startswith("{color}", end):
        return _coloured(groups, "color", end + len("{color}"), whites)
    if name in _LITERALS:
        return _unpainted(groups, name, end)
    if name in ("fontsize", "scalebox", "resizebox", "raisebox", "transparent", "texttransparent"):
        return _tiny(groups, name, end)
    return None


def _coloured(groups: Groups, name: str, end: int, whites: frozenset[str]) -> tuple[str, int, bool] | None:
    model = groups.option(end)
    colour = groups.group(model[1] if model else end)
    if colour is None or not _is_white(colour[0], model[0] if model else "", whites):
        return None
    if name == "textcolor":
        found = groups.group(colour[1])
        return (*found, True) if found else None
    return *_rest(groups, colour[1]), True


def _unpainted(groups: Groups, name: str, end: int) -> tuple[str, int, bool] | None:
    """What a driver's own commands set in white, or in no paint at all."""
    words = _LITERAL_WORDS.match(groups.text, end)
    setting = groups.group(words.end()) if words else None
    if setting is None or not _UNPAINTED.search(setting[0]):
        return None
    found = groups.group(setting[1]) if name == "textpdfrender" else _rest(groups, setting[1])
    return (*found, False) if found else None


def _tiny(groups: Groups, name: str, end: int) -> tuple[str, int, bool] | None:
    """What is set too small, too faint or too far away to be seen."""
    first = groups.group(end)
    second = groups.group(first[1]) if first else None
    if first is None or second is None:
        return (*_rest(groups, first[1]), False) if first and name == "transparent" and _is_faint(first[0]) else None
    found = None
    if (name == "scalebox" and _is_faint(first[0], _LEAST / 10)) or (name == "texttransparent" and _is_faint(first[0])):
        found = second
    elif name == "transparent" and _is_faint(first[0]):
        found = _rest(groups, first[1])
    elif name == "resizebox" and (_is_short(first[0]) or _is_short(second[0])):
        found = groups.group(second[1])
    elif name == "raisebox" and (_points(first[0]) or 0.0) > _FARTHEST:
        found = second
    elif name == "fontsize" and _is_short(first[0], "pt"):
        found = _rest(groups, second[1])
    return (*found, False) if found else None


def _points(length: str, unit: str = "") -> float | None:
    """A length in points, positive; None for what is none. A bare number counts in `unit`, where there is one."""
    found = _LENGTH.fullmatch(length)
    known = (found[2] or unit) if found else ""
    return float(found[1]) * _POINTS[known] if found and known else None


def _is_short(length: str, unit: str = "") -> bool:
    points = _points(length, unit)
    return points is not None and points < _LEAST


def _is_faint(number: str, least: float = 0.05) -> bool:
    found = _LENGTH.fullmatch(number)
    return found is not None and not found[2] and float(found[1]) < least


def _rest(groups: Groups, place: int) -> tuple[str, int]:
    """What a switch rules: to the end of its group or environment, or to the next switch."""
    close = groups.enclosing_end(place)
    found = _SWITCH_ENDS.search(groups.text, place, close)
    close = found.start() if found else close
    return groups.text[place:close], close


def _whites(text: str) -> frozenset[str]:
    """The names of colours that are white, or as good as white."""
    own = {name.strip() for name, model, value in _DEFINED.findall(text) if _is_white(value, model, frozenset())}
    whites = own | {"white", "White"}
    for name, value in _ALIAS.findall(text):
        if _is_white(value, "", frozenset(whites)):
            whites.add(name.strip())
    return frozenset(whites)


def _is_white(colour: str, model: str, whites: frozenset[str]) -> bool:
    colour = colour.strip()
    if not model:
        mixed = re.fullmatch(r"(\w+)!(\d{1,3})(?:!(\w+))?", colour)
        if mixed:
            share = int(mixed[2]) / 100 if mixed[1] in whites else 1 - int(mixed[2]) / 100
            other = (mixed[3] or "white") if mixed[1] in whites else mixed[1]
            return (mixed[1] in whites or (mixed[3] or "white") in whites) and (other in whites or share >= _NEAR_WHITE)
        return colour in whites
    if model.upper() == "HTML":
        return bool(re.fullmatch(r"[0-9A-Fa-f]{6}", colour)) and min(bytes.fromhex(colour)) >= 255 * _NEAR_WHITE
    numbers = [float(n) for n in re.findall(r"\d+(?:\.\d+)?|\.\d+", colour)]
    if model == "RGB":
        numbers = [n / 255 for n in numbers]
    if model in ("hsb", "HSB") and len(numbers) == 3:
        whole = 1 if model == "hsb" else 240
        return numbers[1] <= (1 - _NEAR_WHITE) * whole and numbers[2] >= _NEAR_WHITE * whole
    if model == "cmyk":
        return len(numbers) == 4 and max(numbers) <= 1 - _NEAR_WHITE
    return bool(numbers) and min(numbers) >= _NEAR_WHITE


class _Boxes:
    """Where a ground that is not white begins and ends: boxes, coloured rows and cells, drawings."""

    def __init__(self, source: Source, whites: frozenset[str], environments: frozenset[str]) -> None:
        self._spans: list[tuple[int, int]] = []
        for mark in source.commands:
            if mark.name in _BOXES and (end := _box_end(source.groups, mark, whites)):
                self._spans.append((mark.start, end))
            elif mark.name == "begin":
                name = source.groups.group(mark.end)
                if name and name[0] in environments:
                    close = source.text.find(f"\\end{{{name[0]}}}", mark.end, mark.end + _LONGEST_BOX)
                    self._spans.append((mark.start, close if close >= 0 else mark.end))
        self._next = 0

    def around(self, place: int) -> bool:
        """Whether such a ground lies under a place; asked in the order of the text."""
        while self._next < len(self._spans) and self._spans[self._next][1] < place:
            self._next += 1
        return any(start <= place <= end for start, end in self._spans[self._next : self._next + 50])


def _box_end(groups: Groups, mark: Mark, whites: frozenset[str]) -> int:
    """Where a box or a coloured row ends; 0 if its ground is white."""
    option = groups.option(mark.end)
    place = option[1] if option else mark.end
    values, end = groups.arguments(place, 3 if mark.name == "fcolorbox" else 2)
    colour = values[1 if mark.name == "fcolorbox" else 0] if len(values) > 1 else ""
    if _is_white(colour or "", option[0] if option else "", whites):
        return 0
    if mark.name in ("rowcolor", "columncolor", "cellcolor"):
        row = groups.text.find("\\\\", place, place + _LONGEST_ROW)
        return row if row >= 0 else place
    return end
