"""Passages with their offsets, and the sections of an excerpt."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.analysis.analyse import analyse_paper, analyse_sections
from planner.analysis.check import find_faults
from planner.analysis.passages import (
    IndexedSection,
    PassageSearch,
    split_sections_into_passages,
    split_text_into_sections,
)
from planner.papers.paper import Section, SectionKind
from planner.schema import Ablation, Action, Plan
from tests.analysis.odd_text import ODD_TEXT
from tests.analysis.papers import LATEX, MARKDOWN, PLAIN, P, T, index, paper, section


@pytest.mark.parametrize("source", [PLAIN, LATEX, MARKDOWN], ids=["plain", "latex", "markdown"])
def test_offsets_are_those_of_the_papers_text(source: Any) -> None:
    for passage in split_sections_into_passages(source.sections):
        assert source.text[passage.paper_offset :].startswith(passage.text)


def test_offsets_count_a_section_without_blocks() -> None:
    source = paper(Section("", 0, SectionKind.OTHER, ()), section("Method", (P, "Here.")))
    passages = split_sections_into_passages(source.sections)
    assert [passage.text for passage in passages] == ["Method", "Here."]
    assert all(source.text[passage.paper_offset :].startswith(passage.text) for passage in passages)


def test_the_method_ends_where_experiments_begin() -> None:
    headings = {p.heading for p in split_sections_into_passages(PLAIN.sections) if p.is_in_method}
    assert headings == {"3 Method", "3.1 Overview", "3.2 Echo Memory", "3.3 Training"}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        *((value, "We take steps of 1 × 10−3.") for value in ("0.001", "1e-3", "1 × 10^-3")),
        *((value, "There are 16,000, all steps.") for value in ("16k steps", "16,000 steps")),
        *((value, "It has two tides.") for value in ("2 tides", "two tides")),
    ],
)
def test_a_value_is_found_in_whatever_way_it_is_written(value: str, sentence: str) -> None:
    search = PassageSearch([IndexedSection("Method", ("It has 12 tides and 16 steps.", sentence))])
    assert list(search.find_sentences_with_words(value)) == [(sentence, "Method")]


@pytest.mark.parametrize("text", ["", "one", "## A\n\nb\n\n### C\n\nd", "3.1. Gate\n\nThe gate.", "\\section{A}\n\nb"])
def test_sections_of_an_excerpt_join_to_it_again(text: str) -> None:
    assert "\n\n".join(s.text for s in split_text_into_sections(text)) == text


@given(ODD_TEXT)
def test_sections_of_any_text_join_to_it_again(text: str) -> None:
    assert "\n\n".join(s.text for s in split_text_into_sections(text)) == text


def test_headings_of_an_excerpt_are_known_by_number_or_markup() -> None:
    text = "# T\n\n2. Related Work\n\nx\n\n3.1. Gated Unit\n\ny\n\n\\subsection{Echo}\n\nz\n\nA sentence, 3.1 of it."
    assert [(s.heading, s.level) for s in split_text_into_sections(text)] == [
        ("# T", 1),
        ("2. Related Work", 1),
        ("3.1. Gated Unit", 2),
        ("\\subsection{Echo}", 2),
    ]


@settings(max_examples=200, deadline=None)
@given(ODD_TEXT, st.sampled_from([P, T]), st.sampled_from(["Method", "Ablation Study", "Results", ""]))
def test_the_analysis_reads_any_text(text: str, kind: Any, heading: str) -> None:
    source = paper(section(heading, (kind, text)))
    plan = Plan(ablations=(Ablation(name="n", ablated_part=heading or "x", action=Action.REMOVE, metrics=("m",)),))
    analyse_paper(source)
    analyse_sections(split_text_into_sections(text))
    find_faults(plan, (), index(source))


PARAGRAPH = (
    "We propose a gated echo unit %d (GEU) to hear owls. The night contrast loss is used. w/o GEU 12.1 13.4\n"
    "We remove the gate and replace the memory with a buffer, since the effect of **bold term %d** is large ("
)


def count_calls(text: str) -> int:
    """Return the number of calls, of Python and of C functions, that the analysis of a text makes."""
    source = paper(section("Method", (P, text)), section("Ablation Study", (P, text), (T, text)))
    count = 0

    def counting(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        analyse_paper(source)
    finally:
        sys.setprofile(None)
    return count


def test_work_grows_with_the_text_and_no_faster() -> None:
    small, large = ("\n\n".join(PARAGRAPH % (n, n) for n in range(size)) for size in (20, 160))
    assert count_calls(large) < 10 * count_calls(small)


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        "( ",
        "A",
        "A ",
        "a-",
        "w/o ",
        "( A",
        "**",
        "→ ",
        "\\textbf{",
        "\\cite[",
        "the the ",
        "effect of ",
        "1 ",
        "- ",
        "$ ",
    ],
)
def test_monotonous_text_is_read_to_its_end(unit: str) -> None:
    text = unit * 30_000
    source = paper(section("Method", (P, text)), section("Ablation", (P, text), (T, text)))
    assert len(analyse_paper(source).reported_ablations) <= len(text)
