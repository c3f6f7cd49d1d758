"""Find the text of a page that its readers do not see, and the text of scans.

The objects of the page, in the order in which they are painted, show how a text is painted and what lies over or under
it. Hidden text is often harmless, so a warning quotes it and does not call it an attack.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from pypdfium2 import raw

from planner.papers.pdf.pdfium import (
    IDENTITY_MATRIX,
    PDFIUM,
    UNBOUNDED,
    Bounds,
    Colour,
    Matrix,
    PageObjectReader,
    PdfiumHandle,
    clip_box,
)
from planner.papers.pdf.runs import PlacedRun

_WHITE: Final[Colour] = (255, 255, 255)
_MAX_OBJECTS: Final = 100_000
_MAX_DEPTH: Final = 8
_MAX_SURFACES: Final = 3000
_BAND_HEIGHT: Final = 20.0  # points; about two lines
_MIN_SIDE: Final = 4.0  # points; a smaller surface has no room for a word
_MIN_OPAQUE: Final = 0.98
_MIN_SIZE: Final = 2.0
_MIN_WIDTH_SHARE: Final = 0.12  # of the type size per character; the narrowest fonts take twice as much
_MIN_LONG_TEXT: Final = 8  # characters; fewer may well stand for one sign
_MIN_COLOUR_DIFFERENCE: Final = 27  # of 255, in at least one channel
_MAX_BOX_SEGMENTS: Final = 20
_STROKE_MODES: Final = frozenset({raw.FPDF_TEXTRENDERMODE_STROKE, raw.FPDF_TEXTRENDERMODE_STROKE_CLIP})
_UNPAINTED_MODES: Final = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)
_UP_VECTORS: Final = ((0, 1), (-1, 0), (0, -1), (1, 0))  # from the baseline to the top of the type, by quarter turns
_SCAN_SHARE: Final = 0.5
_VISIBLE_SHARE: Final = 0.2


class _PaintedSurface(NamedTuple):
    """An area that is painted on a page, in points; `order` is its number in the order of painting.

    `colour` is None if the area has several colours, as an image has. A solid area hides everything below it. `opacity`
    is from 0 to 1.
    """

    order: int
    bounds: Bounds
    colour: Colour | None = None
    opacity: float = 1.0
    is_solid: bool = False


class _TextPaint(NamedTuple):
    """The way in which a text object is painted; `order` is its number in the order of painting.

    `colour` is None for a pattern. `opacity` is from 0 to 1. `render_mode` is a number of the PDF standard. Nothing
    outside `clip` is painted.
    """

    order: int
    colour: Colour | None
    opacity: float
    render_mode: int
    clip: Bounds = UNBOUNDED


@dataclass(frozen=True, slots=True)
class _FormContext:
    """The settings for the objects of a form (a group of objects); `depth` is the number of forms around them."""

    matrix: Matrix = IDENTITY_MATRIX
    opacity: float = 1.0
    depth: int = 0
    clip: Bounds = UNBOUNDED
    is_blending: bool = False
    clips: dict[Bounds, Bounds] = field(default_factory=dict)  # those of the objects, by their own clips


class PaintedObjects:
    """The objects that a page paints, including those inside forms.

    `text_paints` has the addresses of text objects as keys. `surfaces` and `image_bounds` are in the order of painting.
    `is_complete` is False if the page has too many objects; the other objects are not read.
    """

    def __init__(self, page: raw.FPDF_PAGE) -> None:
        self.text_paints: dict[int, _TextPaint] = {}
        self.surfaces: list[_PaintedSurface] = []
        self.image_bounds: list[Bounds] = []
        self._bands: dict[int, list[_PaintedSurface]] = {}
        self.is_complete = True
        self._object_count = 0
        self._reader = PageObjectReader()
        page_context = _FormContext()
        for at in range(raw.FPDFPage_CountObjects(page)):
            self._add_object(PDFIUM.FPDFPage_GetObject(page, at), page_context)

    def _add_object(self, item: PdfiumHandle, context: _FormContext) -> None:
        self._object_count += 1
        if self._object_count > _MAX_OBJECTS or context.depth > _MAX_DEPTH or len(self.surfaces) > _MAX_SURFACES:
            self.is_complete = False
            return
        kind = PDFIUM.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            self._add_text(item, context)
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            self._add_form(item, context)
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            self._add_path(item, context)
        elif kind in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING):
            bounds = clip_box(context.matrix.map_box(self._reader.read_bounds(item)), self._find_clip(item, context))
            self.surfaces.append(_PaintedSurface(self._object_count, bounds))
            self.image_bounds.append(bounds)

    def _find_clip(self, item: PdfiumHandle, context: _FormContext) -> Bounds:
        """Return the box outside which an object of a form is not painted."""
        clip = self._reader.read_clip_box(item)
        if clip is None:
            return context.clip
        if clip not in context.clips:
            context.clips[clip] = clip_box(context.clip, context.matrix.map_box(clip))
        return context.clips[clip]

    def _add_form(self, form: PdfiumHandle, context: _FormContext) -> None:
        inner = _FormContext(
            context.matrix.compose(self._reader.read_form_matrix(form)),
            context.opacity * self._reader.read_paint(form).opacity,
            context.depth + 1,
            self._find_clip(form, context),
            context.is_blending or bool(PDFIUM.FPDFPageObj_HasTransparency(form)),
        )
        for at in range(PDFIUM.FPDFFormObj_CountObjects(form)):
            if not self.is_complete:
                return
            self._add_object(PDFIUM.FPDFFormObj_GetObject(form, at), inner)

    def _add_text(self, text: PdfiumHandle, context: _FormContext) -> None:
        mode: int = PDFIUM.FPDFTextObj_GetTextRenderMode(text)
        colour, opacity = self._reader.read_paint(text, is_stroked=mode in _STROKE_MODES)
        self.text_paints[text.value or 0] = _TextPaint(
            self._object_count, colour, opacity * context.opacity, mode, self._find_clip(text, context)
        )

    def _add_path(self, path: PdfiumHandle, context: _FormContext) -> None:
        if not self._reader.is_filled(path):
            return
        bounds = context.matrix.map_box(self._reader.read_bounds(path))
        if _is_narrow(bounds):  # most paths are: rules, and letters drawn as paths
            return
        bounds = clip_box(bounds, self._find_clip(path, context))
        if _is_narrow(bounds):
            return
        if not _is_box_shaped(path):
            self.surfaces.append(_PaintedSurface(self._object_count, bounds))
            return
        colour, opacity = self._reader.read_paint(path)
        opacity *= context.opacity
        is_blending = context.is_blending or PDFIUM.FPDFPageObj_HasTransparency(path)
        is_solid = opacity >= _MIN_OPAQUE and not is_blending
        self.surfaces.append(_PaintedSurface(self._object_count, bounds, colour, opacity, is_solid))

    def is_covered(self, points: Sequence[tuple[float, float]], order: int) -> bool:
        """Return whether a solid surface covers all points; the surface must be painted after object `order`."""
        return any(
            surface.is_solid and surface.order > order and all(_is_in_box(surface.bounds, x, y) for x, y in points)
            for surface in self._find_surfaces_near(points[0][1])
        )

    def find_background_colour(self, x: float, y: float, order: int) -> Colour | None:
        """Return the colour under a point before object `order` is painted, or None if the colour is unknown."""
        layers: list[tuple[Colour, float]] = []
        for surface in reversed(self._find_surfaces_near(y)):
            if surface.order >= order or not _is_in_box(surface.bounds, x, y):
                continue
            if surface.colour is None:
                return None
            layers.append((surface.colour, surface.opacity))
            if surface.opacity >= _MIN_OPAQUE:
                break
        background = _WHITE
        for colour, opacity in reversed(layers):
            background = _blend_colours(colour, background, opacity)
        return background

    def _find_surfaces_near(self, y: float) -> list[_PaintedSurface]:
        """Return the surfaces near the height `y`, in the order of painting."""
        band = int(y // _BAND_HEIGHT)
        if band not in self._bands:
            low, high = band * _BAND_HEIGHT, (band + 1) * _BAND_HEIGHT
            self._bands[band] = [item for item in self.surfaces if item.bounds[1] <= high and item.bounds[3] >= low]
        return self._bands[band]


def _blend_colours(colour: Colour, background: Colour, opacity: float) -> Colour:
    """Return the colour that is seen if `colour` is painted over `background` with an opacity from 0 to 1."""
    red, green, blue = (
        round(below + (above - below) * opacity) for above, below in zip(colour, background, strict=True)
    )
    return red, green, blue


def _is_in_box(box: Bounds, x: float, y: float, margin: float = 0.0) -> bool:
    left, bottom, right, top = box
    return left - margin <= x <= right + margin and bottom - margin <= y <= top + margin


def _is_narrow(bounds: Bounds) -> bool:
    left, bottom, right, top = bounds
    return right - left < _MIN_SIDE or top - bottom < _MIN_SIDE


def _is_box_shaped(path: PdfiumHandle) -> bool:
    """Return whether a path is a plain or rounded box, and not a frame or a drawing."""
    count = PDFIUM.FPDFPath_CountSegments(path)
    if count > _MAX_BOX_SEGMENTS:
        return False
    kinds = [PDFIUM.FPDFPathSegment_GetType(PDFIUM.FPDFPath_GetPathSegment(path, at)) for at in range(count)]
    return kinds.count(raw.FPDF_SEGMENT_MOVETO) <= 1


def is_ocr_of_scan(placed_runs: Sequence[PlacedRun], painted_objects: PaintedObjects, page_box: Bounds) -> bool:
    """Return whether the text of a page seems to be OCR of a scan: a large image, and nearly no text is painted."""
    paints = painted_objects.text_paints
    unpainted = {address for address, paint in paints.items() if paint.render_mode in _UNPAINTED_MODES}
    if not unpainted:
        return False
    text_length = sum(len(placed.run.text) for placed in placed_runs)
    unpainted_length = sum(len(placed.run.text) for placed in placed_runs if placed.run.text_object in unpainted)
    if not unpainted_length or text_length - unpainted_length > _VISIBLE_SHARE * text_length:
        return False
    largest = max(map(_compute_area, painted_objects.image_bounds), default=0.0)
    return largest >= _SCAN_SHARE * _compute_area(page_box)


def find_hidden_runs(
    placed_runs: Iterable[PlacedRun], painted_objects: PaintedObjects, page_box: Bounds, *, is_ocr: bool
) -> list[PlacedRun]:
    """Return the runs that readers of a page do not see; text that is not painted counts as seen if it is OCR."""
    return [placed for placed in placed_runs if _is_hidden(placed, painted_objects, page_box, is_ocr)]


def _compute_area(bounds: Bounds) -> float:
    left, bottom, right, top = bounds
    return (right - left) * (top - bottom)


def _is_hidden(placed_run: PlacedRun, painted_objects: PaintedObjects, page_box: Bounds, is_ocr: bool) -> bool:
    run = placed_run.run
    x, y = _find_centre(placed_run)
    if (
        not placed_run.has_usable_place
        or run.size < _MIN_SIZE
        or not _is_in_box(page_box, x, y)
        or _is_squeezed(placed_run)
    ):
        return True
    paint = painted_objects.text_paints.get(run.text_object)
    if paint is None:
        return False
    if paint.render_mode in _UNPAINTED_MODES:
        return not is_ocr
    points = ((x, y), (run.x0, run.y), (run.x1, placed_run.end_y))
    if not _is_in_box(paint.clip, x, y, margin=run.size / 2) or painted_objects.is_covered(points, paint.order):
        return True
    background = painted_objects.find_background_colour(x, y, paint.order)
    if paint.colour is None or background is None:
        return False
    return _is_hardly_visible(paint.colour, paint.opacity, background)


def _is_squeezed(placed_run: PlacedRun) -> bool:
    """Return whether a run is far too short for its characters to be read."""
    run = placed_run.run
    length = abs(run.x1 - run.x0) + abs(placed_run.end_y - run.y)
    return len(run.text) >= _MIN_LONG_TEXT and length < _MIN_WIDTH_SHARE * run.size * len(run.text)


@lru_cache(maxsize=4096)  # a paper has few colours
def _is_hardly_visible(colour: Colour, opacity: float, background: Colour) -> bool:
    """Return whether a colour on a background is hardly different from the background."""
    shown = _blend_colours(colour, background, opacity)
    return max(abs(a - b) for a, b in zip(shown, background, strict=True)) < _MIN_COLOUR_DIFFERENCE


def _find_centre(placed_run: PlacedRun) -> tuple[float, float]:
    """Return the middle of a run in the coordinates of the page, a third of the type size above the baseline."""
    run, (right, up) = placed_run.run, _UP_VECTORS[placed_run.quarter_turns]
    rise = run.size / 3
    return (run.x0 + run.x1) / 2 + right * rise, (run.y + placed_run.end_y) / 2 + up * rise
