"""Find the lines that start a caption or an algorithm."""

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from planner.papers.pdf.lines import Line
from planner.papers.pdf.setting import Setting


class Part(Enum):
    """The kind of text that a line belongs to."""

    PROSE = auto()
    NOTE = auto()
    ALGORITHM = auto()
    TABLE_CAPTION = auto()
    TABLE = auto()
    FIGURE_CAPTION = auto()
    FIGURE = auto()


_SERIES: Final = r"^(?:supplementary\s+|extended data\s+)?"
_NUMBER: Final = r"(?:(?:[IVXL]{1,6}|[A-Z]{1,2}\.?)?\d+(?:[.\-]\d+)*[a-z]?|[IVXL]{1,6}|[A-Z])"
_CAPTION: Final = rf"\s*(?:{_NUMBER}\s*(?:[:.|–—]|$|\()|[:|]|$)"
_ANNOUNCED: Final = (Part.TABLE_CAPTION, Part.FIGURE_CAPTION, Part.ALGORITHM)  # in the order of the pattern's groups
_PATTERN: Final = re.compile(
    rf"{_SERIES}(?:(tab(?:le\.?|\.){_CAPTION})|((?:figure\.?|fig\.?){_CAPTION}))"
    r"|^((?:algorithm|procedure|listing)\s+[A-Z]?\d+(?:[:.\s]|$))",
    re.I,
)
_CAPTIONS: Final = frozenset({Part.TABLE_CAPTION, Part.FIGURE_CAPTION})


def announced(line: Line) -> Part | None:
    """Return the kind of text whose label a line begins with, such as "Table 2:" or "Algorithm 1", or None."""
    found = _PATTERN.match(line.text)
    return _ANNOUNCED[found.lastindex - 1] if found and found.lastindex else None


def is_caption_start(line: Line) -> bool:
    """Return whether the line begins like the caption of a table or figure."""
    return announced(line) in _CAPTIONS


def announced_at(lines: Sequence[Line], at: int, setting: Setting) -> Part | None:
    """Return the kind of text that starts at a line, or None, as within a sentence that mentions "Table 2."."""
    line, found = lines[at], announced(lines[at])
    if found is None or at == 0:
        return found
    before = lines[at - 1]
    follows = before.page == line.page and 0 < before.y - line.y < 1.25 * setting.leading
    alike = before.x1 >= line.x1 - line.size and abs(before.size - line.size) < 0.3
    unfinished = setting.is_prose(before) and not before.text.rstrip().endswith((".", ":"))
    return None if follows and alike and unfinished else found


def runs_on(before: Line, line: Line) -> bool:
    """Return whether the line continues the caption or note of the line before it: same type size, close below."""
    step = (before.y - line.y) / before.size
    return line.page == before.page and abs(line.size - before.size) < 0.4 and -0.4 < step < 1.45
