"""Separate the text that a reader of the page sees from the hidden text that only a machine finds.

Hidden text is often harmless (a leftover, a venue's canary), so warnings quote it and accuse nobody.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pypdfium2 import raw

from planner.papers.pdf.canvas import Canvas, Ink, blended
from planner.papers.pdf.objects import Colour
from planner.papers.pdf.runs import Placed, Run

_LEAST_SIZE: Final = 2.0
_SQUEEZED: Final = 0.12  # of the type size per character; the narrowest fonts take twice as much
_LONG: Final = 8  # characters; fewer may well stand for one sign
_LEAST_DIFFERENCE: Final = 27  # of 255, in at least one channel
_UNPAINTED: Final = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)
_FARTHEST: Final = 1e6  # points; a comparison with it is False for NaN, too
_RISES: Final = ((0, 1), (-1, 0), (0, -1), (1, 0))  # from the baseline to the top of the type, by quarter turns
_SCAN_SHARE: Final = 0.5
_VISIBLE_SHARE: Final = 0.2
_QUOTED: Final = 500
_WORD: Final = re.compile(r"[^\W_]{3}")


@dataclass(frozen=True, slots=True)
class Box:
    """The visible box of a page in points."""

    left: float
    bottom: float
    right: float
    top: float

    def holds(self, x: float, y: float) -> bool:
        """Return whether the point lies on the page."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    @property
    def area(self) -> float:
        """The area in square points."""
        return (self.right - self.left) * (self.top - self.bottom)


@dataclass(frozen=True, slots=True)
class Sight:
    """The runs of a page that a reader sees, its hidden text, and a flag for the OCR layer of a scan."""

    visible: list[Placed]
    left_out: str
    is_ocr: bool


def seen(placed: list[Placed], canvas: Canvas, box: Box) -> Sight:
    """Separate the runs of a page into visible and hidden ones."""
    unpainted = _unpainted(placed, canvas)
    is_ocr = bool(unpainted) and _is_scan(placed, unpainted, canvas, box)
    hidden = {id(item) for item in placed if _is_concealed(item, canvas, box)}
    if not is_ocr:
        hidden |= unpainted
    if not hidden:
        return Sight(placed, "", is_ocr)
    left_out = _joined(item for item in placed if id(item) in hidden)
    if not _WORD.search(left_out):  # a lone letter or sign carries no message and may be misjudged
        return Sight([item for item in placed if _is_placed(item)], "", is_ocr)
    return Sight([item for item in placed if id(item) not in hidden], left_out, is_ocr)


def quoted(text: str) -> str:
    """Return a hidden text in quotes, cut after 500 characters with a count of the rest."""
    rest = len(text) - _QUOTED
    return f"'{text[:_QUOTED]}'" + (f" and {rest} more characters" if rest > 0 else "")


def _unpainted(placed: Iterable[Placed], canvas: Canvas) -> set[int]:
    """Return the ids of the runs whose PDF render mode paints nothing."""
    painters = {painter for painter, ink in canvas.inks.items() if ink.mode in _UNPAINTED}
    return {id(item) for item in placed if item.run.painter in painters} if painters else set()


def _is_scan(placed: Iterable[Placed], unpainted: set[int], canvas: Canvas, box: Box) -> bool:
    """Return whether the page has a large image and nearly all of its text is unpainted."""
    total = sum(len(item.run.text) for item in placed)
    painted = sum(len(item.run.text) for item in placed if id(item) not in unpainted)
    largest = max((image.area for image in canvas.images), default=0.0)
    return painted <= _VISIBLE_SHARE * total and largest >= _SCAN_SHARE * box.area


def _is_placed(item: Placed) -> bool:
    """Return whether the run has a usable place and size; a damaged file may give any number."""
    run = item.run
    placed = abs(run.x0) < _FARTHEST and abs(run.x1) < _FARTHEST and abs(run.y) < _FARTHEST
    return placed and abs(item.end_y) < _FARTHEST and abs(run.size) < _FARTHEST


def _is_concealed(item: Placed, canvas: Canvas, box: Box) -> bool:
    run = item.run
    x, y = _centre(item)
    if not _is_placed(item) or run.size < _LEAST_SIZE or not box.holds(x, y) or _is_squeezed(item):
        return True
    ink = canvas.inks.get(run.painter)
    if ink is None or ink.mode in _UNPAINTED:
        return False
    if _is_clipped(run, ink, x, y):
        return True
    points = ((x, y), (run.x0, run.y), (run.x1, item.end_y))
    return canvas.covers(points, ink.order) or _is_lost_in_background(ink, canvas, x, y)


def _is_clipped(run: Run, ink: Ink, x: float, y: float) -> bool:
    """Return whether the middle of the run, at (x, y), lies more than half the type size outside its clip."""
    left, bottom, right, top = ink.clip
    edge = run.size / 2
    return not (left - edge <= x <= right + edge and bottom - edge <= y <= top + edge)


def _is_squeezed(item: Placed) -> bool:
    """Return whether the run is too short for its characters: set extremely narrow, or no text of the page at all."""
    run = item.run
    length = abs(run.x1 - run.x0) + abs(item.end_y - run.y)
    return len(run.text) >= _LONG and length < _SQUEEZED * run.size * len(run.text)


def _is_lost_in_background(ink: Ink, canvas: Canvas, x: float, y: float) -> bool:
    under = canvas.background(x, y, ink.order)
    return ink.colour is not None and under is not None and _is_lost(ink.colour, ink.opacity, under)


@lru_cache(maxsize=4096)  # a paper has few colours
def _is_lost(colour: Colour, opacity: float, under: Colour) -> bool:
    """Return whether a colour hardly differs from the one that it is painted over."""
    shown = blended(colour, under, opacity)
    return max(abs(one - other) for one, other in zip(shown, under, strict=True)) < _LEAST_DIFFERENCE


def _centre(item: Placed) -> tuple[float, float]:
    """Return the middle of the run in the page's own coordinates, a third of the type size off the baseline."""
    run, (right, up) = item.run, _RISES[item.direction]
    rise = run.size / 3
    return (run.x0 + run.x1) / 2 + right * rise, (run.y + item.end_y) / 2 + up * rise


def _joined(items: Iterable[Placed]) -> str:
    parts: list[str] = []
    previous: Placed | None = None
    for item in items:
        moved = previous is None or previous.run.y != item.run.y
        parts.append((" " if item.run.space or moved else "") + item.run.text.replace("\x02", "-"))
        previous = item
    return " ".join("".join(parts).split())
