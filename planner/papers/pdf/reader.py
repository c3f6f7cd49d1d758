"""Read a paper from a PDF: the title, the abstract and the sections."""

import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import pypdfium2

from planner.errors import PaperError
from planner.papers.headings import classify_heading
from planner.papers.outline import BACK_MATTER_KINDS, KINDS_KEPT_IN_APPENDIX
from planner.papers.paper import Block, BlockKind, ParsedPaper, Section, SectionKind
from planner.papers.pdf.floats import classify_lines
from planner.papers.pdf.front_matter import find_abstract, find_title_lines
from planner.papers.pdf.headings import find_headings
from planner.papers.pdf.layout import arrange_lines
from planner.papers.pdf.lines import Line, measure_body_style, remove_headers_and_footers, remove_line_numbers
from planner.papers.pdf.outline import (
    OutlineItem,
    PrintedHeading,
    find_heading_per_item,
    find_line_range_under_each_heading,
    find_missing_items,
    read_outline,
)
from planner.papers.pdf.paragraphs import BlockBuilder, Vocabulary, join_lines
from planner.papers.pdf.pdfium import open_pdf
from planner.papers.pdf.runs import LINE_END_HYPHEN, PlacedRun, RunReader, TextRun, rotate_page_upright
from planner.papers.pdf.visibility import PaintedObjects, find_hidden_runs, is_ocr_of_scan
from planner.papers.sources import FileFormat

_LETTERED_TITLE: Final = re.compile(r"^(?:appendix\s+)?[A-Z](?:\.\d+)*[.:]?\s+\S", re.I)
_WORD: Final = re.compile(r"[^\W_]{3}")
_MAX_PAGES: Final = 500
_MAX_QUOTED: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class _PageText:
    """The visible runs and the hidden text of a page; `is_ocr` is true if the runs come from OCR of a scan."""

    runs: list[TextRun]
    hidden_text: str = ""
    is_ocr: bool = False
    is_complete: bool = True


def read_pdf(data: bytes, name: str) -> ParsedPaper:
    """Return the paper in a PDF, with warnings about doubtful parts; error messages begin with `name`.

    Read an untrusted file in a separate process, since pdfium limits neither time nor memory.

    Raises:
        PaperError: if the bytes are no PDF, are damaged or encrypted, or hold no text.
    """
    with closing(open_pdf(data, name)) as document:
        page_count = len(document)
        pages = [_read_page(document, index) for index in range(min(page_count, _MAX_PAGES))]
        outline = read_outline(document)
        metadata_title = document.get_metadata_value("Title")
    _require_text(pages, name)
    return _build_paper(pages, outline, metadata_title, _list_page_warnings(pages, page_count))


def _read_page(document: pypdfium2.PdfDocument, index: int) -> _PageText:
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return _PageText([], is_complete=False)
    with closing(page), closing(page.get_textpage()) as text_page:
        text = RunReader(text_page.raw)
        placed_runs = text.read_runs()
        if not placed_runs:
            return _PageText([], is_complete=text.is_complete)
        objects, page_box = PaintedObjects(page.raw), page.get_bbox()
    is_ocr = is_ocr_of_scan(placed_runs, objects, page_box)
    hidden_runs = find_hidden_runs(placed_runs, objects, page_box, is_ocr=is_ocr)
    hidden_text = _join_runs(hidden_runs)
    if not _WORD.search(hidden_text):  # a lone letter or sign carries no message and may be misjudged
        hidden_runs, hidden_text = [placed for placed in hidden_runs if not placed.has_usable_place], ""
    hidden_ids = set(map(id, hidden_runs))
    visible_runs = [placed for placed in placed_runs if id(placed) not in hidden_ids]
    is_complete = text.is_complete and objects.is_complete
    return _PageText(rotate_page_upright(visible_runs), hidden_text, is_ocr, is_complete)


def _join_runs(placed_runs: Iterable[PlacedRun]) -> str:
    text, y = "", None
    for run in (placed.run for placed in placed_runs):
        text += (" " if run.space_before or run.y != y else "") + run.text
        y = run.y
    return " ".join(text.replace(LINE_END_HYPHEN, "-").split())


def _require_text(pages: Sequence[_PageText], name: str) -> None:
    if any(page.runs for page in pages):
        return
    if any(page.hidden_text for page in pages):
        raise PaperError(f"{name}: all text on its {len(pages)} pages is hidden from readers; download another copy")
    raise PaperError(
        f"{name}: its {len(pages)} pages have no text; if they are scans, run OCR over them (for example ocrmypdf)"
    )


def _list_page_warnings(pages: Sequence[_PageText], page_count: int) -> list[str]:
    warnings = [
        f"hidden text on page {number} was left out: {_quote_text(page.hidden_text)}"
        for number, page in enumerate(pages, 1)
        if page.hidden_text
    ]
    scans = [str(number) for number, page in enumerate(pages, 1) if page.is_ocr]
    if scans:
        warnings.append(f"the text of these pages is the OCR layer of a scan and may be misread: {', '.join(scans)}")
    incomplete = [str(number) for number, page in enumerate(pages, 1) if not page.is_complete]
    if incomplete:
        warnings.append(f"these pages could be read only in part: {', '.join(incomplete)}")
    if page_count > len(pages):
        warnings.append(f"only the first {len(pages)} of {page_count} pages were read")
    return warnings


def _quote_text(text: str) -> str:
    """Return a text in quotes; if it is long, return its beginning and the number of the other characters."""
    rest = len(text) - _MAX_QUOTED
    return f"'{text[:_MAX_QUOTED]}'" + (f" and {rest} more characters" if rest > 0 else "")


def _build_paper(
    pages: Sequence[_PageText], outline: Sequence[OutlineItem], metadata_title: str, warnings: Sequence[str]
) -> ParsedPaper:
    lines = _arrange_paper_lines(pages)
    vocabulary = Vocabulary(line.text for line in lines)
    title_lines = find_title_lines([line for line in lines if line.page == 1], metadata_title, vocabulary)
    title = join_lines([line.bare_text for line in title_lines], vocabulary)
    body_style = measure_body_style(lines)
    outline_headings = find_heading_per_item(outline, lines, vocabulary)
    headings = find_headings(lines, [heading for heading in outline_headings if heading], body_style, vocabulary)
    headings = [heading for heading in headings if lines[heading.line_indices.start] not in title_lines]
    line_kinds = classify_lines(lines, [index for heading in headings for index in heading.line_indices], body_style)
    builder = BlockBuilder(lines, line_kinds, body_style, vocabulary)
    abstract = find_abstract(headings, builder)
    missing = _list_missing_parts(title, abstract, find_missing_items(outline, outline_headings, lines))
    sections = _build_sections(headings, builder)
    return ParsedPaper(title, abstract, sections, FileFormat.PDF, warnings=(*warnings, *missing))


def _arrange_paper_lines(pages: Sequence[_PageText]) -> list[Line]:
    runs_by_page = remove_line_numbers([page.runs for page in pages])
    lines_by_page = [arrange_lines(number, page_runs) for number, page_runs in enumerate(runs_by_page, 1)]
    return [line for page_lines in remove_headers_and_footers(lines_by_page) for line in page_lines]


def _list_missing_parts(title: str, abstract: str, missing_items: Sequence[OutlineItem]) -> list[str]:
    """Return a warning for each missing part: headings of the PDF's outline, the title and the abstract."""
    warnings = []
    titles = [
        item.title for item in missing_items if not (abstract and classify_heading(item.title) is SectionKind.ABSTRACT)
    ]
    if titles:
        warnings.append(
            f"these headings of the PDF's outline were not found in the text: {', '.join(map(repr, titles))}"
        )
    if not title:
        warnings.append("no title was found on the first page")
    if not abstract:
        warnings.append("no abstract was found")
    return warnings


def _build_sections(headings: Sequence[PrintedHeading], builder: BlockBuilder) -> tuple[Section, ...]:
    """Return the sections in reading order; text before the first heading becomes the first section."""
    lines, kinds = builder.lines, _find_section_kinds(headings)
    sections: list[Section] = []
    if front := builder.build_blocks(0, headings[0].line_indices.start if headings else len(lines)):
        sections.append(Section("", 0, SectionKind.OTHER, front, lines[0].page))
    ranges = find_line_range_under_each_heading(headings, len(lines))
    for heading, below, kind in zip(headings, ranges, kinds, strict=True):
        blocks = builder.build_blocks(below.start, below.stop, is_hanging=kind is SectionKind.REFERENCES)
        page = lines[heading.line_indices.start].page
        title_block = Block(BlockKind.HEADING, heading.text, page)
        sections.append(Section(heading.text, heading.level, kind, (title_block, *blocks), page))
    return tuple(sections)


def _find_section_kinds(headings: Sequence[PrintedHeading]) -> list[SectionKind]:
    """Return the kind of each section; most sections after the references are appendices."""
    kinds: list[SectionKind] = []
    parents: dict[int, SectionKind] = {}
    past_body = past_references = False
    for heading in headings:
        parents = {level: parent for level, parent in parents.items() if level < heading.level}
        # References have no subsections.
        above = [kind for kind in parents.values() if kind is not SectionKind.REFERENCES]
        kind = classify_heading(heading.text, above[-1] if above else None)
        is_past = past_references or (past_body and _LETTERED_TITLE.match(heading.text))
        if is_past and kind not in KINDS_KEPT_IN_APPENDIX:
            kind = SectionKind.APPENDIX
        past_references = past_references or kind is SectionKind.REFERENCES
        past_body = past_body or kind in BACK_MATTER_KINDS
        parents[heading.level] = kind
        kinds.append(kind)
    return kinds
