"""Commands that print nothing, and floats that a paper or a package makes in its own way."""

import pytest

from planner.papers.paper import BlockKind
from tests.papers.latex.sources import join_text, read_body

UNPRINTED = {
    "an index entry": "\\index{UNSEEN entry}",
    "settings of links": "\\hypersetup{pdfkeywords={UNSEEN words}}",
    "a note for the log": "\\typeout{UNSEEN note}",
    "marks in the header": "\\markboth{UNSEEN a}{UNSEEN b}",
    "a line of the contents": "\\addcontentsline{toc}{section}{UNSEEN line}",
    "a bookmark": "\\pdfbookmark[1]{UNSEEN mark}{b}",
    "an acronym": "\\newacronym[x]{ab}{AB}{UNSEEN words}",
    "a definition": "\\gdef\\never{UNSEEN words}",
    "a driver's command": "\\special{UNSEEN words}",
    "the second of two arguments": "\\newcommand{\\pick}[2]{#1}\\pick{a}{UNSEEN words}",
    "a white node": "\\begin{tikzpicture}\\node[text=white] at (0,1) {UNSEEN words};\\end{tikzpicture}",
    "a white box": "\\begin{tcolorbox}[coltext=white]UNSEEN words\\end{tcolorbox}",
    "black on black": "\\textcolor{red}{a}\n\n\\fcolorbox{black}{black}{UNSEEN words}",
}


@pytest.mark.parametrize("name", UNPRINTED)
def test_what_no_page_prints_is_left_out(name: str) -> None:
    text = join_text(read_body(f"\\section{{A}} BEFORE {UNPRINTED[name]} AFTER"))
    assert "BEFORE" in text and "AFTER" in text and "UNSEEN" not in text


PRINTED = {
    "white on a filled node": "\\begin{tikzpicture}\\node[fill=blue,text=white]{SEEN words};\\end{tikzpicture}",
    "white in a style": "\\begin{tikzpicture}\\node[mybox,text=white]{SEEN words};\\end{tikzpicture}",
    "white over a filled path": (
        "\\begin{tikzpicture}\\fill[red] (0,0) circle (1);\\node[text=white]{SEEN words};\\end{tikzpicture}"
    ),
    "white in a dark box": "\\begin{tcolorbox}[colback=black,coltext=white]SEEN words\\end{tcolorbox}",
    "all arguments": "\\newcommand{\\both}[2]{#2 and #1}\\both{x}{SEEN words}",
    "a command with more to it": "\\newcommand{\\odd}[2]{\\other{#1}}\\odd{a}{SEEN words}",
}


@pytest.mark.parametrize("name", PRINTED)
def test_what_a_page_prints_stays(name: str) -> None:
    assert "SEEN words" in join_text(read_body(f"\\section{{A}} {PRINTED[name]}"))


FLOATS = {
    "ctable": ("", "\\ctable[caption={CELL}, pos=t]{lr}{\\tnote{n}}{ a & CELL\\\\ }"),
    "a teaser": ("", "\\teaser{\\includegraphics{x}\\caption{CELL}}"),
    "an own environment of a table": (
        "\\newenvironment{results}[1][t]{\\begin{table}[#1]\\centering}{\\end{table}}",
        "\\begin{results}[h] CELL \\end{results}",
    ),
    "one own environment in another": (
        "\\newenvironment{r}{\\begin{figure*}}{\\end{figure*}}\\newenvironment{q}{\\begin{r}}{\\end{r}}",
        "\\begin{q} CELL \\end{q}",
    ),
    "a new kind of float": ("\\newfloat{chart}{t}{loc}", "\\begin{chart} CELL \\end{chart}"),
    "an array of results": (
        "",
        "\\begin{array}{lr} \\hline \\text{Method} & \\text{F1} \\\\ \\text{CELL} & 71.3 \\\\ \\text{Base} & 70.9"
        "\\end{array}",
    ),
    "a plot without a figure": (
        "",
        "\\begin{tikzpicture}\\begin{axis}\\addplot coordinates {(1,CELL)};\\end{axis}\\end{tikzpicture}",
    ),
}


@pytest.mark.parametrize("name", FLOATS)
def test_floats_are_floats_by_any_name(name: str) -> None:
    preamble, body = FLOATS[name]
    blocks = [b for s in read_body(f"\\section{{A}} BEFORE {body} AFTER", preamble).sections for b in s.blocks]
    assert all(b.kind in (BlockKind.TABLE, BlockKind.FIGURE) for b in blocks if "CELL" in b.text)
    assert {"BEFORE", "AFTER"} <= {b.text.strip() for b in blocks if b.kind is BlockKind.PROSE}


def test_a_figure_of_an_algorithm_is_prose_and_one_with_a_picture_is_not() -> None:
    step = "\\begin{algorithmic}\\State STEP\\end{algorithmic}"
    body = f"\\begin{{figure}}{step}\\end{{figure}} \\begin{{figure}}\\includegraphics{{x}}{step}\\end{{figure}}"
    blocks = read_body(f"\\section{{A}} {body}").sections[0].blocks
    assert [b.kind for b in blocks if "STEP" in b.text] == [BlockKind.PROSE, BlockKind.FIGURE]


@pytest.mark.parametrize(
    "array",
    [
        "\\begin{array}{ll} 0.5 x & \\text{if } x > 10 \\\\ 0.25 x & \\text{otherwise} \\end{array}",
        "\\begin{array}{cc} 0.71 & 0.70 \\\\ -0.70 & 0.71 \\end{array}",
        "\\begin{array}{rcl} y &=& 12 \\text{ steps} \\\\ z &=& 24 \\text{ steps} \\end{array}",
    ],
)
def test_an_array_of_a_formula_is_prose(array: str) -> None:
    blocks = [b for s in read_body(f"\\section{{A}} BEFORE \\[ {array} \\] AFTER").sections for b in s.blocks]
    assert [b.kind for b in blocks if "array" in b.text] == [BlockKind.PROSE]


def test_a_drawing_without_data_and_an_own_box_are_prose() -> None:
    body = "\\begin{tikzpicture}\\node{WORD};\\end{tikzpicture}\\begin{note}TEXT\\end{note}"
    blocks = (
        read_body(f"\\section{{A}} {body}", "\\newenvironment{note}{\\begin{quote}}{\\end{quote}}").sections[0].blocks
    )
    assert all(b.kind is BlockKind.PROSE for b in blocks if "WORD" in b.text or "TEXT" in b.text)


def test_an_abstract_may_have_its_own_name() -> None:
    words = "Bees find flowers by their scent. " * 5
    assert read_body(f"\\abstract[Summary]{{{words}}}\\section{{A}} b").abstract == words.strip()


@pytest.mark.parametrize(
    "after", ["\\subsection{Proofs} LEMMA", "This is the longer proof of the LEMMA above, in words."]
)
def test_an_appendix_after_the_references_is_no_part_of_them(after: str) -> None:
    paper = read_body(f"\\section{{A}} b \\bibliography{{x}} \\appendix {after}")
    section = next(s for s in paper.sections if "LEMMA" in s.text)
    assert section.kind == "appendix"


def test_an_appendix_with_its_own_section_gets_no_other_heading() -> None:
    paper = read_body("\\section{A} b \\bibliography{x} \\appendix\\onecolumn \\section{Proofs} c")
    assert [s.heading for s in paper.sections] == ["A", "References", "Proofs"]
