"""The painted objects of a page in painting order: its text objects, and the surfaces under or over text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pypdfium2 import raw

from planner.papers.pdf import calls
from planner.papers.pdf.calls import Handle
from planner.papers.pdf.geometry import EVERYWHERE, IDENTITY, Bounds, Matrix, meet
from planner.papers.pdf.objects import Colour, Objects, is_one_shape

WHITE: Final[Colour] = (255, 255, 255)

_MAX_OBJECTS: Final = 100_000
_MAX_DEPTH: Final = 8
_MAX_SURFACES: Final = 3000
_BAND: Final = 20.0  # points; about two lines
_LEAST_SIDE: Final = 4.0  # points; a smaller surface has no room for a word
_OPAQUE: Final = 0.98


class Surface(NamedTuple):
    """A painted area of a page in points; `order` counts the page's objects in painting order, `opacity` is 0 to 1.

    `colour` is None if the area has no single colour, as in an image or a frame. A solid area hides all under it.
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
        """Return whether the point lies on the surface."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    @property
    def area(self) -> float:
        """The area in square points."""
        return (self.right - self.left) * (self.top - self.bottom)


class Ink(NamedTuple):
    """The way a text object is painted: place in painting order, colour, opacity (0 to 1), PDF render mode and clip.

    `colour` is None for a pattern. Nothing outside `clip` is painted.
    """

    order: int
    colour: Colour | None
    opacity: float
    mode: int
    clip: Bounds = EVERYWHERE


@dataclass(frozen=True, slots=True)
class Frame:
    """The matrix, opacity, depth of nested forms, clip and blending that a form object gives its content."""

    matrix: Matrix = IDENTITY
    opacity: float = 1.0
    depth: int = 0
    clip: Bounds = EVERYWHERE
    blends: bool = False
    _clips: dict[Bounds, Bounds] = field(default_factory=dict)

    def clip_of(self, own: Bounds | None) -> Bounds:
        """Return the box that an object in the form is clipped to, given the object's own clip in the form."""
        if own is None:
            return self.clip
        if own not in self._clips:
            self._clips[own] = meet(self.clip, self.matrix.bounds(own))
        return self._clips[own]


class Canvas:
    """The painted objects of a page, including those inside form objects.

    Text objects are keyed by their address; `surfaces` and `images` are in painting order. The record is whole unless
    the page has too many objects: then the rest are skipped.
    """

    def __init__(self, page: raw.FPDF_PAGE) -> None:
        self.inks: dict[int, Ink] = {}
        self.surfaces: list[Surface] = []
        self.images: list[Surface] = []
        self._bands: dict[int, list[Surface]] = {}
        self.whole = True
        self._seen = 0
        self._objects = Objects()
        around = Frame()
        for at in range(raw.FPDFPage_CountObjects(page)):
            self._visit(calls.page_object(page, at), around)

    def _visit(self, item: Handle, frame: Frame) -> None:
        self._seen += 1
        if self._seen > _MAX_OBJECTS or frame.depth > _MAX_DEPTH or len(self.surfaces) > _MAX_SURFACES:
            self.whole = False
            return
        kind = calls.kind_of(item)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            self._add_text(item, frame)
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            self._visit_form(item, frame)
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            self._add_path(item, frame)
        elif kind in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_SHADING):
            bounds = frame.matrix.bounds(self._objects.bounds(item))
            surface = Surface(self._seen, *meet(bounds, self._clip(item, frame)))
            self.surfaces.append(surface)
            self.images.append(surface)

    def _clip(self, item: Handle, frame: Frame) -> Bounds:
        return frame.clip_of(self._objects.clip(item))

    def _visit_form(self, form: Handle, frame: Frame) -> None:
        inner = Frame(
            frame.matrix.after(self._objects.matrix(form)),
            frame.opacity * self._objects.fill(form)[1],
            frame.depth + 1,
            self._clip(form, frame),
            frame.blends or bool(calls.is_transparent(form)),
        )
        for at in range(calls.form_objects(form)):
            if not self.whole:
                return
            self._visit(calls.form_object(form, at), inner)

    def _add_text(self, text: Handle, frame: Frame) -> None:
        mode, colour, opacity = self._objects.lettering(text)
        self.inks[text.value or 0] = Ink(self._seen, colour, opacity * frame.opacity, mode, self._clip(text, frame))

    def _add_path(self, path: Handle, frame: Frame) -> None:
        if not self._objects.is_filled(path):
            return
        bounds = frame.matrix.bounds(self._objects.bounds(path))
        if _is_narrow(bounds):  # most paths are: rules, and letters drawn as paths
            return
        bounds = meet(bounds, self._clip(path, frame))
        if _is_narrow(bounds):
            return
        surface = Surface(self._seen, *bounds)
        if is_one_shape(path):
            colour, opacity = self._objects.fill(path)
            opacity *= frame.opacity
            mixes = frame.blends or calls.is_transparent(path)
            surface = surface._replace(colour=colour, opacity=opacity, solid=opacity >= _OPAQUE and not mixes)
        self.surfaces.append(surface)

    def covers(self, points: Sequence[tuple[float, float]], painted: int) -> bool:
        """Return whether one solid surface, painted after the object with the given number, lies over all points."""
        later = [surface for surface in self._near(points[0][1]) if surface.solid and surface.order > painted]
        return any(all(surface.holds(x, y) for x, y in points) for surface in later)

    def background(self, x: float, y: float, before: int) -> Colour | None:
        """Return the colour under a point when the object with the given number was painted, or None if unknown."""
        layers: list[tuple[Colour, float]] = []
        for surface in reversed(self._near(y)):
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

    def _near(self, y: float) -> list[Surface]:
        """Return the surfaces that reach into the horizontal band of the page around `y`, in painting order."""
        band = int(y // _BAND)
        if band not in self._bands:
            low, high = band * _BAND, (band + 1) * _BAND
            self._bands[band] = [one for one in self.surfaces if one.bottom <= high and one.top >= low]
        return self._bands[band]


def blended(colour: Colour, under: Colour, opacity: float) -> Colour:
    """Return the visible colour of `colour` painted with an opacity (0 to 1) over another."""
    red, green, blue = (round(below + (above - below) * opacity) for above, below in zip(colour, under, strict=True))
    return red, green, blue


def _is_narrow(bounds: Bounds) -> bool:
    left, bottom, right, top = bounds
    return right - left < _LEAST_SIDE or top - bottom < _LEAST_SIDE
