"""The functions of pdfium that a page takes thousands of times, bound without what slows pypdfium2's own.

Those check and convert every argument and let other threads run, which takes three times as long as the functions do.
These take arguments as they stand: for a pointer a `Handle`, a handle of pypdfium2 or places in `Numbers`, else an int
of 32 bits. Nothing keeps a wrong argument from ending the process.
"""

from collections.abc import Callable
from ctypes import PYFUNCTYPE, byref, c_double, c_float, c_int, c_uint, c_void_p, cast, sizeof
from typing import Any, Final

from pypdfium2 import raw


class Handle(c_void_p):
    """What pdfium knows a thing by; `value` is its address, None for nothing."""


class Numbers:
    """Numbers that a function writes: `places` are its arguments, one for each number."""

    def __init__(self, kind: type[c_double] | type[c_float] | type[c_uint] | type[c_int], count: int) -> None:
        self._numbers: Any = (kind * count)()
        self.places = tuple(byref(self._numbers, at * sizeof(kind)) for at in range(count))

    def written(self) -> list[Any]:
        """What was written last."""
        numbers: list[Any] = self._numbers[:]
        return numbers


def _bound(function: Any, result: Any) -> Callable[..., Any]:
    bound: Callable[..., Any] = cast(function, PYFUNCTYPE(result))
    return bound


# Of a character, by text page and index. The painter is an address.
painter_of: Final = _bound(raw.FPDFText_GetTextObject, c_void_p)
matrix_at: Final = _bound(raw.FPDFText_GetMatrix, c_int)
origin_at: Final = _bound(raw.FPDFText_GetCharOrigin, c_int)
box_at: Final = _bound(raw.FPDFText_GetCharBox, c_int)
size_at: Final = _bound(raw.FPDFText_GetFontSize, c_double)
text_from: Final = _bound(raw.FPDFText_GetText, c_int)

# Of an object.
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

# Of a path or a clip. A clip of no paths counts -1.
draw_mode_of: Final = _bound(raw.FPDFPath_GetDrawMode, c_int)
corners_of: Final = _bound(raw.FPDFPath_CountSegments, c_int)
corner_of: Final = _bound(raw.FPDFPath_GetPathSegment, Handle)
corner_kind: Final = _bound(raw.FPDFPathSegment_GetType, c_int)
corner_place: Final = _bound(raw.FPDFPathSegment_GetPoint, c_int)
clip_of: Final = _bound(raw.FPDFPageObj_GetClipPath, Handle)
clip_paths: Final = _bound(raw.FPDFClipPath_CountPaths, c_int)
clip_corners: Final = _bound(raw.FPDFClipPath_CountPathSegments, c_int)
clip_corner: Final = _bound(raw.FPDFClipPath_GetPathSegment, Handle)
