"""Remove page furniture, which is no part of the paper: running heads, page numbers, line numbers and stamps."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from planner.papers.pdf.lines import Line
from planner.papers.pdf.runs import TextRun

_EDGE_LINES: Final = 3
_EDGE_SHARE: Final = 0.13
_SAME_HEIGHT: Final = 4.0
_PAGES_PER_REPEAT: Final = 6  # a running head is on at least one page in six
_MAX_CELLS: Final = 3  # a row with more cells belongs to a table that continues on the next page
_MIN_NUMBERED_LINES: Final = 8
_MIN_TEXT_LENGTH: Final = 20
_ALIGNMENT: Final = 3.0
_OUTER_NUMBER: Final = re.compile(r"^\d+\b|\b\d+$")  # the page number beside a running head
_MAX_DIGITS: Final = 4
_PAGE_NUMBER: Final = re.compile(
    r"(?:page\s+)?[-–—\[(]*\s*(?:\d{1,5}|[ivxl]{1,6}|S\d+|[A-Z]-?\d{1,3})\s*[-–—\])]*(?:\s*(?:of|/)\s*\d+)?", re.I
)
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")
_FLOAT_LABEL: Final = re.compile(r"(?:fig|tab|algorithm|listing)", re.I)
_STAMP: Final = re.compile(r"arxiv:\s*(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})", re.I)


def remove_line_numbers(pages: Sequence[Sequence[TextRun]]) -> list[list[TextRun]]:
    """Return each page's runs without the line numbers that review copies print beside the text.

    A page of figures may have few numbers, so a column of numbers found on one page is removed from all pages.
    """
    outer_numerals = [_find_outer_numerals(runs) for runs in pages]
    edges = {
        _locate_inner_edge(run, side)
        for sides in outer_numerals
        for side in (0, 1)
        if _is_counting_up(sides[side])
        for run in sides[side]
    }
    if not edges:
        return [list(runs) for runs in pages]
    return [_remove_number_columns(runs, sides, edges) for runs, sides in zip(pages, outer_numerals, strict=True)]


def _find_outer_numerals(runs: Sequence[TextRun]) -> tuple[list[TextRun], list[TextRun]]:
    """Return the numerals to the left and to the right of all of a page's running text."""
    long = [run for run in runs if len(run.text) >= _MIN_TEXT_LENGTH and not run.is_rotated]
    numerals = [run for run in runs if len(run.text) <= _MAX_DIGITS and run.text.isdecimal() and not run.is_rotated]
    left = min((run.x0 for run in long), default=0.0)
    right = max((run.x1 for run in long), default=0.0)
    return [run for run in numerals if run.x1 < left], [run for run in numerals if run.x0 > right > 0]


def _locate_inner_edge(run: TextRun, side: int) -> tuple[int, int]:
    """Return the side (0 left, 1 right) and the rounded x of a number's edge towards the text, where numbers align."""
    return side, round((run.x1 if side == 0 else run.x0) / _ALIGNMENT)


def _remove_number_columns(
    runs: Sequence[TextRun], sides: tuple[list[TextRun], list[TextRun]], edges: set[tuple[int, int]]
) -> list[TextRun]:
    def is_number(run: TextRun, side: int) -> bool:
        at = _locate_inner_edge(run, side)[1]
        return any((side, at + shift) in edges for shift in (-1, 0, 1))

    numbers = {id(run) for side in (0, 1) for run in sides[side] if is_number(run, side)}
    return [run for run in runs if id(run) not in numbers]


def _is_counting_up(column: Iterable[TextRun]) -> bool:
    numbers = [int(run.text) for run in sorted(column, key=lambda run: -run.y)]
    steps = Counter(after - before for before, after in pairwise(numbers))
    if len(numbers) < _MIN_NUMBERED_LINES or not steps:
        return False
    step, times = steps.most_common(1)[0]
    return step in (1, 2, 5, 10) and times >= 0.7 * (len(numbers) - 1)


def remove_page_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Return each page's lines without running heads and feet, page numbers and stamps."""
    edges = [_find_edge_lines(lines) for lines in pages]
    repeated = _find_repeated_lines(edges)
    numbers = _find_page_numbers(edges)
    removed = {id(line) for edge in edges for line in edge if id(line) in numbers or id(line) in repeated}
    return [[line for line in lines if id(line) not in removed and not _is_stamp(line)] for lines in pages]


def _is_stamp(line: Line) -> bool:
    return line.is_rotated and bool(_STAMP.search(line.text))


def _find_edge_lines(lines: Sequence[Line]) -> list[Line]:
    """Return the topmost and lowest lines of a page, as far as they are near its top or foot."""
    upright = sorted((line for line in lines if not line.is_rotated), key=lambda line: -line.y)
    if not upright:
        return []
    margin = _EDGE_SHARE * (upright[0].y - upright[-1].y)
    top, foot = upright[0].y - margin, upright[-1].y + margin
    above = [line for line in upright if line.y >= top]
    below = [line for line in upright if line.y <= foot]
    edge_lines = {id(line): line for line in _select_outer_rows(above, False) + _select_outer_rows(below, True)}
    return list(edge_lines.values())


def _select_outer_rows(lines: Sequence[Line], from_foot: bool) -> list[Line]:
    heights = sorted({round(line.y) for line in lines}, reverse=not from_foot)[:_EDGE_LINES]
    return [line for line in lines if round(line.y) in heights]


def _fold_repeated_text(line: Line) -> str:
    return _OUTER_NUMBER.sub("", re.sub(r"\W+", " ", line.text).strip().casefold()).strip()


def _find_repeated_lines(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Return the ids of edge lines with one text, apart from page numbers, at one height on several pages."""
    min_pages = max(2, len(edges) // _PAGES_PER_REPEAT)
    places: defaultdict[str, list[Line]] = defaultdict(list)
    for line in (line for edge in edges for line in edge if len(line.cells) <= _MAX_CELLS):
        places[_fold_repeated_text(line)].append(line)
    repeated: set[int] = set()
    for key, lines in places.items():
        if not _LETTERS.search(key) or _FLOAT_LABEL.match(key):
            continue
        for line in lines:
            pages = {other.page for other in lines if abs(other.y - line.y) <= _SAME_HEIGHT}
            if len(pages) >= min_pages:
                repeated.add(id(line))
    return repeated


def _find_page_numbers(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Return the ids of edge lines that hold only a page number."""
    candidates = [line for edge in edges for line in edge if _PAGE_NUMBER.fullmatch(line.text.strip())]
    heights = Counter(round(line.y / _SAME_HEIGHT) for line in candidates)
    min_count = 2 if len(edges) > 1 else 1

    def is_at_common_height(line: Line) -> bool:
        at = round(line.y / _SAME_HEIGHT)
        return sum(heights[at + near] for near in (-1, 0, 1)) >= min_count

    return {id(line) for line in candidates if is_at_common_height(line)}
