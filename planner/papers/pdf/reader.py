"""Read a PDF into a paper's title, abstract and sections."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pypdfium2
from pypdfium2 import raw

from planner.errors import PaperError
from planner.papers.headings import classify_heading
from planner.papers.paper import Block, BlockKind, ParsedPaper, Section, SectionKind
from planner.papers.pdf.floats import LineKind, classify_lines
from planner.papers.pdf.front_matter import find_abstract, find_title
from planner.papers.pdf.furniture import remove_line_numbers, remove_page_furniture
from planner.papers.pdf.headings import find_headings
from planner.papers.pdf.layout import arrange_lines
from planner.papers.pdf.lines import BodyStyle, Line, measure_body_style
from planner.papers.pdf.outline import OutlineItem, PrintedHeading, find_section_spans, read_outline
from planner.papers.pdf.paragraphs import Vocabulary, build_blocks
from planner.papers.pdf.pdfium import open_pdf
from planner.papers.pdf.runs import TextPage, TextRun, rotate_upright
from planner.papers.pdf.visibility import PageBox, PageVisibility, PaintedObjects, quote_passage, separate_hidden_text

_LETTERED_TITLE: Final = re.compile(r"^(?:appendix\s+)?[A-Z](?:\.\d+)*[.:]?\s+\S", re.I)
_NUMBERED_TITLE: Final = re.compile(r"^\d")
_BACK_MATTER: Final = frozenset(
    {SectionKind.REFERENCES, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CHECKLIST, SectionKind.ABLATION}
)
_BODY_END: Final = frozenset(
    {SectionKind.CONCLUSION, SectionKind.REFERENCES, SectionKind.ACKNOWLEDGEMENTS, SectionKind.APPENDIX}
)
MAX_PAGES: Final = 500


@dataclass(frozen=True, slots=True)
class PageText:
    """The visible runs of a page, its hidden text, and flags for the OCR layer of a scan and for a fully read page."""

    runs: list[TextRun]
    hidden_text: str = ""
    is_ocr: bool = False
    is_complete: bool = True


def read_pdf(data: bytes, name: str) -> ParsedPaper:
    """Return the paper that a PDF holds, with a warning for each doubt; error messages begin with `name`.

    Read untrusted files in a separate process: pdfium is native code without limits of time and memory.

    Raises:
        PaperError: if the bytes are no PDF, are damaged or encrypted, or hold no text.
    """
    with open_pdf(data, name) as document:
        count = len(document)
        pages = [_read_page(document, index) for index in range(min(count, MAX_PAGES))]
        outline = read_outline(document)
        declared = document.get_metadata_value("Title")
    _require_text(pages, name)
    return _build_paper(pages, outline, declared, _list_page_warnings(pages, count))


def _read_page(document: pypdfium2.PdfDocument, index: int) -> PageText:
    page = raw.FPDF_LoadPage(document, index)
    if not page:
        return PageText([], is_complete=False)
    try:
        box = _read_page_box(page)
        with TextPage(page) as text:
            placed = text.read_runs()
            whole = text.is_complete
        canvas = PaintedObjects(page) if placed else None
        sight = separate_hidden_text(placed, canvas, box) if canvas else PageVisibility([], "", False)
    finally:
        raw.FPDF_ClosePage(page)
    whole = whole and (canvas is None or canvas.is_complete)
    return PageText(rotate_upright(sight.visible_runs), sight.hidden_text, sight.is_ocr, whole)


def _read_page_box(page: raw.FPDF_PAGE) -> PageBox:
    rectangle = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, rectangle)
    return PageBox(rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)


def _require_text(pages: Sequence[PageText], name: str) -> None:
    if any(page.runs for page in pages):
        return
    if any(page.hidden_text for page in pages):
        raise PaperError(f"{name}: all text on its {len(pages)} pages is hidden from readers; download another copy")
    raise PaperError(
        f"{name}: no text in {len(pages)} pages; if these are scans, run OCR over them (for example ocrmypdf)"
    )


def _list_page_warnings(pages: Sequence[PageText], page_count: int) -> list[str]:
    found = [
        f"hidden text on page {at} left out: {quote_passage(page.hidden_text)}"
        for at, page in enumerate(pages, 1)
        if page.hidden_text
    ]
    scans = [str(at) for at, page in enumerate(pages, 1) if page.is_ocr]
    if scans:
        found.append(f"the text of page {', '.join(scans)} is the OCR layer of a scan and may be misread")
    partly = [str(at) for at, page in enumerate(pages, 1) if not page.is_complete]
    if partly:
        found.append(f"page {', '.join(partly)} could be read only in part")
    if page_count > len(pages):
        found.append(f"only the first {len(pages)} of {page_count} pages were read")
    return found


def _build_paper(
    pages: Sequence[PageText], outline: Sequence[OutlineItem], metadata_title: str, warnings: Sequence[str]
) -> ParsedPaper:
    lines = _arrange_paper_lines(pages)
    words = Vocabulary(line.text for line in lines)
    title, title_lines = find_title([line for line in lines if line.page == 1], metadata_title, words)
    setting = measure_body_style(lines)
    headlines, missing = find_headings(lines, outline, setting.font_size, words)
    headlines = [one for one in headlines if lines[one.first_line] not in title_lines]
    walls = [at for one in headlines for at in range(one.first_line, one.first_line + one.line_count)]
    parts = classify_lines(lines, walls, setting)
    sections = build_sections(lines, headlines, parts, setting, words)
    abstract = find_abstract(lines, headlines, parts, setting, words)
    doubts = _list_missing_items(title, abstract, missing)
    return ParsedPaper(title, abstract, sections, warnings=(*warnings, *doubts))


def _arrange_paper_lines(pages: Sequence[PageText]) -> list[Line]:
    """Return the paper's lines in reading order, without page furniture."""
    runs = remove_line_numbers([page.runs for page in pages])
    laid_out = [arrange_lines(number, page) for number, page in enumerate(runs, 1)]
    return [line for page in remove_page_furniture(laid_out) for line in page]


def _list_missing_items(title: str, abstract: str, missing_headings: Sequence[OutlineItem]) -> list[str]:
    """Return a warning for each thing that was not found in the paper."""
    found = []
    unseen = [
        item.title
        for item in missing_headings
        if not (abstract and classify_heading(item.title) is SectionKind.ABSTRACT)
    ]
    if unseen:
        found.append(f"these headings of the PDF's outline were not found in the text: {', '.join(map(repr, unseen))}")
    if not title:
        found.append("no title was found on the first page")
    if not abstract:
        found.append("no abstract was found")
    return found


def build_sections(
    lines: Sequence[Line],
    headings: Sequence[PrintedHeading],
    line_kinds: Sequence[LineKind],
    body_style: BodyStyle,
    vocabulary: Vocabulary,
) -> tuple[Section, ...]:
    """Return the sections of a paper in reading order, with the text before the first heading as the first section."""
    kinds = _find_section_kinds(headings)
    first = headings[0].first_line if headings else len(lines)
    sections: list[Section] = []
    front = build_blocks(lines[:first], line_kinds[:first], body_style, vocabulary)
    if front:
        sections.append(Section("", 0, SectionKind.OTHER, front, lines[0].page))
    for (headline, start, end), kind in zip(find_section_spans(headings, len(lines)), kinds, strict=True):
        hanging = kind is SectionKind.REFERENCES
        blocks = build_blocks(lines[start:end], line_kinds[start:end], body_style, vocabulary, hanging)
        heading = Block(BlockKind.HEADING, headline.text)
        page = lines[headline.first_line].page
        sections.append(Section(headline.text, headline.level, kind, (heading, *blocks), page))
    return tuple(sections)


def _find_section_kinds(headings: Sequence[PrintedHeading]) -> list[SectionKind]:
    """Return the kind of each section; lettered sections after the body and all after the references are appendices."""
    kinds: list[SectionKind] = []
    parents: dict[int, SectionKind] = {}
    past_body = past_references = False
    for headline in headings:
        above = [parents[level] for level in sorted(parents) if level < headline.level]
        above = [kind for kind in above if kind is not SectionKind.REFERENCES]  # references have no subsections
        kind = classify_heading(headline.text, above[-1] if above else None)
        lettered = past_body and bool(_LETTERED_TITLE.match(headline.text)) and not _NUMBERED_TITLE.match(headline.text)
        if (past_references or lettered) and kind not in _BACK_MATTER:
            kind = SectionKind.APPENDIX
        past_references = past_references or kind is SectionKind.REFERENCES
        past_body = past_body or kind in _BODY_END
        parents = {level: held for level, held in parents.items() if level < headline.level}
        parents[headline.level] = kind
        kinds.append(kind)
    return kinds
