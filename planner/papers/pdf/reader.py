"""Read a PDF into a paper's title, abstract and sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pypdfium2
from pypdfium2 import raw

from planner.errors import PaperError
from planner.papers.headings import section_kind
from planner.papers.paper import Reading, SectionKind
from planner.papers.pdf.abstracting import find_abstract
from planner.papers.pdf.canvas import Canvas
from planner.papers.pdf.floats import parts_of
from planner.papers.pdf.furniture import without_furniture, without_line_numbers
from planner.papers.pdf.headlines import find_headlines
from planner.papers.pdf.hidden import Box, Sight, quoted, seen
from planner.papers.pdf.hyphens import Vocabulary
from planner.papers.pdf.layout import lines_of
from planner.papers.pdf.lines import Line
from planner.papers.pdf.opening import opened
from planner.papers.pdf.outline import OutlineItem, outline_of
from planner.papers.pdf.runs import Run, TextPage, upright
from planner.papers.pdf.sectioning import sections_of
from planner.papers.pdf.setting import setting_of
from planner.papers.pdf.titling import find_title

MAX_PAGES: Final = 500


@dataclass(frozen=True, slots=True)
class PageRuns:
    """The visible runs of a page, its hidden text, and flags for the OCR layer of a scan and for a fully read page."""

    runs: list[Run]
    left_out: str = ""
    is_ocr: bool = False
    whole: bool = True


def read_pdf(data: bytes, name: str) -> Reading:
    """Return the paper that a PDF holds, with a warning for each doubt; error messages begin with `name`.

    Read untrusted files in a separate process: pdfium is native code without limits of time and memory.

    Raises:
        PaperError: if the bytes are no PDF, are damaged or encrypted, or hold no text.
    """
    with opened(data, name) as document:
        count = len(document)
        pages = [_read_page(document, index) for index in range(min(count, MAX_PAGES))]
        outline = outline_of(document)
        declared = document.get_metadata_value("Title")
    _require_text(pages, name)
    return _understood(pages, outline, declared, _page_warnings(pages, count))


def _read_page(document: pypdfium2.PdfDocument, index: int) -> PageRuns:
    page = raw.FPDF_LoadPage(document, index)
    if not page:
        return PageRuns([], whole=False)
    try:
        box = _box(page)
        with TextPage(page) as text:
            placed = text.placed()
            whole = text.whole
        canvas = Canvas(page) if placed else None
        sight = seen(placed, canvas, box) if canvas else Sight([], "", False)
    finally:
        raw.FPDF_ClosePage(page)
    whole = whole and (canvas is None or canvas.whole)
    return PageRuns(upright(sight.visible), sight.left_out, sight.is_ocr, whole)


def _box(page: raw.FPDF_PAGE) -> Box:
    rectangle = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, rectangle)
    return Box(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)


def _require_text(pages: Sequence[PageRuns], name: str) -> None:
    if any(page.runs for page in pages):
        return
    if any(page.left_out for page in pages):
        raise PaperError(f"{name}: all text on its {len(pages)} pages is hidden from readers; download another copy")
    raise PaperError(
        f"{name}: no text in {len(pages)} pages; if these are scans, run OCR over them (for example ocrmypdf)"
    )


def _page_warnings(pages: Sequence[PageRuns], count: int) -> list[str]:
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


def _lines(pages: Sequence[PageRuns]) -> list[Line]:
    """Return the paper's lines in reading order, without page furniture."""
    runs = without_line_numbers([page.runs for page in pages])
    laid_out = [lines_of(number, page) for number, page in enumerate(runs, 1)]
    return [line for page in without_furniture(laid_out) for line in page]


def _understood(
    pages: Sequence[PageRuns], outline: Sequence[OutlineItem], declared: str, warnings: Sequence[str]
) -> Reading:
    lines = _lines(pages)
    words = Vocabulary(line.text for line in lines)
    title, title_lines = find_title([line for line in lines if line.page == 1], declared, words)
    setting = setting_of(lines)
    headlines, missing = find_headlines(lines, outline, setting.size, words)
    headlines = [one for one in headlines if lines[one.at] not in title_lines]
    walls = [at for one in headlines for at in range(one.at, one.at + one.lines)]
    parts = parts_of(lines, walls, setting)
    sections = sections_of(lines, headlines, parts, setting, words)
    abstract = find_abstract(lines, headlines, parts, setting, words)
    doubts = _doubts(title, abstract, missing)
    return Reading(title, abstract, sections, warnings=(*warnings, *doubts))


def _doubts(title: str, abstract: str, missing: Sequence[OutlineItem]) -> list[str]:
    """Return a warning for each thing that was not found in the paper."""
    found = []
    unseen = [item.title for item in missing if not (abstract and section_kind(item.title) is SectionKind.ABSTRACT)]
    if unseen:
        found.append(f"these headings of the PDF's outline were not found in the text: {', '.join(map(repr, unseen))}")
    if not title:
        found.append("no title was found on the first page")
    if not abstract:
        found.append("no abstract was found")
    return found
