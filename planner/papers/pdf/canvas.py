"""What a page paints, in painting order: which text objects, and which surfaces a text may stand on."""

from collections.abc import Sequence
from ctypes import c_float, c_int, c_uint
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from pypdfium2 import raw

from planner.papers.pdf.runs import address

Colour = tuple[int, int, int]
WHITE: Final[Colour] = (255, 255, 255)
Bounds = tuple[float, float, float, float]  # left, bottom, right and top in points
EVERYWHERE: Final[Bounds] = (-inf, -inf, inf, inf)

_MAX_OBJECTS: Final = 100_000
_MAX_DEPTH: Final = 8
_MAX_CORNERS: Final = 20
_MAX_SURFACES: Final = 3000
_LEAST_SIDE: Final = 4.0  # points; on less, no word can stand
_OPAQUE: Final = 0.98


@dataclass(frozen=True, slots=True)
class Surface:
    """An area painted over, how opaque (0 to 1); `colour` is None where it is not one, as in an image or a frame.

    `solid` says that nothing under it can be seen.
    """

    order: int
    left: float
    bottom: float
    right: float
    top: float
    colour: Colour | None = None
    opacity: float = 1.0
    solid: bool = False

    def holds(self, x: float, y: float) -> bool:
        """Whether the point lies on it."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    @property
    def area(self) -> float:
        """Square points."""
        return (self.right - self.left) * (self.top - self.bottom)


@dataclass(frozen=True, slots=True)
class Ink:
    """How a text object is painted: when, in which colour (None: a pattern), how opaque (0 to 1), and its PDF mode.

    Outside `clip` nothing of it is painted.
    """

    order: int
    colour: Colour | None
    opacity: float
    mode: int
    clip: Bounds = EVERYWHERE


@dataclass(frozen=True, slots=True)
class Matrix:
    """An affine map as PDF writes it."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def apply(self, x: float, y: float) -> tuple[float, float]:
        """The image of a point."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def bounds(self, left: float, bottom: float, right: float, top: float) -> Bounds:
        """The left, bottom, right and top of a box's image."""
        near, far = sorted((self.a * left, self.a * right))
        low, high = sorted((self.c * bottom, self.c * top))
        across = near + low + self.e, far + high + self.e
        near, far = sorted((self.b * left, self.b * right))
        low, high = sorted((self.d * bottom, self.d * top))
        return across[0], near + low + self.f, across[1], far + high + self.f

    def after(self, inner: raw.FS_MATRIX) -> "Matrix":
        """This map applied to what `inner` gives."""
        return Matrix(
            self.a * inner.a + self.c * inner.b,
            self.b * inner.a + self.d * inner.b,
            self.a * inner.c + self.c * inner.d,
            self.b * inner.c + self.d * inner.d,
            *self.apply(inner.e, inner.f),
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """What a form object puts its content in: a map, an opacity, a clip, and how many forms stand around it.

    `blends` says that the content mixes with what is under it.
    """

    matrix: Matrix = Matrix(1, 0, 0, 1, 0, 0)
    opacity: float = 1.0
    depth: int = 0
    clip: Bounds = EVERYWHERE
    blends: bool = False

    def clip_of(self, item: raw.FPDF_PAGEOBJECT) -> Bounds:
        """The box outside which nothing of an object in the form is painted."""
        own = _clip(item)
        return self.clip if own is None else _meet(self.clip, self.matrix.bounds(*own))


class Canvas:
    """The painted objects of a page, those inside form objects included.

    `inks` are the text objects by address, `surfaces` and `images` in painting order; `whole` is False when the
    page holds more objects than were looked at.
    """

    def __init__(self, page: raw.FPDF_PAGE) -> None:
        self.inks: dict[int, Ink] = {}
        self.surfaces: list[Surface] = []
        self.images: list[Surface] = []
        self._solid: list[Surface] = []
        self.whole = True
        self._seen = 0
        for at in range(raw.FPDFPage_CountObjects(page)):
            self._visit(raw.FPDFPage_GetObject(page, at), Frame())

    def _visit(self, item: raw.FPDF_PAGEOBJECT, frame: Frame) -> None:
        self._seen += 1
        if self._seen > _MAX_OBJECTS or frame.depth > _MAX_DEPTH or len(self.surfaces) > _MAX_SURFACES:
            self.whole = False
            return
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            self.inks[address(item)] = _ink(item, self._seen, frame)
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            self._visit_form(item, frame)
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            self._add_path(item, frame)
        elif kind in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING):
            surface = _surface(item, frame, self._seen)
            self.surfaces.append(surface)
            self.images.append(surface)

    def _visit_form(self, form: raw.FPDF_PAGEOBJECT, frame: Frame) -> None:
        own = raw.FS_MATRIX()
        raw.FPDFPageObj_GetMatrix(form, own)
        inner = Frame(
            frame.matrix.after(own),
            frame.opacity * _fill(form)[1],
            frame.depth + 1,
            frame.clip_of(form),
            frame.blends or bool(raw.FPDFPageObj_HasTransparency(form)),
        )
        for at in range(max(0, raw.FPDFFormObj_CountObjects(form))):
            if not self.whole:
                return
            self._visit(raw.FPDFFormObj_GetObject(form, at), inner)

    def _add_path(self, path: raw.FPDF_PAGEOBJECT, frame: Frame) -> None:
        filling, stroke = c_int(), c_int()
        raw.FPDFPath_GetDrawMode(path, filling, stroke)
        if filling.value == raw.FPDF_FILLMODE_NONE:
            return
        surface = _surface(path, frame, self._seen)
        if min(surface.right - surface.left, surface.top - surface.bottom) < _LEAST_SIDE:
            return
        if _is_one_shape(path):
            colour, opacity = _fill(path)
            opacity *= frame.opacity
            mixes = frame.blends or raw.FPDFPageObj_HasTransparency(path)
            surface = replace(surface, colour=colour, opacity=opacity, solid=opacity >= _OPAQUE and not mixes)
        if surface.solid:
            self._solid.append(surface)
        self.surfaces.append(surface)

    def covers(self, points: Sequence[tuple[float, float]], painted: int) -> bool:
        """Whether something solid lies over all of the points that was painted after the object numbered `painted`."""
        return any(surface.order > painted and all(surface.holds(x, y) for x, y in points) for surface in self._solid)

    def background(self, x: float, y: float, before: int) -> Colour | None:
        """The colour under a point when the object numbered `before` was painted; None where it is not known."""
        layers: list[tuple[Colour, float]] = []
        for surface in reversed(self.surfaces):
            if surface.order >= before or not surface.holds(x, y):
                continue
            if surface.colour is None:
                return None
            layers.append((surface.colour, surface.opacity))
            if surface.opacity >= _OPAQUE:
                break
        under = WHITE
        for colour, opacity in reversed(layers):
            under = blended(colour, under, opacity)
        return under


def blended(colour: Colour, under: Colour, opacity: float) -> Colour:
    """What is seen of `colour` painted over `under`."""
    red, green, blue = (round(below + (above - below) * opacity) for above, below in zip(colour, under, strict=True))
    return red, green, blue


def _ink(text: raw.FPDF_PAGEOBJECT, order: int, frame: Frame) -> Ink:
    mode = raw.FPDFTextObj_GetTextRenderMode(text)
    stroked = mode in (raw.FPDF_TEXTRENDERMODE_STROKE, raw.FPDF_TEXTRENDERMODE_STROKE_CLIP)
    colour, opacity = _fill(text, stroked)
    return Ink(order, colour, opacity * frame.opacity, mode, frame.clip_of(text))


def _fill(item: raw.FPDF_PAGEOBJECT, stroked: bool = False) -> tuple[Colour | None, float]:
    red, green, blue, alpha = c_uint(), c_uint(), c_uint(), c_uint()
    read = raw.FPDFPageObj_GetStrokeColor if stroked else raw.FPDFPageObj_GetFillColor
    if not read(item, red, green, blue, alpha):
        return None, 1.0
    return (red.value, green.value, blue.value), alpha.value / 255


def _surface(item: raw.FPDF_PAGEOBJECT, frame: Frame, order: int) -> Surface:
    left, bottom, right, top = c_float(), c_float(), c_float(), c_float()
    raw.FPDFPageObj_GetBounds(item, left, bottom, right, top)
    bounds = frame.matrix.bounds(left.value, bottom.value, right.value, top.value)
    return Surface(order, *_meet(bounds, frame.clip_of(item)))


def _meet(one: Bounds, other: Bounds) -> Bounds:
    """The box that two boxes share; its right lies left of its left where they share none."""
    if other == EVERYWHERE:
        return one
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def _clip(item: raw.FPDF_PAGEOBJECT) -> Bounds | None:
    """The box around what the object's own clip leaves of it, None where it has none."""
    clip = raw.FPDFPageObj_GetClipPath(item)
    found: Bounds | None = None
    for at in range(max(0, raw.FPDFClipPath_CountPaths(clip))):
        count = min(raw.FPDFClipPath_CountPathSegments(clip, at), _MAX_CORNERS)
        points = [_point(raw.FPDFClipPath_GetPathSegment(clip, at, corner)) for corner in range(max(0, count))]
        if points and count < _MAX_CORNERS:
            xs, ys = zip(*points, strict=True)
            found = _meet(found or EVERYWHERE, (min(xs), min(ys), max(xs), max(ys)))
    return found


def _point(segment: raw.FPDF_PATHSEGMENT) -> tuple[float, float]:
    x, y = c_float(), c_float()
    raw.FPDFPathSegment_GetPoint(segment, x, y)
    return x.value, y.value


def _is_one_shape(path: raw.FPDF_PAGEOBJECT) -> bool:
    """Whether the path fills about all of its bounds: a box, plain or rounded, rather than a frame or a drawing."""
    count = raw.FPDFPath_CountSegments(path)
    if count > _MAX_CORNERS:
        return False
    kinds = [raw.FPDFPathSegment_GetType(raw.FPDFPath_GetPathSegment(path, at)) for at in range(count)]
    return kinds.count(raw.FPDF_SEGMENT_MOVETO) <= 1
