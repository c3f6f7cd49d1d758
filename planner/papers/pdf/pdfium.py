"""Open PDFs, and read the objects that a page paints.

Some functions of pdfium run thousands of times for each page. The bindings of pypdfium2 would take three times as long
for them, so `PDFIUM` has its own. They do not check arguments: a wrong argument can crash the process. A pointer must
be a handle (of this module or of pypdfium2) or point into a `NumberBuffer`. Any other argument must be a 32-bit int.
"""

from collections.abc import Callable
from ctypes import PYFUNCTYPE, byref, c_double, c_float, c_int, c_uint, c_void_p, cast, sizeof
from math import inf
from typing import Any, Final, NamedTuple

import pypdfium2
from pypdfium2 import raw

from planner.errors import PaperError
from planner.papers.sources import describe_unsupported_type, detect_file_format

Bounds = tuple[float, float, float, float]
"""A box as its left, bottom, right and top in points."""
UNBOUNDED: Final[Bounds] = (-inf, -inf, inf, inf)

Colour = tuple[int, int, int]
"""A colour as red, green and blue, each from 0 to 255."""

# Some bytes may come before the header; PDF readers search the first kilobyte for it.
_HEADER_SEARCH_LENGTH: Final = 1024
_MAX_SEGMENTS: Final = 20


class Matrix(NamedTuple):
    """A matrix of a PDF, which maps points to points (ISO 32000-1, 8.3.4)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def map_point(self, x: float, y: float) -> tuple[float, float]:
        """Return the point to which the matrix maps the point (`x`, `y`)."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f

    def map_box(self, box: Bounds) -> Bounds:
        """Return the upright box around a box that the matrix maps."""
        if self is IDENTITY_MATRIX:  # true for nearly everything on a page
            return box
        left, bottom, right, top = box
        near, far = sorted((self.a * left, self.a * right))
        low, high = sorted((self.c * bottom, self.c * top))
        across = near + low + self.e, far + high + self.e
        near, far = sorted((self.b * left, self.b * right))
        low, high = sorted((self.d * bottom, self.d * top))
        return across[0], near + low + self.f, across[1], far + high + self.f

    def compose(self, inner: "Matrix") -> "Matrix":
        """Return the matrix that applies `inner` first and then this matrix."""
        return Matrix(
            self.a * inner.a + self.c * inner.b,
            self.b * inner.a + self.d * inner.b,
            self.a * inner.c + self.c * inner.d,
            self.b * inner.c + self.d * inner.d,
            *self.map_point(inner.e, inner.f),
        )


IDENTITY_MATRIX: Final = Matrix(1, 0, 0, 1, 0, 0)


def clip_box(box: Bounds, clip: Bounds) -> Bounds:
    """Return the part of a box that is inside `clip`; if there is none, its width or its height is negative."""
    if clip == UNBOUNDED:
        return box
    return max(box[0], clip[0]), max(box[1], clip[1]), min(box[2], clip[2]), min(box[3], clip[3])


def open_pdf(data: bytes, name: str) -> pypdfium2.PdfDocument:
    """Return the open document of a PDF; the caller must close it. Error messages begin with `name`.

    Raises:
        PaperError: if the bytes are no PDF, are incomplete or damaged, have no pages or need a password.
    """
    if b"%PDF-" not in data[:_HEADER_SEARCH_LENGTH]:
        content = describe_unsupported_type(data) or detect_file_format(data)
        raise PaperError(
            f"{name}: the file is not a PDF but {content}, starting with {data[:8]!r}; "
            "download the PDF again, or correct the ending of the file's name"
        )
    # Opened without pypdfium2, which reports an earlier, unrelated error for a document without pages.
    handle = raw.FPDF_LoadMemDocument64(data, len(data), None)
    if not handle:
        raise PaperError(f"{name}: {_explain_open_error(data, raw.FPDF_GetLastError())}")
    document = pypdfium2.PdfDocument(handle)
    if len(document) < 1:
        document.close()
        raise PaperError(f"{name}: the PDF has no pages; download it again")
    return document


def _explain_open_error(data: bytes, error_code: int) -> str:
    """Return the reason why a PDF cannot be opened, and a remedy."""
    if error_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return "the PDF is encrypted and needs a password; save a copy without one"
    if b"%%EOF" not in data[-2 * _HEADER_SEARCH_LENGTH :]:
        return f"the PDF is incomplete: its {len(data)} bytes have no end mark; download it again"
    return "the PDF is damaged and could not be opened; download it again or repair it"


class PdfiumHandle(c_void_p):
    """A pointer to an object of pdfium; `value` is its address, or None for a null pointer."""


class NumberBuffer:
    """A buffer of numbers for the output of a pdfium function; `pointers` are arguments that point to the numbers."""

    def __init__(self, number_type: type[c_double] | type[c_float] | type[c_uint] | type[c_int], count: int) -> None:
        self._numbers: Any = (number_type * count)()
        self.pointers = tuple(byref(self._numbers, at * sizeof(number_type)) for at in range(count))

    def copy_numbers(self) -> list[Any]:
        """Return the numbers that the last function wrote."""
        numbers: list[Any] = self._numbers[:]
        return numbers


_RESULT_TYPES: Final[dict[str, Any]] = {
    "FPDFText_GetTextObject": c_void_p,
    "FPDFText_GetFontSize": c_double,
    "FPDFPage_GetObject": PdfiumHandle,
    "FPDFFormObj_GetObject": PdfiumHandle,
    "FPDFTextObj_GetFont": PdfiumHandle,
    "FPDFPageObj_GetClipPath": PdfiumHandle,
    "FPDFClipPath_GetPathSegment": PdfiumHandle,
    "FPDFPath_GetPathSegment": PdfiumHandle,
}


class _UncheckedFunctions:
    """The functions of pdfium under their own names; most return an int."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = cast(getattr(raw, name), PYFUNCTYPE(_RESULT_TYPES.get(name, c_int)))
        setattr(self, name, function)
        return function


PDFIUM: Final = _UncheckedFunctions()


class Paint(NamedTuple):
    """The colour of an object (None for a pattern) and its opacity from 0 to 1."""

    colour: Colour | None
    opacity: float


class PageObjectReader:
    """A reader of the objects on a page, which must be open."""

    def __init__(self) -> None:
        self._bounds_buffer = NumberBuffer(c_float, 4)
        self._matrix_buffer = NumberBuffer(c_float, 6)
        self._colour_buffer = NumberBuffer(c_uint, 4)
        self._modes_buffer = NumberBuffer(c_int, 2)
        self._point_buffer = NumberBuffer(c_float, 2)
        self._clips: dict[tuple[int | None, ...], Bounds | None] = {}

    def read_bounds(self, item: PdfiumHandle) -> Bounds:
        """Return the box around an object, in the coordinates of the page or form that holds the object."""
        PDFIUM.FPDFPageObj_GetBounds(item, *self._bounds_buffer.pointers)
        left, bottom, right, top = self._bounds_buffer.copy_numbers()
        return left, bottom, right, top

    def read_form_matrix(self, form: PdfiumHandle) -> Matrix:
        """Return the matrix that maps the content of a form to the page or form around it."""
        PDFIUM.FPDFPageObj_GetMatrix(form, self._matrix_buffer.pointers[0])
        return Matrix(*self._matrix_buffer.copy_numbers())

    def read_paint(self, item: PdfiumHandle, *, is_stroked: bool = False) -> Paint:
        """Return the paint of an object's area or, if `is_stroked` is true, of its outline."""
        read = PDFIUM.FPDFPageObj_GetStrokeColor if is_stroked else PDFIUM.FPDFPageObj_GetFillColor
        if not read(item, *self._colour_buffer.pointers):
            return Paint(None, 1.0)
        red, green, blue, alpha = self._colour_buffer.copy_numbers()
        return Paint((red, green, blue), alpha / 255)

    def is_filled(self, path: PdfiumHandle) -> bool:
        """Return whether the path is filled, and not only drawn as a line."""
        PDFIUM.FPDFPath_GetDrawMode(path, *self._modes_buffer.pointers)
        return bool(self._modes_buffer.copy_numbers()[0] != raw.FPDF_FILLMODE_NONE)

    def read_clip_box(self, item: PdfiumHandle) -> Bounds | None:
        """Return the box outside which an object is not painted, or None if there is no such box."""
        clip = PDFIUM.FPDFPageObj_GetClipPath(item)
        count = PDFIUM.FPDFClipPath_CountPaths(clip)
        if count < 1:
            return None
        # Objects share the paths that clip them; the addresses of the first corners identify these paths.
        key = tuple(PDFIUM.FPDFClipPath_GetPathSegment(clip, at, 0).value for at in range(count))
        if key not in self._clips:
            self._clips[key] = self._read_clip_bounds(clip, count)
        return self._clips[key]

    def _read_clip_bounds(self, clip: PdfiumHandle, path_count: int) -> Bounds | None:
        bounds: Bounds | None = None
        for at in range(path_count):
            point_count = min(PDFIUM.FPDFClipPath_CountPathSegments(clip, at), _MAX_SEGMENTS)
            segments = (PDFIUM.FPDFClipPath_GetPathSegment(clip, at, corner) for corner in range(point_count))
            points = list(map(self._read_point, segments))
            if points and point_count < _MAX_SEGMENTS:
                xs, ys = zip(*points, strict=True)
                bounds = clip_box(bounds or UNBOUNDED, (min(xs), min(ys), max(xs), max(ys)))
        return bounds

    def _read_point(self, segment: PdfiumHandle) -> tuple[float, float]:
        PDFIUM.FPDFPathSegment_GetPoint(segment, *self._point_buffer.pointers)
        x, y = self._point_buffer.copy_numbers()
        return x, y
