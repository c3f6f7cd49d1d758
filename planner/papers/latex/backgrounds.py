"""Find the backgrounds of a LaTeX paper that are not white: boxes, coloured rows, drawings, pages."""

import re
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from planner.papers.colours import WHITE, Colour, Palette, is_similar_colour
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
MAX_BOX_CHARS: Final = 100_000
_MAX_ROW_CHARS: Final = 5_000
_MAX_NESTED: Final = 50  # backgrounds over one another; of more, only the innermost count


@dataclass(frozen=True, slots=True)
class _Background:
    """A background from `start` to `end` of the text; its colour is None if unknown, as in a drawing."""

    start: int
    end: int
    colour: Colour | None = None


class ColourBox(NamedTuple):
    """A coloured box: its background colour, its content, and the position of its end."""

    colour: Colour | None
    content: str
    end: int


class BackgroundMap:
    """The backgrounds of a text, looked up by position."""

    def __init__(self, source: LatexSource, palette: Palette, preamble: str) -> None:
        environments = _BACKGROUND_ENVIRONMENTS | frozenset(_BOX_DEFINITION.findall(preamble + source.text))
        pages = _find_page_backgrounds(preamble, source.text, palette)
        tokens = source.find_commands(_BACKGROUND_COMMANDS.__contains__)
        others = (_read_background(source, token, palette, environments) for token in tokens)
        self._backgrounds = sorted((*pages, *filter(None, others)), key=attrgetter("start"))
        self._next = 0  # the index of the first background that has not begun yet
        self._open: list[_Background] = []

    def find_colour(self, position: int) -> Colour | None:
        """Return the colour of the innermost background, None if unknown; call it in the order of the text."""
        while self._next < len(self._backgrounds) and self._backgrounds[self._next].start <= position:
            self._open.append(self._backgrounds[self._next])
            self._next += 1
        self._open = [background for background in self._open if background.end >= position][-_MAX_NESTED:]
        colour = self._open[-1].colour if self._open else WHITE
        return WHITE if colour and is_similar_colour(colour, WHITE) else colour


def _read_background(
    source: LatexSource, token: LatexToken, palette: Palette, environments: frozenset[str]
) -> _Background | None:
    groups = source.groups
    if token.name in COLOUR_BOX_COMMANDS:
        box = read_colorbox_command(groups, token, palette)
        return _Background(token.start, box.end, box.colour) if box else None
    if token.name in _CELL_COMMANDS:
        return _read_row_background(groups, token, palette)
    if token.name in _DRAWING_COMMANDS:
        option = groups.read_option(token.end)
        return _Background(token.start, groups.read_arguments(option[1] if option else token.end, 2)[1])
    name = groups.read_group(token.end) if token.name == "begin" else None
    if name is None or name[0] not in environments:
        return None
    end = source.text.find(f"\\end{{{name[0]}}}", token.end, token.end + MAX_BOX_CHARS)
    return _Background(token.start, end if end >= 0 else token.end)


def read_colorbox_command(groups: BraceGroups, token: LatexToken, palette: Palette) -> ColourBox | None:
    """Return the box of a `\\colorbox` or `\\fcolorbox` command, None if an argument is missing."""
    count = 3 if token.name == "fcolorbox" else 2
    model, values, end = _read_colour_arguments(groups, token, count)
    if len(values) < count:
        return None
    return ColourBox(palette.find_colour(values[-2] or "", model), values[-1] or "", end)


def _read_row_background(groups: BraceGroups, token: LatexToken, palette: Palette) -> _Background | None:
    """Return the background of a row or cell from its command to the row's end; nobody hides text before it."""
    model, values, end = _read_colour_arguments(groups, token, 1)
    if not values:
        return None
    row_end = groups.text.find("\\\\", end, end + _MAX_ROW_CHARS)
    return _Background(token.start, row_end if row_end >= 0 else end, palette.find_colour(values[0] or "", model))


def _read_colour_arguments(groups: BraceGroups, token: LatexToken, count: int) -> tuple[str, list[str | None], int]:
    """Return the colour model ("" if not given), up to `count` arguments, and the end of a command."""
    option = groups.read_option(token.end)
    values, end = groups.read_arguments(option[1] if option else token.end, count)
    return option[0] if option else "", values, end


def _find_page_backgrounds(preamble: str, text: str, palette: Palette) -> list[_Background]:
    """Return the backgrounds of whole pages, each up to the next; the last one of the preamble comes first."""
    if "\\pagecolor" not in preamble + text:
        return []
    changes = [(0, match) for match in list(_PAGE_COLOUR.finditer(preamble))[-1:]]
    changes += [(match.start(), match) for match in _PAGE_COLOUR.finditer(text)]
    ends = [start for start, _ in changes[1:]] + [len(text)]
    return [
        _Background(start, end, palette.find_colour(match[2], match[1] or ""))
        for (start, match), end in zip(changes, ends, strict=True)
        if match[2]
    ]
