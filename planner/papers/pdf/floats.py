"""Tells captions, the rows of tables, the labels in figures, algorithms and footnotes from running text."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from typing import Final

from planner.papers.pdf.lines import Line

_NUMBER: Final = r"\s*(?:[A-Z]{1,2}\.?)?\d*(?:[.\-]\d+)*[a-z]?"
_TABLE: Final = re.compile(rf"^(?:supplementary\s+|extended data\s+)?(?:table|tab\.){_NUMBER}\s*(?:[:.|–—]|$|\()", re.I)
_FIGURE: Final = re.compile(
    rf"^(?:supplementary\s+|extended data\s+)?(?:figure|fig\.?){_NUMBER}\s*(?:[:.|–—]|$|\()", re.I
)
_ALGORITHM: Final = re.compile(r"^(?:algorithm|procedure|listing)\s+[A-Z]?\d+(?:[:.\s]|$)", re.I)
_STEP: Final = re.compile(r"^\d{1,2}[:.]\s|^(?:input|output|require|ensure|return|end|for|while|if|else)\b", re.I)
_EQUATION: Final = re.compile(r"\([A-Z]?\.?\d{1,3}(?:\.\d+)?[a-z]?\)\s*$")
_FAR: Final = 4.0  # leadings: farther apart, a line in body type is no label of a figure
_RELATION: Final = re.compile(r"[=∈∑≤≥∫∂∇≈∀]")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")


class Part(Enum):
    """What a line belongs to."""

    PROSE = auto()
    NOTE = auto()
    ALGORITHM = auto()
    TABLE_CAPTION = auto()
    TABLE = auto()
    FIGURE_CAPTION = auto()
    FIGURE = auto()


_CAPTIONS: Final = {Part.TABLE_CAPTION: Part.TABLE, Part.FIGURE_CAPTION: Part.FIGURE}


@dataclass(frozen=True, slots=True)
class Setting:
    """How the running text is set: type size, width of a full line and distance of baselines, all in points."""

    size: float
    measure: float
    leading: float


def setting_of(lines: Sequence[Line]) -> Setting:
    """The setting that most of the text has."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    size = sizes.most_common(1)[0][0] if sizes else 10.0
    body = [line for line in lines if abs(line.size - size) < 0.3 and len(line.cells) == 1 and len(line.text) > 30]
    widths = Counter(round((line.x1 - line.x0) / 4) for line in body)
    steps = Counter(
        round(before.y - after.y, 1) for before, after in pairwise(body) if 0.9 * size < before.y - after.y < 2.5 * size
    )
    measure = 4 * widths.most_common(1)[0][0] if widths else 400.0
    return Setting(size, measure, steps.most_common(1)[0][0] if steps else 1.2 * size)


def parts_of(lines: Sequence[Line], headings: Iterable[int], setting: Setting) -> list[Part]:
    """The part of each line; `headings` are the indices of heading lines, which no float reaches across."""
    walls = set(headings)
    parts = [Part.FIGURE if line.turned else Part.PROSE for line in lines]
    starts = [at for at in range(len(lines)) if at not in walls and _caption(lines, at, setting)]
    for at in starts:
        _mark_caption(lines, at, walls, parts, setting)
    for at in starts:
        if parts[at] in _CAPTIONS:
            _mark_body(lines, at, walls, parts, setting)
    _mark_loose(lines, walls, parts)
    _mark_notes(lines, walls, parts, setting)
    return parts


def is_prose(line: Line, setting: Setting) -> bool:
    """Whether the line can only be a full line of running text."""
    wide = line.x1 - line.x0 >= 0.72 * setting.measure
    return len(line.cells) == 1 and wide and len(_WORD.findall(line.text)) >= 5


def is_caption_start(line: Line) -> bool:
    """Whether the line begins like the caption of a table or figure."""
    return bool(_TABLE.match(line.text) or _FIGURE.match(line.text))


def _caption(lines: Sequence[Line], at: int, setting: Setting) -> Part | None:
    """The kind of caption that starts at the line, if any: at the start of a paragraph, with its number set off."""
    line = lines[at]
    found = next(
        (
            part
            for pattern, part in (
                (_TABLE, Part.TABLE_CAPTION),
                (_FIGURE, Part.FIGURE_CAPTION),
                (_ALGORITHM, Part.ALGORITHM),
            )
            if pattern.match(line.text)
        ),
        None,
    )
    if found is None or at == 0:
        return found
    before = lines[at - 1]
    runs_on = before.page == line.page and 0 < before.y - line.y < 1.25 * setting.leading
    full = before.x1 >= line.x1 - line.size and abs(before.size - line.size) < 0.3
    mid_sentence = runs_on and full and is_prose(before, setting) and not before.text.rstrip().endswith((".", ":"))
    return None if mid_sentence else found


def _mark_caption(lines: Sequence[Line], at: int, walls: set[int], parts: list[Part], setting: Setting) -> None:
    part = _caption(lines, at, setting)
    if part is None or parts[at] is not Part.PROSE:
        return
    parts[at] = part
    if part is Part.ALGORITHM:
        _mark_algorithm(lines, at, walls, parts, setting)
        return
    for nxt in range(at + 1, len(lines)):
        before, line = lines[nxt - 1], lines[nxt]
        if nxt in walls or not _runs_on(before, line) or _caption(lines, nxt, setting) or len(line.cells) > 2:
            return
        parts[nxt] = part


def _runs_on(before: Line, line: Line) -> bool:
    """Whether the line is the next of one caption or note: same type, close below."""
    step = before.y - line.y
    return line.page == before.page and abs(line.size - before.size) < 0.4 and -0.4 < step / before.size < 1.45


def _mark_algorithm(lines: Sequence[Line], at: int, walls: set[int], parts: list[Part], setting: Setting) -> None:
    for nxt in range(at + 1, len(lines)):
        before, line = lines[nxt - 1], lines[nxt]
        step = before.y - line.y
        apart = line.page != before.page or not -0.5 * setting.leading < step < 1.8 * setting.leading
        prose = is_prose(line, setting) and not _STEP.match(line.text) and step > 1.1 * setting.leading
        if nxt in walls or apart or prose or parts[nxt] is not Part.PROSE:
            return
        parts[nxt] = Part.ALGORITHM


def _mark_body(lines: Sequence[Line], at: int, walls: set[int], parts: list[Part], setting: Setting) -> None:
    """Marks what a caption is about: the loose lines right above it and, for a table, right below it."""
    caption, part = parts[at], _CAPTIONS[parts[at]]
    end = at
    while end + 1 < len(lines) and parts[end + 1] is caption and _runs_on(lines[end], lines[end + 1]):
        end += 1
    below = _reach(lines, end, 1, walls, parts, setting)
    above = _reach(lines, at, -1, walls, parts, setting)
    for index in _nearer(lines, (at, above), (end, below), part):
        parts[index] = part


def _nearer(lines: Sequence[Line], top: tuple[int, list[int]], foot: tuple[int, list[int]], part: Part) -> list[int]:
    """The loose lines above or below a caption, whichever stand closer to it; a figure stands above its caption."""
    (first, above), (last, below) = top, foot
    if not (above and below) or part is Part.FIGURE:
        return above or below
    up = abs(lines[above[0]].y - lines[first].y)
    down = abs(lines[last].y - lines[below[0]].y)
    return above if up < 0.9 * down else below


def _reach(
    lines: Sequence[Line], start: int, step: int, walls: set[int], parts: Sequence[Part], setting: Setting
) -> list[int]:
    """The indices of the loose lines next to `start` on the page, above it (-1) or below it (1), nearest first."""
    caption = lines[start]
    column = [at for at in _page_of(lines, start) if _overlap(lines[at], caption, setting)]
    beyond = [at for at in column if (caption.y - lines[at].y) * step > 0.3 * caption.size]
    found: list[int] = []
    last = caption.y
    for at in sorted(beyond, key=lambda at: abs(lines[at].y - caption.y)):
        line = lines[at]
        if at in walls or parts[at] not in (Part.PROSE, Part.FIGURE) or not _is_loose(lines, at, setting):
            break
        label = line.size < 0.93 * setting.size or len(line.cells) > 1
        if not label and abs(line.y - last) > _FAR * setting.leading:
            break
        found.append(at)
        last = line.y
    return found


def _page_of(lines: Sequence[Line], at: int) -> range:
    """The indices of the lines on the same page, which stand together."""
    first, last = at, at
    while first > 0 and lines[first - 1].page == lines[at].page:
        first -= 1
    while last + 1 < len(lines) and lines[last + 1].page == lines[at].page:
        last += 1
    return range(first, last + 1)


def _overlap(line: Line, caption: Line, setting: Setting) -> bool:
    """Whether the line stands in the caption's column, or in the caption's width where that is more."""
    centre = (caption.x0 + caption.x1) / 2
    half = max(setting.measure, caption.x1 - caption.x0) / 2
    return line.x0 < centre + half and line.x1 > centre - half


def _is_loose(lines: Sequence[Line], at: int, setting: Setting) -> bool:
    """Whether the line is a row or a label rather than running text or a formula."""
    line = lines[at]
    if line.turned:
        return True
    if is_prose(line, setting) or _EQUATION.search(line.text) or line.noted:
        return False
    if len(line.cells) >= 2 or line.size < 0.93 * setting.size:
        return True
    before = lines[at - 1] if at else None
    ends_paragraph = before and before.page == line.page and 0 < before.y - line.y < 1.3 * setting.leading
    return not (ends_paragraph and before and is_prose(before, setting)) and line.text[-1:] not in ".,:;"


def _mark_loose(lines: Sequence[Line], walls: set[int], parts: list[Part]) -> None:
    """Marks stretches of rows without a caption as tables."""
    first = min(walls, default=len(lines))
    stretch: list[int] = []
    for at in range(first, len(lines) + 1):
        usable = at < len(lines) and at not in walls and parts[at] is Part.PROSE
        if usable and len(lines[at].cells) >= 3 and not _EQUATION.search(lines[at].text):
            stretch.append(at)
            continue
        if len(stretch) >= 3 and not _is_formula([lines[index] for index in stretch]):
            for index in stretch:
                parts[index] = Part.TABLE
        stretch = []


def _is_formula(lines: Sequence[Line]) -> bool:
    return sum(bool(_RELATION.search(line.text)) for line in lines) >= 0.2 * len(lines)


def _mark_notes(lines: Sequence[Line], walls: set[int], parts: list[Part], setting: Setting) -> None:
    """Marks footnotes: small type that starts with a raised mark, and the lines that run on from it."""
    for at, line in enumerate(lines):
        if at in walls or parts[at] is not Part.PROSE:
            continue
        small = line.size < 0.95 * setting.size
        follows = at > 0 and parts[at - 1] is Part.NOTE and _runs_on(lines[at - 1], line)
        if small and (line.noted or follows):
            parts[at] = Part.NOTE
