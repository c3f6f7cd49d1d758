"""Find and remove the text of a LaTeX source that readers of the printed page cannot see.

Such text has the colour of its background, is in a `\\phantom`, or is too small.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Final, NamedTuple

from planner.papers.colours import BLACK, WHITE, Colour, LatexPalette, is_similar_colour
from planner.papers.latex.scan import BraceGroups, GroupContent, LatexSource, LatexToken

_MIN_SIZE: Final = 2.0  # points; smaller text cannot be read
_MAX_RAISE: Final = 1_000.0  # points; text raised by more is off the page
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
    "pt": 1.0, "bp": 1.0, "px": 0.75, "mm": 2.85, "cm": 28.5, "em": 10.0, "ex": 4.3, "in": 72.3, "sp": 0.0
}  # fmt: skip
_SWITCH_ENDS: Final = re.compile(
    r"\\(?:color\b|normalcolor\b|end\s*\{|endgroup\b|egroup\b|fontsize\b|normalsize\b|transparent\b|pdfliteral\b"
    r"|pdfextension\b|special\b|pdfrender\b)"
)
_COLOUR_BOX_COMMANDS: Final = frozenset({"colorbox", "fcolorbox"})
_COLOUR_COMMANDS: Final = frozenset({"textcolor", "color"})
_SIZE_COMMANDS: Final = frozenset({"fontsize", "scalebox", "resizebox", "raisebox", "transparent", "texttransparent"})
_PATH_COMMANDS: Final = frozenset({"node", "path", "draw", "fill", "filldraw"})
_BOX_FILLING_COMMANDS: Final = frozenset({"sbox", "setbox", "savebox", "begin"})
_MAY_HIDE: Final = _PHANTOM_COMMANDS.union(
    *(_COLOUR_COMMANDS, _COLOUR_BOX_COMMANDS, _LITERAL_COMMANDS, _SIZE_COMMANDS, _PATH_COMMANDS, _BOX_FILLING_COMMANDS)
)

# The options, name and position of a node, up to its text.
_NODE: Final = re.compile(r"[^;]*?\[([^\[\];]*\bopacity\s*=[^\[\];]*)\][^{};\[\]]{0,200}+(?=\{)")
_NODE_OPTIONS: Final = re.compile(r"\s*(?:\([^()]{0,80}\)\s*)?\[([^\[\]]{0,500})\][^{};\[\]]{0,200}+(?=\{)")
_FILLING: Final = re.compile(r"fill|shad|graphics|colback|colbg|interior|style|background|opacity|skin")
_OPACITY: Final = re.compile(r"(?:(text|fill|draw) )?\bopacity\s*=\s*([\d.]+)")
_BOX_FILLING: Final = re.compile(
    r"\\(?:s(?:ave)?box|setbox|begin\s*\{lrbox\})\s*\{?\s*(\\[A-Za-z@]+|\d+)\s*\}?"
    r"(?:\s*=?\s*\\[hv]box|(?:\s*\[[^\[\]]*\]){0,2})"
)
_BOX_PRINTING: Final = re.compile(r"\\(?:usebox|box|copy|un[hv](?:box|copy)|vsplit)\s*\{?\s*(\\[A-Za-z@]+|\d+)")
_COLOUR_SETTING: Final = re.compile(r"\\(?:text)?color\b")
_MAX_PATH_CHARS: Final = 2_000
_COLOUR_DISTANCE: Final = 200  # characters before a box that may set the colour of its text
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")
_CELL_COMMANDS: Final = frozenset({"rowcolor", "cellcolor", "columncolor"})
_DRAWING_COMMANDS: Final = frozenset({"tcbox", "tikz", "node"})
_BACKGROUND_ENVIRONMENTS: Final = frozenset({"tcolorbox", "tikzpicture", "mdframed", "beamercolorbox"})
_BACKGROUND_COMMANDS: Final = _COLOUR_BOX_COMMANDS | _CELL_COMMANDS | _DRAWING_COMMANDS | {"begin"}
_BOX_DEFINITION: Final = re.compile(
    r"\\(?:new|renew|New|Declare)(?:tcolorbox|TColorBox|mdenv)\s*(?:\[[^\]]*\]\s*)?\{(\w+)\}"
)
_PAGE_COLOUR: Final = re.compile(r"\\pagecolor\s*(?:\[(\w+)\])?\s*\{([^{}]*)\}|\\nopagecolor")
_MAX_BOX_CHARS: Final = 100_000
_MAX_ROW_CHARS: Final = 5_000
_MAX_NESTED: Final = 50  # backgrounds over one another; of more, only the innermost count


class HiddenText(NamedTuple):
    """A text that readers cannot see; it begins at `start` with the command that hides it."""

    text: str
    start: int
    end: int


def find_hidden_texts(source: LatexSource, preamble: str = "") -> list[HiddenText]:
    """Return the texts that readers cannot see, in order; a text without letters is left out."""
    finder, hidden_texts, end = _HiddenTextFinder(source, preamble), list[HiddenText](), 0
    for token in source.find_commands(_MAY_HIDE.__contains__):
        hidden = finder.find_hidden_text(token) if token.start >= end else None
        if hidden and _LETTERS.search(hidden.text):
            end = hidden.end
            hidden_texts.append(HiddenText(hidden.text, token.start, end))
    return hidden_texts


def remove_hidden_texts(source: LatexSource, hidden_texts: Sequence[HiddenText]) -> LatexSource:
    """Return the source without these texts and the commands that hide them."""
    starts, ends = [hidden.start for hidden in hidden_texts], [hidden.end for hidden in hidden_texts]
    spans = zip([0, *ends], [*starts, len(source.text)], strict=True)
    return LatexSource("".join(source.text[start:end] for start, end in spans)) if hidden_texts else source


@dataclass(frozen=True, slots=True)
class _Background:
    """The background from `start` to `end` of the text; `colour` is None if it is unknown, as in a drawing."""

    start: int
    end: int
    colour: Colour | None = None


class _BackgroundMap:
    """The background colours of a text, found by position."""

    def __init__(self, source: LatexSource, palette: LatexPalette, preamble: str) -> None:
        environments = _BACKGROUND_ENVIRONMENTS | frozenset(_BOX_DEFINITION.findall(preamble + source.text))
        pages = _find_page_backgrounds(preamble, source.text, palette)
        tokens = source.find_commands(_BACKGROUND_COMMANDS.__contains__)
        others = (_read_background(source, token, palette, environments) for token in tokens)
        self._backgrounds = sorted((*pages, *filter(None, others)), key=attrgetter("start"))
        self._next = 0  # the index of the first background that has not begun yet
        self._open: list[_Background] = []

    def find_colour(self, position: int) -> Colour | None:
        """Return the background colour at a position, None if unknown; positions must rise from call to call."""
        while self._next < len(self._backgrounds) and self._backgrounds[self._next].start <= position:
            self._open.append(self._backgrounds[self._next])
            self._next += 1
        self._open = [background for background in self._open if background.end >= position][-_MAX_NESTED:]
        colour = self._open[-1].colour if self._open else WHITE
        return WHITE if colour and is_similar_colour(colour, WHITE) else colour


def _read_background(
    source: LatexSource, token: LatexToken, palette: LatexPalette, environments: frozenset[str]
) -> _Background | None:
    groups = source.groups
    if token.name in _COLOUR_BOX_COMMANDS:
        box = _read_colour_box(groups, token, palette)
        return box[0] if box else None
    if token.name in _CELL_COMMANDS:
        return _read_row_background(groups, token, palette)
    if token.name in _DRAWING_COMMANDS:
        return _Background(token.start, groups.read_arguments(groups.find_option_end(token.end), 2)[1])
    name = groups.read_group(token.end) if token.name == "begin" else None
    if name is None or name.text not in environments:
        return None
    end = source.text.find(f"\\end{{{name.text}}}", token.end, token.end + _MAX_BOX_CHARS)
    return _Background(token.start, end if end >= 0 else token.end)


def _read_colour_box(groups: BraceGroups, token: LatexToken, palette: LatexPalette) -> tuple[_Background, str] | None:
    """Return the background and the text of a `\\colorbox` or `\\fcolorbox`; None if an argument is missing."""
    count = 3 if token.name == "fcolorbox" else 2
    model, values, end = _read_colour_arguments(groups, token.end, count)
    if len(values) < count:
        return None
    return _Background(token.start, end, palette.parse_colour(values[-2] or "", model)), values[-1] or ""


def _read_row_background(groups: BraceGroups, token: LatexToken, palette: LatexPalette) -> _Background | None:
    """Return the background that a command sets for the rest of a table row; None if the colour is missing."""
    model, values, end = _read_colour_arguments(groups, token.end, 1)
    if not values:
        return None
    row_end = groups.text.find("\\\\", end, end + _MAX_ROW_CHARS)
    return _Background(token.start, row_end if row_end >= 0 else end, palette.parse_colour(values[0] or "", model))


def _read_colour_arguments(groups: BraceGroups, position: int, count: int) -> tuple[str, list[str | None], int]:
    """Return the colour model ("" if none is given), up to `count` arguments, and the end of the command."""
    (model, *values), end = groups.read_arguments(position, count + 1, optional=True)
    return model or "", values, end


def _find_page_backgrounds(preamble: str, text: str, palette: LatexPalette) -> list[_Background]:
    """Return the backgrounds of pages, which `\\pagecolor` sets; a background ends where the next one begins."""
    if "\\pagecolor" not in preamble + text:
        return []
    changes = [(0, match) for match in list(_PAGE_COLOUR.finditer(preamble))[-1:]]
    changes += [(match.start(), match) for match in _PAGE_COLOUR.finditer(text)]
    ends = [start for start, _ in changes[1:]] + [len(text)]
    return [
        _Background(start, end, palette.parse_colour(match[2], match[1] or ""))
        for (start, match), end in zip(changes, ends, strict=True)
        if match[2]
    ]


class _HiddenTextFinder:
    """A finder of text that LaTeX commands hide. Pass it the commands in the order in which they stand in the text."""

    def __init__(self, source: LatexSource, preamble: str) -> None:
        self._groups = source.groups
        self._full_text = preamble + source.text
        self._source, self._preamble = source, preamble

    @cached_property
    def _palette(self) -> LatexPalette:
        return LatexPalette(self._full_text)

    @cached_property
    def _backgrounds(self) -> _BackgroundMap:
        return _BackgroundMap(self._source, self._palette, self._preamble)

    @cached_property
    def _printed_boxes(self) -> frozenset[str]:
        return frozenset(_BOX_PRINTING.findall(self._full_text))

    def find_hidden_text(self, token: LatexToken) -> GroupContent | None:
        """Return the text that a command hides, or None if it hides no text."""
        groups, name, end = self._groups, token.name, token.end
        if name in _PHANTOM_COMMANDS:
            return groups.read_group(end)
        if name in _COLOUR_COMMANDS:
            return self._read_text_like_background(token, end)
        if name == "begin" and groups.text.startswith("{color}", end):
            return self._read_text_like_background(token, end + len("{color}"))
        if name in _COLOUR_BOX_COMMANDS:
            return self._read_black_box(token)
        if name in _LITERAL_COMMANDS:
            return _read_unpainted(groups, name, end)
        if name in _SIZE_COMMANDS:
            return _read_unreadable(groups, name, end)
        if name in _PATH_COMMANDS:
            return _read_faint_node(groups, end) or self._read_white_node(token)
        return self._read_unused_box(token) or self._read_white_box(token)

    def _read_text_like_background(self, token: LatexToken, end: int) -> GroupContent | None:
        model, values, end = _read_colour_arguments(self._groups, end, 1)
        colour = self._palette.parse_colour(values[0] or "", model) if values else None
        background = self._backgrounds.find_colour(token.start) if colour else None
        if colour is None or background is None or not is_similar_colour(colour, background):
            return None
        return self._groups.read_group(end) if token.name == "textcolor" else _read_switched_text(self._groups, end)

    def _read_black_box(self, token: LatexToken) -> GroupContent | None:
        """Return the text in a black box; None if a text colour is set in the box or before it in the paragraph."""
        background, content = _read_colour_box(self._groups, token, self._palette) or (None, "")
        if background is None or background.colour is None or not is_similar_colour(background.colour, BLACK):
            return None
        before = self._groups.text[max(0, token.start - _COLOUR_DISTANCE) : token.start]
        in_paragraph = before.rpartition("\n\n")[2]
        is_coloured = _COLOUR_SETTING.search(in_paragraph + content)
        return None if is_coloured else GroupContent(content, background.end)

    def _read_white_node(self, token: LatexToken) -> GroupContent | None:
        """Return the white text of a node in a drawing; None if the drawing may have a filled area."""
        text = self._groups.text
        match = _NODE_OPTIONS.match(text, token.end, token.end + _MAX_PATH_CHARS) if token.name == "node" else None
        if match is None or not self._is_white_on_white(match[1], "text"):
            return None
        picture = text[max(0, token.start - _MAX_PATH_CHARS) : token.start].rpartition("\\begin{tikzpicture}")
        return self._groups.read_group(match.end()) if picture[1] and not _FILLING.search(picture[2]) else None

    def _read_white_box(self, token: LatexToken) -> GroupContent | None:
        """Return the white text in a `tcolorbox` environment that has the usual background."""
        text, start = self._groups.text, token.end + len("{tcolorbox}")
        option = self._groups.read_option(start) if text.startswith("{tcolorbox}", token.end) else None
        if option is None or not self._is_white_on_white(option.text, "coltext"):
            return None
        return self._groups.read_environment("tcolorbox", option.end)

    def _is_white_on_white(self, options: str, key: str) -> bool:
        """Return whether the options set white text (with the setting `key`) and keep the usual background."""
        settings = dict(item.strip().partition("=")[::2] for item in options.split(","))
        colour = self._palette.parse_colour(settings[key]) if settings.get(key) else None
        if colour is None or not is_similar_colour(colour, WHITE):
            return False
        return not _FILLING.search(options) and all(value or not name for name, value in settings.items())

    def _read_unused_box(self, token: LatexToken) -> GroupContent | None:
        """Return the text that is saved in a box if the box is never printed."""
        match = _BOX_FILLING.match(self._groups.text, token.start)
        if match is None or match[1] in self._printed_boxes:
            return None
        if token.name == "begin":
            return self._groups.read_environment("lrbox", match.end())
        return self._groups.read_group(match.end())


def _read_unpainted(groups: BraceGroups, name: str, end: int) -> GroupContent | None:
    """Return the text that a raw PDF instruction, such as "3 Tr", makes white or invisible; None if there is none."""
    words = _LITERAL_WORDS.match(groups.text, end)
    setting = groups.read_group(words.end()) if words else None
    if setting is None or not _UNPAINTED.search(setting.text):
        return None
    return groups.read_group(setting.end) if name == "textpdfrender" else _read_switched_text(groups, setting.end)


def _read_unreadable(groups: BraceGroups, name: str, end: int) -> GroupContent | None:
    """Return the text that a command makes too small or too faint, or moves off the page."""
    first = groups.read_group(end)
    if first and name == "transparent":
        return _read_switched_text(groups, first.end) if _is_faint(first.text) else None
    second = groups.read_group(first.end) if first else None
    if first is None or second is None:
        return None
    match name:
        case "scalebox" if _is_faint(first.text, _MIN_SIZE / 10):
            return second
        case "texttransparent" if _is_faint(first.text):
            return second
        case "raisebox" if (_parse_points(first.text) or 0.0) > _MAX_RAISE:
            return second
        case "resizebox" if _is_short(first.text) or _is_short(second.text):
            return groups.read_group(second.end)
        case "fontsize" if _is_short(first.text, "pt"):
            return _read_switched_text(groups, second.end)
    return None


def _read_faint_node(groups: BraceGroups, end: int) -> GroupContent | None:
    """Return the text of the first node in a drawing command if the text is nearly transparent."""
    match = _NODE.match(groups.text, end, end + _MAX_PATH_CHARS)
    opacities = dict(_OPACITY.findall(match[1])) if match else {}
    opacity = next((opacities[kind] for kind in ("text", "fill", "") if kind in opacities), "1")  # words are filled too
    return groups.read_group(match.end()) if match and _is_faint(opacity) else None


def _parse_points(length: str, unit: str = "") -> float | None:
    """Return a length in points without its sign, None if it is invalid; `unit` is the unit of a bare number."""
    match = _LENGTH.fullmatch(length)
    unit = (match[2] or unit) if match else ""
    return float(match[1]) * _POINTS[unit] if match and unit else None


def _is_short(length: str, unit: str = "") -> bool:
    points = _parse_points(length, unit)
    return points is not None and points < _MIN_SIZE


def _is_faint(number: str, limit: float = 0.05) -> bool:
    match = _LENGTH.fullmatch(number)
    return match is not None and not match[2] and float(match[1]) < limit


def _read_switched_text(groups: BraceGroups, position: int) -> GroupContent:
    """Return the text after a switch such as `\\color`, and the text's end: the next switch or the group's end."""
    end = groups.find_enclosing_end(position)
    match = _SWITCH_ENDS.search(groups.text, position, end)
    end = match.start() if match else end
    return GroupContent(groups.text[position:end], end)
