"""Running heads, page numbers, review line numbers and stamps are no part of the text."""

import re

import pytest

from planner.papers.paper import ParsedPaper
from planner.papers.pdf.reader import read_pdf
from tests.papers.pdf.make import Page, pdf
from tests.papers.pdf.samples import paper_pages

SECTIONS = [
    "1 Introduction",
    "2 Method",
    "3 Experiments",
    "4 Ablations",
    "5 Limits",
    "6 Conclusion",
    "References",
    "A More",
]


def _text(paper: ParsedPaper) -> str:
    return "\n".join([paper.abstract, *(section.text for section in paper.sections)])


def _decorated(head: bool = True) -> list[Page]:
    pages = paper_pages(SECTIONS)
    for at, page in enumerate(pages, 1):
        if head:
            page.text(200, 765, "Small Stores" if at % 2 else "Author and Author", 9)
        page.text(300, 30, str(144 + at), 9)
    return pages


def test_running_heads_and_page_numbers_go() -> None:
    text = _text(read_pdf(pdf(_decorated()), "p.pdf"))
    assert "Author and Author" not in text
    assert text.count("Small Stores") == 1  # the title's own
    assert not re.search(r"\b14\d\b", text)


def test_a_number_in_the_text_stays() -> None:
    pages = _decorated()
    pages[1].text(72, 300, "1984", 10)
    assert "1984" in _text(read_pdf(pdf(pages), "p.pdf"))


@pytest.mark.parametrize("x", [30.0, 580.0])
def test_review_line_numbers_go(x: float) -> None:
    pages = paper_pages(SECTIONS)
    number = 0
    for page in pages:
        for row in range(50):
            page.text(x, 720 - 12 * row, f"{number:03d}", 7)
            number += 1
    text = _text(read_pdf(pdf(pages), "p.pdf"))
    assert not re.search(r"\b0\d\d\b", text)
    assert [line for line in text.splitlines() if line.startswith("Section 3 starts.")]


def test_line_numbers_go_from_a_page_that_has_few() -> None:
    pages = [*paper_pages(SECTIONS), Page().text(72, 720, "A last page of one line that is long enough.")]
    for at, page in enumerate(pages):
        for row in range(2 if page is pages[-1] else 50):
            page.text(40, 720 - 12 * row, str(100 + 50 * at + row), 7)
    assert not re.search(r"^\d{3}\b", _text(read_pdf(pdf(pages), "p.pdf")), re.M)


def test_the_first_column_of_a_table_is_not_taken_for_line_numbers() -> None:
    first, second, *rest = paper_pages(SECTIONS)
    page = Page().text(72, 740, "Table 1: Accuracy by number of layers.")
    for row in range(10):
        page.text(90, 720 - 12 * row, str(row + 1)).text(200, 720 - 12 * row, f"8{row}.5").text(
            300, 720 - 12 * row, "x"
        )
    text = " ".join(_text(read_pdf(pdf([first, second, page, *rest]), "p.pdf")).split())
    assert "1 80.5 x 2 81.5 x 3 82.5 x" in text


def test_an_arxiv_stamp_goes_and_is_no_title() -> None:
    pages = paper_pages(SECTIONS)
    pages[0].text(30, 250, "arXiv:2507.08038v2 [cs.CL] 9 Jul 2025", 20, turned=True)
    paper = read_pdf(pdf(pages), "p.pdf")
    assert paper.title == "Small Stores Suffice for Long Streams"
    assert "2507.08038" not in _text(paper)


def test_captions_of_one_form_at_one_height_stay() -> None:
    pages = paper_pages(SECTIONS)
    for at, page in enumerate(pages, 1):
        page.text(72, 745, f"Figure {at}: Results of the run.")
    assert _text(read_pdf(pdf(pages), "p.pdf")).count("Results of the run.") == len(pages)


def test_rows_of_one_form_at_one_height_stay() -> None:
    pages = paper_pages(SECTIONS)
    for at, page in enumerate(pages):
        for y, row in (
            (745, ("Method", "Wine", "Boston", "Power")),
            (733, ("HMC", f"{at}.52", f"{at}.81", f"{at}.99")),
        ):
            for x, cell in zip((80, 180, 280, 380), row, strict=True):
                page.text(x, y, cell)
    text = _text(read_pdf(pdf(pages), "p.pdf"))
    assert text.count("Boston") == len(pages)
    assert all(f"{at}.81" in text for at in range(len(pages)))
