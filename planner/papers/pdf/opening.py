"""Open a PDF, or explain in plain words why the file cannot be opened."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pypdfium2
from pypdfium2 import raw

from planner.errors import PaperError

# Some bytes may come before the header; PDF readers search the first kilobyte for it.
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
    """Yield the document of a PDF's bytes, and close it at the end of the block; error messages begin with `name`.

    Raises:
        PaperError: if the bytes are no PDF, are cut off or damaged, have no pages or need a password.
    """
    _require_header(data, name)
    # Opened without pypdfium2, which reports an earlier, unrelated error for a document without pages.
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
        raise PaperError(f"{name}: this is HTML or XML, not a PDF; get the PDF itself, or rename it to end in .html")
    other = next((what for magic, what in _OTHER_FORMATS if start.startswith(magic)), None)
    if other:
        raise PaperError(f"{name}: this is {other}, not a PDF; rename the file with the ending of its format")
    raise PaperError(f"{name}: not a PDF: it starts with {start[:8]!r} instead of '%PDF-'; download it again")


def _refusal(data: bytes, code: int) -> str:
    """Return why a file that begins like a PDF could not be opened, and a remedy."""
    if code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return "the PDF is encrypted and needs a password; save a copy without one"
    if b"%%EOF" not in data[-2 * _HEADER_WITHIN :]:
        return f"the PDF is cut off: no end mark after {len(data)} bytes; download it again"
    return "the PDF is damaged and could not be opened; download it again or repair it"
