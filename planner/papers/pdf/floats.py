"""Find captions, table rows, words in figures, algorithms and footnotes among the lines of a paper."""

import re
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from itertools import groupby, product
from typing import Final

from planner.papers.pdf.lines import BodyStyle, Line


class LineKind(Enum):
    """The kind of text that a line belongs to."""

    PROSE = auto()
    NOTE = auto()
    ALGORITHM = auto()
    TABLE_CAPTION = auto()
    TABLE = auto()
    FIGURE_CAPTION = auto()
    FIGURE = auto()


_LABEL_PREFIX: Final = r"^(?:supplementary\s+|extended data\s+)?"
_LABEL_NUMBER: Final = r"(?:(?:[IVXL]{1,6}|[A-Z]{1,2}\.?)?\d+(?:[.\-]\d+)*[a-z]?|[IVXL]{1,6}|[A-Z])"
_AFTER_LABEL: Final = rf"\s*(?:{_LABEL_NUMBER}\s*(?:[:.|–—]|$|\()|[:|]|$)"
_LABEL_KINDS: Final = (LineKind.TABLE_CAPTION, LineKind.FIGURE_CAPTION, LineKind.ALGORITHM)  # the groups of `_LABEL`
_LABEL: Final = re.compile(
    rf"{_LABEL_PREFIX}(?:(tab(?:le\.?|\.){_AFTER_LABEL})|((?:figure\.?|fig\.?){_AFTER_LABEL}))"
    r"|^((?:algorithm|procedure|listing)\s+[A-Z]?\d+(?:[:.\s]|$))",
    re.I,
)
FLOAT_KINDS: Final = {LineKind.TABLE_CAPTION: LineKind.TABLE, LineKind.FIGURE_CAPTION: LineKind.FIGURE}  # by caption
_ALGORITHM_STEP: Final = re.compile(
    r"^\d{1,2}[:.]\s|^(?:input|output|require|ensure|return|end|for|while|if|else)\b", re.I
)
_EQUATION: Final = re.compile(r"\([A-Z]?\.?\d{1,3}(?:\.\d+)?[a-z]?\)\s*$")
_RELATION: Final = re.compile(r"[=∈∑≤≥∫∂∇≈∀]")
_MAX_LABEL_DISTANCE: Final = 4.0  # baseline distances; a line in body type farther away is no label of a figure
_MIN_ROWS: Final = 3  # of a table without a caption; each row has at least as many cells
_WORD: Final = re.compile(r"\b[a-z]{2,}\b")
_MIN_PROSE_WORDS: Final = 3  # in small letters; labels have fewer
_DECIMAL: Final = re.compile(r"[(\[±~<>≈∼+−–-]*(?:\d*\.\d+|\d+%)(?:[%)\]*∗†‡±×x]|\d*\.?\d+)*")
_MIN_NUMBERS: Final = 2
_NAME: Final = re.compile(r"(?:[A-Z]|w/)[^.;]*$")
_MAX_NAME_WORDS: Final = 4
_MAX_NAME_DISTANCE: Final = 2.5  # baseline distances
_BRACKET_PIECE: Final = re.compile("[\uf8e0-\uf8ff\u239b-\u23ae]")  # of a matrix
_GRID_WIDTH: Final = 4.0  # points
_MIN_CELL_LENGTH: Final = 2.5  # characters on average; formulas break into single signs


def classify_lines(lines: Sequence[Line], heading_line_indices: Iterable[int], body_style: BodyStyle) -> list[LineKind]:
    """Return the kinds of the lines; tables and figures end at the headings, the lines with `heading_line_indices`."""
    classifier = _LineClassifier(lines, frozenset(heading_line_indices), body_style)
    starts = classifier.mark_captions()
    classifier.mark_bodies(starts)
    classifier.mark_rows()
    classifier.mark_results()
    classifier.mark_notes()
    return classifier.line_kinds


class _LineClassifier:
    """A classifier that finds the kind of each line of a paper; it begins with the kinds that are easiest to find."""

    def __init__(self, lines: Sequence[Line], heading_lines: frozenset[int], body_style: BodyStyle) -> None:
        self.line_kinds = [LineKind.FIGURE if line.is_rotated else LineKind.PROSE for line in lines]
        self._lines = lines
        self._heading_lines = heading_lines
        self._body_style = body_style
        self._pages: dict[int, list[int]] = {}
        self._places: dict[tuple[int, int, int], int] = {}  # one line of each page and place
        for at, line in enumerate(lines):
            self._pages.setdefault(line.page, []).append(at)
            self._places[line.page, *self._find_place(line)] = at

    def _is_unmarked(self, index: int) -> bool:
        return index not in self._heading_lines and self.line_kinds[index] is LineKind.PROSE

    def mark_captions(self) -> list[int]:
        """Mark captions and algorithms, and return the index of the first line of each caption."""
        starts: list[int] = []
        for at in range(len(self._lines)):
            kind = _find_label_kind_in_context(self._lines, at, self._body_style) if self._is_unmarked(at) else None
            if kind is LineKind.ALGORITHM:
                self._mark_algorithm(at)
            elif kind:
                self._mark_caption(at, kind)
                starts.append(at)
        return starts

    def _mark_caption(self, start: int, kind: LineKind) -> None:
        self.line_kinds[start] = kind
        last = self._lines[start]
        for at in range(start + 1, len(self._lines)):
            line = self._lines[at]
            is_end = not _is_caption_continuation(last, line) or len(line.cells) > 2
            if not is_end and not _is_overlapping(self._lines[start], line):
                continue  # text beside a wrapped figure, painted line by line with its caption
            if is_end or not self._is_unmarked(at) or _find_label_kind_in_context(self._lines, at, self._body_style):
                return
            self.line_kinds[at] = kind
            last = line

    def _mark_algorithm(self, start: int) -> None:
        self.line_kinds[start] = LineKind.ALGORITHM
        spacing = self._body_style.line_spacing
        for at in range(start + 1, len(self._lines)):
            before, line = self._lines[at - 1], self._lines[at]
            step = before.y - line.y
            is_apart = line.page != before.page or not -0.5 * spacing < step < 1.8 * spacing
            is_wide = self._body_style.is_full_line(line) and step > 1.1 * spacing
            is_prose = is_wide and not _ALGORITHM_STEP.match(line.text)
            if is_apart or is_prose or not self._is_unmarked(at):
                return
            self.line_kinds[at] = LineKind.ALGORITHM

    def mark_bodies(self, caption_starts: Iterable[int]) -> None:
        """Mark the rows of tables and the words in figures; `caption_starts` are the first lines of their captions."""
        for start in caption_starts:
            caption, body = self.line_kinds[start], FLOAT_KINDS[self.line_kinds[start]]
            end = start
            while self._is_continuation(end + 1) and self.line_kinds[end + 1] is caption:
                end += 1
            for at in self._find_body_lines(start, end, body):
                self.line_kinds[at] = body

    def _is_continuation(self, index: int) -> bool:
        is_inner = 0 < index < len(self._lines)
        return is_inner and _is_caption_continuation(self._lines[index - 1], self._lines[index])

    def _find_body_lines(self, start: int, end: int, body_kind: LineKind) -> list[int]:
        """Return the indices of the lines in the table or figure whose caption is on lines `start` to `end`.

        They are above or below the caption. If there are such lines on both sides, a figure gets the lines above, and a
        table gets the nearer ones.
        """
        above, below = self._find_loose_lines(start, 1), self._find_loose_lines(end, -1)
        if not (above and below) or body_kind is LineKind.FIGURE:
            return above or below
        up = abs(self._lines[above[0]].y - self._lines[start].y)
        down = abs(self._lines[below[0]].y - self._lines[end].y)
        return above if up < 0.9 * down else below

    def _find_loose_lines(self, start: int, direction: int) -> list[int]:
        """Return the lines of a table or figure above line `start` (`direction` 1) or below it (-1), nearest first."""
        caption = self._lines[start]

        def measure_distance(at: int) -> float:
            return (self._lines[at].y - caption.y) * direction

        column = [at for at in self._pages[caption.page] if self._is_in_column(self._lines[at], caption)]
        indices = sorted((at for at in column if measure_distance(at) > 0.3 * caption.size), key=measure_distance)
        loose: list[int] = []
        reached = 0.0
        is_wrapped = False
        for at in indices:
            line, distance = self._lines[at], measure_distance(at)
            if not _is_overlapping(line, caption) and self._is_in_narrow_paragraph(at):
                is_wrapped = True  # the text flows beside the float
                continue
            if is_wrapped and not (line.x1 > caption.x0 - line.size and line.x0 < caption.x1 + line.size):
                break
            is_far = distance - reached > _MAX_LABEL_DISTANCE * self._body_style.line_spacing
            if (is_far and self._is_upright_body_line(at)) or not self._is_loose(at):
                break
            loose.append(at)
            reached = distance
        return loose

    def _is_in_column(self, line: Line, caption: Line) -> bool:
        """Return whether the line is in the caption's column, or within the width of a wide caption."""
        centre = (caption.x0 + caption.x1) / 2
        half_width = max(self._body_style.line_width, caption.x1 - caption.x0) / 2
        return line.x0 < centre + half_width and line.x1 > centre - half_width

    def _is_upright_body_line(self, index: int) -> bool:
        line = self._lines[index]
        return len(line.cells) == 1 and not self._body_style.has_small_type(line) and not line.is_rotated

    def _is_loose(self, index: int) -> bool:
        """Return whether the line may be a table row or words in a figure: it is neither running text nor a formula."""
        line = self._lines[index]
        if index in self._heading_lines or self.line_kinds[index] not in (LineKind.PROSE, LineKind.FIGURE):
            return False
        if line.is_rotated or (self._body_style.has_large_type(line) and not self._is_continuation(index)):
            return True
        if self._body_style.is_full_line(line) or _EQUATION.search(line.text) or line.has_note_mark:
            return False
        if self._is_in_narrow_paragraph(index):
            return False
        is_sentence_end = self._is_paragraph_end(index) or line.text[-1:] in ".,:;"
        return not (self._is_upright_body_line(index) and is_sentence_end)

    def _is_in_narrow_paragraph(self, index: int) -> bool:
        """Return whether the line is one of at least three consecutive lines of prose, as in text beside a figure."""
        above = self._find_prose_line(index, 1)
        if above is not None and self._find_prose_line(above, 1) is not None:
            return True  # the last line of a paragraph may have few words
        below = self._find_prose_line(index, -1) if self._is_prose_line(self._lines[index]) else None
        return below is not None and (above is not None or self._find_prose_line(below, -1) is not None)

    def _find_prose_line(self, index: int, direction: int) -> int | None:
        """Return the index of the line of prose just above (`direction` 1) or below (-1); None if there is none."""
        line, spacing = self._lines[index], self._body_style.line_spacing
        column, row = self._find_place(line)
        places = product((column - 1, column, column + 1), (row + direction, row + 2 * direction, row))
        for at in filter(None, (self._places.get((line.page, *place)) for place in places)):
            other = self._lines[at]
            step = (other.y - line.y) * direction
            is_near = 0.7 * spacing < step < 1.3 * spacing and abs(other.x0 - line.x0) < 0.3 * line.size
            if is_near and self._is_prose_line(other):
                return at
        return None

    def _find_place(self, line: Line) -> tuple[int, int]:
        """Return the place where a line starts as (column, row) in a grid over the page."""
        return round(line.x0 / _GRID_WIDTH), int(line.y / (0.7 * self._body_style.line_spacing))

    def _is_prose_line(self, line: Line) -> bool:
        """Return whether the line has the type of running text and begins with words."""
        is_body = not (
            line.is_rotated or self._body_style.has_small_type(line) or self._body_style.has_large_type(line)
        )
        has_numbers = len(line.cells) > 1 and any(map(str.isdigit, "".join(line.cells[1:])))
        is_one_text = is_body and len(line.cells) <= 2 and not has_numbers
        return is_one_text and len(_WORD.findall(line.cells[0])) >= _MIN_PROSE_WORDS

    def _is_paragraph_end(self, index: int) -> bool:
        """Return whether the line is close below a full line of running text, as a paragraph's last line is."""
        line, before = self._lines[index], self._lines[index - 1] if index else None
        if before is None or before.page != line.page or not self._body_style.is_full_line(before):
            return False
        return 0 < before.y - line.y < 1.3 * self._body_style.line_spacing

    def mark_rows(self) -> None:
        """Mark three or more rows that follow each other as a table, even if they have no caption."""
        first = min(self._heading_lines, default=len(self._lines))
        for is_row, group in groupby(range(first, len(self._lines)), key=self._is_row):
            indices = list(group)
            if is_row and len(indices) >= _MIN_ROWS and not _is_formula([self._lines[at] for at in indices]):
                for at in indices:
                    self.line_kinds[at] = LineKind.TABLE

    def _is_row(self, index: int) -> bool:
        line = self._lines[index]
        return self._is_unmarked(index) and len(line.cells) >= _MIN_ROWS and not _EQUATION.search(line.text)

    def mark_results(self) -> None:
        """Mark rows of numbers as tables, together with the names beside, above and below them."""
        first = min(self._heading_lines, default=len(self._lines))
        rows = [at for at in range(first, len(self._lines)) if self._is_row_of_numbers(at)]
        for row in rows:
            self.line_kinds[row] = LineKind.TABLE
        for row, direction in product(rows, (1, -1)):
            self._mark_names(row, direction)
        baselines = {(self._lines[row].page, round(self._lines[row].y)) for row in rows}
        for at, line in enumerate(self._lines):
            if (line.page, round(line.y)) in baselines and self._is_name(at):
                self.line_kinds[at] = LineKind.TABLE

    def _is_row_of_numbers(self, index: int) -> bool:
        """Return whether at least half of a line's words are decimal numbers, as in a row of results."""
        text = self._lines[index].text
        if text.count(".") + text.count("%") < _MIN_NUMBERS:
            return False
        words = text.split()
        count = sum(bool(_DECIMAL.fullmatch(word)) for word in words)
        if count < _MIN_NUMBERS or 2 * count < len(words) or not self._is_unmarked(index):
            return False
        nearby = "".join(line.text for line in self._lines[max(0, index - 1) : index + 2])
        return not _BRACKET_PIECE.search(nearby) and not self._is_of_paragraph(index)

    def _is_of_paragraph(self, index: int) -> bool:
        return self._is_paragraph_end(index) or self._is_in_narrow_paragraph(index)

    def _mark_names(self, last: int, direction: int) -> None:
        """Mark names and column heads above (`direction` -1) or below (1) line `last` as part of a table."""
        while near := [
            at
            for at in (last + direction, last + 2 * direction)
            if 0 <= at < len(self._lines) and self._is_near(at, last) and self._is_name(at)
        ]:
            last = near[0]
            self.line_kinds[last] = LineKind.TABLE

    def _is_near(self, index: int, other_index: int) -> bool:
        line, other = self._lines[index], self._lines[other_index]
        return line.page == other.page and abs(line.y - other.y) < _MAX_NAME_DISTANCE * self._body_style.line_spacing

    def _is_name(self, index: int) -> bool:
        line = self._lines[index]
        is_short = len(line.cells) >= _MIN_ROWS or len(line.text.split()) <= _MAX_NAME_WORDS
        is_name = is_short and bool(_NAME.match(line.text)) and not _RELATION.search(line.text)
        return is_name and self._is_unmarked(index) and not self._is_of_paragraph(index)

    def mark_notes(self) -> None:
        """Mark footnotes: lines in small type that begin with a raised mark, and the lines that continue them."""
        for at, line in enumerate(self._lines):
            is_small = line.size < 0.95 * self._body_style.font_size
            is_continued = self.line_kinds[at - 1] is LineKind.NOTE and self._is_continuation(at)
            if is_small and self._is_unmarked(at) and (line.has_note_mark or is_continued):
                self.line_kinds[at] = LineKind.NOTE


def _is_overlapping(line: Line, other: Line) -> bool:
    return line.x0 <= other.x1 and other.x0 <= line.x1


def _is_formula(lines: Sequence[Line]) -> bool:
    """Return whether lines with several cells are parts of formulas, and not the rows of a table."""
    cells = [cell for line in lines for cell in line.cells]
    relation_count = sum(bool(_RELATION.search(line.text)) for line in lines)
    return relation_count >= 0.2 * len(lines) or sum(map(len, cells)) < _MIN_CELL_LENGTH * len(cells)


def find_label_kind(line: Line) -> LineKind | None:
    """Return the kind of a line that begins with a label, such as "Table 2:" or "Algorithm 1"; None without a label."""
    match = _LABEL.match(line.text)
    return _LABEL_KINDS[match.lastindex - 1] if match and match.lastindex else None


def _find_label_kind_in_context(lines: Sequence[Line], index: int, body_style: BodyStyle) -> LineKind | None:
    """Return the kind of a line that begins with a label; None without a label, or for a label within a sentence."""
    line, kind = lines[index], find_label_kind(lines[index])
    if kind is None or index == 0:
        return kind
    before = lines[index - 1]
    is_close = before.page == line.page and 0 < before.y - line.y < 1.25 * body_style.line_spacing
    is_same_width_and_size = before.x1 >= line.x1 - line.size and abs(before.size - line.size) < 0.3
    is_unfinished = body_style.is_full_line(before) and not before.text.rstrip().endswith((".", ":"))
    return None if is_close and is_same_width_and_size and is_unfinished else kind


def _is_caption_continuation(before: Line, line: Line) -> bool:
    """Return whether `line` is close below the line `before`, and has the same type size, as in one caption."""
    step = (before.y - line.y) / before.size
    return line.page == before.page and abs(line.size - before.size) < 0.4 and -0.4 < step < 1.45
