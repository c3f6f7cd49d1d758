"""Lines are joined as the paper itself spells the word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.pdf.paragraphs import Vocabulary, has_line_end_hyphen, join_lines
from planner.papers.pdf.reader import read_pdf
from tests.papers.pdf.make import SIGNS, Page, pdf
from tests.papers.pdf.samples import paper_pages

VOCABULARY = Vocabulary(
    ["a state-of-the-art method", "the inference of samples", "well-known cooperation", "MOMoGPs win"]
)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["an in\x02", "ference step"], "an inference step"),
        (["a state-of-the\x02", "art model"], "a state-of-the-art model"),
        (["a state\x02", "of-the-art model"], "a state-of-the-art model"),
        (["a well\x02", "known fact"], "a well-known fact"),
        (["the co\x02", "operation of"], "the cooperation of"),
        (["unseen wo\x02", "rds"], "unseen words"),
        (["a graph\x02", "based view"], "a graph-based view"),
        (["the self\x02", "supervised way"], "the self-supervised way"),
        (["Kullback\x02", "Leibler distance"], "Kullback-Leibler distance"),
        (["all MOMo\x02", "GPs here"], "all MOMoGPs here"),
        (["single\x02", "and multi-target"], "single- and multi-target"),
        (["plain", "lines"], "plain lines"),
        (["GPT\x02", "4 is"], "GPT-4 is"),
        (["pages 10\x02", "20"], "pages 10-20"),
        (["a dash -", "then"], "a dash - then"),
    ],
)
def test_line_ends(lines: list[str], expected: str) -> None:
    assert join_lines(lines, VOCABULARY) == expected


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        ([], "a gearbox"),
        (["our gear-box"], "a gear-box"),
        (["our gearbox", "a gear-box", "the gearbox"], "a gearbox"),
    ],
)
def test_the_more_frequent_spelling_of_the_paper_is_used(spellings: list[str], expected: str) -> None:
    assert join_lines(["a gear\x02", "box"], Vocabulary(spellings)) == expected


def test_a_word_broken_at_a_line_end_is_no_evidence() -> None:
    words = Vocabulary(["seen at the end re\x02", "al"])
    assert not words.is_hyphen_kept("re", "al")


@given(st.lists(st.text(st.sampled_from("ab-\x02 1Z."), max_size=12), max_size=6))
def test_joining_loses_no_letter_and_leaves_no_line_end_hyphen(lines: list[str]) -> None:
    text = join_lines(lines, Vocabulary(lines))
    assert "\x02" not in text
    assert [char for char in text if char.isalnum()] == [char for line in lines for char in line if char.isalnum()]


@given(st.text(max_size=20))
def test_only_a_hyphen_after_a_letter_breaks_a_word(text: str) -> None:
    assert not has_line_end_hyphen(text + " ")
    assert not has_line_end_hyphen(text + " -")


def test_ligatures_and_hyphens_in_a_file() -> None:
    first, *rest = paper_pages(["1 Introduction", "2 Method"])
    first.text(72, 120, "The e\x03ect is \x01ne and the \x02ow su\x07cient as a compu-", font=SIGNS)
    first.text(72, 108, "tation shows.")
    text = "\n".join(section.text for section in read_pdf(pdf([first, *rest]), "p.pdf").sections)
    assert "effect is fine and the flow sufficient as a computation shows." in text


def test_a_broken_word_is_joined_across_a_page_number() -> None:
    first, second, third = Page(), Page(), Page()
    pages = paper_pages(["1 Introduction", "2 Method"])
    first.lines(
        72, 100, ["the line before it is long enough to be a full line of prose here, and this one ends in sam-"]
    )
    second.lines(72, 720, ["ples that go on."])
    for at, page in enumerate([*pages, first, second, third], 1):
        page.text(300, 40, str(at))
    text = "\n".join(section.text for section in read_pdf(pdf([*pages, first, second, third]), "p.pdf").sections)
    assert "ends in samples that go on." in text
