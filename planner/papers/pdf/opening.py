"""Opens a PDF, or says what is wrong with the file in its user's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pypdfium2
from pypdfium2 import raw

from planner.errors import PaperError

# The specification lets some bytes stand before the header; readers look at the first kilobyte.
_HEADER_WITHIN: Final = 1024
_MARKUP: Final = re.compile(rb"^\s*<(?:!doctype|html|\?xml|head|body)", re.I)
_OTHER_FORMATS: Final = (
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%!PS", "PostScript"),
    (b"\xd0\xcf\x11\xe0", "an old Word document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\\documentclass", "LaTeX"),
)


@contextmanager
def opened(data: bytes, name: str) -> Iterator[pypdfium2.PdfDocument]:
    """The document of a PDF's bytes, closed at the end of the block.

    Raises PaperError, with `name` in it, when the bytes are no PDF, are cut off or damaged, or need a password.
    """
    _require_header(data, name)
    # Opened by hand: pypdfium2 reports a document without pages by whatever error came last.
    handle = raw.FPDF_LoadMemDocument64(data, len(data), None)
    if not handle:
        raise PaperError(f"{name}: {_refusal(data, raw.FPDF_GetLastError())}")
    document = pypdfium2.PdfDocument(handle)
    try:
        if len(document) < 1:
            raise PaperError(f"{name}: the PDF has no pages; download it again")
        yield document
    finally:
        document.close()


def _require_header(data: bytes, name: str) -> None:
    if not data.strip():
        raise PaperError(f"{name}: the file is empty; download it again")
    start = data[:_HEADER_WITHIN]
    if b"%PDF-" in start:
        return
    if _MARKUP.match(start.removeprefix(b"\xef\xbb\xbf")):
        raise PaperError(f"{name}: this is an HTML or XML page, not a PDF; download the PDF itself, or name it .html")
    other = next((what for magic, what in _OTHER_FORMATS if start.startswith(magic)), None)
    if other:
        raise PaperError(f"{name}: this is {other}, not a PDF; give it its own file name ending")
    raise PaperError(f"{name}: not a PDF: it starts with {start[:8]!r} where '%PDF-' was expected; get the file anew")


def _refusal(data: bytes, code: int) -> str:
    """What is wrong with a file that begins like a PDF and could not be opened."""
    if code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return "the PDF is encrypted and needs a password; save a copy without one"
    if b"%%EOF" not in data[-2 * _HEADER_WITHIN :]:
        return f"the PDF is cut off: no end mark after {len(data)} bytes; download it again"
    return "the PDF is damaged and could not be opened; download it again or repair it"
