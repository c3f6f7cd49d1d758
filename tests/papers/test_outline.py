"""Sections out of headings and blocks: levels, kinds, abstracts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.headings import find_abstract_text
from planner.papers.load import load_paper
from planner.papers.outline import Heading, assemble_sections, correct_headings
from planner.papers.paper import Block, BlockKind, SectionKind


def prose(text: str) -> Block:
    return Block(BlockKind.PROSE, text)


def kinds(*headings: tuple[str, int]) -> list[SectionKind]:
    return [section.kind for section in assemble_sections(Heading(text, level) for text, level in headings)]


def test_subsections_are_what_their_section_is_and_ablations_are_ablations_anywhere() -> None:
    assert kinds(("Method", 1), ("Details", 2), ("Ablation of parts", 2), ("Results", 1), ("Data", 2)) == [
        SectionKind.METHOD,
        SectionKind.METHOD,
        SectionKind.ABLATION,
        SectionKind.EXPERIMENTS,
        SectionKind.EXPERIMENTS,
    ]


def test_lettered_sections_after_the_references_are_appendices() -> None:
    assert kinds(("References", 1), ("A Proofs", 1), ("B. Ablations", 1), ("Appendix C Data", 1)) == [
        SectionKind.REFERENCES,
        SectionKind.APPENDIX,
        SectionKind.ABLATION,
        SectionKind.APPENDIX,
    ]


def test_a_structured_abstract_is_abstract_throughout_and_a_summary_elsewhere_is_not() -> None:
    assert kinds(("Abstract", 1), ("Results", 2), ("Discussion", 1), ("Summary", 2)) == [
        SectionKind.ABSTRACT,
        SectionKind.ABSTRACT,
        SectionKind.CONCLUSION,
        SectionKind.CONCLUSION,
    ]


def test_a_heading_without_text_ends_the_section_before_it() -> None:
    sections = assemble_sections([Heading("Abstract", 1), prose("Short."), Heading("", 0), prose("Long.")])
    assert [(s.heading, s.level) for s in sections] == [("Abstract", 1), ("", 0)]
    assert find_abstract_text(sections) == "Short."


def test_keywords_are_no_part_of_the_abstract() -> None:
    sections = assemble_sections([Heading("Abstract", 1), prose("Short."), prose("**Keywords:** gears, widgets")])
    assert find_abstract_text(sections) == "Short."


@pytest.mark.parametrize(
    ("headings", "title", "levels"),
    [
        ([("On Gears", 1), ("One", 2), ("Two", 3)], "On Gears", [("One", 1), ("Two", 2)]),
        ([("Introduction", 1), ("Method", 1), ("Parts", 2)], "", [("Introduction", 1), ("Method", 1), ("Parts", 2)]),
        ([("On Gears", 1), ("Ann Author", 3), ("Abstract", 2), ("One", 2)], "On Gears", [("Abstract", 1), ("One", 1)]),
        (
            [("1 One", 2), ("1.1 In", 2), ("2 Two", 3), ("2.1 In", 4), ("Aside", 4), ("References", 4)],
            "",
            [("1 One", 1), ("1.1 In", 2), ("2 Two", 1), ("2.1 In", 2), ("Aside", 3), ("References", 1)],
        ),
    ],
)
def test_marked_headings_find_their_levels(
    headings: list[tuple[str, int]], title: str, levels: list[tuple[str, int]]
) -> None:
    resolved = correct_headings([Heading(text, rank, "#" * rank + text) for text, rank in headings])
    assert resolved.title == title
    assert [(p.text, p.level) for p in resolved.headings_and_blocks if isinstance(p, Heading)] == levels


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(1, 6)), max_size=20))
def test_no_heading_is_lost_and_levels_begin_at_one(headings: list[tuple[str, int]]) -> None:
    resolved = correct_headings([Heading(text, rank, f"# {text}") for text, rank in headings])
    sources = [p.source_text if isinstance(p, Heading) else p.text for p in resolved.headings_and_blocks]
    for (text, _), source in zip(headings, sources, strict=True):
        assert not text or source == f"# {text}"
    assert all(p.level >= 1 for p in resolved.headings_and_blocks if isinstance(p, Heading) and p.text)


ENGLISH = "We turn the gears of the mill and look at what they do. " * 40


@pytest.mark.parametrize(
    ("words", "is_doubtful"),
    [
        (ENGLISH, False),
        ("Zahnradgetriebe " * 60, False),
        ("Wir drehen die Zahnräder der Mühle und sehen, was sie tun. " * 40, True),
        ("我们转动齿轮。" * 40, True),
        ("Мы вращаем шестерни мельницы. " * 40, True),
    ],
)
def test_a_paper_in_another_language_is_warned_of(words: str, is_doubtful: bool) -> None:
    warnings = load_paper("-", stdin=f"# Gears\n\n## Method\n\n{words}".encode()).warnings
    assert [warning for warning in warnings if "not to be in English" in warning] == list(warnings)
    assert bool(warnings) is is_doubtful


def test_an_abstract_without_an_end_is_warned_of() -> None:
    long, shorter = (load_paper("-", stdin=b"# Gears\n\n## Abstract\n\n" + b"x" * size) for size in (5_001, 5_000))
    assert "perhaps the heading after it was not found" in long.warnings[0]
    assert shorter.warnings == ()
