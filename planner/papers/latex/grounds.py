"""Find the backgrounds in a LaTeX source that are not white: boxes, coloured rows, drawings, pages."""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from planner.papers.latex.colours import WHITE, Colour, Palette, is_near
from planner.papers.latex.scan import Groups, Mark, Source

BOXES: Final = frozenset({"colorbox", "fcolorbox"})
_CELLS: Final = frozenset({"rowcolor", "cellcolor", "columncolor"})
_DRAWN: Final = frozenset({"tcbox", "tikz", "node"})
_ENVIRONMENTS: Final = frozenset({"tcolorbox", "tikzpicture", "mdframed", "beamercolorbox"})
_GROUNDED: Final = BOXES | _CELLS | _DRAWN | {"begin"}
_OWN_BOX: Final = re.compile(r"\\(?:new|renew|New|Declare)(?:tcolorbox|TColorBox|mdenv)\s*(?:\[[^\]]*\]\s*)?\{(\w+)\}")
_PAGE: Final = re.compile(r"\\pagecolor\s*(?:\[(\w+)\])?\s*\{([^{}]*)\}|\\nopagecolor")
_LONGEST_BOX: Final = 100_000  # characters
_LONGEST_ROW: Final = 5_000
_AT_ONCE: Final = 50  # backgrounds over one another; of more, only the innermost count


@dataclass(frozen=True, slots=True)
class Ground:
    """A background from `start` to `end` of the text; its colour is None if unknown, as in a drawing."""

    start: int
    end: int
    colour: Colour | None = None


class ColourBox(NamedTuple):
    """A coloured box: its background colour, its content, and the place where it ends."""

    colour: Colour | None
    content: str
    end: int


def colour_box(groups: Groups, mark: Mark, palette: Palette) -> ColourBox | None:
    """Return the box of a `\\colorbox` or `\\fcolorbox` command, None if an argument is missing."""
    count = 3 if mark.name == "fcolorbox" else 2
    model, values, end = _with_model(groups, mark, count)
    if len(values) < count:
        return None
    return ColourBox(palette.colour(values[-2] or "", model), values[-1] or "", end)


class Grounds:
    """The backgrounds of a text, looked up by place."""

    def __init__(self, source: Source, palette: Palette, preamble: str) -> None:
        environments = _ENVIRONMENTS | frozenset(_OWN_BOX.findall(preamble + source.text))
        pages = _pages(preamble, source.text, palette)
        found = (_ground(source, mark, palette, environments) for mark in source.commands(_GROUNDED.__contains__))
        self._grounds = sorted((*pages, *filter(None, found)), key=lambda ground: ground.start)
        self._next = 0  # the index of the first one that has not begun yet
        self._open: list[Ground] = []

    def under(self, place: int) -> Ground | None:
        """Return the innermost background at a place, None if it is white; call it in the order of the text."""
        while self._next < len(self._grounds) and self._grounds[self._next].start <= place:
            self._open.append(self._grounds[self._next])
            self._next += 1
        self._open = [one for one in self._open if one.end >= place][-_AT_ONCE:]
        ground = self._open[-1] if self._open else None
        return None if ground and ground.colour and is_near(ground.colour, WHITE) else ground


def _ground(source: Source, mark: Mark, palette: Palette, environments: frozenset[str]) -> Ground | None:
    groups = source.groups
    if mark.name in BOXES:
        box = colour_box(groups, mark, palette)
        return Ground(mark.start, box.end, box.colour) if box else None
    if mark.name in _CELLS:
        return _row(groups, mark, palette)
    if mark.name in _DRAWN:
        option = groups.option(mark.end)
        return Ground(mark.start, groups.arguments(option[1] if option else mark.end, 2)[1])
    name = groups.group(mark.end) if mark.name == "begin" else None
    if name is None or name[0] not in environments:
        return None
    close = source.text.find(f"\\end{{{name[0]}}}", mark.end, mark.end + _LONGEST_BOX)
    return Ground(mark.start, close if close >= 0 else mark.end)


def _row(groups: Groups, mark: Mark, palette: Palette) -> Ground | None:
    """Return the background of a row or cell from its command to the row's end; nobody hides text before it."""
    model, values, end = _with_model(groups, mark, 1)
    row = groups.text.find("\\\\", end, end + _LONGEST_ROW)
    return Ground(mark.start, row if row >= 0 else end, palette.colour(values[0] or "", model)) if values else None


def _with_model(groups: Groups, mark: Mark, count: int) -> tuple[str, list[str | None], int]:
    option = groups.option(mark.end)
    values, end = groups.arguments(option[1] if option else mark.end, count)
    return option[0] if option else "", values, end


def _pages(preamble: str, text: str, palette: Palette) -> list[Ground]:
    """Return the backgrounds of whole pages, each up to the next; the last one of the preamble comes first."""
    if "\\pagecolor" not in preamble + text:
        return []
    set_before = list(_PAGE.finditer(preamble))[-1:]
    turns = [(0, found) for found in set_before] + [(found.start(), found) for found in _PAGE.finditer(text)]
    ends = [start for start, _ in turns[1:]] + [len(text)]
    return [
        Ground(start, end, palette.colour(found[2], found[1] or ""))
        for (start, found), end in zip(turns, ends, strict=True)
        if found[2]
    ]
