"""Read the text of a page as runs; a run is text that is painted at once, with its place and type."""

import math
import re
from collections import Counter
from ctypes import c_double, c_float, c_ushort, create_string_buffer, string_at
from itertools import groupby, repeat, starmap
from typing import Final, NamedTuple

from pypdfium2 import raw

from planner.papers.pdf.pdfium import PDFIUM, NumberBuffer, PdfiumHandle

# Unicode ligatures, and control characters for ligatures in fonts without a Unicode map (TeX's T1 and OT1 encodings).
_LIGATURES: Final = {
    **{chr(0xFB00 + at): letters for at, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))},
    **{chr(0x1B + at): letters for at, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl"))},
    "\x0b": "ff",
    "\x0c": "fi",
    "\x0e": "ffi",
    "\x0f": "ffl",
}
LINE_END_HYPHEN: Final = "\x02"  # pdfium's character for a hyphen at the end of a line
_CONTROLS: Final = {chr(code): None for code in range(32) if chr(code) != LINE_END_HYPHEN}
_SPACES_AND_HYPHENS: Final = dict.fromkeys("\t\r\n\xa0", " ") | dict.fromkeys("\xad\ufffe", LINE_END_HYPHEN)
_TRANSLATION: Final = str.maketrans(_CONTROLS | _LIGATURES | _SPACES_AND_HYPHENS)
_MAX_CHARACTERS: Final = 100_000
_MAX_COORDINATE: Final = 1e6  # points; a comparison with it is False for NaN, too
_LOOSE_WIDTH: Final = 0.53  # of the type size per character; more than prose takes on average
CELL_GAP: Final = 0.95  # of the type size; wider than the spaces of justified prose
_SPACED_LETTERS: Final = re.compile(r"(?:[\dA-Z.]{1,6} )?(?:(?:[A-Z] ){4,}[A-Z]|(?:[^\W\d_] ){7,}[^\W\d_])")
_INNER_SPACE: Final = re.compile(r"(?<=\S) +(?=\S)")
_ITALIC_NAMES: Final = (
    *("ital", "obli", "slant", "cmti", "cmsl", "cmbxti", "sfti", "sfsl", "ptmri", "libertineti", "-it"),
)
_BOLD_NAMES: Final = ("bold", "black", "heavy", "medi", "cmbx", "cmb10", "sfbx", "-bd", "semib", "demi", "ecbx")


class TextRun(NamedTuple):
    """A piece of text in one type size on one baseline; `space_before` is true if a space comes before the text.

    Coordinates are in points on the upright page, and y grows upwards. `is_rotated` is true if the text does not run in
    the main direction of the page. `text_object` is the address of the PDF's text object.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    italic: bool
    space_before: bool
    is_rotated: bool
    text_object: int


class PlacedRun(NamedTuple):
    """A run in the coordinates of the page before the page is turned upright; `quarter_turns` counts quarter turns."""

    run: TextRun
    end_y: float
    quarter_turns: int

    @property
    def has_usable_place(self) -> bool:
        """True if the coordinates and the size are usable; a damaged file may have any numbers."""
        run = self.run
        return abs(run.x0) + abs(run.x1) + abs(run.y) + abs(self.end_y) + abs(run.size) < _MAX_COORDINATE


class RunReader:
    """A reader of the text of a page; `text_page` is pdfium's handle of that text.

    `is_complete` is False if the page has over 100,000 characters; the other characters are not read.
    """

    def __init__(self, text_page: raw.FPDF_TEXTPAGE) -> None:
        self._text = text_page
        count = max(0, raw.FPDFText_CountChars(text_page))
        self.is_complete = count <= _MAX_CHARACTERS
        self._character_count = min(count, _MAX_CHARACTERS)
        self._buffer = (c_ushort * (2 * self._character_count + 1))()
        self._fonts: dict[int | None, tuple[bool, bool]] = {}
        self._extents = NumberBuffer(c_double, 6)
        self._origin, self._box = self._extents.pointers[:2], self._extents.pointers[2:]
        self._matrix = NumberBuffer(c_float, 6)

    def read_runs(self) -> list[PlacedRun]:
        """Return the runs of the page in the order in which they are painted."""
        characters = zip(repeat(self._text), range(self._character_count))
        text_objects = starmap(PDFIUM.FPDFText_GetTextObject, characters)  # `map` would take a third longer
        page_text = self._read_text(0, self._character_count)
        # A character may stand for no letter or for two: then indices in the text are not those of characters.
        is_aligned = len(page_text) == self._character_count
        runs: list[PlacedRun] = []
        at, space = 0, False
        for text_object, group in groupby(text_objects):
            length = len(list(group))
            start, at = at, at + length
            if text_object is None:  # a space that pdfium itself puts between words or lines
                space = True
                continue
            text = page_text[start:at] if is_aligned else self._read_text(start, length)
            text = text.translate(_TRANSLATION)
            if text.strip():
                run = self._build_run(start, length, text, text_object, space)
                runs.extend(self._split_cells(start, length, text, run))
                space = text.endswith(" ")
            else:
                space = space or bool(text)
        return runs

    def _read_text(self, start: int, length: int) -> str:
        written = PDFIUM.FPDFText_GetText(self._text, start, length, self._buffer)
        return string_at(self._buffer, 2 * max(0, written - 1)).decode("utf-16-le", "replace")

    def _build_run(self, index: int, length: int, text: str, text_object: int, space_before: bool) -> PlacedRun:
        """Return the run of `length` characters from character `index` on; `text_object` paints them."""
        first = index + len(text) - len(text.lstrip())
        last = max(first, index + length - 1 - (len(text) - len(text.rstrip())))
        PDFIUM.FPDFText_GetMatrix(self._text, first, self._matrix.pointers[0])
        a, b, c, d, _, _ = self._matrix.copy_numbers()
        x, y, left, right, bottom, top = self._read_extent(first, last)
        direction = _find_direction(a, b)
        end_x, end_y = ((right, y), (x, top), (left, y), (x, bottom))[direction]
        size = PDFIUM.FPDFText_GetFontSize(self._text, first) * math.hypot(c, d)
        bold, italic = self._read_font_style(text_object)
        space_before = space_before or text.startswith(" ")
        run = TextRun(text.strip(), x, end_x, y, abs(size), bold, italic, space_before, False, text_object)
        return PlacedRun(run, end_y, direction)

    def _split_cells(self, index: int, length: int, text: str, placed_run: PlacedRun) -> list[PlacedRun]:
        """Return the run, or its parts if it holds several cells of a table or spaced letters."""
        run = placed_run.run
        has_spaced_letters = run.text[-2:-1] == " " and is_letter_spaced(run.text)
        is_loose = has_spaced_letters or run.x1 - run.x0 > _LOOSE_WIDTH * len(run.text) * run.size
        if placed_run.quarter_turns or not is_loose or len(text) != length:
            return [placed_run]
        starts = [0]
        for space in (match.start() for match in _INNER_SPACE.finditer(text)):
            next_start = space + len(text[space:]) - len(text[space:].lstrip())
            next_x, _, _, right, _, _ = self._read_extent(index + next_start, index + space - 1)
            if has_spaced_letters or next_x - right > CELL_GAP * run.size:
                starts.append(next_start)
        if len(starts) == 1:
            return [placed_run]
        ends = [*starts[1:], length]
        return [
            self._build_run(index + start, end - start, text[start:end], run.text_object, run.space_before or start > 0)
            for start, end in zip(starts, ends, strict=True)
        ]

    def _read_extent(self, first: int, last: int) -> list[float]:
        """Return x and y where character `first` begins, and left, right, bottom and top of character `last`."""
        PDFIUM.FPDFText_GetCharOrigin(self._text, first, *self._origin)
        PDFIUM.FPDFText_GetCharBox(self._text, last, *self._box)
        return self._extents.copy_numbers()

    def _read_font_style(self, text_object: int) -> tuple[bool, bool]:
        """Return (bold, italic) for the font of a text object, according to the font's name."""
        font = PDFIUM.FPDFTextObj_GetFont(PdfiumHandle(text_object))
        key = font.value
        if key not in self._fonts:
            buffer = create_string_buffer(128)
            PDFIUM.FPDFFont_GetBaseFontName(font, buffer, 128)
            name = buffer.value.decode("latin-1").lower()
            self._fonts[key] = any(part in name for part in _BOLD_NAMES), any(part in name for part in _ITALIC_NAMES)
        return self._fonts[key]


def is_letter_spaced(text: str) -> bool:
    """Return whether a text is a heading in spaced letters, such as "1 I N T R O"."""
    return text[-4:-3] == " " and bool(_SPACED_LETTERS.fullmatch(text))


def rotate_page_upright(placed_runs: list[PlacedRun]) -> list[TextRun]:
    """Turn the page until most of its text is upright, and return the runs in their new places."""
    if not any(placed.quarter_turns for placed in placed_runs):
        return [placed.run for placed in placed_runs]
    lengths: Counter[int] = Counter()
    for placed in placed_runs:
        lengths[placed.quarter_turns] += len(placed.run.text)
    main_direction = lengths.most_common(1)[0][0]
    return [_rotate_run(placed, main_direction) for placed in placed_runs]


def _find_direction(a: float, b: float) -> int:
    if abs(a) >= abs(b):
        return 0 if a >= 0 else 2
    return 1 if b > 0 else 3


def _rotate_run(placed_run: PlacedRun, main_direction: int) -> TextRun:
    run = placed_run.run
    if placed_run.quarter_turns == main_direction == 0:
        return run
    x0, y0 = _rotate_point(run.x0, run.y, main_direction)
    x1, y1 = _rotate_point(run.x1, placed_run.end_y, main_direction)
    if placed_run.quarter_turns == main_direction:
        return run._replace(x0=x0, x1=x1, y=y0)
    return run._replace(x0=min(x0, x1), x1=max(x0, x1), y=min(y0, y1), is_rotated=True)


def _rotate_point(x: float, y: float, quarter_turns: int) -> tuple[float, float]:
    return ((x, y), (y, -x), (-x, -y), (-y, x))[quarter_turns]
