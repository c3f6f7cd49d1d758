"""Bodies of LaTeX papers into sections, floats and paragraphs, of which nothing is lost."""

import pytest
from hypothesis import given

from planner.papers.latex.reader import read_latex, split_headings_and_blocks
from planner.papers.latex.scan import LatexSource
from planner.papers.outline import Heading
from planner.papers.paper import BlockKind, SectionKind
from tests.papers.latex.sources import ODD_LATEX, join_text, make_tree, read_body


def headings(body: str) -> list[tuple[str, int]]:
    return [
        (item.text, item.level)
        for item in split_headings_and_blocks(LatexSource(body), str.strip, {})
        if isinstance(item, Heading) and item.text
    ]


LEVELS = {
    "an article": ("\\section{A}\\subsection{B}\\subsubsection{C}", [("A", 1), ("B", 2), ("C", 3)]),
    "a thesis": ("\\chapter{A}\\section{B}\\subsection{C}", [("A", 1), ("B", 2), ("C", 3)]),
    "parts above sections": ("\\part{P}\\section{A}\\subsection{B}", [("P", 1), ("A", 1), ("B", 2)]),
    "subsections alone": ("\\subsection{A}\\subsubsection{B}", [("A", 1), ("B", 2)]),
    "run-in headings": ("\\section{A}\\paragraph{B.}\\subparagraph{C.}", [("A", 1), ("B", 4), ("C", 5)]),
    "starred": ("\\section*{A}\\subsection*{B}", [("A", 1), ("B", 2)]),
    "a short form": ("\\section[Short]{Long}", [("Long", 1)]),
    "a line break in between": ("\\section\n{A}", [("A", 1)]),
    "braces within": ("\\section{The {BERT} Model}", [("The {BERT} Model", 1)]),
    "commented out inside": ("\\section{A} \\begin{verbatim}\\section{B}\\end{verbatim}", [("A", 1)]),
    "a definition is none": ("\\newcommand\\s[1]{\\section{#1}}\\section{A}", [("A", 1)]),
    "without an argument": ("\\section A", []),
}


@pytest.mark.parametrize(("body", "expected"), LEVELS.values(), ids=LEVELS.keys())
def test_levels_count_from_the_highest_heading_in_use(body: str, expected: list[tuple[str, int]]) -> None:
    assert headings(body) == expected


FLOATS = {
    "table": ("\\begin{table}[t]\\caption{c} 9.5 \\end{table}", BlockKind.TABLE),
    "table*": ("\\begin{table*} 9.5 \\end{table*}", BlockKind.TABLE),
    "wraptable": ("\\begin{wraptable}{r}{5cm} 9.5 \\end{wraptable}", BlockKind.TABLE),
    "sidewaystable": ("\\begin{sidewaystable} 9.5 \\end{sidewaystable}", BlockKind.TABLE),
    "longtable": ("\\begin{longtable}{ll} 9.5 & 1 \\end{longtable}", BlockKind.TABLE),
    "tabular in the text": ("\\begin{tabular}{ll} 9.5 & 1 \\end{tabular}", BlockKind.TABLE),
    "tabularx": ("\\begin{tabularx}{\\textwidth}{lX} 9.5 & 1 \\end{tabularx}", BlockKind.TABLE),
    "tblr": ("\\begin{tblr}{ll} 9.5 & 1 \\end{tblr}", BlockKind.TABLE),
    "a table in a figure": ("\\begin{figure}\\begin{tabular}{l} 9.5 \\end{tabular}\\end{figure}", BlockKind.TABLE),
    "figure": ("\\begin{figure}\\includegraphics{a} 9.5 \\end{figure}", BlockKind.FIGURE),
    "figure*": ("\\begin{figure*}\\includegraphics{a} 9.5 \\end{figure*}", BlockKind.FIGURE),
    "wrapfigure": ("\\begin{wrapfigure}{r}{5cm} 9.5 \\end{wrapfigure}", BlockKind.FIGURE),
    "pictures in a table in a figure": (
        "\\begin{figure}\\begin{tabular}{l}\\includegraphics{a} 9.5 \\end{tabular}\\end{figure}",
        BlockKind.FIGURE,
    ),
    "an equation": ("\\begin{equation} x = 9.5 \\end{equation}", BlockKind.PROSE),
    "a list": ("\\begin{itemize}\\item 9.5 \\end{itemize}", BlockKind.PROSE),
    "an algorithm": ("\\begin{algorithm} x \\gets 9.5 \\end{algorithm}", BlockKind.PROSE),
    "a table that is never closed": ("\\begin{table} 9.5", BlockKind.PROSE),
}


@pytest.mark.parametrize(("source", "kind"), FLOATS.values(), ids=FLOATS.keys())
def test_floats_are_told_from_running_text(source: str, kind: BlockKind) -> None:
    paper = read_body(f"\\section{{A}} Before. {source} After.")
    (float_block,) = [block for section in paper.sections for block in section.blocks if "9.5" in block.text]
    assert float_block.kind is kind
    assert float_block.kind is BlockKind.PROSE or "Before." not in float_block.text
    assert "After." in join_text(paper)


def test_a_table_in_a_box_keeps_its_numbers() -> None:
    rows = " \\\\ ".join(f"w/o part {n} & {n}.25 & {n}.75" for n in range(9))
    paper = read_body(
        f"\\section{{A}}\\resizebox{{\\textwidth}}{{!}}{{\\begin{{tabular}}{{lcc}}{rows}\\end{{tabular}}}}"
    )
    assert all(f"{n}.25 & {n}.75" in join_text(paper) for n in range(9))


ABSTRACT_TEXT = "We turn " + "one gear after another " * 6 + "and say so."
ABSTRACTS = {
    "environment": f"\\begin{{abstract}}{ABSTRACT_TEXT}\\end{{abstract}}",
    "another case": f"\\begin{{Abstract}}{ABSTRACT_TEXT}\\end{{Abstract}}",
    "a command": f"\\abstract{{{ABSTRACT_TEXT}}}",
    "a command of a class": f"\\IEEEtitleabstractindextext{{a}}\\begin{{abstract}}{ABSTRACT_TEXT}\\end{{abstract}}",
    "of a class": f"\\begin{{sciabstract}}{ABSTRACT_TEXT}\\end{{sciabstract}}",
}
NO_ABSTRACTS = {
    "graphical": "\\begin{graphicalabstract}We turn.\\end{graphicalabstract}",
    "a setting of two words": "\\abstractname{In short}",
    "none": "\\section{A} We turn.",
    "in a comment of verbatim": "\\begin{verbatim}\\begin{abstract}We turn.\\end{abstract}\\end{verbatim}",
}


@pytest.mark.parametrize("source", ABSTRACTS.values(), ids=ABSTRACTS.keys())
def test_an_abstract_is_found_by_its_name(source: str) -> None:
    assert read_body(source).abstract == ABSTRACT_TEXT


@pytest.mark.parametrize("source", NO_ABSTRACTS.values(), ids=NO_ABSTRACTS.keys())
def test_what_only_resembles_an_abstract_is_none(source: str) -> None:
    assert read_body(source).abstract == ""


BACK = {
    "ack": SectionKind.ACKNOWLEDGEMENTS,
    "acks": SectionKind.ACKNOWLEDGEMENTS,
    "acknowledgments": SectionKind.ACKNOWLEDGEMENTS,
    "acknowledgements": SectionKind.ACKNOWLEDGEMENTS,
    "thebibliography": SectionKind.REFERENCES,
}


@pytest.mark.parametrize("name", BACK)
def test_back_matter_in_an_environment_is_a_section_of_its_own(name: str) -> None:
    paper = read_body(f"\\section{{A}} x \\begin{{{name}}} We thank no one. \\end{{{name}}} \\section{{B}} y")
    assert [section.kind for section in paper.sections] == [SectionKind.OTHER, BACK[name], SectionKind.OTHER]
    assert "We thank no one." in paper.sections[1].text


@pytest.mark.parametrize(
    "mark", ["\\appendix", "\\begin{appendices}", "\\appendices", "\\supplementary"], ids=lambda mark: mark[1:]
)
def test_sections_after_the_appendix_begins_are_part_of_it(mark: str) -> None:
    paper = read_body(f"\\section{{Method}} a {mark} \\section{{Training}} b \\section{{Ablations}} c")
    kinds = [section.kind for section in paper.sections]
    assert kinds == [SectionKind.METHOD, SectionKind.APPENDIX, SectionKind.ABLATION]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("\\title{First}\\title{Second}", "Second"),
        ("\\title[Short]{Long}", "Long"),
        ("\\title {Spaced}", "Spaced"),
        ("\\title{}\\papertitle{Named}", "Named"),
        ("\\titlepage \\titlespacing{a}", ""),
        ("\\newcommand{\\t}[1]{\\title{#1}}", ""),
        ("\\hypersetup{pdftitle={Of the file}}\\title{Of the page}", "Of the page"),
        ("", ""),
    ],
)
def test_the_title_is_the_last_that_is_set(source: str, title: str) -> None:
    assert read_body("", source).title == title


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("a\\begin{document}b\\end{document}c", "b"),
        ("a\\begin{document}b", "b"),
        ("no document", "no document"),
        (
            "\\begin{document}\\begin{verbatim}\\end{document}\\end{verbatim}b\\end{document}",
            "\\begin{verbatim}\\end{document}\\end{verbatim}b",
        ),
    ],
)
def test_only_the_body_is_text(source: str, body: str) -> None:
    assert join_text(read_latex(make_tree({"main.tex": source}), "main.tex")) == body


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(ODD_LATEX.filter(lambda body: "abstract" not in body and "\\appendix" not in body))
def test_no_character_of_a_body_is_lost(body: str) -> None:
    expected = [
        item.source_text if isinstance(item, Heading) else item.text
        for item in split_headings_and_blocks(LatexSource(body), str.strip, {})
    ]
    assert squeezed("".join(expected)) == squeezed(body)


@given(ODD_LATEX)
def test_levels_are_counted_from_one(body: str) -> None:
    assert all(level >= 1 for _, level in headings(body))
