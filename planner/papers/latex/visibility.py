"""Find the backgrounds in a LaTeX source that are not white: boxes, coloured rows, drawings, pages."""
# MERGED-DOC """Remove text from a LaTeX source that the page would not show: white, phantom, or too small to be seen."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from planner.papers.latex.colours import BLACK, WHITE, Colour, Palette, is_similar_colour
from planner.papers.latex.macros import Macro
from planner.papers.latex.scan import BraceGroups, LatexSource, LatexToken

COLOUR_BOX_COMMANDS: Final = frozenset({"colorbox", "fcolorbox"})
_CELL_COMMANDS: Final = frozenset({"rowcolor", "cellcolor", "columncolor"})
_DRAWING_COMMANDS: Final = frozenset({"tcbox", "tikz", "node"})
_BACKGROUND_ENVIRONMENTS: Final = frozenset({"tcolorbox", "tikzpicture", "mdframed", "beamercolorbox"})
_BACKGROUND_COMMANDS: Final = COLOUR_BOX_COMMANDS | _CELL_COMMANDS | _DRAWING_COMMANDS | {"begin"}
_BOX_DEFINITION: Final = re.compile(
    r"\\(?:new|renew|New|Declare)(?:tcolorbox|TColorBox|mdenv)\s*(?:\[[^\]]*\]\s*)?\{(\w+)\}"
)
_PAGE_COLOUR: Final = re.compile(r"\\pagecolor\s*(?:\[(\w+)\])?\s*\{([^{}]*)\}|\\nopagecolor")
_LONGEST_BOX: Final = 100_000  # characters
_LONGEST_ROW: Final = 5_000
_MOST_NESTED: Final = 50  # backgrounds over one another; of more, only the innermost count


@dataclass(frozen=True, slots=True)
class Background:
    """A background from `start` to `end` of the text; its colour is None if unknown, as in a drawing."""

    start: int
    end: int
    colour: Colour | None = None


class ColourBox(NamedTuple):
    """A coloured box: its background colour, its content, and the place where it ends."""

    colour: Colour | None
    content: str
    end: int


def read_colour_box(groups: BraceGroups, token: LatexToken, palette: Palette) -> ColourBox | None:
    """Return the box of a `\\colorbox` or `\\fcolorbox` command, None if an argument is missing."""
    count = 3 if token.name == "fcolorbox" else 2
    model, values, end = _read_colour_arguments(groups, token, count)
    if len(values) < count:
        return None
    return ColourBox(palette.find_colour(values[-2] or "", model), values[-1] or "", end)


class BackgroundMap:
    """The backgrounds of a text, looked up by place."""

    def __init__(self, source: LatexSource, palette: Palette, preamble: str) -> None:
        environments = _BACKGROUND_ENVIRONMENTS | frozenset(_BOX_DEFINITION.findall(preamble + source.text))
        pages = _find_page_backgrounds(preamble, source.text, palette)
        found = (
            _read_background(source, mark, palette, environments)
            for mark in source.find_commands(_BACKGROUND_COMMANDS.__contains__)
        )
        self._grounds = sorted((*pages, *filter(None, found)), key=lambda ground: ground.start)
        self._next = 0  # the index of the first one that has not begun yet
        self._open: list[Background] = []

    def find_background(self, position: int) -> Background | None:
        """Return the innermost background at a place, None if it is white; call it in the order of the text."""
        while self._next < len(self._grounds) and self._grounds[self._next].start <= position:
            self._open.append(self._grounds[self._next])
            self._next += 1
        self._open = [one for one in self._open if one.end >= position][-_MOST_NESTED:]
        ground = self._open[-1] if self._open else None
        return None if ground and ground.colour and is_similar_colour(ground.colour, WHITE) else ground


def _read_background(
    source: LatexSource, token: LatexToken, palette: Palette, environments: frozenset[str]
) -> Background | None:
    groups = source.groups
    if token.name in COLOUR_BOX_COMMANDS:
        box = read_colour_box(groups, token, palette)
        return Background(token.start, box.end, box.colour) if box else None
    if token.name in _CELL_COMMANDS:
        return _read_row_background(groups, token, palette)
    if token.name in _DRAWING_COMMANDS:
        option = groups.read_option(token.end)
        return Background(token.start, groups.read_arguments(option[1] if option else token.end, 2)[1])
    name = groups.read_group(token.end) if token.name == "begin" else None
    if name is None or name[0] not in environments:
        return None
    close = source.text.find(f"\\end{{{name[0]}}}", token.end, token.end + _LONGEST_BOX)
    return Background(token.start, close if close >= 0 else token.end)


def _read_row_background(groups: BraceGroups, token: LatexToken, palette: Palette) -> Background | None:
    """Return the background of a row or cell from its command to the row's end; nobody hides text before it."""
    model, values, end = _read_colour_arguments(groups, token, 1)
    row = groups.text.find("\\\\", end, end + _LONGEST_ROW)
    return (
        Background(token.start, row if row >= 0 else end, palette.find_colour(values[0] or "", model))
        if values
        else None
    )


def _read_colour_arguments(groups: BraceGroups, token: LatexToken, count: int) -> tuple[str, list[str | None], int]:
    option = groups.read_option(token.end)
    values, end = groups.read_arguments(option[1] if option else token.end, count)
    return option[0] if option else "", values, end


def _find_page_backgrounds(preamble: str, text: str, palette: Palette) -> list[Background]:
    """Return the backgrounds of whole pages, each up to the next; the last one of the preamble comes first."""
    if "\\pagecolor" not in preamble + text:
        return []
    set_before = list(_PAGE_COLOUR.finditer(preamble))[-1:]
    turns = [(0, found) for found in set_before] + [(found.start(), found) for found in _PAGE_COLOUR.finditer(text)]
    ends = [start for start, _ in turns[1:]] + [len(text)]
    return [
        Background(start, end, palette.find_colour(found[2], found[1] or ""))
        for (start, found), end in zip(turns, ends, strict=True)
        if found[2]
    ]


HiddenStretch = tuple[str, int]  # a hidden text and the place where it ends

_LEAST_SIZE: Final = 2.0  # points; smaller text cannot be read
_FARTHEST_RAISE: Final = 1_000.0  # points; text raised by more is off the page
_PHANTOM_COMMANDS: Final = frozenset(
    {"phantom", "hphantom", "vphantom", "textinvisible", "invisible", "@gobble", "censor", "pdfcomment", "pdfinfo"}
)
_LITERAL_COMMANDS: Final = frozenset({"pdfliteral", "special", "pdfextension", "pdfrender", "textpdfrender"})
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
_HIDING_COMMAND: Final = re.compile(
    r"\\(?:text)?(?:color|transparent|pdfrender)\b|\\(?:[hv]?phantom|fontsize|scalebox|resizebox|raisebox)\b"
)
_COLOUR_COMMANDS: Final = frozenset({"textcolor", "color"})
_SIZE_COMMANDS: Final = frozenset({"fontsize", "scalebox", "resizebox", "raisebox", "transparent", "texttransparent"})
_PATH_COMMANDS: Final = frozenset({"node", "path", "draw", "fill", "filldraw"})
_BOX_FILLING_COMMANDS: Final = frozenset({"sbox", "setbox", "savebox", "begin"})
_MAY_HIDE: Final = (
    _PHANTOM_COMMANDS
    | _COLOUR_COMMANDS
    | COLOUR_BOX_COMMANDS
    | _LITERAL_COMMANDS
    | _SIZE_COMMANDS
    | _PATH_COMMANDS
    | _BOX_FILLING_COMMANDS
)
_NODE: Final = re.compile(
    r"[^;]*?\[([^\[\];]*\bopacity\s*=[^\[\];]*)\][^{};\[\]]{0,200}+(?=\{)"
)  # its options, name and position
_OPACITY: Final = re.compile(r"(?:(text|fill|draw) )?\bopacity\s*=\s*([\d.]+)")
_BOX_FILLING: Final = re.compile(
    r"\\(?:s(?:ave)?box|setbox|begin\s*\{lrbox\})\s*\{?\s*(\\[A-Za-z@]+|\d+)\s*\}?"
    r"(?:\s*=?\s*\\[hv]box|(?:\s*\[[^\[\]]*\]){0,2})"
)
_BOX_PRINTING: Final = re.compile(r"\\(?:usebox|box|copy|un[hv](?:box|copy)|vsplit)\s*\{?\s*(\\[A-Za-z@]+|\d+)")
_COLOUR_SETTING: Final = re.compile(r"\\(?:text)?color\b")
_LONGEST_PATH: Final = 2_000  # characters
_COLOUR_REACH: Final = 200  # characters before a box that may set the colour of its text
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")


def remove_hidden_text(source: LatexSource, preamble: str = "") -> tuple[LatexSource, tuple[str, ...]]:
    """Return the text without what the page would not show, and each hidden stretch.

    White text on a dark background stays; black text on black does not. Phantoms of digits and signs stay: they
    only align columns.
    """
    text, out, hidden, last = source.text, list[str](), list[str](), 0
    hider = _HiddenTextFinder(source, preamble)
    for mark in source.find_commands(_MAY_HIDE.__contains__):
        found = hider.find_hidden_stretch(mark) if mark.start >= last else None
        if found and _LETTERS.search(found[0]):
            out.append(text[last : mark.start])
            hidden.append(" ".join(found[0].split()))
            last = found[1]
    return LatexSource("".join((*out, text[last:]))) if hidden else source, tuple(hidden)


def find_hiding_macros(macros: Mapping[str, Macro], preamble: str) -> frozenset[str]:
    """Return the names of the paper's own commands that hide their arguments."""
    suspects = {
        name: macro for name, macro in macros.items() if macro.argument_count and _HIDING_COMMAND.search(macro.body)
    }
    filled = {name: macro.expand_call(["words"] * macro.argument_count) for name, macro in suspects.items()}
    return frozenset(name for name, text in filled.items() if remove_hidden_text(LatexSource(text), preamble)[1])


class _HiddenTextFinder:
    """A finder of the text that commands hide; call it for them in the order of the text."""

    def __init__(self, source: LatexSource, preamble: str) -> None:
        self._groups = source.groups
        self._whole_text = preamble + source.text
        self._source, self._preamble = source, preamble

    @cached_property
    def _palette(self) -> Palette:
        return Palette(self._whole_text)

    @cached_property
    def _backgrounds(self) -> BackgroundMap:
        return BackgroundMap(self._source, self._palette, self._preamble)

    @cached_property
    def _printed_boxes(self) -> frozenset[str]:
        return frozenset(_BOX_PRINTING.findall(self._whole_text))

    def find_hidden_stretch(self, token: LatexToken) -> HiddenStretch | None:
        groups, name, end = self._groups, token.name, token.end
        if name in _PHANTOM_COMMANDS:
            return groups.read_group(end)
        if name in _COLOUR_COMMANDS:
            return self._read_background_coloured(token, end)
        if name == "begin" and groups.text.startswith("{color}", end):
            return self._read_background_coloured(token, end + len("{color}"))
        if name in COLOUR_BOX_COMMANDS:
            return self._read_black_box(token)
        if name in _LITERAL_COMMANDS:
            return _read_unpainted(groups, name, end)
        if name in _SIZE_COMMANDS:
            return _read_tiny(groups, name, end)
        if name in _PATH_COMMANDS:
            return _read_faint_node(groups, end)
        if name in _BOX_FILLING_COMMANDS:
            return self._read_unused_box(token)
        return None

    def _read_background_coloured(self, token: LatexToken, end: int) -> HiddenStretch | None:
        """Return the text that has the colour of its background."""
        model = self._groups.read_option(end)
        named = self._groups.read_group(model[1] if model else end)
        colour = self._palette.find_colour(named[0], model[0] if model else "") if named else None
        if named is None or colour is None:
            return None
        ground = self._backgrounds.find_background(token.start)
        under = ground.colour if ground else WHITE
        if under is None or not is_similar_colour(colour, under):
            return None
        return (
            self._groups.read_group(named[1])
            if token.name == "textcolor"
            else _read_switched_text(self._groups, named[1])
        )

    def _read_black_box(self, token: LatexToken) -> HiddenStretch | None:
        """Return the text of a black box with no colour set in it or shortly before: the text is black too."""
        box = read_colour_box(self._groups, token, self._palette)
        if box is None or box.colour is None or not is_similar_colour(box.colour, BLACK):
            return None
        before = self._groups.text[max(0, token.start - _COLOUR_REACH) : token.start]
        return None if _COLOUR_SETTING.search(before + box.content) else (box.content, box.end)

    def _read_unused_box(self, token: LatexToken) -> HiddenStretch | None:
        """Return the text put into a box that is never printed."""
        found = _BOX_FILLING.match(self._groups.text, token.start)
        if found is None or found[1] in self._printed_boxes:
            return None
        if token.name != "begin":
            return self._groups.read_group(found.end())
        close = self._groups.text.find("\\end{lrbox}", found.end())
        return (self._groups.text[found.end() : close], close + len("\\end{lrbox}")) if close >= 0 else None


def _read_unpainted(groups: BraceGroups, name: str, end: int) -> HiddenStretch | None:
    """Return the text that a PDF driver's commands print in white or not at all."""
    words = _LITERAL_WORDS.match(groups.text, end)
    setting = groups.read_group(words.end()) if words else None
    if setting is None or not _UNPAINTED.search(setting[0]):
        return None
    return groups.read_group(setting[1]) if name == "textpdfrender" else _read_switched_text(groups, setting[1])


def _read_tiny(groups: BraceGroups, name: str, end: int) -> HiddenStretch | None:
    """Return the text that is too small, too faint or too far away to be seen."""
    first = groups.read_group(end)
    second = groups.read_group(first[1]) if first else None
    if first is None or second is None:
        return (
            _read_switched_text(groups, first[1]) if first and name == "transparent" and _is_faint(first[0]) else None
        )
    found = None
    if (name == "scalebox" and _is_faint(first[0], _LEAST_SIZE / 10)) or (
        name == "texttransparent" and _is_faint(first[0])
    ):
        found = second
    elif name == "transparent" and _is_faint(first[0]):
        found = _read_switched_text(groups, first[1])
    elif name == "resizebox" and (_is_short(first[0]) or _is_short(second[0])):
        found = groups.read_group(second[1])
    elif name == "raisebox" and (_parse_points(first[0]) or 0.0) > _FARTHEST_RAISE:
        found = second
    elif name == "fontsize" and _is_short(first[0], "pt"):
        found = _read_switched_text(groups, second[1])
    return found


def _read_faint_node(groups: BraceGroups, end: int) -> HiddenStretch | None:
    """Return the words of a drawing's first node if it has hardly any opacity."""
    found = _NODE.match(groups.text, end, end + _LONGEST_PATH)
    opacity = dict(_OPACITY.findall(found[1])) if found else {}
    counts = next((opacity[kind] for kind in ("text", "fill", "") if kind in opacity), "1")  # words are filled too
    return groups.read_group(found.end()) if found and _is_faint(counts) else None


def _parse_points(length: str, unit: str = "") -> float | None:
    """Return a length in points without its sign, None if it is no length; a bare number counts in `unit`, if given."""
    found = _LENGTH.fullmatch(length)
    known = (found[2] or unit) if found else ""
    return float(found[1]) * _POINTS[known] if found and known else None


def _is_short(length: str, unit: str = "") -> bool:
    points = _parse_points(length, unit)
    return points is not None and points < _LEAST_SIZE


def _is_faint(number: str, least: float = 0.05) -> bool:
    found = _LENGTH.fullmatch(number)
    return found is not None and not found[2] and float(found[1]) < least


def _read_switched_text(groups: BraceGroups, position: int) -> tuple[str, int]:
    """Return the text after a switch up to the end of its group or the next switch, and the place where it ends."""
    close = groups.find_enclosing_end(position)
    found = _SWITCH_ENDS.search(groups.text, position, close)
    close = found.start() if found else close
    return groups.text[position:close], close
