"""Own commands: every way to define one, what a call stands for, and which calls are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.latex.macros import Macro, expand_macros, find_macros
from planner.papers.latex.scan import LatexSource
from tests.papers.latex.sources import ODD_LATEX, join_text, read_body

DEFINITIONS = {
    "newcommand": ("\\newcommand{\\net}{GateNet}", Macro("net", 0, "GateNet")),
    "newcommand without braces": ("\\newcommand\\net{GateNet}", Macro("net", 0, "GateNet")),
    "starred": ("\\newcommand*{\\net}{GateNet}", Macro("net", 0, "GateNet")),
    "renewed": ("\\newcommand{\\net}{Old}\\renewcommand{\\net}{New}", Macro("net", 0, "New")),
    "provided": ("\\providecommand{\\net}{GateNet}", Macro("net", 0, "GateNet")),
    "robust": ("\\DeclareRobustCommand{\\net}{GateNet}", Macro("net", 0, "GateNet")),
    "etoolbox": ("\\newrobustcmd{\\net}{GateNet}", Macro("net", 0, "GateNet")),
    "two arguments": ("\\newcommand{\\net}[2]{#1 by #2}", Macro("net", 2, "#1 by #2")),
    "optional argument": ("\\newcommand{\\net}[2][x]{#1#2}", Macro("net", 2, "#1#2", True, "x")),
    "empty default": ("\\newcommand{\\net}[1][]{#1}", Macro("net", 1, "#1", True, "")),
    "def": ("\\def\\net{GateNet}", Macro("net", 0, "GateNet")),
    "long def": ("\\long\\def\\net#1{}", Macro("net", 1, "")),
    "gdef with parameters": ("\\gdef\\net#1#2{#2#1}", Macro("net", 2, "#2#1")),
    "xdef": ("\\xdef\\net{GateNet}", Macro("net", 0, "GateNet")),
    "nested braces": ("\\def\\net{a{b{c}}d}", Macro("net", 0, "a{b{c}}d")),
    "escaped braces": ("\\def\\net{\\{a\\}}", Macro("net", 0, "\\{a\\}")),
    "over two lines": ("\\newcommand{\\net}\n  {GateNet}", Macro("net", 0, "GateNet")),
    "internal name": ("\\def\\my@net{GateNet}", Macro("my@net", 0, "GateNet")),
    "let to relax": ("\\let\\net\\relax", Macro("net", 0, "")),
    "let to empty": ("\\let\\net=\\@empty", Macro("net", 0, "")),
    "let to gobble": ("\\let\\net\\@gobble", Macro("net", 1, "")),
    "xparse": ("\\NewDocumentCommand{\\net}{m m}{#1/#2}", Macro("net", 2, "#1/#2")),
    "xparse with option": ("\\DeclareDocumentCommand\\net{O{red} m}{#2}", Macro("net", 2, "#2", True)),
}
NO_DEFINITIONS = {
    "let to another command": "\\let\\net\\textbf",
    "a delimited parameter": "\\def\\net#1.{#1}",
    "no body": "\\newcommand{\\net}",
    "never closed": "\\newcommand{\\net}{Gate",
    "in a listing": "\\begin{verbatim}\\newcommand{\\net}{GateNet}\\end{verbatim}",
    "a star for xparse": "\\NewDocumentCommand{\\net}{s m}{#2}",
    "a name that the loader knows": "\\renewcommand{\\section}[1]{\\textbf{#1}}",
    "a title redefined": "\\renewcommand{\\title}[1]{}",
}


@pytest.mark.parametrize(("source", "macro"), DEFINITIONS.values(), ids=DEFINITIONS.keys())
def test_a_definition_is_understood(source: str, macro: Macro) -> None:
    assert find_macros(LatexSource(source)) == {macro.name: macro}


@pytest.mark.parametrize("source", NO_DEFINITIONS.values(), ids=NO_DEFINITIONS.keys())
def test_what_cannot_be_followed_is_no_definition(source: str) -> None:
    assert find_macros(LatexSource(source)) == {}


CALLS = {
    "a name": ("\\newcommand{\\net}{GateNet}", "Our \\net\\ works, \\net.", "Our GateNet\\ works, GateNet."),
    "braces that end a name": ("\\newcommand{\\net}{GateNet}", "\\net{} works", "GateNet works"),
    "xspace before a word": ("\\newcommand{\\net}{GateNet\\xspace}", "\\net works", "GateNet works"),
    "xspace before a stop": ("\\newcommand{\\net}{GateNet\\xspace}", "\\net.", "GateNet."),
    "a longer name is another command": ("\\newcommand{\\net}{GateNet}", "\\network", "\\network"),
    "a name within a name": ("\\def\\a{Gate}\\def\\b{\\textsc{Net}}", "\\a\\b", "Gate\\textsc{Net}"),
    "nothing": ("\\newcommand{\\todo}[1]{}", "a\\todo{buy \\{milk\\}} b", "a b"),
    "nothing with an option": ("\\newcommand{\\todo}[2][]{}", "a\\todo[inline]{x}b\\todo{y}c", "abc"),
    "nothing but spacing commands": ("\\newcommand{\\todo}[1]{\\ignorespaces\\unskip}", "a\\todo{x}b", "ab"),
    "nothing over paragraphs": ("\\long\\def\\todo#1{}", "a\\todo{x\n\ny}b", "ab"),
    "a bare argument": ("\\newcommand{\\todo}[1]{}", "a\\todo xb", "ab"),
    "an argument that prints": ("\\newcommand{\\hl}[1]{\\textbf{#1}}", "\\hl{kept}", "\\hl{kept}"),
    "mathematics": ("\\newcommand{\\R}{\\mathbb{R}}", "$x \\in \\R$", "$x \\in \\R$"),
    "a heading": ("\\newcommand{\\sect}[1]{\\section{#1}}", "\\sect{Method}", "\\section{Method}"),
    "a call in a listing": ("\\newcommand{\\net}{GateNet}", "\\verb|\\net|", "\\verb|\\net|"),
    "an argument that is missing": ("\\newcommand{\\todo}[1]{}", "a\\todo", "a\\todo"),
}


@pytest.mark.parametrize(("preamble", "source", "text"), CALLS.values(), ids=CALLS.keys())
def test_a_call_stands_for_what_the_reader_of_the_page_sees(preamble: str, source: str, text: str) -> None:
    macros = find_macros(LatexSource(preamble))
    simple = {name: macro for name, macro in macros.items() if macro.is_simple}
    assert expand_macros(LatexSource(source), simple).text == text


def test_titles_want_every_command_replaced_arguments_and_defaults_too() -> None:
    macros = find_macros(LatexSource("\\newcommand{\\pair}[2][left]{#1 and #2}\\newcommand{\\hl}[1]{\\textbf{#1}}"))
    title = expand_macros(LatexSource("\\pair{right}, \\pair[up]{\\hl{down}}"), macros, max_depth=6).text
    assert title == "left and right, up and \\textbf{down}"


@pytest.mark.parametrize("body", ["\\x", "\\x\\x", "a\\x", "\\y\\y"], ids=["itself", "twice", "growing", "by another"])
def test_a_command_that_calls_itself_ends(body: str) -> None:
    macros = {"x": Macro("x", 0, body), "y": Macro("y", 0, "\\x\\x")}
    assert len(expand_macros(LatexSource("\\x"), macros, max_depth=6).text) < 20_000


def test_the_definitions_of_the_papers_own_style_count() -> None:
    style = {"own.sty": "\\newcommand{\\net}{GateNet} % \\newcommand{\\net}{Old}"}
    assert read_body("\\section{The \\net} x", "\\usepackage{other,own}", style).sections[0].heading == "The GateNet"


@given(ODD_LATEX)
def test_definitions_of_any_source_can_be_expanded_in_it(source: str) -> None:
    expanded = expand_macros(LatexSource(source), find_macros(LatexSource(source)), max_depth=6).text
    assert len(expanded) <= 4 * len(source) + 10_000


@given(st.text(alphabet="ab {}\\%", max_size=40).filter(lambda text: "\\x" not in text))
def test_a_text_without_calls_is_left_as_it_is(text: str) -> None:
    macros = {"xnever": Macro("xnever", 0, ""), "xname": Macro("xname", 0, "Name")}
    assert expand_macros(LatexSource(text), macros).text == text


def test_an_own_command_in_the_text_does_not_cost_its_argument() -> None:
    commands = "\\newcommand\\rev[1]{#1}\\newcommand\\hide[1]{}"
    paper = read_body("\\section{A} \\rev{New words.} \\hide{Old words.}", commands)
    assert "New words." in join_text(paper)
    assert "Old words." not in join_text(paper)
