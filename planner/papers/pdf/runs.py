"""Read the text of a page as runs: characters that one text object paints, with their place and type."""

import math
import re
from collections import Counter
from ctypes import c_double, c_float, c_ushort, create_string_buffer, string_at
from itertools import groupby, repeat, starmap
from typing import Final, NamedTuple

from pypdfium2 import raw

from planner.papers.pdf import calls
from planner.papers.pdf.calls import Handle, Numbers

# Unicode ligatures, and control characters for ligatures in fonts without a Unicode map (TeX's T1 and OT1 encodings).
_LIGATURES: Final = {
    **{chr(0xFB00 + at): letters for at, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))},
    **{chr(0x1B + at): letters for at, letters in enumerate(("ff", "fi", "fl", "ffi", "ffl"))},
    "\x0b": "ff",
    "\x0c": "fi",
    "\x0e": "ffi",
    "\x0f": "ffl",
}
HYPHEN: Final = "\x02"  # pdfium's character for a hyphen at the end of a line
_CONTROLS: Final = {chr(code): None for code in range(32) if chr(code) != HYPHEN}
_TRANSLATION: Final = str.maketrans(
    {**_CONTROLS, **_LIGATURES, "\t": " ", "\r": " ", "\n": " ", "\xa0": " ", "\xad": HYPHEN, "\ufffe": HYPHEN}
)
_MAX_CHARACTERS: Final = 100_000
_LOOSE: Final = 0.53  # of the type size per character; more than prose takes on average
_CELL_GAP: Final = 0.95
_GAP: Final = re.compile(r"(?<=\S) +(?=\S)")
_ITALIC: Final = ("ital", "obli", "slant", "cmti", "cmsl", "cmbxti", "sfti", "sfsl", "ptmri", "libertineti", "-it")
_BOLD: Final = ("bold", "black", "heavy", "medi", "cmbx", "cmb10", "sfbx", "-bd", "semib", "demi", "ecbx")


class Run(NamedTuple):
    """A stretch of text of one type size on one baseline, with a flag for a space before it.

    Coordinates are in points, y upwards, with the page turned for reading. Turned text does not run in the page's main
    direction. The last field is the address of the text object that paints the run.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    italic: bool
    space: bool
    turned: bool
    painter: int


class Placed(NamedTuple):
    """A run in the page's own coordinates, not yet turned for reading; `direction` counts quarter turns."""

    run: Run
    end_y: float
    direction: int


class TextPage:
    """The text of one pdfium page, as a context manager that frees it.

    It is whole unless the page has more characters than any page of a paper: then the rest are skipped.
    """

    def __init__(self, page: raw.FPDF_PAGE) -> None:
        self._text = raw.FPDFText_LoadPage(page)
        count = max(0, raw.FPDFText_CountChars(self._text))
        self.whole = count <= _MAX_CHARACTERS
        self._count = min(count, _MAX_CHARACTERS)
        self._buffer = (c_ushort * (2 * self._count + 1))()
        self._fonts: dict[int | None, tuple[bool, bool]] = {}
        self._extents = Numbers(c_double, 6)
        self._origin, self._box = self._extents.places[:2], self._extents.places[2:]
        self._matrix = Numbers(c_float, 6)

    def __enter__(self) -> "TextPage":
        return self

    def __exit__(self, *_: object) -> None:
        raw.FPDFText_ClosePage(self._text)

    def placed(self) -> list[Placed]:
        """Return every run that has text, in painting order."""
        characters = zip(repeat(self._text), range(self._count))
        painters = starmap(calls.painter_of, characters)  # `map` would take a third longer
        page = self._read(0, self._count)
        found: list[Placed] = []
        at, space = 0, False
        for painter, group in groupby(painters):
            length = len(list(group))
            if painter is None:  # a space that pdfium itself puts between words or lines
                space = True
            else:
                # A character may stand for no letter or for two: then indices in the text are not those of characters.
                text = page[at : at + length] if len(page) == self._count else self._read(at, length)
                text = text.translate(_TRANSLATION)
                if text.strip():
                    found.extend(self._apart(at, length, text, self._place(at, length, text, painter, space)))
                    space = text.endswith(" ")
                else:
                    space = space or bool(text)
            at += length
        return found

    def _read(self, start: int, length: int) -> str:
        written = calls.text_from(self._text, start, length, self._buffer)
        return string_at(self._buffer, 2 * max(0, written - 1)).decode("utf-16-le", "replace")

    def _place(self, at: int, length: int, text: str, painter: int, space: bool) -> Placed:
        """Return the run of `length` characters from an index on, which the given text object paints."""
        first = at + len(text) - len(text.lstrip())
        last = max(first, at + length - 1 - (len(text) - len(text.rstrip())))
        calls.matrix_at(self._text, first, self._matrix.places[0])
        a, b, c, d, _, _ = self._matrix.written()
        x, y, left, right, bottom, top = self._extent(first, last)
        direction = _direction(a, b)
        end_x, end_y = ((right, y), (x, top), (left, y), (x, bottom))[direction]
        size = calls.size_at(self._text, first) * math.hypot(c, d)
        bold, italic = self._face(painter)
        space = space or text.startswith(" ")
        run = Run(text.strip(), x, end_x, y, abs(size), bold, italic, space, False, painter)
        return Placed(run, end_y, direction)

    def _apart(self, at: int, length: int, text: str, whole: Placed) -> list[Placed]:
        """Return the run, or its parts if one text object paints several table cells with wide gaps between them."""
        run = whole.run
        loose = run.x1 - run.x0 > _LOOSE * len(run.text) * run.size
        if whole.direction or not loose or len(text) != length:
            return [whole]
        starts = [0]
        for space in (found.start() for found in _GAP.finditer(text)):
            resumed = space + len(text[space:]) - len(text[space:].lstrip())
            if self._gap(at + space - 1, at + resumed) > _CELL_GAP * run.size:
                starts.append(resumed)
        if len(starts) == 1:
            return [whole]
        ends = [*starts[1:], length]
        return [
            self._place(at + start, end - start, text[start:end], run.painter, run.space or start > 0)
            for start, end in zip(starts, ends, strict=True)
        ]

    def _gap(self, before: int, after: int) -> float:
        """Return the distance in points between two characters."""
        x, _, _, right, _, _ = self._extent(after, before)
        return x - right

    def _extent(self, first: int, last: int) -> list[float]:
        """Return x and y of the first character on its baseline, and left, right, bottom and top of the last one."""
        calls.origin_at(self._text, first, *self._origin)
        calls.box_at(self._text, last, *self._box)
        return self._extents.written()

    def _face(self, painter: int) -> tuple[bool, bool]:
        """Return whether the text object's font is bold and whether it is italic, by its name."""
        font = calls.font_of(Handle(painter))
        key = font.value
        if key not in self._fonts:
            name = create_string_buffer(128)
            calls.font_name(font, name, 128)
            plain = name.value.decode("latin-1").lower()
            self._fonts[key] = any(sign in plain for sign in _BOLD), any(sign in plain for sign in _ITALIC)
        return self._fonts[key]


def upright(placed: list[Placed]) -> list[Run]:
    """Return the runs in the coordinates of the page turned so that most of its text is upright."""
    if not any(item.direction for item in placed):
        return [item.run for item in placed]
    weights: Counter[int] = Counter()
    for item in placed:
        weights[item.direction] += len(item.run.text)
    main = weights.most_common(1)[0][0] if weights else 0
    return [_turned(item, main) for item in placed]


def _direction(a: float, b: float) -> int:
    if abs(a) >= abs(b):
        return 0 if a >= 0 else 2
    return 1 if b > 0 else 3


def _turned(item: Placed, main: int) -> Run:
    run = item.run
    if item.direction == main == 0:
        return run
    x0, y0 = _rotate(run.x0, run.y, main)
    x1, y1 = _rotate(run.x1, item.end_y, main)
    if item.direction == main:
        return run._replace(x0=x0, x1=x1, y=y0)
    return run._replace(x0=min(x0, x1), x1=max(x0, x1), y=min(y0, y1), turned=True)


def _rotate(x: float, y: float, quarter_turns: int) -> tuple[float, float]:
    return ((x, y), (y, -x), (-x, -y), (-y, x))[quarter_turns]
