"""Measure how the running text of a paper is set, from the values that most of its lines share."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from planner.papers.pdf.lines import Line

_FULL: Final = 0.72  # of the width of a full line
_LEAST_WORDS: Final = 5
_WORD: Final = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Setting:
    """The style of running text: type size, width of a full line and distance of baselines, all in points."""

    size: float
    measure: float
    leading: float

    def is_prose(self, line: Line) -> bool:
        """Return whether the line must be a full line of running text."""
        wide = line.x1 - line.x0 >= _FULL * self.measure
        return len(line.cells) == 1 and wide and len(_WORD.findall(line.text)) >= _LEAST_WORDS

    def is_small(self, line: Line) -> bool:
        """Return whether the line is set in smaller type than running text."""
        return line.size < 0.94 * self.size

    def is_large(self, line: Line) -> bool:
        """Return whether the line is set in larger type than running text."""
        return line.size > 1.07 * self.size


def setting_of(lines: Sequence[Line]) -> Setting:
    """Return the style that most of the text has."""
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
