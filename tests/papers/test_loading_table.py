"""Sentences and floats that give results away, stated titles and abstracts, encodings, and disguised characters."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import PaperError
from planner.papers.characters import decode_text_with_warnings, is_binary, normalize_characters_with_warnings
from planner.papers.leaks import ANNOUNCEMENT_REASON, FLOAT_REASON, remove_results_and_ablations
from planner.papers.load import load_paper
from planner.papers.paper import Block, BlockKind, Excerpt, Section, SectionKind
from tests.papers.build import BODY
from tests.papers_made import section

ANNOUNCING = [
    "An ablation study shows the value of each part.",
    "We ablate the gate in detail.",
    "Ablating the gate costs two points.",
    "Removing the spring degrades all scores.",
    "Disabling the second gate leads to worse forecasts.",
    "Without the spring, performance declines.",
    "When the gate is on, dropping it hurts.",
    "Our experiments verify the contribution of each spring.",
    "We study the effect of every loss.",
    "\\ablate{gate} costs two points.",
]
SILENT = [
    "The gate is removed from the graph when training ends.",
    "We study the effect of rain on tides.",
    "Performance is measured in knots.",
    "Without loss of generality, let x be positive.",
    "Oblate spheroids turn.",
    "We replace each missing value by zero.",
    "The ablator is a heat shield.",
]


@pytest.mark.parametrize("sentence", ANNOUNCING)
def test_a_sentence_that_announces_ablations_goes_and_its_neighbours_stay(sentence: str) -> None:
    abstract = f"We gate. {sentence} It turns."
    assert remove_results_and_ablations(Excerpt("T", abstract, ""), []).abstract == "We gate. It turns."


@pytest.mark.parametrize("sentence", SILENT)
def test_a_sentence_that_announces_none_stays(sentence: str) -> None:
    abstract = f"We gate. {sentence} It turns."
    assert remove_results_and_ablations(Excerpt("T", abstract, ""), []).abstract == abstract


METHOD_FIGURES = [
    "Figure 1: Overview of the gate.",
    "Fig. 2. The training procedure.",
    "\\begin{figure}\\caption[Short]{The {gate} architecture.}\\end{figure}",
]
RESULT_FIGURES = [
    "Figure 1: Accuracy over time.",
    "Figure 2: Effect of the gate.",
    "Figure 3: Training curves.",
    "Figure 4: Architecture without the gate.",
    "Figure 5: A gear.",
    "1.5 2.5 3.5",
]


def with_float(kind: BlockKind, text: str, *prose: str) -> Section:
    """A section of the method with a float at its end."""
    method = section("Method", SectionKind.METHOD, *prose)
    return replace(method, blocks=(*method.blocks, Block(kind, text)))


def redact(section: Section) -> Excerpt:
    return remove_results_and_ablations(Excerpt("T", "", "", sections=(section,)), [])


@pytest.mark.parametrize("figure", METHOD_FIGURES)
def test_the_caption_of_a_figure_of_the_method_is_kept(figure: str) -> None:
    (redacted,) = redact(with_float(BlockKind.FIGURE, figure)).sections
    assert len(redacted.blocks) == 2
    assert redacted.blocks[1].text in figure


@pytest.mark.parametrize("figure", RESULT_FIGURES)
@pytest.mark.parametrize("kind", [BlockKind.FIGURE, BlockKind.TABLE])
def test_any_other_float_goes_and_is_counted(figure: str, kind: BlockKind) -> None:
    excerpt = redact(with_float(kind, figure, "We gate."))
    assert excerpt.sections == (section("Method", SectionKind.METHOD, "We gate."),)
    assert excerpt.text == excerpt.sections[0].text
    assert [(part.heading, part.chars, part.why) for part in excerpt.omissions] == [
        ("Method", len(figure), FLOAT_REASON)
    ]


def test_what_is_left_out_for_each_reason_is_counted_apart() -> None:
    kept = with_float(BlockKind.TABLE, "Table 1: a", "We gate. We ablate the gate.")
    excerpt = redact(replace(kept, heading="", level=0))
    assert {(part.heading, part.why) for part in excerpt.omissions} == {
        ("(before the first heading)", FLOAT_REASON),
        ("(before the first heading)", ANNOUNCEMENT_REASON),
    }


@given(st.lists(st.sampled_from([*ANNOUNCING, *SILENT]), min_size=1, max_size=8))
def test_sealing_keeps_the_silent_and_loses_the_others(sentences: list[str]) -> None:
    (redacted,) = redact(section("Method", SectionKind.METHOD, " ".join(sentences))).sections
    expected = " ".join(sentence for sentence in sentences if sentence in SILENT)
    assert redacted.blocks[1:] == ((Block(BlockKind.PROSE, expected),) if expected else ())


SOURCE = f"# On Gears\n\n## Abstract\n\nWe turn many gears and then some more of them.\n\n## Method\n\n{BODY}".encode()


@pytest.mark.parametrize(
    ("stated", "has_warning"),
    [("On Gears", False), ("ON  GEARS!", False), ("On gears.", False), ("On Cogs", True), ("Gears", True)],
)
def test_a_stated_title_wins_and_other_words_are_a_warning(stated: str, has_warning: bool) -> None:
    paper = load_paper("-", stdin=SOURCE, title=stated)
    message = "the given title is used; it differs from the one found in the paper ('On Gears')"
    assert paper.title == " ".join(stated.split())
    assert paper.warnings == ((message,) if has_warning else ())


@pytest.mark.parametrize(
    ("stated", "has_warning"),
    [
        ("We turn many gears and then some more of them.", False),
        ("We turn many gears and none of them.", True),
        ("We turn many gears, and then some more of them at once", False),
        ("Owls hoot.", True),
    ],
)
def test_a_stated_abstract_may_differ_by_a_few_words(stated: str, has_warning: bool) -> None:
    paper = load_paper("-", stdin=SOURCE, abstract=f" {stated}\n")
    assert paper.abstract == stated
    assert any("the given abstract" in warning for warning in paper.warnings) is has_warning


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("https://example.org/paper.pdf", "is not fetched, because it is not an arXiv address"),
        ("ftp://arxiv.org/abs/2507.08038", "is not fetched"),
        ("https://arxiv.org.example.org/abs/2507.08038", "is not fetched"),
        ("a\0b", "there is no file or folder|cannot be read"),
        ("x" * 5000, "cannot be read"),
    ],
)
def test_what_is_neither_here_nor_on_arxiv_is_refused(source: str, message: str) -> None:
    with pytest.raises(PaperError, match=message):
        load_paper(source)


ENCODINGS = {
    "a BOM of UTF-16": ("Größe".encode("utf-16-be").join((b"\xfe\xff", b"")), "Größe"),
    "declared for LaTeX": ("\\usepackage[applemac]{inputenc} Größe".encode("mac-roman"), "Größe"),
    "declared for HTML": ("<meta charset='iso-8859-2'> Łódź".encode("iso-8859-2"), "Łódź"),
    "declared for editors": ("# -*- coding: koi8-r -*- шестерня".encode("koi8-r"), "шестерня"),
    "declared by no name": (b"<meta charset='no-such'> Gr\xf6\xdfe", "Größe"),
    "undeclared": ("Größe — “so”".encode("cp1252"), "Größe — “so”"),
}


@pytest.mark.parametrize(("data", "text"), ENCODINGS.values(), ids=ENCODINGS.keys())
def test_a_text_is_read_in_the_encoding_that_it_has(data: bytes, text: str) -> None:
    assert decode_text_with_warnings(data, "x")[0].endswith(text)


@pytest.mark.parametrize(
    ("data", "binary"),
    [(b"words\n\tand more\x0c", False), (b"a\x00b", True), (b"\x01\x02\x03words", True), (b"", False),
     (b"w" * 100 + b"\x07", False), ("日本語".encode(), False)],
)  # fmt: skip
def test_bytes_that_no_text_has_are_known(data: bytes, binary: bool) -> None:
    assert is_binary(data) is binary


LINES = {"\r\n": "\n", "\r": "\n", "\u2028": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\n": "\n", "\t": "\t"}


@pytest.mark.parametrize(("ending", "expected"), LINES.items(), ids=map(repr, LINES))
def test_every_line_ending_becomes_one(ending: str, expected: str) -> None:
    assert normalize_characters_with_warnings(f"a{ending}b") == (f"a{expected}b", ())


@given(st.text(max_size=200))
def test_a_clean_text_has_no_unseen_character(text: str) -> None:
    cleaned, warnings = normalize_characters_with_warnings(text)
    assert not set(cleaned) & set("\u200b\u2060\ufeff\u202e\u2066\x00\x07\r\u2028")
    assert all(0 < len(warning) < 600 and "\n" not in warning for warning in warnings)
