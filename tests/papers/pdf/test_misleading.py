"""Lines that look like what they are not: list items, labels, entries, logos, and rows between formulas."""

from collections.abc import Sequence

import pytest

from planner.papers.excerpt import cut_excerpt
from planner.papers.paper import BlockKind, Paper, ParsedPaper, SectionKind
from planner.papers.pdf.reader import read_pdf
from planner.schema import Task
from tests.papers.pdf.make import BOLD, PLAIN, Entry, Page, pdf
from tests.papers.pdf.samples import column, heading, paper_pages, prose, wrapped

BODY = ["1 Introduction", "2 Method", "3 Experiments", "4 Conclusion"]


def _read(pages: Sequence[Page], outline: Sequence[Entry] = ()) -> ParsedPaper:
    return read_pdf(pdf(pages, outline), "p.pdf")


def _read_behind_title(pages: Sequence[Page], outline: Sequence[Entry] = ()) -> ParsedPaper:
    """Return the paper that starts with a page of title and abstract, and goes on with the pages."""
    front = Page().text(120, 720, "What the Paper Is Called", 17, BOLD)
    heading(front, 72, 660, "Abstract")
    column(front, 72, 640, prose(60))
    return _read([front, *pages], outline)


def _headings(paper: ParsedPaper) -> list[str]:
    return [section.heading for section in paper.sections if section.level and section.heading != "Abstract"]


def _entries(count: int, form: str) -> list[str]:
    return [
        form.format(at + 1, f"B. Author and C. Other. Streams, part {at + 1}. Quarterly, {1990 + at}.")
        for at in range(count)
    ]


def _author_text(paper: ParsedPaper) -> str:
    whole = Paper("p", paper.title, paper.abstract, paper.sections, "pdf", "p.pdf")
    return "\n\n".join(section.text for section in cut_excerpt(whole, Task.AUTHOR).sections)


@pytest.mark.parametrize("form", ["{0}. {1}", "{0} {1}"])
@pytest.mark.parametrize("rest", ["", "and the sentence goes on in plain type below it"])
def test_bold_items_of_a_list_do_not_take_the_number_of_a_section(form: str, rest: str) -> None:
    pages = paper_pages(BODY[:2])
    for at, name in enumerate(
        ["Small store: It keeps what is needed", "Reader: It forgets", "Judge: It scores answers"]
    ):
        pages[-1].text(72, 230 - 40 * at, form.format(at + 1, name), 10, BOLD)
        pages[-1].text(72, 218 - 40 * at, rest or prose(14, at))
    paper = _read([*pages, *paper_pages(BODY[2:])[1:], *_pages_of(BODY[2:])])
    assert _headings(paper) == BODY


def _pages_of(names: Sequence[str]) -> list[Page]:
    """Return a page on which each section has a paragraph."""
    page, y = Page(), 740.0
    for at, name in enumerate(names):
        heading(page, 72, y - 24, name)
        y = column(page, 72, y - 44, f"Section {name} starts. " + prose(50, at) + ".")
    return [page]


def test_the_points_of_a_summary_before_the_introduction_are_no_sections() -> None:
    top = Page().text(72, 740, "What the Paper Is Called", 17, BOLD)
    for at in range(3):
        top.text(72, 700 - 20 * at, f"{at + 1}. Point of the paper", 10, BOLD)
    assert _headings(_read([top, *_pages_of(BODY)])) == BODY


@pytest.mark.parametrize("size", [7, 10])
@pytest.mark.parametrize("outline", [[Entry(name, 2) for name in BODY], []], ids=["outline", "type"])
def test_labels_in_a_figure_are_no_headings(size: float, outline: list[Entry]) -> None:
    page = Page()
    for at, label in enumerate(["Whole name", "Abstract", "Partners", "References", "Year"]):
        page.text(250, 720 - 14 * at, label, size, BOLD if size == 7 else PLAIN)
    page.text(72, 640, "Figure 2: Fields that are left out in turn.")
    column(page, 72, 600, "The results go on. " + prose(60) + ".")
    pages = [*_pages_of(BODY[:3]), page, *_pages_of([BODY[3], "References"])]
    paper = _read_behind_title(pages, [Entry(item.title, 2 if item.title != BODY[3] else 4) for item in outline])
    assert _headings(paper) == [*BODY, "References"]
    assert SectionKind.APPENDIX not in {section.kind for section in paper.sections}


@pytest.mark.parametrize("line", ["PMID: 3141592.", "ARTICLES", "ISBN 12-345"])
def test_references_go_on_after_a_line_in_capitals(line: str) -> None:
    page, y = Page(), 740.0
    heading(page, 72, y, "References")
    for at, entry in enumerate(_entries(12, "({0}) {1}")):
        y -= 24
        page.text(72, y - 12, entry)
        if at % 4 == 2:
            y -= 24
            page.text(72, y - 12, line)
    paper = _read_behind_title([*_pages_of(["Introduction", "Method", "Experiments", "Conclusion"]), page])
    assert _headings(paper)[-1] == "References"
    assert paper.sections[-1].kind is SectionKind.REFERENCES


@pytest.mark.parametrize("form", ["[{0}] {1}", "({0}) {1}", "{0}. {1}"])
def test_a_list_of_references_without_a_heading(form: str) -> None:
    page = Page().lines(72, 700, _entries(8, form), leading=18)
    paper = _read_behind_title([*_pages_of(BODY), page])
    assert _headings(paper) == [*BODY, "References"]


@pytest.mark.parametrize("first", ["1 Data", "S1 Data", "A Data"])
@pytest.mark.parametrize("title", ["Supplementary Notes on Streams", "Small Stores Suffice", ""])
@pytest.mark.parametrize("outline", [[Entry(name, 2) for name in BODY], []], ids=["outline", "type"])
def test_a_supplement_that_counts_anew(first: str, title: str, outline: list[Entry]) -> None:
    second = {"1": "2", "S1": "S2", "A": "B"}[first.split()[0]] + " Proofs"
    supplement = Page()
    if title:
        supplement.text(72, 740, title, 17, BOLD)
    y = 720.0
    for name in (first, second):
        heading(supplement, 72, y - 24, name)
        y = column(supplement, 72, y - 44, f"Text of {name}. " + prose(60) + ".")
    references = Page()
    heading(references, 72, 740, "References")
    references.lines(72, 700, _entries(8, "[{0}] {1}"), leading=18)
    paper = _read_behind_title([*_pages_of(BODY), references, supplement], outline)
    assert _headings(paper) == [*BODY, "References", *filter(None, [title]), first, second]
    assert {section.kind for section in paper.sections[-2:]} == {SectionKind.APPENDIX}


@pytest.mark.parametrize("numbers", [["{}.", "{}.{}"], ["{}", "{}.{}"]])
def test_numbers_without_a_space(numbers: list[str]) -> None:
    names = [
        f"{at}.{name}" if numbers[0] == "{}." else f"{at}{name}"
        for at, name in enumerate(["Introduction", "Method", "Experiments", "Conclusion"], 1)
    ]
    paper = _read(paper_pages(names))
    assert _headings(paper) == names
    assert [section.kind for section in paper.sections[2:]] == [
        SectionKind.INTRODUCTION,
        SectionKind.METHOD,
        SectionKind.EXPERIMENTS,
        SectionKind.CONCLUSION,
    ]


def test_letters_with_spaces_between_them_make_words() -> None:
    names = ["1 I N T R O D U C T I O N", "2 R E L A T E D  W O R K", "3 O U R  M E T H O D", "4 E X P E R I M E N T S"]
    assert _headings(_read(paper_pages(names))) == [
        "1 INTRODUCTION",
        "2 RELATED WORK",
        "3 OUR METHOD",
        "4 EXPERIMENTS",
    ]


def test_a_row_of_capital_labels_is_no_word() -> None:
    page = _pages_of(BODY[:2])[0]
    for at, letter in enumerate("ABCDEF"):
        page.text(72 + 40 * at, 80, letter)
    assert "ABCDEF" not in "".join(
        section.text for section in _read_behind_title([page, *_pages_of(BODY[2:])]).sections
    )


def test_a_heading_right_under_another_is_its_own() -> None:
    page = Page()
    y = 740.0
    for above, below in (
        ("Introduction", ""),
        ("Methods", "Course of the study"),
        ("Results", "Streams found"),
        ("References", ""),
    ):
        heading(page, 72, y - 24, above)
        if below:
            heading(page, 72, y - 36, below)
            y -= 12
        y = column(page, 72, y - 44, prose(50) + ".")
    paper = _read_behind_title([page])
    assert [(section.level, section.heading) for section in paper.sections[2:]] == [
        (1, "Introduction"), (1, "Methods"), (2, "Course of the study"), (1, "Results"), (2, "Streams found"),
        (1, "References"),
    ]  # fmt: skip


TITLE = "What the Paper Is Called"
Text = tuple[float, float, str, float, str]
SET_TITLE: Text = (72, 740, TITLE, 16, BOLD)
FIRST_PAGES: dict[str, tuple[Sequence[Text], str]] = {
    "label below the authors": ((SET_TITLE, (200, 690, "Watch the Store Work", 20, PLAIN)), TITLE),
    "short label": ((SET_TITLE, (200, 690, "Store", 24, BOLD)), TITLE),
    "logo": (((72, 785, "StreamLab", 20, BOLD), SET_TITLE), TITLE),
    "one word": (((72, 740, "Smallstore", 20, BOLD),), "Smallstore"),
    "subtitle": (
        ((72, 760, "Smallstore:", 20, BOLD), (72, 738, "A Store for All", 15, BOLD)),
        "Smallstore: A Store for All",
    ),
    "stamp": (((72, 770, "arXiv:2401.01234v2 [cs.LG] 3 Jan 2024", 20, PLAIN), SET_TITLE), TITLE),
    "label beside the title": (
        ((72, 760, "A Title with a Name", 16, BOLD), (420, 750, "Check", 7, PLAIN), (72, 740, "and an End", 16, BOLD)),
        "A Title with a Name and an End",
    ),
    "last line in plain type": (
        ((72, 760, "The Many Uses of", 16, BOLD), (72, 740, "Stores", 16, PLAIN)),
        "The Many Uses of Stores",
    ),
    "last line in larger capitals": (
        ((72, 760, "SMALL STORES FOR", 13.8, PLAIN), (72, 740, "LLMs", 17, PLAIN)),
        "SMALL STORES FOR LLMs",
    ),
}


@pytest.mark.parametrize(("texts", "title"), FIRST_PAGES.values(), ids=FIRST_PAGES)
def test_the_title_is_found_among_logos_and_labels(texts: Sequence[Text], title: str) -> None:
    top = Page()
    for text in texts:
        top.text(*text)
    top.text(72, 715, "A. Author and B. Author and C. Other", 11).text(72, 703, "Institute of Somewhere")
    heading(top, 72, 650, "Abstract")
    column(top, 72, 630, prose(60))
    assert _read([top, *_pages_of(BODY)]).title == title


@pytest.mark.parametrize("order", ["text first", "figure first", "line by line"])
@pytest.mark.parametrize("characters", [40, 55])
def test_prose_beside_a_wrapped_figure_is_kept(order: str, characters: int) -> None:
    text = "Here the wrapped part begins and " + prose(100, 5) + " and there it ends."
    left = [(72.0, 700.0 - 12 * at, line) for at, line in enumerate(wrapped(text, characters))]
    right = [(330.0, 690.0 - 14 * at, label) for at, label in enumerate(["Reader", "Store", "Answer head"])]
    right += [
        (310.0, 630.0 - 12 * at, line) for at, line in enumerate(wrapped("Figure 1: The store and its reader.", 24))
    ]
    placed = {
        "text first": left + right,
        "figure first": right + left,
        "line by line": sorted(left + right, key=lambda at: -at[1]),
    }
    page = Page()
    for x, y, line in placed[order]:
        page.text(x, y, line)
    column(page, 72, 690 - 12 * len(left), "After the figure. " + prose(80) + ".")
    paper = _read_behind_title([*_pages_of(BODY[:2]), page, *_pages_of(BODY[2:])])
    found = " ".join(
        block.text for section in paper.sections for block in section.blocks if block.kind is BlockKind.PROSE
    )
    assert not set(text.split()) - set(found.split())
    assert order == "line by line" or "Figure 1" not in found


def test_rows_of_results_between_formulas_are_no_text_of_the_method() -> None:
    page = Page()
    lines = [
        "f(x) = g(x) + h(x)",
        "Ours:",
        "u = v w",
        "Model-S 0.31 3.25 0.52 0.13",
        "subject to",
        "w/o store",
        "s = t",
        "Model-T 41.3% 40.9%",
    ]
    for at, line in enumerate(lines):
        page.text(150 if at % 2 else 200, 740 - 14 * at, line)
    column(page, 72, 600, "The method goes on. " + prose(80) + ".")
    text = _author_text(_read_behind_title([*_pages_of(BODY[:2]), page, *_pages_of(BODY[2:])]))
    assert "The method goes on." in text and "u = v w" in text
    assert not [leak for leak in ("Ours", "Model-S", "0.31", "w/o store", "Model-T", "40.9") if leak in text]


def test_numbers_in_a_sentence_or_a_matrix_stay() -> None:
    page = Page()
    column(page, 72, 740, "The rates are chosen from a list of values and " + prose(40) + " as 0.1, 0.3,")
    page.lines(
        72,
        600,
        [
            "We set the rates of both stores as follows and keep them for all of the runs that we make to",
            "0.5 and 0.25",
        ],
    )
    text = _author_text(_read_behind_title([*_pages_of(BODY[:2]), page, *_pages_of(BODY[2:])]))
    assert "0.5 and 0.25" in text and "0.1, 0.3," in text
