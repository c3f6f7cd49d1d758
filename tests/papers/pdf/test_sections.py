"""Headings, levels and kinds, from the outline or from type and numbering; title and abstract."""

from collections.abc import Sequence

import pytest

from planner.papers.paper import ParsedPaper, SectionKind
from planner.papers.pdf.reader import read_pdf
from tests.papers.pdf.make import BOLD, ITALIC, Entry, Page, pdf
from tests.papers.pdf.samples import column, heading, paper_pages, prose

HEADINGS = [
    "1 Introduction",
    "2 Our Method",
    "2.1 The Store",
    "3 Experiments",
    "3.1 Ablation Study",
    "4 Conclusion",
    "Acknowledgements",
    "References",
    "A Proofs",
    "A.1 First Lemma",
    "B More Results",
]
OUTLINE = (
    Entry("Introduction", 1),
    Entry("Our Method", 1, (Entry("The Store", 2),)),
    Entry("Experiments", 2, (Entry("Ablation Study", 3),)),
    Entry("Conclusion", 3),
    Entry("Proofs", 5, (Entry("First Lemma", 5),)),
    Entry("More Results", 6),
)
KINDS = [
    SectionKind.INTRODUCTION,
    SectionKind.METHOD,
    SectionKind.METHOD,
    SectionKind.EXPERIMENTS,
    SectionKind.ABLATION,
    SectionKind.CONCLUSION,
    SectionKind.ACKNOWLEDGEMENTS,
    SectionKind.REFERENCES,
    SectionKind.APPENDIX,
    SectionKind.APPENDIX,
    SectionKind.APPENDIX,
]


@pytest.mark.parametrize("outline", [OUTLINE, ()], ids=["outline", "type"])
def test_every_heading_is_found_with_its_level_kind_and_page(outline: tuple[Entry, ...]) -> None:
    paper = read_pdf(pdf(paper_pages(HEADINGS), outline), "p.pdf")
    sections = paper.sections[2:]
    assert paper.sections[1].kind is SectionKind.ABSTRACT
    assert [section.heading for section in sections] == HEADINGS
    assert [section.kind for section in sections] == KINDS
    assert [section.level for section in sections] == [1, 1, 2, 1, 2, 1, 1, 1, 1, 2, 1]
    assert [section.page for section in sections] == [1 + at // 2 for at in range(len(HEADINGS))]
    for at, section in enumerate(sections):
        assert section.blocks[0].text == section.heading
        assert section.blocks[1].text.startswith(f"Section {at} starts.")
    assert not paper.warnings


def test_an_outline_under_the_papers_title_is_shifted() -> None:
    paper = read_pdf(pdf(paper_pages(HEADINGS), [Entry("Small Stores", 1, OUTLINE)]), "p.pdf")
    assert [section.level for section in paper.sections[2:5]] == [1, 1, 2]


def test_an_outline_that_is_a_page_off_and_a_heading_that_is_not_there() -> None:
    outline = [Entry("Introduction", 1), Entry("Our Method", 2), Entry("Experiments", 3), Entry("Imagined Part", 3)]
    paper = read_pdf(pdf(paper_pages(HEADINGS), outline), "p.pdf")
    assert [section.heading for section in paper.sections if section.level][1:4] == [
        "1 Introduction",
        "2 Our Method",
        "3 Experiments",
    ]
    assert any("'Imagined Part'" in warning for warning in paper.warnings)


def test_a_heading_of_two_lines() -> None:
    pages = paper_pages(["1 Introduction", "2 Method"])
    page = Page()
    heading(page, 72, 700, "3 A Long Heading That Does Not Fit on")
    heading(page, 86, 686, "One Line")
    column(page, 72, 660, prose(60))
    for outline in (
        (),
        (Entry("Introduction", 1), Entry("Method", 1), Entry("A Long Heading That Does Not Fit on One Line", 2)),
    ):
        paper = read_pdf(pdf([*pages, page], outline), "p.pdf")
        assert paper.sections[-1].heading == "3 A Long Heading That Does Not Fit on One Line"


def test_numbered_lines_that_are_no_headings() -> None:
    pages = paper_pages(["1 Introduction", "2 Method", "3 Experiments"])
    page = Page().text(72, 700, "7 University of Somewhere", 12, BOLD).text(72, 650, "1. fetch the next item", 10)
    column(page, 72, 600, prose(50))
    paper = read_pdf(pdf([*pages, page]), "p.pdf")
    assert [section.heading for section in paper.sections if section.level] == [
        "Abstract",
        "1 Introduction",
        "2 Method",
        "3 Experiments",
    ]


def _first_page(top: Page, below: float = 600) -> ParsedPaper:
    heading(top, 72, below, "1 Introduction")
    column(top, 72, below - 20, prose(150))
    page = Page()
    heading(page, 72, 700, "2 Method")
    column(page, 72, 680, prose(150))
    return read_pdf(pdf([top, page]), "p.pdf")


def test_a_title_of_two_lines_with_a_footnote_mark() -> None:
    top = Page().text(100, 740, "A Title That Needs More Room:", 17, BOLD).text(150, 720, "The Second Line", 17, BOLD)
    top.text(290, 726, "*", 10).text(72, 690, "A. Author", 11)
    assert _first_page(top).title == "A Title That Needs More Room: The Second Line"


def test_small_capitals_are_words() -> None:
    top = (
        Page()
        .text(100, 740, "S", 17)
        .text(109.6, 740, "MALL", 13.8)
        .text(155, 740, "S", 17)
        .text(164.6, 740, "TORES", 13.8)
    )
    assert _first_page(top).title == "SMALL STORES"


@pytest.mark.parametrize(
    "banner",
    [
        "Proceedings of the Conference on Things",
        "Published as a conference paper at ICLR 2025",
        "X",
        "2024",
        "Electron. Things 0 (2020), article no. 0, 1-5.",
    ],
)
def test_larger_type_that_is_no_title(banner: str) -> None:
    top = Page().text(72, 770, banner, 20).text(100, 730, "What the Paper Is Called", 16, BOLD)
    assert _first_page(top).title == "What the Paper Is Called"


def test_the_metadata_title_chooses_among_large_type() -> None:
    top = Page().text(72, 770, "Machine Learning Letters", 20).text(100, 730, "What the Paper Is Called", 16, BOLD)
    heading(top, 72, 600, "1 Introduction")
    column(top, 72, 580, prose(150))
    assert read_pdf(pdf([top], title="What the paper is called"), "p.pdf").title == "What the Paper Is Called"


ABSTRACT = "We keep little and answer much. " + prose(50) + "."


@pytest.mark.parametrize("start", ["Abstract. ", "Abstract\x97", "ABSTRACT: ", ""])
def test_an_abstract_without_a_heading_of_its_own(start: str) -> None:
    top = Page().text(100, 750, "What the Paper Is Called", 16, BOLD).text(100, 730, "A. Author", 11)
    column(top, 72, 700, start + ABSTRACT)
    assert _first_page(top, 550).abstract == ABSTRACT


def test_authors_and_affiliations_are_no_abstract() -> None:
    names = "ANN AUTHOR and WEI WRITER, Institute for Stores, Town, Country " * 8
    top = Page().text(100, 750, "What the Paper Is Called", 16, BOLD)
    below = column(top, 72, 730, names)
    below = column(top, 72, below - 10, "We keep little and answer much. " + prose(40) + ".")
    top.text(72, below - 16, "CCS Concepts: Computing methodologies, Machine learning.", 10, BOLD)
    assert _first_page(top, 550).abstract == "We keep little and answer much. " + prose(40) + "."


def test_keywords_and_footnotes_are_no_part_of_the_abstract() -> None:
    top = Page().text(100, 750, "What the Paper Is Called", 16, BOLD)
    heading(top, 280, 720, "Abstract")
    y = column(top, 72, 700, ABSTRACT)
    top.text(72, y - 6, "Keywords: memory, streams").text(72, 80, "Permission to make copies is granted.", 8)
    assert _first_page(top, 550).abstract == ABSTRACT


def test_a_narrower_abstract_ends_where_the_text_widens() -> None:
    top = Page().text(100, 750, "What the Paper Is Called", 16, BOLD)
    heading(top, 280, 720, "Abstract")
    y = column(top, 110, 700, ABSTRACT, 70)
    column(top, 72, y - 12, "The text without a heading begins here. " + prose(80) + ".", 95)
    page = Page()
    heading(page, 72, 700, "2 Method")
    column(page, 72, 680, prose(150))
    assert read_pdf(pdf([top, page]), "p.pdf").abstract == ABSTRACT


def test_a_missing_abstract_is_a_warning() -> None:
    page = Page()
    column(page, 72, 700, "no. " + prose(20), 30)
    warnings = read_pdf(pdf([page]), "p.pdf").warnings
    assert "no abstract was found" in warnings


def _small_capitals(page: Page, x: float, y: float, words: Sequence[str], size: float) -> None:
    """Set words in small capitals: the first letter in full size, the others in capitals of four fifths of it."""
    for word in words:
        page.text(x, y, word[0], size)
        x += STRING_WIDTHS[word[0]] * size
        if word[1:]:
            page.text(x, y, word[1:], 0.8 * size)
        x += 0.8 * size * sum(STRING_WIDTHS[letter] for letter in word[1:]) + 0.3 * size


# Advance widths of Times-Roman, as parts of the type size.
STRING_WIDTHS = {
    **dict.fromkeys("ABDGHKNOQUVWXY", 0.722),
    **dict.fromkeys("CR", 0.667),
    **dict.fromkeys("ELTZ", 0.611),
    **dict.fromkeys("FPS", 0.556),
    "I": 0.333,
    "J": 0.389,
    "M": 0.889,
    ".": 0.25,
    **dict.fromkeys("0123456789", 0.5),
}


def test_a_conference_style_of_small_capitals_and_line_numbers_without_an_outline() -> None:
    first, second = Page(), Page()
    _small_capitals(first, 100, 720, ["SMALL", "STORES", "SUFFICE"], 17.2)
    first.text(108, 690, "Anonymous authors").text(108, 678, "Paper under double-blind review")
    _small_capitals(first, 270, 650, ["ABSTRACT"], 12)
    y = column(first, 144, 630, ABSTRACT, 70)
    _small_capitals(first, 108, y - 20, ["1", "INTRODUCTION"], 12)
    column(first, 108, y - 40, prose(120))
    _small_capitals(second, 108, 710, ["2", "METHOD"], 12)
    y = column(second, 108, 690, prose(90))
    _small_capitals(second, 108, y - 20, ["2.1", "STORE"], 10)
    y = column(second, 108, y - 40, prose(90))
    _small_capitals(second, 108, y - 20, ["3", "EXPERIMENTS"], 12)
    y = column(second, 108, y - 40, prose(90))
    _small_capitals(second, 108, y - 20, ["REFERENCES"], 12)
    column(second, 108, y - 40, prose(30))
    for at, page in enumerate([first, second]):
        page.text(108, 765, "Under review as a conference paper at ICLR 2026")
        for row in range(54):
            page.text(70, 730 - 12 * row, f"{54 * at + row:03d}", 8)
    paper = read_pdf(pdf([first, second]), "p.pdf")
    assert paper.title == "SMALL STORES SUFFICE"
    assert paper.abstract == ABSTRACT
    headings = [(section.heading, section.level) for section in paper.sections if section.level]
    assert headings == [
        ("ABSTRACT", 1),
        ("1 INTRODUCTION", 1),
        ("2 METHOD", 1),
        ("2.1 STORE", 2),
        ("3 EXPERIMENTS", 1),
        ("REFERENCES", 1),
    ]
    assert "Under review" not in "".join(section.text for section in paper.sections)


def test_lettered_headings_stand_under_roman_ones() -> None:
    names = ["I. INTRODUCTION", "II. GATED SPRINGS", "A. The Gate", "B. Training", "III. EXPERIMENTS", "A. Model Setup"]
    names += ["B. Ablation", "IV. CONCLUSION", "REFERENCES", "A. PROOFS"]
    sections = read_pdf(pdf(paper_pages(names)), "p.pdf").sections[2:]
    assert [section.heading for section in sections] == names
    assert [section.level for section in sections] == [1, 1, 2, 2, 1, 2, 2, 1, 1, 1]
    assert sections[5].kind is SectionKind.EXPERIMENTS
    assert sections[-1].kind is SectionKind.APPENDIX


def _read_paper_with(*headings: tuple[str, float, str]) -> ParsedPaper:
    """Read a paper without an outline, with headings in the given sizes and fonts, two on a page."""
    pages = [Page().text(120, 720, "Small Stores Suffice", 17, BOLD).text(240, 690, "A. Author", 11)]
    for first in range(0, len(headings), 2):
        page = Page()
        for at, (text, size, font) in enumerate(headings[first : first + 2]):
            page.text(72, 700 - 350 * at, text, size, font)
            column(page, 72, 680 - 350 * at, prose(120, first + at))
        pages.append(page)
    return read_pdf(pdf(pages), "p.pdf")


def _levels(paper: ParsedPaper) -> list[tuple[str, int]]:
    return [(section.heading, section.level) for section in paper.sections if section.heading]


def test_numbered_headings_in_italics_stand_under_bold_ones() -> None:
    bold = [("1 Introduction", 12.0, BOLD), ("2 Method", 12.0, BOLD), ("3 Experiments", 12.0, BOLD)]
    parts = [("2.1 The Store", 10.0, ITALIC), ("2.2 The Gate", 10.0, ITALIC), ("A function of the store", 10.0, ITALIC)]
    paper = _read_paper_with(*bold[:2], *parts, bold[2])
    assert _levels(paper) == [
        ("1 Introduction", 1),
        ("2 Method", 1),
        ("2.1 The Store", 2),
        ("2.2 The Gate", 2),
        ("3 Experiments", 1),
    ]


def test_lettered_headings_in_italics_restart_under_each_roman_one() -> None:
    tops = [(f"{number}. {name}", 12.0, BOLD) for number, name in (("I", "INTRODUCTION"), ("II", "METHOD"))]
    ends = [(f"{number}. {name}", 12.0, BOLD) for number, name in (("III", "EXPERIMENTS"), ("IV", "CONCLUSION"))]
    parts = [("A. The Store", 10.0, ITALIC), ("B. The Gate", 10.0, ITALIC), ("C. The Loss", 10.0, ITALIC)]
    paper = _read_paper_with(
        *tops, *parts, ends[0], ("A. Setup", 10.0, ITALIC), ("B. Ablation Study", 10.0, ITALIC), ends[1]
    )
    assert [level for _, level in _levels(paper)] == [1, 1, 2, 2, 2, 1, 2, 2, 1]
    assert paper.sections[-2].kind is SectionKind.ABLATION


def test_headings_without_numbers_have_levels_by_their_type() -> None:
    tops = [(name, 12.0, BOLD) for name in ("Introduction", "Conclusion", "References")]
    parts = [("The Store", 10.0, BOLD), ("The Gate", 10.0, BOLD)]
    assert _levels(_read_paper_with(tops[0], *parts, *tops[1:])) == [
        ("Introduction", 1),
        ("The Store", 2),
        ("The Gate", 2),
        ("Conclusion", 1),
        ("References", 1),
    ]


def test_a_list_of_references_under_no_heading_is_one() -> None:
    page = Page().text(72, 700, "CONCLUSION", 10, BOLD)
    below = column(page, 72, 680, prose(60))
    page.lines(72, below - 30, [f"[{at}] A. Author. Stores, part {at}. 20{at:02}." for at in range(1, 9)], 9)
    first = Page().text(72, 700, "INTRODUCTION", 10, BOLD)
    column(first, 72, 680, prose(120))
    paper = read_pdf(pdf([first, page]), "p.pdf")
    assert paper.sections[-1].kind is SectionKind.REFERENCES
    assert "[8] A. Author" in paper.sections[-1].text
    assert "[1] A. Author" not in paper.sections[-2].text


def test_a_page_of_highlights_before_the_paper_gives_the_title() -> None:
    page = Page().text(72, 700, "Highlights", 17).text(72, 670, "Small Stores Suffice", 12, BOLD)
    page.lines(72, 650, ["Ann Author, Wei Writer", "A store is introduced", "It is small"], 12)
    paper = read_pdf(pdf([page, *paper_pages(HEADINGS)]), "p.pdf")
    assert paper.title == "Small Stores Suffice"
    assert paper.abstract


def test_a_heading_that_runs_into_its_text_is_not_reported_as_missing() -> None:
    pages = paper_pages(HEADINGS)
    pages[0].text(72, 90, "2.0.1 The Origin. It lies in the store and is never moved from there.")
    paper = read_pdf(pdf(pages, (*OUTLINE, Entry("The Origin", 1))), "p.pdf")
    assert not [warning for warning in paper.warnings if "outline" in warning]
