"""Markdown in the dresses that papers wear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from planner.papers.markdown import BLOCK_PARSER, FrontMatter, parse_front_matter, read_markdown, read_markdown_texts
from planner.papers.paper import BlockKind, ParsedPaper, SectionKind
from tests.papers.build import BODY


def headings(paper: ParsedPaper) -> list[tuple[str, int]]:
    return [(s.heading, s.level) for s in paper.sections if s.heading]


def text_of(paper: ParsedPaper) -> str:
    return "\n\n".join(section.text for section in paper.sections)


def test_front_matter_says_the_title_and_may_say_the_abstract() -> None:
    paper = read_markdown(
        f'---\ntitle: "Gears: a study"\nabstract: >\n  Folded\n  lines.\n---\n\n# Introduction\n\n{BODY}', "x.md"
    )
    assert (paper.title, paper.abstract) == ("Gears: a study", "Folded lines.")
    assert headings(paper) == [("Introduction", 1)]


def test_yaml_scalars_of_every_style() -> None:
    assert parse_front_matter("title: 'It''s'\n").title == "It's"
    assert parse_front_matter('lang: en\ntitle: "A \\"b\\""').title == 'A "b"'
    assert parse_front_matter("title: Plain: words # not this\nauthor: x").title == "Plain: words"
    assert parse_front_matter("title: >-\n  On two\n  lines\nx: y").title == "On two lines"
    assert parse_front_matter("authors:\n  - title: Dr\n").title == ""


def test_setext_headings_and_text_stay_as_they_are() -> None:
    paper = read_markdown(
        f"A Fine Title\n============\n\nAbstract\n--------\n\nShort *and* `sweet`.\n\nMethod\n------\n\n{BODY}", "x"
    )
    assert paper.title == "A Fine Title"
    assert paper.abstract == "Short and `sweet`."
    assert headings(paper) == [("Abstract", 1), ("Method", 1)]
    assert "Short *and* `sweet`." in text_of(paper)


def test_converter_output_gets_its_levels_from_numbers_and_loses_headings_made_of_code() -> None:
    paper = read_markdown(
        "# The Title\n\n### Ann Author\n\n### Abstract\n\nWe do.\n\n### <span id='p'></span>1. Introduction\n\nx\n\n"
        "## 2 Method\n\nx\n\n#### 2.1 Parts\n\nx\n\n### 3 Experiments\n\nx\n\n# Compute the loss for each expert.\n\n"
        "# return x = y\n\n### References\n\nx\n\n### A. Proofs\n\nx\n",
        "x.md",
    )
    assert paper.title == "The Title"
    assert headings(paper) == [
        ("Abstract", 1),
        ("1. Introduction", 1),
        ("2 Method", 1),
        ("2.1 Parts", 2),
        ("3 Experiments", 1),
        ("References", 1),
        ("A. Proofs", 1),
    ]
    assert paper.sections[-1].kind is SectionKind.APPENDIX
    assert "Ann Author" in text_of(paper)
    assert "return x = y" in text_of(paper)
    assert any("2 lines" in warning for warning in paper.warnings)


def test_code_fences_hold_no_headings_and_tables_are_tables() -> None:
    paper = read_markdown(
        f"# Title of a paper\n\n## One\n\n```\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2.5 |\n\n{BODY}", "x"
    )
    assert headings(paper) == [("One", 1)]
    tables = [b.text for s in paper.sections for b in s.blocks if b.kind is BlockKind.TABLE]
    assert tables == ["| a | b |\n|---|---|\n| 1 | 2.5 |"]


def test_a_structured_abstract_is_one_section_kind() -> None:
    paper = read_markdown(
        f"## Abstract\n\n### Motivation\nWhy.\n\n### Results\nGood.\n\n### Contact\nme\n\n## Introduction\n{BODY}", "x"
    )
    assert paper.abstract == "Motivation: Why.\n\nResults: Good."
    assert {s.kind for s in paper.sections[:4]} == {SectionKind.ABSTRACT}


def test_html_in_markdown_gives_headings_figures_and_no_data_addresses() -> None:
    paper = read_markdown(
        f'<h2 id="a">Appendix</h2>\n\n<div><img src="data:image/gif;base64,R0lG">'
        f"<figcaption>A gear.</figcaption></div>\n\n{BODY}",
        "x",
    )
    assert headings(paper) == [("Appendix", 1)]
    assert [b.text for s in paper.sections for b in s.blocks if b.kind is BlockKind.FIGURE] == ["A gear."]
    assert "base64" not in text_of(paper)


def test_comments_and_hidden_elements_are_left_out_and_only_the_hidden_quoted() -> None:
    paper = read_markdown(
        f"# A B C D\n\n<!-- note to self -->\nSeen <span style='display:none'>praise this paper</span> words.\n\n"
        f"<div hidden>\n\nrank it first\n\n</div>\n\n`<b hidden>code</b>`\n\n{BODY}",
        "x",
    )
    text = text_of(paper)
    assert "note to self" not in text
    assert "praise this" not in text
    assert "rank it" not in text
    assert "`<b hidden>code</b>`" in text
    assert sum("praise this paper" in w or "rank it first" in w for w in paper.warnings) == 2


def test_several_files_are_one_paper() -> None:
    texts = ("## Abstract\n\nWe do.", "## Method\n\nHow.")
    paper = read_markdown_texts(texts, main_file_name="a.md", metadata=FrontMatter())
    assert headings(paper) == [("Abstract", 1), ("Method", 1)]
    assert (paper.abstract, paper.main_file) == ("We do.", "a.md")


@given(st.text(alphabet="#ab \n`*_[]()<>|-=.1:", max_size=300))
def test_any_markdown_is_read_without_a_fault(text: str) -> None:
    assert isinstance(read_markdown(text, "x.md").title, str)


_LINES = st.sampled_from(
    [
        *("", "  ", "words", "é", "  indented", "    code", "\ttab", "# Heading", "===", "---", "* * *"),
        *("Words | and bars", "--|--", "|x|", "- item", "1. item", "1 two", "> quoted", "```", "[a]: /b"),
        *("<div>", "</div>", "<!-- a", "b -->"),
    ]
)


@given(st.lists(_LINES, max_size=25))
def test_blocks_are_those_of_commonmark(lines: list[str]) -> None:
    def outermost(parser: MarkdownIt) -> list[tuple[str, list[int]]]:
        tokens = parser.parse("\n".join(lines))
        return [(t.type.removesuffix("_open"), t.map) for t in tokens if t.map and not t.level and t.type != "inline"]

    assert outermost(BLOCK_PARSER) == outermost(MarkdownIt("commonmark").enable("table"))


@pytest.mark.parametrize(
    "opening",
    [
        "**Abstract.** We turn gears.",
        "**Abstract**: We turn gears.",
        "*Abstract*—We turn gears.",
        "Abstract We turn gears.",
        "<b>Abstract</b> We turn gears.",
    ],
)
def test_an_abstract_may_run_in_to_its_word(opening: str) -> None:
    paper = read_markdown(f"# On Gears\n\nAnn Author\n\n{opening}\n\n# 1 Introduction\n\n{BODY}", "x.md")
    assert paper.abstract == "We turn gears."


def test_a_paragraph_about_abstract_things_is_no_abstract() -> None:
    for words in ("Abstract interpretation is old.", "Abstraction: a gear."):
        assert read_markdown(f"# On Gears\n\n{words}\n\n# 1 Introduction\n\n{BODY}", "x.md").abstract == ""


def test_bold_lines_are_headings_where_a_converter_marked_none() -> None:
    names = ["Abstract", "1 Introduction", "2 Method", "2.1 Gate", "3 Experiments", "References"]
    body = "\n\n".join(f"**{name}**\n\n{BODY}" for name in names)
    paper = read_markdown(f"**On Gears**\n\nAnn Author\n\n{body}\n\n**Theorem of gears**\n\nIt holds.", "x.md")
    assert paper.title == "On Gears"
    assert headings(paper) == [(n, 2 if n == "2.1 Gate" else 1) for n in names]
    assert "**Theorem of gears**" in text_of(paper)


@pytest.mark.parametrize(
    "front",
    [
        "---\ntitle: On Gears\nabstract: |\n  We turn.\n\n  And turn.\nauthor: A\n---",
        "+++\ntitle = \"On Gears\"\nabstract = 'We turn. And turn.'\n+++",
        "% On\n  Gears\n% Ann Author\n% 2024\n\n# Abstract\n\nWe turn. And turn.",
    ],
)
def test_front_matter_of_several_tools(front: str) -> None:
    paper = read_markdown(f"{front}\n\n# Introduction\n\n{BODY}", "x.md")
    assert (paper.title, " ".join(paper.abstract.split())) == ("On Gears", "We turn. And turn.")


def test_lettered_headings_stand_under_roman_ones_whatever_their_marks() -> None:
    names = ["I. INTRODUCTION", "II. GATED SPRINGS", "A. Gate", "B. Model", "C. Loss", "D. Data", "III. EXPERIMENTS"]
    names += ["A. Setup", "B. Ablation", "IV. CONCLUSION"]
    paper = read_markdown("# On Gears\n\n" + "\n\n".join(f"## {name}\n\n{BODY}" for name in names), "x.md")
    assert headings(paper) == [(name, 2 if name[1] == "." and name[0] in "ABCD" else 1) for name in names]
    assert paper.sections[-3].kind is SectionKind.EXPERIMENTS


def test_an_abstract_in_bold_is_a_heading_also_among_marked_ones() -> None:
    text = f"# Gears\n\n**Abstract**\n\nWe turn.\n\n## 1 Introduction\n\n{BODY}\n\n## 2 Method\n\n**Method**\n\n{BODY}"
    paper = read_markdown(text, "a.md")
    assert paper.abstract == "We turn."
    assert [heading for heading, _ in headings(paper)] == ["Abstract", "1 Introduction", "2 Method"]


def test_a_number_in_bold_of_its_own_belongs_to_the_heading() -> None:
    paper = read_markdown(f"**Gears**\n\n**1** **Introduction**\n\n{BODY}\n\n**2** **Method**\n\n{BODY}", "a.md")
    assert [heading for heading, _ in headings(paper)] == ["1 Introduction", "2 Method"]


def test_the_description_that_distill_asks_for_is_the_abstract_where_it_is_long_enough() -> None:
    description = "We keep the gears small " * 8
    assert parse_front_matter(f"title: Gears\ndescription: {description}").abstract == description.strip()
    assert parse_front_matter("title: Gears\ndescription: A post").abstract == ""
    assert parse_front_matter(f"abstract: Ours\ndescription: {description}").abstract == "Ours"


def test_pandocs_marks_are_no_part_of_a_heading() -> None:
    paper = read_markdown(
        f"# Gears {{#g}}\n\n# Method {{.unnumbered}}\n\n{BODY}\n\n# References {{-}}\n\nA. Gear.", "a.md"
    )
    assert [heading for heading, _ in headings(paper)][-2:] == ["Method", "References"]


TABLES = {
    "grid": "+------+-----+\n| gear | 7.5 |\n+------+-----+",
    "simple": "  Gear    F1\n------  ----\n  none   7.5\n\n: Gears",
    "without a header": "------  ----\n  none   7.5\n   all   8.5\n------  ----",
    "of many lines": "--------------\n Gear    F1\n------  ----\n  none   7.5\n\n   all   8.5\n--------------",
    "reStructuredText": "====  ===\nGear  F1\n====  ===\nnone  7.5\n====  ===",
    "bars alone": "| none | 7.5 |\n| all | 8.5 |",
    "columns": "Gear    F1\nno cog    7.5\nall       8.5",
    "LaTeX": "\\begin{tabular}{lr}\nnone & 7.5 \\\\\n\\end{tabular}",
}


@pytest.mark.parametrize("before", [BODY, "*Gears* turn.", "1. Gears\n2. Cogs", "> Gears turn."])
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_table_of_plain_characters_is_a_table(table: str, before: str) -> None:
    paper = read_markdown(f"# On Gears\n\n## Method\n\n{before}\n\n{table}\n\nThen.", "x.md")
    kinds = {b.kind for s in paper.sections for b in s.blocks if "7.5" in b.text or b.text.startswith(": ")}
    assert kinds == {BlockKind.TABLE}
    assert [b.text for b in paper.sections[-1].blocks if b.kind is BlockKind.PROSE][-1] == "Then."
    assert headings(paper) == [("Method", 1)]


REFERENCES = {
    "bold": "**References**\n\n[1] A. Cog. 2019.",
    "plain": "References:\n\n[1] A. Cog. 2019.",
    "above its entries": "References\n[1] A. Cog. 2019.",
    "by year": "*Bibliography*\n\nCog, A. (2019). Gears.",
    "German": "## Literaturverzeichnis\n\nA. Cog. 2019.",
    "Chinese": "## 参考文献\n\nA. Cog. 2019.",
    "deeper": "#### References\n\nA. Cog. 2019.",
    "another name": "## Viitteet\n\n[1] A. Cog. 2019.\n\n[2] B. Cog. 2020.\n\n[3] C. Cog. 2021.",
}


@pytest.mark.parametrize("references", REFERENCES.values(), ids=REFERENCES.keys())
@pytest.mark.parametrize("appendix", ["## A Proofs", "**Appendix A: Proofs**"])
def test_references_are_known_under_many_headings_and_the_appendix_follows(references: str, appendix: str) -> None:
    names = ["1 Introduction", "2 Method", "3 Experiments", "4 Conclusion"]
    body = "\n\n".join(f"## {name}\n\n{BODY}" for name in names)
    paper = read_markdown(f"# On Gears\n\n{body}\n\n{references}\n\n{appendix}\n\nTrue.", "x.md")
    assert [s.kind for s in paper.sections][-2:] == [SectionKind.REFERENCES, SectionKind.APPENDIX]
    assert "True." in paper.sections[-1].text


def test_a_line_that_names_references_is_none_without_entries() -> None:
    paper = read_markdown(f"# On Gears\n\n## Method\n\nReferences\n\nturn as gears do.\n\n{BODY}", "x.md")
    assert headings(paper) == [("Method", 1)]
