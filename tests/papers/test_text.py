"""Plain text: headings by number, name and blank lines."""

from hypothesis import given
from hypothesis import strategies as st

from planner.papers.text import read_plain_text
from tests.papers.build import PROSE

PAPER = f"""On Gears
and their exchange

Ann Author, Somewhere

Abstract

We turn gears. It works.

1 Introduction

{PROSE}

1. first item of a list, which is no heading.

2 Method

{PROSE}

2.1 The Gear

{PROSE}

7 Dwarfs

3 Experiments
{PROSE}

Table 1: Results
full 81.2

References

[1] A. Author. 2020.

A Proofs

{PROSE}
"""


def test_a_paper_in_plain_text() -> None:
    paper = read_plain_text(PAPER, "x.txt")
    assert (paper.title, paper.abstract) == ("On Gears and their exchange", "We turn gears. It works.")
    assert [(s.heading, s.level, s.kind.value) for s in paper.sections if s.heading] == [
        ("Abstract", 1, "abstract"),
        ("1 Introduction", 1, "introduction"),
        ("2 Method", 1, "method"),
        ("2.1 The Gear", 2, "method"),
        ("3 Experiments", 1, "experiments"),
        ("References", 1, "references"),
        ("A Proofs", 1, "appendix"),
    ]
    assert "7 Dwarfs" in "".join(s.text for s in paper.sections)


def test_underlined_and_shouted_headings() -> None:
    paper = read_plain_text(f"A Title\n\nINTRODUCTION\n\n{PROSE}\n\nConclusion\n----------\n\n{PROSE}", "x")
    assert [s.heading for s in paper.sections if s.heading] == ["INTRODUCTION", "Conclusion"]


@given(st.text(max_size=400))
def test_no_word_of_a_text_is_lost(text: str) -> None:
    paper = read_plain_text(text, "x")
    kept = "".join("".join(s.text.split()) for s in paper.sections)
    from planner.papers.characters import normalize_characters_with_warnings

    assert kept == "".join(normalize_characters_with_warnings(text)[0].split())


def test_a_numbered_heading_may_run_on_into_its_text_where_it_names_a_section() -> None:
    paper = read_plain_text(
        f"On Gears\n\nA. Author\n\nAbstract: We turn.\n\n1. Introduction\n{PROSE}\n\n2. Method\n{PROSE}\n\n"
        f"3. Experiments\n{PROSE}\n\n4 gears were turned for\n{PROSE}",
        "x",
    )
    assert paper.abstract == "We turn."
    assert [s.heading for s in paper.sections if s.heading] == ["1. Introduction", "2. Method", "3. Experiments"]


def headings(text: str) -> list[str]:
    return [s.heading for s in read_plain_text(f"On Gears\n\nAbstract\n\n{PROSE}\n\n{text}", "x").sections[2:]]


LINE = "Gears turn in the mill and we look at what they do."


def test_headings_without_numbers_stand_directly_above_their_text() -> None:
    assert headings(f"INTRODUCTION\n{LINE}\n\nMETHOD\n{LINE}\n\nResults\n{LINE}\n\nTHE MILL\n{LINE}") == [
        "INTRODUCTION",
        "METHOD",
        "Results",
    ]


def test_a_bar_may_part_number_and_name() -> None:
    names = ["1 | INTRODUCTION", "2 | METHODS", "2.1 | The Gear", "3 | RESULTS"]
    assert headings("\n\n".join(f"{name}\n\n{LINE}" for name in names)) == names


def test_formulas_are_no_headings() -> None:
    lines = ["INTRODUCTION", "CX +1", "Ω(MSA) = 4HW", "A B C D", "GEARS"]
    assert headings("\n\n".join(f"{line}\n\n{LINE}" for line in lines)) == ["INTRODUCTION", "GEARS"]


def test_a_line_of_capitals_among_the_references_is_no_heading_and_an_appendix_is() -> None:
    text = "REFERENCES\n\n[1] A. Cog. 2019.\n\nGEAR TRANSACTIONS\n\n[2] B. Cog. 2020.\n\nAPPENDIX\n\n1 Data\n\nMore."
    assert headings(text) == ["REFERENCES", "APPENDIX", "1 Data"]


def test_rows_of_numbers_are_a_table() -> None:
    table = "Gear      F1   AUC\nno cog    7.5  0.4\nall       8.5  0.6"
    paper = read_plain_text(f"On Gears\n\nMETHOD\n\n{LINE}\n\n{table}", "x")
    assert paper.sections[-1].blocks[-1].kind.value == "table"
