"""Separate captions, table rows, figure labels, algorithms and footnotes from running text."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from planner.papers.pdf.captions import Part, announced_at, runs_on
from planner.papers.pdf.lines import Line
from planner.papers.pdf.setting import Setting

_BODIES: Final = {Part.TABLE_CAPTION: Part.TABLE, Part.FIGURE_CAPTION: Part.FIGURE}
_STEP: Final = re.compile(r"^\d{1,2}[:.]\s|^(?:input|output|require|ensure|return|end|for|while|if|else)\b", re.I)
_EQUATION: Final = re.compile(r"\([A-Z]?\.?\d{1,3}(?:\.\d+)?[a-z]?\)\s*$")
_RELATION: Final = re.compile(r"[=∈∑≤≥∫∂∇≈∀]")
_FAR: Final = 4.0  # baseline distances; a line in body type farther away is no label of a figure
_LEAST_ROWS: Final = 3
_LEAST_CELL: Final = 2.5  # characters on average; formulas break into single signs


def parts_of(lines: Sequence[Line], headings: Iterable[int], setting: Setting) -> list[Part]:
    """Return the kind of each line; no float extends across the heading lines, which are given by their indices."""
    marking = _Marking(lines, frozenset(headings), setting)
    starts = marking.mark_captions()
    marking.mark_bodies(starts)
    marking.mark_rows()
    marking.mark_notes()
    return marking.parts


class _Marking:
    """The kinds of a paper's lines, marked step by step from the surest sign to the least sure."""

    def __init__(self, lines: Sequence[Line], walls: frozenset[int], setting: Setting) -> None:
        self.parts = [Part.FIGURE if line.turned else Part.PROSE for line in lines]
        self._lines = lines
        self._walls = walls
        self._setting = setting
        self._pages: dict[int, list[int]] = {}
        for at, line in enumerate(lines):
            self._pages.setdefault(line.page, []).append(at)

    def _is_open(self, at: int) -> bool:
        return at not in self._walls and self.parts[at] is Part.PROSE

    # Captions and algorithms

    def mark_captions(self) -> list[int]:
        """Mark captions and algorithms, and return the indices of the lines where captions start."""
        starts: list[int] = []
        for at in range(len(self._lines)):
            part = announced_at(self._lines, at, self._setting) if self._is_open(at) else None
            if part is Part.ALGORITHM:
                self._mark_algorithm(at)
            elif part:
                self._mark_caption(at, part)
                starts.append(at)
        return starts

    def _mark_caption(self, start: int, part: Part) -> None:
        self.parts[start] = part
        for at in range(start + 1, len(self._lines)):
            line = self._lines[at]
            ended = not runs_on(self._lines[at - 1], line) or len(line.cells) > 2
            if ended or not self._is_open(at) or announced_at(self._lines, at, self._setting):
                return
            self.parts[at] = part

    def _mark_algorithm(self, start: int) -> None:
        self.parts[start] = Part.ALGORITHM
        leading = self._setting.leading
        for at in range(start + 1, len(self._lines)):
            before, line = self._lines[at - 1], self._lines[at]
            step = before.y - line.y
            apart = line.page != before.page or not -0.5 * leading < step < 1.8 * leading
            prose = self._setting.is_prose(line) and not _STEP.match(line.text) and step > 1.1 * leading
            if apart or prose or not self._is_open(at):
                return
            self.parts[at] = Part.ALGORITHM

    # Tables and figures with captions

    def mark_bodies(self, starts: Iterable[int]) -> None:
        """Mark the table or figure of each caption: the loose lines right above or below it."""
        for start in starts:
            caption, body = self.parts[start], _BODIES[self.parts[start]]
            end = start
            while end + 1 < len(self._lines) and self.parts[end + 1] is caption and self._follows(end + 1):
                end += 1
            for at in self._nearer(start, end, body):
                self.parts[at] = body

    def _follows(self, at: int) -> bool:
        return runs_on(self._lines[at - 1], self._lines[at])

    def _nearer(self, start: int, end: int, body: Part) -> list[int]:
        """Return the loose lines above or below a caption, whichever are closer; a figure stands above its caption."""
        above, below = self._loose_beyond(start, 1), self._loose_beyond(end, -1)
        if not (above and below) or body is Part.FIGURE:
            return above or below
        up = abs(self._lines[above[0]].y - self._lines[start].y)
        down = abs(self._lines[below[0]].y - self._lines[end].y)
        return above if up < 0.9 * down else below

    def _loose_beyond(self, start: int, upwards: int) -> list[int]:
        """Return the loose lines above (1) or below (-1) a caption's line in its column, nearest first."""
        caption = self._lines[start]

        def distance(at: int) -> float:
            return (self._lines[at].y - caption.y) * upwards

        column = [at for at in self._pages[caption.page] if self._shares_column(self._lines[at], caption)]
        beyond = sorted((at for at in column if distance(at) > 0.3 * caption.size), key=distance)
        found: list[int] = []
        reached = 0.0
        for at in beyond:
            far = self._is_plain(at) and distance(at) - reached > _FAR * self._setting.leading
            if far or not self._is_loose(at):
                break
            found.append(at)
            reached = distance(at)
        return found

    def _shares_column(self, line: Line, caption: Line) -> bool:
        """Return whether the line is in the caption's column, or within the caption's width if that is larger."""
        centre = (caption.x0 + caption.x1) / 2
        half = max(self._setting.measure, caption.x1 - caption.x0) / 2
        return line.x0 < centre + half and line.x1 > centre - half

    def _is_plain(self, at: int) -> bool:
        line = self._lines[at]
        return len(line.cells) == 1 and not self._setting.is_small(line) and not line.turned

    def _is_loose(self, at: int) -> bool:
        """Return whether the line is a row or a label rather than running text or a formula."""
        line = self._lines[at]
        if at in self._walls or self.parts[at] not in (Part.PROSE, Part.FIGURE):
            return False
        if line.turned or (self._setting.is_large(line) and not (at and self._follows(at))):
            return True
        if self._setting.is_prose(line) or _EQUATION.search(line.text) or line.noted:
            return False
        if not self._is_plain(at):
            return True
        return not self._ends_paragraph(at) and line.text[-1:] not in ".,:;"

    def _ends_paragraph(self, at: int) -> bool:
        """Return whether the line stands close below a full line of running text."""
        line, before = self._lines[at], self._lines[at - 1] if at else None
        if before is None or before.page != line.page or not self._setting.is_prose(before):
            return False
        return 0 < before.y - line.y < 1.3 * self._setting.leading

    # Tables without captions, and footnotes

    def mark_rows(self) -> None:
        """Mark stretches of rows without a caption, after the first heading, as tables."""
        first = min(self._walls, default=len(self._lines))
        for is_row, group in groupby(range(first, len(self._lines)), key=self._is_row):
            stretch = list(group)
            if is_row and len(stretch) >= _LEAST_ROWS and not _is_formula([self._lines[at] for at in stretch]):
                for at in stretch:
                    self.parts[at] = Part.TABLE

    def _is_row(self, at: int) -> bool:
        line = self._lines[at]
        return self._is_open(at) and len(line.cells) >= _LEAST_ROWS and not _EQUATION.search(line.text)

    def mark_notes(self) -> None:
        """Mark footnotes: small type that starts with a raised mark, and the lines that continue it."""
        for at, line in enumerate(self._lines):
            if not self._is_open(at) or line.size >= 0.95 * self._setting.size:
                continue
            if line.noted or (at > 0 and self.parts[at - 1] is Part.NOTE and self._follows(at)):
                self.parts[at] = Part.NOTE


def _is_formula(lines: Sequence[Line]) -> bool:
    """Return whether lines of several cells are pieces of formulas rather than table rows."""
    cells = [cell for line in lines for cell in line.cells]
    related = sum(bool(_RELATION.search(line.text)) for line in lines)
    return related >= 0.2 * len(lines) or sum(map(len, cells)) < _LEAST_CELL * len(cells)
