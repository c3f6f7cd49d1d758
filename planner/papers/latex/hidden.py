"""Remove text from a LaTeX source that the page would not show: white, phantom, or too small to be seen."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from planner.papers.latex.colours import BLACK, WHITE, Palette, is_near
from planner.papers.latex.grounds import BOXES, Grounds, colour_box
from planner.papers.latex.macros import Macro
from planner.papers.latex.scan import Groups, Mark, Source

Stretch = tuple[str, int]  # a hidden text and the place where it ends

_LEAST: Final = 2.0  # points; smaller text cannot be read
_FARTHEST: Final = 1_000.0  # points; text raised by more is off the page
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
_SWITCH_ENDS: Final = re.compile(
    r"\\(?:color\b|normalcolor\b|end\s*\{|endgroup\b|egroup\b|fontsize\b|normalsize\b|transparent\b|pdfliteral\b"
    r"|pdfextension\b|special\b|pdfrender\b)"
)
_WAYS: Final = re.compile(
    r"\\(?:text)?(?:color|transparent|pdfrender)\b|\\(?:[hv]?phantom|fontsize|scalebox|resizebox|raisebox)\b"
)
_COLOURS: Final = frozenset({"textcolor", "color"})
_SIZES: Final = frozenset({"fontsize", "scalebox", "resizebox", "raisebox", "transparent", "texttransparent"})
_PATHS: Final = frozenset({"node", "path", "draw", "fill", "filldraw"})
_FILLERS: Final = frozenset({"sbox", "setbox", "savebox", "begin"})
_MAY_HIDE: Final = _PHANTOMS | _COLOURS | BOXES | _LITERALS | _SIZES | _PATHS | _FILLERS
_NODE: Final = re.compile(
    r"[^;]*?\[([^\[\];]*\bopacity\s*=[^\[\];]*)\][^{};\[\]]{0,200}+(?=\{)"
)  # its options, name and position
_OPACITY: Final = re.compile(r"(?:(text|fill|draw) )?\bopacity\s*=\s*([\d.]+)")
_FILLED: Final = re.compile(
    r"\\(?:s(?:ave)?box|setbox|begin\s*\{lrbox\})\s*\{?\s*(\\[A-Za-z@]+|\d+)\s*\}?"
    r"(?:\s*=?\s*\\[hv]box|(?:\s*\[[^\[\]]*\]){0,2})"
)
_SET: Final = re.compile(r"\\(?:usebox|box|copy|un[hv](?:box|copy)|vsplit)\s*\{?\s*(\\[A-Za-z@]+|\d+)")
_COLOURING: Final = re.compile(r"\\(?:text)?color\b")
_LONGEST_PATH: Final = 2_000  # characters
_SHORTLY: Final = 200  # characters before a box that may set the colour of its text
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")


def without_hidden(source: Source, preamble: str = "") -> tuple[Source, tuple[str, ...]]:
    """Return the text without what the page would not show, and each hidden stretch.

    White text on a dark background stays; black text on black does not. Phantoms of digits and signs stay: they
    only align columns.
    """
    text, out, hidden, last = source.text, list[str](), list[str](), 0
    hider = _Hider(source, preamble)
    for mark in source.commands(_MAY_HIDE.__contains__):
        found = hider.stretch(mark) if mark.start >= last else None
        if found and _LETTERS.search(found[0]):
            out.append(text[last : mark.start])
            hidden.append(" ".join(found[0].split()))
            last = found[1]
    return Source("".join((*out, text[last:]))) if hidden else source, tuple(hidden)


def hiding(macros: Mapping[str, Macro], preamble: str) -> frozenset[str]:
    """Return the names of the paper's own commands that hide their arguments."""
    suspects = {name: macro for name, macro in macros.items() if macro.count and _WAYS.search(macro.body)}
    filled = {name: macro.expand(["words"] * macro.count) for name, macro in suspects.items()}
    return frozenset(name for name, text in filled.items() if without_hidden(Source(text), preamble)[1])


class _Hider:
    """A finder of the text that commands hide; call it for them in the order of the text."""

    def __init__(self, source: Source, preamble: str) -> None:
        self._groups = source.groups
        self._whole = preamble + source.text
        self._source, self._preamble = source, preamble

    @cached_property
    def _palette(self) -> Palette:
        return Palette(self._whole)

    @cached_property
    def _grounds(self) -> Grounds:
        return Grounds(self._source, self._palette, self._preamble)

    @cached_property
    def _boxes_set(self) -> frozenset[str]:
        return frozenset(_SET.findall(self._whole))

    def stretch(self, mark: Mark) -> Stretch | None:
        groups, name, end = self._groups, mark.name, mark.end
        if name in _PHANTOMS:
            return groups.group(end)
        if name in _COLOURS:
            return self._coloured(mark, end)
        if name == "begin" and groups.text.startswith("{color}", end):
            return self._coloured(mark, end + len("{color}"))
        if name in BOXES:
            return self._blackened(mark)
        if name in _LITERALS:
            return _unpainted(groups, name, end)
        if name in _SIZES:
            return _tiny(groups, name, end)
        if name in _PATHS:
            return _faint_node(groups, end)
        if name in _FILLERS:
            return self._unused(mark)
        return None

    def _coloured(self, mark: Mark, end: int) -> Stretch | None:
        """Return the text that has the colour of its background."""
        model = self._groups.option(end)
        named = self._groups.group(model[1] if model else end)
        colour = self._palette.colour(named[0], model[0] if model else "") if named else None
        if named is None or colour is None:
            return None
        ground = self._grounds.under(mark.start)
        under = ground.colour if ground else WHITE
        if under is None or not is_near(colour, under):
            return None
        return self._groups.group(named[1]) if mark.name == "textcolor" else _rest(self._groups, named[1])

    def _blackened(self, mark: Mark) -> Stretch | None:
        """Return the text of a black box with no colour set in it or shortly before: the text is black too."""
        box = colour_box(self._groups, mark, self._palette)
        if box is None or box.colour is None or not is_near(box.colour, BLACK):
            return None
        before = self._groups.text[max(0, mark.start - _SHORTLY) : mark.start]
        return None if _COLOURING.search(before + box.content) else (box.content, box.end)

    def _unused(self, mark: Mark) -> Stretch | None:
        """Return the text put into a box that is never printed."""
        found = _FILLED.match(self._groups.text, mark.start)
        if found is None or found[1] in self._boxes_set:
            return None
        if mark.name != "begin":
            return self._groups.group(found.end())
        close = self._groups.text.find("\\end{lrbox}", found.end())
        return (self._groups.text[found.end() : close], close + len("\\end{lrbox}")) if close >= 0 else None


def _unpainted(groups: Groups, name: str, end: int) -> Stretch | None:
    """Return the text that a PDF driver's commands print in white or not at all."""
    words = _LITERAL_WORDS.match(groups.text, end)
    setting = groups.group(words.end()) if words else None
    if setting is None or not _UNPAINTED.search(setting[0]):
        return None
    return groups.group(setting[1]) if name == "textpdfrender" else _rest(groups, setting[1])


def _tiny(groups: Groups, name: str, end: int) -> Stretch | None:
    """Return the text that is too small, too faint or too far away to be seen."""
    first = groups.group(end)
    second = groups.group(first[1]) if first else None
    if first is None or second is None:
        return _rest(groups, first[1]) if first and name == "transparent" and _is_faint(first[0]) else None
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
    return found


def _faint_node(groups: Groups, end: int) -> Stretch | None:
    """Return the words of a drawing's first node if it has hardly any opacity."""
    found = _NODE.match(groups.text, end, end + _LONGEST_PATH)
    opacity = dict(_OPACITY.findall(found[1])) if found else {}
    counts = next((opacity[kind] for kind in ("text", "fill", "") if kind in opacity), "1")  # words are filled too
    return groups.group(found.end()) if found and _is_faint(counts) else None


def _points(length: str, unit: str = "") -> float | None:
    """Return a length in points without its sign, None if it is no length; a bare number counts in `unit`, if given."""
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
    """Return the text after a switch up to the end of its group or the next switch, and the place where it ends."""
    close = groups.enclosing_end(place)
    found = _SWITCH_ENDS.search(groups.text, place, close)
    close = found.start() if found else close
    return groups.text[place:close], close
