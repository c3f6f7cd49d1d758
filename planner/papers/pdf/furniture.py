"""Remove page furniture, which is no part of the paper: running heads, page numbers, line numbers and stamps."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from planner.papers.pdf.lines import Line
from planner.papers.pdf.runs import Run

_EDGE_LINES: Final = 3
_MARGIN_SHARE: Final = 0.13
_SAME_HEIGHT: Final = 4.0
_OF_PAGES: Final = 6  # a running head is on at least one page in six
_MOST_CELLS: Final = 3  # a row with more cells belongs to a table that continues on the next page
_LEAST_NUMBERED: Final = 8
_LONG: Final = 20
_ALIGNED: Final = 3.0
_OUTER_NUMBER: Final = re.compile(r"^\d+\b|\b\d+$")  # the page number beside a running head
_NUMERAL: Final = 4  # digits at most
_PAGE_NUMBER: Final = re.compile(
    r"(?:page\s+)?[-–—\[(]*\s*(?:\d{1,5}|[ivxl]{1,6}|S\d+|[A-Z]-?\d{1,3})\s*[-–—\])]*(?:\s*(?:of|/)\s*\d+)?", re.I
)
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")
_FLOAT: Final = re.compile(r"(?:fig|tab|algorithm|listing)", re.I)
_STAMP: Final = re.compile(r"arxiv:\s*(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})", re.I)


def without_line_numbers(pages: Sequence[Sequence[Run]]) -> list[list[Run]]:
    """Return each page's runs without the line numbers that review copies print beside the text.

    A page of figures may have few numbers, so a column of numbers found on one page is removed from all pages.
    """
    columns = [_outside(runs) for runs in pages]
    places = {
        _edge(run, side) for sides in columns for side in (0, 1) if _counts_up(sides[side]) for run in sides[side]
    }
    if not places:
        return [list(runs) for runs in pages]
    return [_without_columns(runs, sides, places) for runs, sides in zip(pages, columns, strict=True)]


def _outside(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Return the numerals to the left and to the right of all of a page's running text."""
    long = [run for run in runs if len(run.text) >= _LONG and not run.turned]
    numerals = [run for run in runs if len(run.text) <= _NUMERAL and run.text.isdecimal() and not run.turned]
    left = min((run.x0 for run in long), default=0.0)
    right = max((run.x1 for run in long), default=0.0)
    return [run for run in numerals if run.x1 < left], [run for run in numerals if run.x0 > right > 0]


def _edge(run: Run, side: int) -> tuple[int, int]:
    """Return the side (0 left, 1 right) and the rounded x of a number's edge towards the text, where numbers align."""
    return side, round((run.x1 if side == 0 else run.x0) / _ALIGNED)


def _without_columns(
    runs: Sequence[Run], sides: tuple[list[Run], list[Run]], places: set[tuple[int, int]]
) -> list[Run]:
    def is_number(run: Run, side: int) -> bool:
        at = _edge(run, side)[1]
        return any((side, at + near) in places for near in (-1, 0, 1))

    numbers = {id(run) for side in (0, 1) for run in sides[side] if is_number(run, side)}
    return [run for run in runs if id(run) not in numbers]


def _counts_up(column: Iterable[Run]) -> bool:
    ordered = [int(run.text) for run in sorted(column, key=lambda run: -run.y)]
    steps = Counter(after - before for before, after in pairwise(ordered))
    if len(ordered) < _LEAST_NUMBERED or not steps:
        return False
    step, times = steps.most_common(1)[0]
    return step in (1, 2, 5, 10) and times >= 0.7 * (len(ordered) - 1)


def without_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Return each page's lines without running heads and feet, page numbers and stamps."""
    edges = [_edge_lines(lines) for lines in pages]
    repeated = _repeated(edges)
    numbers = _page_numbers(edges)
    gone = {id(line) for edge in edges for line in edge if id(line) in numbers or id(line) in repeated}
    return [[line for line in lines if id(line) not in gone and not _is_stamp(line)] for lines in pages]


def _is_stamp(line: Line) -> bool:
    return line.turned and bool(_STAMP.search(line.text))


def _edge_lines(lines: Sequence[Line]) -> list[Line]:
    """Return the topmost and lowest lines of a page, as far as they are near its top or foot."""
    level = sorted((line for line in lines if not line.turned), key=lambda line: -line.y)
    if not level:
        return []
    margin = _MARGIN_SHARE * (level[0].y - level[-1].y)
    top, foot = level[0].y - margin, level[-1].y + margin
    above = [line for line in level if line.y >= top]
    below = [line for line in level if line.y <= foot]
    edge = {id(line): line for line in _rows(above, False) + _rows(below, True)}
    return list(edge.values())


def _rows(lines: Sequence[Line], from_foot: bool) -> list[Line]:
    heights = sorted({round(line.y) for line in lines}, reverse=not from_foot)[:_EDGE_LINES]
    return [line for line in lines if round(line.y) in heights]


def _key(line: Line) -> str:
    return _OUTER_NUMBER.sub("", re.sub(r"\W+", " ", line.text).strip().casefold()).strip()


def _repeated(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Return the ids of edge lines with one text, apart from page numbers, at one height on several pages."""
    needed = max(2, len(edges) // _OF_PAGES)
    places: defaultdict[str, list[Line]] = defaultdict(list)
    for line in (line for edge in edges for line in edge if len(line.cells) <= _MOST_CELLS):
        places[_key(line)].append(line)
    found: set[int] = set()
    for key, lines in places.items():
        if not _LETTERS.search(key) or _FLOAT.match(key):
            continue
        for line in lines:
            pages = {other.page for other in lines if abs(other.y - line.y) <= _SAME_HEIGHT}
            if len(pages) >= needed:
                found.add(id(line))
    return found


def _page_numbers(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Return the ids of edge lines that hold only a page number."""
    candidates = [line for edge in edges for line in edge if _PAGE_NUMBER.fullmatch(line.text.strip())]
    heights = Counter(round(line.y / _SAME_HEIGHT) for line in candidates)
    needed = 2 if len(edges) > 1 else 1

    def common(line: Line) -> bool:
        at = round(line.y / _SAME_HEIGHT)
        return sum(heights[at + near] for near in (-1, 0, 1)) >= needed

    return {id(line) for line in candidates if common(line)}
