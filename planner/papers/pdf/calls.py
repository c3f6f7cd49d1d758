"""The pdfium functions that run thousands of times for each page, bound without the overhead of pypdfium2's bindings.

Those check and convert every argument and let other threads run, which takes three times as long as the call itself.
These take each argument as it is: for a pointer a handle (of this module or of pypdfium2) or a pointer into a number
buffer, else an int of 32 bits. A wrong argument can crash the process.
"""

from collections.abc import Callable
from ctypes import PYFUNCTYPE, byref, c_double, c_float, c_int, c_uint, c_void_p, cast, sizeof
from typing import Any, Final

from pypdfium2 import raw


class Handle(c_void_p):
    """A pointer to an object of pdfium; `value` is its address, or None for a null pointer."""


class Numbers:
    """A buffer of numbers that a pdfium function writes, with a pointer for each number to pass as an argument."""

    def __init__(self, kind: type[c_double] | type[c_float] | type[c_uint] | type[c_int], count: int) -> None:
        self._numbers: Any = (kind * count)()
        self.places = tuple(byref(self._numbers, at * sizeof(kind)) for at in range(count))

    def written(self) -> list[Any]:
        """Return the numbers that were last written."""
        numbers: list[Any] = self._numbers[:]
        return numbers


def _bound(function: Any, result: Any) -> Callable[..., Any]:
    bound: Callable[..., Any] = cast(function, PYFUNCTYPE(result))
    return bound


# Functions of a character, given its text page and index. The first returns the address of a text object.
painter_of: Final = _bound(raw.FPDFText_GetTextObject, c_void_p)
matrix_at: Final = _bound(raw.FPDFText_GetMatrix, c_int)
origin_at: Final = _bound(raw.FPDFText_GetCharOrigin, c_int)
box_at: Final = _bound(raw.FPDFText_GetCharBox, c_int)
size_at: Final = _bound(raw.FPDFText_GetFontSize, c_double)
text_from: Final = _bound(raw.FPDFText_GetText, c_int)

# Functions of a page object.
page_object: Final = _bound(raw.FPDFPage_GetObject, Handle)
form_object: Final = _bound(raw.FPDFFormObj_GetObject, Handle)
form_objects: Final = _bound(raw.FPDFFormObj_CountObjects, c_int)
kind_of: Final = _bound(raw.FPDFPageObj_GetType, c_int)
matrix_of: Final = _bound(raw.FPDFPageObj_GetMatrix, c_int)
bounds_of: Final = _bound(raw.FPDFPageObj_GetBounds, c_int)
fill_of: Final = _bound(raw.FPDFPageObj_GetFillColor, c_int)
stroke_of: Final = _bound(raw.FPDFPageObj_GetStrokeColor, c_int)
is_transparent: Final = _bound(raw.FPDFPageObj_HasTransparency, c_int)
render_mode_of: Final = _bound(raw.FPDFTextObj_GetTextRenderMode, c_int)
font_of: Final = _bound(raw.FPDFTextObj_GetFont, Handle)
font_name: Final = _bound(raw.FPDFFont_GetBaseFontName, c_int)

# Functions of a path or a clip. A clip without paths has a path count of -1.
draw_mode_of: Final = _bound(raw.FPDFPath_GetDrawMode, c_int)
corners_of: Final = _bound(raw.FPDFPath_CountSegments, c_int)
corner_of: Final = _bound(raw.FPDFPath_GetPathSegment, Handle)
corner_kind: Final = _bound(raw.FPDFPathSegment_GetType, c_int)
corner_place: Final = _bound(raw.FPDFPathSegment_GetPoint, c_int)
clip_of: Final = _bound(raw.FPDFPageObj_GetClipPath, Handle)
clip_paths: Final = _bound(raw.FPDFClipPath_CountPaths, c_int)
clip_corners: Final = _bound(raw.FPDFClipPath_CountPathSegments, c_int)
clip_corner: Final = _bound(raw.FPDFClipPath_GetPathSegment, Handle)
