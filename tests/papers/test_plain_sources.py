"""Plain text, sentences, front matter, marked headings and quoted stretches, case by case."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.headings import find_abstract_text
from planner.papers.leaks import split_sentences
from planner.papers.markdown import FrontMatter, parse_front_matter, read_markdown
from planner.papers.outline import Heading, assemble_sections, correct_headings
from planner.papers.paper import Block, BlockKind, Section, SectionKind, build_hidden_text_warnings
from planner.papers.sources import strip_folders_and_endings
from planner.papers.text import read_plain_text

SENTENCES = {
    "two": ["We turn gears. ", "They turn."],
    "each mark": ["So? ", "Yes! ", "Good."],
    "a quotation": ['He said "turn." ', "It turned."],
    "brackets": ["(We turn.) ", "It turned."],
    "for example": ["Gears, e.g. Cogs, turn."],
    "and others": ["Smith et al. Showed it."],
    "a figure": ["See Fig. 3 and Tab. 2 for it. ", "It turns."],
    "an initial": ["By J. Smith. ", "It turns."],
    "a section's letter": ["See Appendix B. ", "It turns."],
    "a number": ["It is 3.5 times as fast. ", "Good."],
    "a version in lower case": ["We use v2. it is fine."],
    "a paragraph": ["No stop here\n\n", "It turns."],
    "items": ["We do:\n", "- one\n", "- two"],
    "numbered items": ["We do:\n", "1. one\n", "2) two"],
    "LaTeX items": ["We do:\n", "\\item one\n", "\\item two"],
    "an equation": ["Then x = y. ", "$z$ follows."],
}


@pytest.mark.parametrize("parts", SENTENCES.values(), ids=SENTENCES.keys())
def test_sentences_end_where_a_reader_ends_them(parts: list[str]) -> None:
    assert list(split_sentences("".join(parts))) == parts


@given(st.text(alphabet='aB .!?\n-1)"e.g', max_size=200))
def test_sentences_joined_are_the_text(text: str) -> None:
    expected = list(split_sentences(text))
    assert "".join(expected).strip() == text.strip()
    assert all(expected)


METADATA = {
    "plain": ("title: On Gears", FrontMatter("On Gears")),
    "double quotes": ('title: "On \\"Gears\\""', FrontMatter('On "Gears"')),
    "single quotes": ("title: 'Gears'' Turn'", FrontMatter("Gears' Turn")),
    "a colon within": ("title: Gears: a study", FrontMatter("Gears: a study")),
    "a comment": ("title: On Gears # draft", FrontMatter("On Gears")),
    "a hash in a word": ("title: On C# Gears", FrontMatter("On C# Gears")),
    "folded": ("title: >-\n  On\n  Gears\nauthor: A", FrontMatter("On Gears")),
    "a block of lines": ("abstract: |\n  We turn.\n\n  It works.\ntitle: T", FrontMatter("T", "We turn. It works.")),
    "another case": ("Title: On Gears", FrontMatter("On Gears")),
    "TOML": ('title = "On Gears"', FrontMatter("On Gears")),
    "a field within another": ("author:\n  title: Dr\ntitle: On Gears", FrontMatter("On Gears")),
    "a longer field": ("subtitle: no\ntitle-short: no", FrontMatter()),
    "nothing": ("author: A", FrontMatter()),
}


@pytest.mark.parametrize(("yaml", "front"), METADATA.values(), ids=METADATA.keys())
def test_metadata_gives_title_and_abstract(yaml: str, front: FrontMatter) -> None:
    assert parse_front_matter(yaml) == front


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("---\ntitle: T\n---\nwords", "words"),
        ("---\ntitle: T\n...\nwords", "words"),
        ("+++\ntitle = 'T'\n+++\nwords", "words"),
        ("% T\n% An Author\n% 2026\nwords", "words"),
    ],
    ids=["YAML", "YAML with dots", "TOML", "pandoc"],
)
def test_front_matter_is_parted_from_the_text(text: str, rest: str) -> None:
    paper = read_markdown(text, "x.md")
    assert (paper.title, [section.text for section in paper.sections]) == ("T", [rest])


@pytest.mark.parametrize("text", ["words\n---\ntitle: T\n---\n", "---\ntitle: T\nwords", "%no title\n", ""])
def test_what_is_no_front_matter_stays_in_the_text(text: str) -> None:
    sections = read_markdown(text, "x.md").sections
    assert re.findall(r"\w+", "\n".join(section.text for section in sections)) == re.findall(r"\w+", text)


def headings(text: str) -> list[tuple[str, int]]:
    return [(s.heading, s.level) for s in read_plain_text(f"On Gears\n\n{text}", "x").sections if s.heading]


BODY = "We turn gears and look at what they do then, again and again.\n\n"
LISTED = {
    "numbers that count on": (
        "1 Gears\n\n2 Cogs\n\n2.1 Teeth\n\n3 End",
        [("1 Gears", 1), ("2 Cogs", 1), ("2.1 Teeth", 2), ("3 End", 1)],
    ),
    "a number out of order": ("1 Gears\n\n7 Dwarfs\n\n2 Cogs", [("1 Gears", 1), ("2 Cogs", 1)]),
    "one number missed": ("1 Gears\n\n3 Cogs", [("1 Gears", 1), ("3 Cogs", 1)]),
    "Roman numbers": ("I. GEARS\n\nII. COGS\n\nIII. END", [("I. GEARS", 1), ("II. COGS", 1), ("III. END", 1)]),
    "names alone": ("Introduction\n\nMethods\n\nReferences", [("Introduction", 1), ("Methods", 1), ("References", 1)]),
    "underlined": ("Gears\n=====\n\nConclusion\n----------", [("Conclusion", 1)]),
    "shouted": ("ON COGS\n\nTHEIR TEETH", [("ON COGS", 1), ("THEIR TEETH", 1)]),
    "sentences": ("1 We turn.\n\nResults,\n\nConclusion:", []),
    "a shouted caption": ("TABLE 1: GEARS", []),
    "appendices": (
        "1 Gears\n\nReferences\n\nA Proofs\n\nB Data",
        [("1 Gears", 1), ("References", 1), ("A Proofs", 1), ("B Data", 1)],
    ),
    "a letter before any number": ("A Gear of Ours", []),
}


@pytest.mark.parametrize(("text", "expected"), LISTED.values(), ids=LISTED.keys())
def test_headings_of_plain_text(text: str, expected: list[tuple[str, int]]) -> None:
    assert headings(text.replace("\n\n", f"\n\n{BODY}") + f"\n\n{BODY}") == expected


@pytest.mark.parametrize(
    ("caption", "kind"),
    [
        ("Table 1: Gears\na 1.5", BlockKind.TABLE),
        ("Tables 1 and 2 show it", BlockKind.PROSE),
        ("Figure A2. A gear", BlockKind.FIGURE),
        ("Fig. 3: A gear", BlockKind.FIGURE),
        ("**Table 4.** Gears", BlockKind.TABLE),
        ("Table 1 shows gears", BlockKind.PROSE),
    ],
)
def test_a_caption_in_plain_text_makes_a_float(caption: str, kind: BlockKind) -> None:
    sections = read_plain_text(f"On Gears\n\n{BODY}{caption}", "x").sections
    assert sections[-1].blocks[-1] == Block(kind, caption)


def resolve(*marked: tuple[str, int], known: str = "") -> tuple[str, list[tuple[str, int]], int]:
    expected = correct_headings([Heading(text, rank, text) for text, rank in marked], known_title=known)
    return (
        expected.title,
        [(p.text, p.level) for p in expected.headings_and_blocks if isinstance(p, Heading)],
        expected.code_like_count,
    )


MARKED_HEADINGS = {
    "all of one rank": ([("Gears", 1), ("Method", 1)], "", ("Gears", [("Method", 1)], 0)),
    "a known title of the rank of sections": (
        [("On Gears!", 2), ("Method", 2)],
        "on gears",
        ("On Gears!", [("Method", 1)], 0),
    ),
    "another title is known": ([("Gears", 2), ("Cogs", 2)], "On Widgets", ("", [("Gears", 1), ("Cogs", 1)], 0)),
    "numbers over marks": (
        [("1 A", 3), ("1.1 B", 1), ("2 C", 2), ("2.1.1 D", 2)],
        "",
        ("", [("1 A", 1), ("1.1 B", 2), ("2 C", 1), ("2.1.1 D", 3)], 0),
    ),
    "few numbers do not rule": (
        [("1 A", 2), ("1.1 B", 3), ("C", 4)],
        "",
        ("", [("1 A", 1), ("1.1 B", 2), ("C", 3)], 0),
    ),
    "Roman numbers and letters": (
        [("I. A", 2), ("A. B", 2), ("II. C", 2), ("B. D", 2)],
        "",
        ("", [("I. A", 1), ("A. B", 2), ("II. C", 1), ("B. D", 2)], 0),
    ),
    "code marked as headings": (
        [("1 A", 1), ("1.1 B", 2), ("2 C", 1), ("3 D", 1), ("x = 5", 1), ("for each item:", 1)],
        "",
        ("", [("1 A", 1), ("1.1 B", 2), ("2 C", 1), ("3 D", 1)], 2),
    ),
    "authors before the abstract": (
        [("On Gears", 1), ("A. Author", 2), ("Somewhere", 3), ("Abstract", 2), ("Introduction", 2)],
        "",
        ("On Gears", [("Abstract", 1), ("Introduction", 1)], 0),
    ),
    "longer than any heading": ([("Method", 1), ("x" * 251, 1)], "", ("", [("Method", 1)], 1)),
    "none": ([], "", ("", [], 0)),
}


@pytest.mark.parametrize(("marked", "known", "expected"), MARKED_HEADINGS.values(), ids=MARKED_HEADINGS.keys())
def test_marked_headings_are_title_sections_or_text(
    marked: list[tuple[str, int]], known: str, expected: tuple[str, list[tuple[str, int]], int]
) -> None:
    assert resolve(*marked, known=known) == expected


RUN_INS = {
    "a stop": "Abstract. We turn.",
    "a dash": "Abstract—We turn.",
    "a colon in bold": "**Abstract:** We turn.",
    "bold alone": "**Abstract** We turn.",
    "emphasis": "*Abstract* — We turn.",
    "LaTeX": "\\textbf{Abstract} We turn.",
    "tags": "<b>Abstract</b> We turn.",
    "shouted": "ABSTRACT: We turn.",
}


@pytest.mark.parametrize("paragraph", RUN_INS.values(), ids=RUN_INS.keys())
def test_an_abstract_without_a_heading_begins_with_the_word(paragraph: str) -> None:
    pieces = [Block(BlockKind.PROSE, paragraph), Heading("Introduction", 1), Block(BlockKind.PROSE, "Abstract. No.")]
    assert find_abstract_text(assemble_sections(pieces)) == "We turn."


@pytest.mark.parametrize("paragraph", ["Abstractions turn.", "abstract art turns", "An abstract. We turn."])
def test_a_paragraph_with_another_beginning_is_no_abstract(paragraph: str) -> None:
    assert find_abstract_text(assemble_sections([Block(BlockKind.PROSE, paragraph)])) == ""


@pytest.mark.parametrize("line", ["Keywords: gears", "**Index Terms** gears", "CCS Concepts • gears", "© 2026 Us"])
def test_what_journals_set_below_an_abstract_is_no_part_of_it(line: str) -> None:
    pieces = [Heading("Abstract", 1), Block(BlockKind.PROSE, "We turn."), Block(BlockKind.PROSE, line)]
    assert find_abstract_text(assemble_sections(pieces)) == "We turn."


def test_parts_of_a_structured_abstract_carry_their_names_up_to_what_is_none() -> None:
    pieces = [Heading("Abstract", 1), Heading("Background", 2), Block(BlockKind.PROSE, "Gears."), Heading("Results", 2)]
    pieces += [Block(BlockKind.PROSE, "They turn."), Heading("Availability", 2), Block(BlockKind.PROSE, "Online.")]
    assert find_abstract_text(assemble_sections(pieces)) == "Background: Gears.\n\nResults: They turn."


PIECES = st.lists(
    st.one_of(
        st.builds(Heading, st.sampled_from(["", "Method", "References", "A Proofs", "Ablations"]), st.integers(1, 4)),
        st.builds(Block, st.sampled_from(BlockKind), st.text(min_size=1, max_size=9)),
    ),
    max_size=15,
)


@given(PIECES)
def test_sections_partition_their_pieces(pieces: list[Heading | Block]) -> None:
    expected = [Block(BlockKind.HEADING, p.text) if isinstance(p, Heading) else p for p in pieces]
    sections: tuple[Section, ...] = assemble_sections(pieces)
    assert [b for s in sections for b in s.blocks] == [block for block in expected if block.text]
    assert all((section.level == 0) == (section.heading == "") for section in sections)


@given(PIECES)
def test_an_ablation_is_one_wherever_it_stands(pieces: list[Heading | Block]) -> None:
    assert all(s.kind is SectionKind.ABLATION for s in assemble_sections(pieces) if s.heading == "Ablations")


PLAIN = {
    "a link": ("see [the page](http://a.b/c_d)", "see the page"),
    "an image": ("![a gear](g.png)", "a gear"),
    "emphasis": ("*so* **very** ***much*** _indeed_", "so very much indeed"),
    "snake case": ("the snake_case_name", "the snake_case_name"),
    "a product": ("2 * 3 * 4", "2 * 3 * 4"),
    "an escape": ("50\\% and \\*this\\*", "50\\% and *this*"),
    "tags": ("x<sub>1</sub> <br/> y", "x1  y"),
    "less-than": ("a < b", "a < b"),
}


@pytest.mark.parametrize(("source", "text"), PLAIN.values(), ids=PLAIN.keys())
def test_markdown_without_its_marks(source: str, text: str) -> None:
    assert read_markdown(f"# Abstract\n\nWe see {source}", "x.md").abstract == f"We see {text}"


MARKED = [
    "# A\n\n", "## B\n", "words ", "\n\n", "- item\n", "```\n# no\n```\n\n", "> q\n", "**Bold**\n\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n", "Table 1: t\n\n", "    code\n", "1. one\n",
]  # fmt: skip
MARKDOWN_WORDS = st.lists(st.sampled_from(MARKED), max_size=20).map("".join)


@given(MARKDOWN_WORDS)
def test_no_word_of_markdown_is_lost(text: str) -> None:
    kept = "".join("".join(section.text.split()) for section in read_markdown(text, "x.md").sections)
    assert kept == "".join(text.split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x/2507.08038v2.tar.gz", "2507.08038v2"),
        ("x/paper.tar.bz2", "paper"),
        ("x/paper.txz", "paper"),
        ("x\\paper.PDF", "paper"),
        ("a.tex.gz", "a"),
        ("v1.2-notes.md", "v1.2-notes"),
        (".tex", ".tex"),
        ("paper", "paper"),
    ],
)
def test_a_source_is_called_by_its_name_without_endings(name: str, expected: str) -> None:
    assert strip_folders_and_endings(name) == expected


def test_hidden_stretches_are_quoted_once_each_shortened_and_counted() -> None:
    assert build_hidden_text_warnings(["a\n b", "a b", "  "]) == (
        "text that the page does not show was left out: 'a b'",
    )
    assert build_hidden_text_warnings(["x" * 301])[0].endswith(f"{'x' * 300}…'")
    many = build_hidden_text_warnings(f"stretch {n}" for n in range(23))
    assert (len(many), many[-1]) == (21, "3 more hidden texts were left out of the paper")
    assert len(build_hidden_text_warnings(f"stretch {n}" for n in range(20))) == 20
