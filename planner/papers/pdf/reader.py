"""Reads a PDF into a paper's title, abstract and sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pypdfium2
from pypdfium2 import raw

from planner.errors import PaperError
from planner.papers.paper import Reading
from planner.papers.pdf.abstracting import find_abstract
from planner.papers.pdf.canvas import Canvas
from planner.papers.pdf.floats import parts_of, setting_of
from planner.papers.pdf.furniture import without_furniture, without_line_numbers
from planner.papers.pdf.headlines import find_headlines
from planner.papers.pdf.hidden import Box, quoted, seen
from planner.papers.pdf.hyphens import Vocabulary
from planner.papers.pdf.layout import lines_of
from planner.papers.pdf.lines import Line
from planner.papers.pdf.opening import opened
from planner.papers.pdf.outline import OutlineItem, outline_of
from planner.papers.pdf.runs import TextPage, upright
from planner.papers.pdf.sectioning import sections_of
from planner.papers.pdf.titling import find_title

MAX_PAGES: Final = 500
_LEAST_LETTERS: Final = 200


@dataclass(frozen=True, slots=True)
class PageText:
    """The lines of one page, its height in points, and what was noticed on it."""

    lines: list[Line]
    height: float
    left_out: str = ""
    is_ocr: bool = False
    whole: bool = True


def read_pdf(data: bytes, name: str) -> Reading:
    """What a PDF says, with every doubt as a warning; `name` stands in messages.

    Raises PaperError when the bytes are no PDF, are damaged or encrypted, or hold no text. Untrusted files should
    be read in a process of their own: pdfium is native code, without limits of time and memory.
    """
    with opened(data, name) as document:
        count = len(document)
        pages = [_read_page(document, index) for index in range(min(count, MAX_PAGES))]
        outline = outline_of(document)
        declared = document.get_metadata_value("Title")
    _require_text(pages, name)
    warnings = _page_warnings(pages, count)
    return _understood(pages, outline, declared, warnings)


def _read_page(document: pypdfium2.PdfDocument, index: int) -> PageText:
    page = raw.FPDF_LoadPage(document, index)
    if not page:
        return PageText([], 0.0, whole=False)
    try:
        with TextPage(page) as text:
            placed = text.placed()
            if not placed:
                return PageText([], raw.FPDF_GetPageHeightF(page))
            canvas, box = Canvas(page), _box(page)
            sight = seen(placed, canvas, box)
    finally:
        raw.FPDF_ClosePage(page)
    runs = without_line_numbers(upright(sight.visible))
    width = box.right - box.left
    return PageText(lines_of(index + 1, runs, width), box.top - box.bottom, sight.left_out, sight.is_ocr, canvas.whole)


def _box(page: raw.FPDF_PAGE) -> Box:
    rectangle = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, rectangle)
    return Box(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)


def _require_text(pages: Sequence[PageText], name: str) -> None:
    letters = sum(len(line.text) for page in pages for line in page.lines)
    if letters == 0:
        raise PaperError(
            f"{name}: no text in {len(pages)} pages; if these are scans, run OCR over them (for example ocrmypdf)"
        )


def _page_warnings(pages: Sequence[PageText], count: int) -> list[str]:
    found = [
        f"hidden text on page {at} left out: {quoted(page.left_out)}"
        for at, page in enumerate(pages, 1)
        if page.left_out
    ]
    scans = [str(at) for at, page in enumerate(pages, 1) if page.is_ocr]
    if scans:
        found.append(f"the text of page {', '.join(scans)} is the OCR layer of a scan and may be misread")
    partly = [str(at) for at, page in enumerate(pages, 1) if not page.whole]
    if partly:
        found.append(f"page {', '.join(partly)} could be read only in part")
    if count > len(pages):
        found.append(f"only the first {len(pages)} of {count} pages were read")
    return found


def _understood(
    pages: Sequence[PageText], outline: Sequence[OutlineItem], declared: str, warnings: list[str]
) -> Reading:
    cleaned = without_furniture([page.lines for page in pages], [page.height for page in pages])
    lines = [line for page in cleaned for line in page]
    words = Vocabulary(line.text for line in lines)
    title, title_lines = find_title([line for line in lines if line.page == 1], declared, words)
    setting = setting_of(lines)
    headlines, missing = find_headlines(lines, outline, setting.size, words)
    headlines = [one for one in headlines if lines[one.at] not in title_lines]
    walls = [at for one in headlines for at in range(one.at, one.at + one.lines)]
    parts = parts_of(lines, walls, setting)
    sections = sections_of(lines, headlines, parts, setting, words)
    abstract = find_abstract(sections)
    if missing:
        warnings.append(f"the outline's headings {', '.join(repr(item.title) for item in missing)} were not found")
    if not title:
        warnings.append("no title was found on the first page")
    if not abstract:
        warnings.append("no abstract was found")
    return Reading(title, abstract, sections, warnings=tuple(warnings))
