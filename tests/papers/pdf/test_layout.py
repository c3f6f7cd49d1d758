"""Reading order in one and two columns, and table rows that stay on one line."""

from collections.abc import Sequence

import pytest

from planner.papers.paper import BlockKind, ParsedPaper
from planner.papers.pdf.reader import read_pdf
from tests.papers.pdf.make import BOLD, DINGBATS, PLAIN, TICK, Page, pdf
from tests.papers.pdf.samples import column, heading, paper_pages, prose, wrapped

LEFT = [f"left{at:02d} {line}" for at, line in enumerate(wrapped(prose(150), 42))]
RIGHT = [f"right{at:02d} {line}" for at, line in enumerate(wrapped(prose(150, 5), 42))]


def _text(paper: ParsedPaper) -> str:
    return "\n".join(section.text for section in paper.sections)


def _assert_in_order(text: str, marks: Sequence[str]) -> None:
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def _marks() -> list[str]:
    return [f"left{at:02d}" for at in range(len(LEFT))] + [f"right{at:02d}" for at in range(len(RIGHT))]


def _two_columns(order: str) -> Page:
    page = Page().text(150, 740, "A Title Across Both of the Columns", 17, BOLD)
    left = [(54, 700 - 12 * at, line) for at, line in enumerate(LEFT)]
    right = [(318, 700 - 12 * at, line) for at, line in enumerate(RIGHT)]
    if order == "columns":
        painted = left + right
    elif order == "rows":
        painted = (
            [item for pair in zip(left, right, strict=False) for item in pair] + right[len(left) :] + left[len(right) :]
        )
    else:
        painted = [*reversed(left), *reversed(right)]
    for x, y, line in painted:
        page.text(x, y, line)
    return page


@pytest.mark.parametrize("order", ["columns", "rows", "backwards"])
def test_two_columns_are_read_one_after_the_other(order: str) -> None:
    paper = read_pdf(pdf([_two_columns(order)]), "p.pdf")
    assert paper.title == "A Title Across Both of the Columns"
    _assert_in_order(_text(paper), _marks())


def test_a_wide_table_between_columns_keeps_its_rows() -> None:
    page = _two_columns("rows")
    for at, row in enumerate(
        [("Model", "Loss", "Acc", "F1"), ("full", "0.1", "91.2", "88.0"), ("w/o x", "0.4", "80.1", "-")]
    ):
        for cell, x in zip(row, (100, 230, 340, 470), strict=True):
            page.text(x, 300 - 12 * at, cell)
    text = " ".join(_text(read_pdf(pdf([page]), "p.pdf")).split())
    assert "full 0.1 91.2 88.0" in text
    assert "w/o x 0.4 80.1 -" in text


def _with_table(painted: Sequence[tuple[int, int, str]]) -> ParsedPaper:
    pages = paper_pages(["1 Introduction", "2 Experiments"])
    page = Page()
    column(page, 72, 720, "Before the table. " + prose(60) + ".")
    page.text(72, 640, "Table 1: What each part gives.")
    for x, y, cell in painted:
        page.text(x, y, TICK if cell == "✓" else cell, font=DINGBATS if cell == "✓" else PLAIN)
    column(page, 72, 540, "After the table. " + prose(60, 9) + ".")
    return read_pdf(pdf([*pages, page]), "p.pdf")


ROWS = [("Variant", "Aug", "Acc"), ("full", "✓", "91.2"), ("w/o aug", "-", "88.1"), ("w/o loss", "✓", "-")]


@pytest.mark.parametrize("by", ["rows", "columns"])
def test_table_rows_stay_on_one_line(by: str) -> None:
    cells = [(72 + 120 * x, 620 - 14 * y, cell) for y, row in enumerate(ROWS) for x, cell in enumerate(row)]
    if by == "columns":
        cells.sort(key=lambda cell: (cell[0], -cell[1]))
    paper = _with_table(cells)
    tables = [block.text for section in paper.sections for block in section.blocks if block.kind is BlockKind.TABLE]
    assert len(tables) == 1
    lines = [" ".join(line.split()) for line in tables[0].splitlines()]
    assert lines[0] == "Table 1: What each part gives."
    assert lines[1:] == ["Variant Aug Acc", "full ✓ 91.2", "w/o aug - 88.1", "w/o loss ✓ -"]


def test_a_row_that_one_operator_paints_is_split_into_cells() -> None:
    page = Page()
    column(page, 72, 720, "Before the table. " + prose(60) + ".")
    page.text(72, 640, "Table 1: What each part gives.")
    for at, row in enumerate(ROWS[:3]):
        kerned = " -3000 ".join(f"({cell})" for cell in row).replace("✓", "y")
        page.operators.append(f"BT 0 0 0 rg /F1 10 Tf 1 0 0 1 72 {620 - 14 * at} Tm [{kerned}] TJ ET")
    paper = read_pdf(pdf([*paper_pages(["1 Introduction", "2 Method"]), page]), "p.pdf")
    table = next(block for section in paper.sections for block in section.blocks if block.kind is BlockKind.TABLE)
    assert table.text.splitlines()[2:] == ["full  y  91.2", "w/o aug  -  88.1"]


def test_a_page_that_is_turned_is_read_upright() -> None:
    first, *rest = paper_pages(["1 Introduction", "2 Method"])
    page = Page(rotate=90)
    for at, line in enumerate(LEFT):
        page.text(80 + 12 * at, 60, line, turned=True)
    text = _text(read_pdf(pdf([first, *rest, page]), "p.pdf"))
    _assert_in_order(text, [f"left{at:02d}" for at in range(len(LEFT))])


def test_spaced_letters_beside_the_text_are_read() -> None:
    first, *rest = paper_pages(["1 Introduction", "2 Method"])
    first.text(30, 300, "P R E P R I N T S", turned=True)
    assert "P R E P R I N T S" in _text(read_pdf(pdf([first, *rest]), "p.pdf"))


def test_a_float_in_the_middle_of_a_paragraph_comes_after_it() -> None:
    pages = paper_pages(["1 Introduction", "2 Method"])
    first, second = Page(), Page()
    heading(first, 72, 740, "3 Model")
    first.lines(72, 700, [*wrapped(prose(80), 90), "and the paragraph goes on where the page turns to"])
    second.text(200, 700, "query", 8).text(300, 690, "store", 8)
    second.text(72, 660, "Figure 2: A query meets the store.")
    second.lines(72, 620, ["the other side, as one can see.", *wrapped(prose(50, 4), 90)])
    paper = read_pdf(pdf([*pages, first, second]), "p.pdf")
    blocks = paper.sections[-1].blocks
    assert "the page turns to the other side, as one can see." in blocks[1].text
    figure = next(block for block in blocks if block.kind is BlockKind.FIGURE)
    assert "query" in figure.text and "Figure 2: A query meets the store." in figure.text
    assert blocks.index(figure) > 1
