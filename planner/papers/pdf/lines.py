"""Build lines from the runs (pieces of text) of a page, and measure the style of a paper's running text.

Running heads, page numbers, line numbers and stamps are removed, since they are not part of the paper's text.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import Final

from planner.papers.pdf.runs import CELL_GAP, LINE_END_HYPHEN, TextRun, is_letter_spaced

_WORD_GAP: Final = 0.2
_NO_GAP: Final = 0.12
_SPACED_WORD_GAP: Final = 1.6  # times the gap between spaced letters
_NOTE_MARK: Final = re.compile(r"[\s,∗*†‡§¶‖♯#♠♣♦\d]+$|^[a-z]$")
_FULL_LINE_SHARE: Final = 0.72  # of the width of a full line
_MIN_WORDS: Final = 5
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
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


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text on a page; coordinates are in points, and y grows upwards.

    `text` may end in U+0002, which stands for a hyphen at a line end. `bare_text` has no footnote marks at its end.
    `cells` are the texts between wide gaps; prose has one cell. `has_note_mark` is true if a footnote mark begins the
    line.
    """

    page: int
    text: str
    bare_text: str
    cells: tuple[str, ...]
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    italic: bool
    has_note_mark: bool
    is_rotated: bool


@dataclass(frozen=True, slots=True)
class BodyStyle:
    """The style of running text: the type size, the width of a full line and the distance of lines, in points."""

    font_size: float
    line_width: float
    line_spacing: float

    def is_full_line(self, line: Line) -> bool:
        """Return whether the line has the full width of running text, and enough words."""
        is_wide = line.x1 - line.x0 >= _FULL_LINE_SHARE * self.line_width
        return len(line.cells) == 1 and is_wide and len(_WORD.findall(line.text)) >= _MIN_WORDS

    def has_small_type(self, line: Line) -> bool:
        """Return whether the line is set in smaller type than running text."""
        return line.size < 0.94 * self.font_size

    def has_large_type(self, line: Line) -> bool:
        """Return whether the line is set in larger type than running text."""
        return line.size > 1.07 * self.font_size


def build_line(page_number: int, runs: Sequence[TextRun]) -> Line:
    """Return the line with the given runs, which must be in reading order."""
    texts, starts, ends, baselines, sizes, bold, italic, *_ = zip(*runs, strict=True)
    lengths = [len(text) for text in texts]
    size = _find_main_value([round(value, 1) for value in sizes], lengths)
    is_main_size = [abs(value - size) < 0.1 for value in sizes]
    main_baselines = [round(y, 1) for y in compress(baselines, is_main_size)]
    baseline = _find_main_value(main_baselines, compress(lengths, is_main_size))
    half_length = sum(lengths) / 2
    bare_count = len(runs)
    while bare_count > 1 and _is_note_mark(runs[bare_count - 1], size, baseline):
        bare_count -= 1
    text = _join_runs(runs)
    return Line(
        page=page_number,
        text=text,
        bare_text=text if bare_count == len(runs) else _join_runs(runs[:bare_count]),
        cells=_split_cells(runs, size) or (text,),
        x0=min(starts),
        x1=max(ends),
        y=baseline,
        size=size,
        bold=sum(compress(lengths, bold)) > half_length,
        italic=sum(compress(lengths, italic)) > half_length,
        has_note_mark=len(runs) > 1 and _is_note_mark(runs[0], size, baseline),
        is_rotated=runs[0].is_rotated,
    )


def _is_one_word(before: TextRun, after: TextRun) -> bool:
    """Return whether two neighbouring runs belong to one word, without a space between them."""
    largest_gap = _NO_GAP if after.space_before else _WORD_GAP
    if after.x0 - before.x1 >= largest_gap * max(before.size, after.size):
        return False
    small_capitals = before.size != after.size and before.text[-1:].isupper() and after.text[:1].isupper()
    return not after.space_before or small_capitals


def _find_main_value(values: Sequence[float], lengths: Iterable[int]) -> float:
    """Return the value that most characters have; `lengths` has the number of characters for each value."""
    weights = dict.fromkeys(values, 0)
    for value, length in zip(values, lengths, strict=True):
        weights[value] += length
    return max(weights, key=weights.__getitem__)


def _is_note_mark(run: TextRun, size: float, baseline: float) -> bool:
    is_raised = run.size < 0.85 * size and run.y > baseline + 0.15 * size
    return (is_raised or run.text in {"∗", "*", "†", "‡"}) and bool(_NOTE_MARK.fullmatch(run.text))


def _join_runs(runs: Sequence[TextRun]) -> str:
    parts = [runs[0].text]
    for before, after in pairwise(runs):
        parts.append(after.text if _is_one_word(before, after) else " " + after.text)
    text = "".join(parts)
    if len(runs) > 1 and text[-2:-1] == " " and is_letter_spaced(text):
        text = _join_letters(runs)
    return text[:-1].replace(LINE_END_HYPHEN, "-") + text[-1:]


def _join_letters(runs: Sequence[TextRun]) -> str:
    """Return a heading in spaced letters without the spaces inside words: "1 I N T R O" gives "1 INTRO"."""
    gaps = [after.x0 - before.x1 for before, after in pairwise(runs)]
    letter_gap = max(0.0, sorted(gaps)[len(gaps) // 2])
    if letter_gap > CELL_GAP * runs[0].size:  # labels in a row
        return " ".join(run.text for run in runs)
    word_gap = _SPACED_WORD_GAP * letter_gap
    parts = [" " + run.text if gap > word_gap else run.text for gap, run in zip(gaps, runs[1:], strict=True)]
    number_gap = "" if runs[0].text.isalpha() else " "
    return runs[0].text + number_gap + "".join(parts).lstrip()


def _split_cells(runs: Sequence[TextRun], size: float) -> tuple[str, ...]:
    """Return the texts between the wide gaps of a line, or () if the line has no wide gap."""
    starts = [at for at, (before, after) in enumerate(pairwise(runs), 1) if after.x0 - before.x1 > CELL_GAP * size]
    return tuple(_join_runs(runs[start:end]) for start, end in pairwise([0, *starts, len(runs)])) if starts else ()


def measure_body_style(lines: Sequence[Line]) -> BodyStyle:
    """Return the style of running text, which is the most frequent style."""
    sizes: Counter[float] = Counter()  # the number of characters in each size
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    size = sizes.most_common(1)[0][0] if sizes else 10.0
    body = [line for line in lines if abs(line.size - size) < 0.3 and len(line.cells) == 1 and len(line.text) > 30]
    widths = Counter(round((line.x1 - line.x0) / 4) for line in body)
    spacings = Counter(
        round(before.y - after.y, 1) for before, after in pairwise(body) if 0.9 * size < before.y - after.y < 2.5 * size
    )
    line_width = 4 * widths.most_common(1)[0][0] if widths else 400.0
    return BodyStyle(size, line_width, spacings.most_common(1)[0][0] if spacings else 1.2 * size)


def remove_line_numbers(runs_by_page: Sequence[Sequence[TextRun]]) -> list[list[TextRun]]:
    """Return the runs of each page without the line numbers that review copies have beside the text.

    A column of numbers that counts up on one page is removed from all pages, since other pages may have too few
    numbers to show that they are line numbers.
    """
    columns = [(side, column) for runs in runs_by_page for side, column in enumerate(_find_outer_numerals(runs))]
    edges = [_locate_inner_edge(run, side) for side, column in columns if _is_counting_up(column) for run in column]
    near_edges = {(side, at + shift) for side, at in edges for shift in (-1, 0, 1)}
    numbers = {id(run) for side, column in columns for run in column if _locate_inner_edge(run, side) in near_edges}
    return [[run for run in runs if id(run) not in numbers] for runs in runs_by_page]


def _find_outer_numerals(runs: Sequence[TextRun]) -> tuple[list[TextRun], list[TextRun]]:
    """Return the numbers to the left of a page's running text, and those to the right."""
    long = [run for run in runs if len(run.text) >= _MIN_TEXT_LENGTH and not run.is_rotated]
    numerals = [run for run in runs if len(run.text) <= _MAX_DIGITS and run.text.isdecimal() and not run.is_rotated]
    left = min((run.x0 for run in long), default=0.0)
    right = max((run.x1 for run in long), default=0.0)
    return [run for run in numerals if run.x1 < left], [run for run in numerals if run.x0 > right > 0]


def _locate_inner_edge(run: TextRun, side: int) -> tuple[int, int]:
    """Return `side` (0 left of the text, 1 right) and the x of the run's edge next to the text in units of 3 points."""
    return side, round((run.x1 if side == 0 else run.x0) / _ALIGNMENT)


def _is_counting_up(column: Iterable[TextRun]) -> bool:
    numbers = [int(run.text) for run in sorted(column, key=lambda run: -run.y)]
    steps = Counter(after - before for before, after in pairwise(numbers))
    if len(numbers) < _MIN_NUMBERED_LINES or not steps:
        return False
    step, times = steps.most_common(1)[0]
    return step in (1, 2, 5, 10) and times >= 0.7 * (len(numbers) - 1)


def remove_headers_and_footers(lines_by_page: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Return the lines of each page without running heads and feet, page numbers and stamps."""
    edges = [_find_edge_lines(lines) for lines in lines_by_page]
    removed = _find_repeated_lines(edges) | _find_page_numbers(edges)
    removed |= {id(line) for lines in lines_by_page for line in lines if line.is_rotated and _STAMP.search(line.text)}
    return [[line for line in lines if id(line) not in removed] for lines in lines_by_page]


def _find_edge_lines(lines: Sequence[Line]) -> list[Line]:
    """Return the lines in the first or last three rows of a page that are near the top or foot of the page."""
    upright = sorted((line for line in lines if not line.is_rotated), key=lambda line: -line.y)
    if not upright:
        return []
    margin = _EDGE_SHARE * (upright[0].y - upright[-1].y)
    top, foot = upright[0].y - margin, upright[-1].y + margin
    first_rows = sorted({round(line.y) for line in upright if line.y >= top})[-_EDGE_LINES:]
    last_rows = sorted({round(line.y) for line in upright if line.y <= foot})[:_EDGE_LINES]
    return [
        line
        for line in upright
        if (line.y >= top and round(line.y) in first_rows) or (line.y <= foot and round(line.y) in last_rows)
    ]


def _find_repeated_lines(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Return the object ids of lines that several pages have at the same height, such as running heads."""
    min_pages = max(2, len(edges) // _PAGES_PER_REPEAT)
    places: defaultdict[str, list[Line]] = defaultdict(list)
    for line in (line for edge in edges for line in edge if len(line.cells) <= _MAX_CELLS):
        text = re.sub(r"\W+", " ", line.text).strip().casefold()
        places[_OUTER_NUMBER.sub("", text).strip()].append(line)
    alike = [lines for key, lines in places.items() if _LETTERS.search(key) and not _FLOAT_LABEL.match(key)]

    def is_repeated(line: Line, lines: Sequence[Line]) -> bool:
        return len({other.page for other in lines if abs(other.y - line.y) <= _SAME_HEIGHT}) >= min_pages

    return {id(line) for lines in alike for line in lines if is_repeated(line, lines)}


def _find_page_numbers(edges: Sequence[Sequence[Line]]) -> set[int]:
    """Return the object ids of lines that hold only a page number."""
    candidates = [line for edge in edges for line in edge if _PAGE_NUMBER.fullmatch(line.text.strip())]
    heights = Counter(round(line.y / _SAME_HEIGHT) for line in candidates)
    min_count = 2 if len(edges) > 1 else 1

    def is_at_common_height(line: Line) -> bool:
        at = round(line.y / _SAME_HEIGHT)
        return sum(heights[at + near] for near in (-1, 0, 1)) >= min_count

    return {id(line) for line in candidates if is_at_common_height(line)}
