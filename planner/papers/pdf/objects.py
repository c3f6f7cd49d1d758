"""Read the place, the colour and the clip of the objects that a page paints."""

from ctypes import c_float, c_int, c_uint
from typing import Final

from pypdfium2 import raw

from planner.papers.pdf import calls
from planner.papers.pdf.calls import Handle, Numbers
from planner.papers.pdf.geometry import EVERYWHERE, Bounds, Matrix, meet

Colour = tuple[int, int, int]
"""A colour as red, green and blue, each from 0 to 255."""

_MAX_CORNERS: Final = 20
_STROKED: Final = frozenset({raw.FPDF_TEXTRENDERMODE_STROKE, raw.FPDF_TEXTRENDERMODE_STROKE_CLIP})


class Objects:
    """A reader for the objects of one page, which has to stay open."""

    def __init__(self) -> None:
        self._bounds = Numbers(c_float, 4)
        self._matrix = Numbers(c_float, 6)
        self._colour = Numbers(c_uint, 4)
        self._modes = Numbers(c_int, 2)
        self._place = Numbers(c_float, 2)
        self._clips: dict[tuple[int | None, ...], Bounds | None] = {}

    def bounds(self, item: Handle) -> Bounds:
        """Return the box around the object, in the coordinates of the page or form that holds it."""
        calls.bounds_of(item, *self._bounds.places)
        left, bottom, right, top = self._bounds.written()
        return left, bottom, right, top

    def matrix(self, form: Handle) -> Matrix:
        """Return the map from a form's content to the page or form that holds it."""
        calls.matrix_of(form, self._matrix.places[0])
        return Matrix(*self._matrix.written())

    def fill(self, item: Handle) -> tuple[Colour | None, float]:
        """Return the fill colour of the object, or None for a pattern, and its opacity (0 to 1)."""
        return self._painted(calls.fill_of(item, *self._colour.places))

    def lettering(self, text: Handle) -> tuple[int, Colour | None, float]:
        """Return the PDF render mode of a text object, its colour or None for a pattern, and its opacity (0 to 1)."""
        mode: int = calls.render_mode_of(text)
        read = calls.stroke_of if mode in _STROKED else calls.fill_of
        return mode, *self._painted(read(text, *self._colour.places))

    def _painted(self, is_plain: int) -> tuple[Colour | None, float]:
        if not is_plain:
            return None, 1.0
        red, green, blue, alpha = self._colour.written()
        return (red, green, blue), alpha / 255

    def is_filled(self, path: Handle) -> bool:
        """Return whether the path is filled rather than only stroked."""
        calls.draw_mode_of(path, *self._modes.places)
        return bool(self._modes.written()[0] != raw.FPDF_FILLMODE_NONE)

    def clip(self, item: Handle) -> Bounds | None:
        """Return the box that the object's own clip limits it to, or None if no clip limits it."""
        clip = calls.clip_of(item)
        count = calls.clip_paths(clip)
        if count < 1:
            return None
        # Objects share the paths that clip them; the addresses of the first corners identify these paths.
        key = tuple(calls.clip_corner(clip, at, 0).value for at in range(count))
        if key not in self._clips:
            self._clips[key] = self._clip_bounds(clip, count)
        return self._clips[key]

    def _clip_bounds(self, clip: Handle, paths: int) -> Bounds | None:
        found: Bounds | None = None
        for at in range(paths):
            count = min(calls.clip_corners(clip, at), _MAX_CORNERS)
            points = [self._point(calls.clip_corner(clip, at, corner)) for corner in range(max(0, count))]
            if points and count < _MAX_CORNERS:
                xs, ys = zip(*points, strict=True)
                found = meet(found or EVERYWHERE, (min(xs), min(ys), max(xs), max(ys)))
        return found

    def _point(self, corner: Handle) -> tuple[float, float]:
        calls.corner_place(corner, *self._place.places)
        x, y = self._place.written()
        return x, y


def is_one_shape(path: Handle) -> bool:
    """Return whether the path fills about all of its box: a plain or rounded box, not a frame or a drawing."""
    count = calls.corners_of(path)
    if count > _MAX_CORNERS:
        return False
    kinds = [calls.corner_kind(calls.corner_of(path, at)) for at in range(count)]
    return kinds.count(raw.FPDF_SEGMENT_MOVETO) <= 1
