"""Files that are no readable PDF are refused with a reason and a remedy."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.errors import PaperError
from planner.papers.paper import ParsedPaper
from planner.papers.pdf.reader import read_pdf
from tests.papers.pdf.make import Entry, Page, pdf
from tests.papers.pdf.samples import paper_pages

PAPER = pdf(paper_pages(["1 Introduction", "2 Method", "3 Experiments", "References"]), [Entry("Introduction", 1)])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "html"),
        (b"\xef\xbb\xbf  <html>", "not a PDF"),
        (b"PK\x03\x04rest", "but zip"),
        (b"\x1f\x8b\x08rest", "but gzip"),
        (b"just words", "text, starting with b'just wor'"),
        (PAPER[: len(PAPER) // 2], "incomplete"),
        (b"%PDF-1.5\nnothing of use\n%%EOF", "damaged"),
        (pdf([Page()], encrypted=True), "password"),
        (pdf([Page(), Page().box(0, 0, 600, 700, (0.5, 0.5, 0.5))]), "its 2 pages have no text"),
    ],
)
def test_the_error_names_the_reason(data: bytes, expected: str) -> None:
    with pytest.raises(PaperError) as caught:
        read_pdf(data, "folder/p.pdf")
    assert str(caught.value).startswith("folder/p.pdf: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_pages_is_refused() -> None:
    with pytest.raises(PaperError, match="has no pages"):
        read_pdf(pdf([]), "p.pdf")


def test_bytes_before_the_header_are_allowed() -> None:
    assert read_pdf(b"\n\n" + PAPER, "p.pdf").title == "Small Stores Suffice for Long Streams"


def _read_or_refuse(data: bytes) -> None:
    try:
        paper = read_pdf(data, "p.pdf")
    except PaperError as error:
        assert str(error).startswith("p.pdf: ")
    else:
        assert isinstance(paper, ParsedPaper)


@given(st.integers(0, len(PAPER)))
@settings(max_examples=60, deadline=None)
def test_a_file_cut_anywhere_is_read_or_refused(length: int) -> None:
    _read_or_refuse(PAPER[:length])


@given(st.lists(st.tuples(st.integers(0, len(PAPER) - 1), st.integers(0, 255)), min_size=1, max_size=10))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_file_with_flipped_bytes_is_read_or_refused(flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(PAPER)
    for at, value in flips:
        damaged[at] = value
    _read_or_refuse(bytes(damaged))


def test_a_file_of_very_many_pages_is_read_in_part() -> None:
    pages = [*paper_pages(["1 Introduction", "2 Method"]), *(Page() for _ in range(10_000))]
    paper = read_pdf(pdf(pages), "p.pdf")
    assert paper.title == "Small Stores Suffice for Long Streams"
    assert any("of 10001 pages were read" in warning for warning in paper.warnings)


def test_ten_thousand_empty_pages_are_refused() -> None:
    with pytest.raises(PaperError, match="no text"):
        read_pdf(pdf([Page() for _ in range(10_000)]), "p.pdf")


def test_a_page_of_very_many_characters_is_read_in_part() -> None:
    page = Page()
    for at in range(1200):
        page.text(72, 700 - at / 2, f"word{at} " * 20, 6)
    paper = read_pdf(pdf([*paper_pages(["1 Introduction", "2 Method"]), page]), "p.pdf")
    assert "these pages could be read only in part: 2" in paper.warnings


def test_a_page_of_very_many_drawings_is_read_in_part() -> None:
    first, *rest = paper_pages(["1 Introduction", "2 Method"])
    page = Page()
    for at in range(5000):
        page.box(at % 500, at // 10, 5, 5, (0.5, 0.5, 0.5))
    paper = read_pdf(pdf([Page(first.operators + page.operators), *rest]), "p.pdf")
    assert paper.title == "Small Stores Suffice for Long Streams"
    assert "these pages could be read only in part: 1" in paper.warnings
