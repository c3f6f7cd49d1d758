"""More of what flattening promises: commands that bring text in, conditionals, listings, limits, and idempotence."""

import pytest
from hypothesis import given

from planner.errors import PaperError
from planner.papers.latex import flatten as flatten_module
from planner.papers.latex.flatten import FlattenedSource, flatten_source
from planner.papers.latex.reader import read_latex
from planner.papers.latex.scan import LatexSource
from planner.papers.latex.visibility import find_hidden_texts, remove_hidden_texts
from planner.papers.load import read_paper_bytes
from planner.papers.paper import ParsedPaper
from planner.papers.sources import FileFormat
from tests.papers.build import tarred
from tests.papers.latex.sources import ODD_LATEX, make_document, make_tree


def flatten(text: str, others: dict[str, str] | None = None) -> FlattenedSource:
    return flatten_source(make_tree({"main.tex": text, **(others or {})}), "main.tex")


def read_files(files: dict[str, str]) -> ParsedPaper:
    return read_paper_bytes(tarred({name: text.encode() for name, text in files.items()}), "x.tar.gz")


INPUTS = {
    "with its ending": ("\\input{a.tex}", {"a.tex": "A"}),
    "without its ending": ("\\input{a}", {"a.tex": "A"}),
    "spaces within": ("\\input{ a }", {"a.tex": "A"}),
    "quoted": ('\\input{"my part"}', {"my part.tex": "A"}),
    "without braces": ("\\input a\n", {"a.tex": "A"}),
    "include": ("\\include{a}", {"a.tex": "A"}),
    "subfile": ("\\subfile{a}", {"a.tex": "A"}),
    "if the file exists": ("\\InputIfFileExists{a}", {"a.tex": "A"}),
    "in another case": ("\\input{Parts/A}", {"parts/a.tex": "A"}),
    "a dot before": ("\\input{./a}", {"a.tex": "A"}),
    "backslashes as folders": ("\\import{parts/}{a}", {"parts/a.tex": "A"}),
    "import relative to import": ("\\import{x/}{b}", {"x/b.tex": "\\subimport{y/}{a}", "x/y/a.tex": "A"}),
    "another ending": ("\\input{a.tikz}", {"a.tikz": "A"}),
    "ltx": ("\\input{a}", {"a.ltx": "A"}),
    "in a folder that only the author's settings name": ("\\input{a}", {"tables/more/a.tex": "A"}),
    "a part of a part, seen from the root": ("\\input{x/b}", {"x/b.tex": "\\input{x/a}", "x/a.tex": "A"}),
    "a part of a part, seen from itself": ("\\input{x/b}", {"x/b.tex": "\\input{a}", "x/a.tex": "A"}),
}


@pytest.mark.parametrize(("source", "others"), INPUTS.values(), ids=INPUTS.keys())
def test_an_input_is_put_in_its_place(source: str, others: dict[str, str]) -> None:
    read = flatten(source, others)
    assert read.text.strip() == "A"
    assert read.files == ("main.tex", *sorted(others, key=lambda name: others[name] == "A"))
    assert read.warnings == ()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc/passwd", "was not followed: it points outside the paper's folder"),
        ("~/notes", "was not followed: it points outside the paper's folder"),
        ("|date", "was not followed: it points outside the paper's folder"),
        ("C:/notes", "was not followed: it points outside the paper's folder"),
        ("../up", "was not followed: the paper has no such file"),
        ("missing", "was not followed: the paper has no such file"),
        ("main", "was not followed: it includes itself or is nested too deep"),
    ],
)
def test_an_input_that_is_not_followed_is_said_once(path: str, said: str) -> None:
    source = f"a\\input{{{path}}}\\input{{{path}}}b"
    assert flatten(source) == FlattenedSource("ab", ("main.tex",), (f"\\input{{{path}}} {said}",))


@pytest.mark.parametrize("source", ["\\input{#1}", "\\input{\\folder/a}", "\\input", "\\import{a}"])
def test_an_input_that_only_a_run_of_tex_could_resolve_stays(source: str) -> None:
    assert flatten(source).text == source


LISTINGS = {
    "lstinputlisting": "\\lstinputlisting[language=C]{code.c}",
    "verbatiminput": "\\verbatiminput{code.c}",
    "inputminted": "\\inputminted{c}{code.c}",
}


@pytest.mark.parametrize("source", LISTINGS.values(), ids=LISTINGS.keys())
def test_a_listing_from_a_file_is_verbatim(source: str) -> None:
    read = flatten(source + " after", {"code.c": "x % 2; // \\input{a}\n"})
    assert read.text == "\\begin{verbatim}\nx % 2; // \\input{a}\n\\end{verbatim} after"


BRANCHES = {
    "numbers that differ": ("a\\ifnum 1>1 b\\else c\\fi", "a c"),
    "numbers in order": ("\\ifnum0<1 b\\fi", "b"),
    "false": ("a\\iffalse b\\fi c", "a c"),
    "false with else": ("\\iffalse b\\else c\\fi", " c"),
    "a true one within a false one": ("\\iffalse\\iftrue b\\fi c\\fi d", " d"),
    "a false one within a true one": ("\\iftrue a\\iffalse b\\fi c\\fi d", " a c d"),
    "else of a dead inner one": ("\\iffalse\\ifx a b\\else c\\fi d\\fi e", " e"),
    "if with equal digits": ("\\if11 a\\else b\\fi", " a"),
    "if with unequal digits": ("\\if 01 a\\else b\\fi", " b"),
    "a flag set": ("\\newif\\iflong\\longtrue\\iflong a\\else b\\fi", " a"),
    "a flag unset again": ("\\newif\\iflong\\longtrue\\longfalse\\iflong a\\else b\\fi", " b"),
    "a flag set in a dead branch": ("\\newif\\iflong\\iffalse\\longtrue\\fi\\iflong a\\else b\\fi", " b"),
    "a flag by let": ("\\let\\iflong\\iftrue\\iflong a\\else b\\fi", " a"),
    "nobody can tell": ("\\ifnum\\x>1 a\\else b\\fi", "\\ifnum\\x>1 a\\else b\\fi"),
    "a case": ("\\ifcase\\x a\\or b\\else c\\fi", "\\ifcase\\x a\\or b\\else c\\fi"),
    "etoolbox is no conditional": ("\\ifbool{x}{a}{b} \\iftoggle{y}{a}{b}", "\\ifbool{x}{a}{b} \\iftoggle{y}{a}{b}"),
    "if and only if": ("$a \\iff b$\\fi", "$a \\iff b$\\fi"),
    "never closed": ("a\\iffalse b", "a"),
    "fi without if": ("a\\fi b", "a\\fi b"),
    "a comment that closes nothing": ("\\iffalse a %\\fi\nb\\fi c", " c"),
    "verbatim that closes nothing": ("\\iffalse \\verb|\\fi| a\\fi c", " c"),
}


@pytest.mark.parametrize(("source", "text"), BRANCHES.values(), ids=BRANCHES.keys())
def test_a_branch_is_read_where_tex_would_read_it(source: str, text: str) -> None:
    assert flatten(source).text == text


def test_a_flag_of_the_main_file_holds_in_its_inputs() -> None:
    assert flatten("\\newif\\iflong\\longtrue\\input{a}", {"a.tex": "\\iflong yes\\fi"}).text == " yes"


def test_the_end_of_a_part_is_not_the_end_of_the_paper() -> None:
    assert flatten("a\\input{b}c\\end{document}d", {"b.tex": "b\\endinput no"}).text == "abc\\end{document}"
    assert flatten("a\\input{b}c", {"b.tex": make_document("b") + "no"}).text == "abc"


def test_a_paper_too_large_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten_module, "_MAX_CHARS", 100)
    with pytest.raises(PaperError, match="'t' has over 100 characters"):
        flatten("\\input{a}" * 3, {"a.tex": "x" * 40})
    monkeypatch.setattr(flatten_module, "_MAX_INPUTS", 2)
    with pytest.raises(PaperError, match="'t' includes over 2 files"):
        flatten("\\input{a}" * 3, {"a.tex": "x"})


@given(ODD_LATEX)
def test_what_is_flat_stays_as_it_is(source: str) -> None:
    once = flatten(source).text
    if "%" not in once.replace("\\%", "").replace("|%|", ""):  # a comment in an open verbatim may come to life
        assert flatten(once).text == once


@given(ODD_LATEX)
def test_flattening_only_takes_away(source: str) -> None:
    left = iter(source)
    assert all(character in left for character in flatten(source).text)


WHITE = {
    "by name": "\\textcolor{white}{unseen words}",
    "switched": "{\\color{white}unseen words}",
    "grey as light as paper": "\\textcolor[gray]{0.99}{unseen words}",
    "rgb": "\\textcolor[rgb]{1, 0.99, 1}{unseen words}",
    "RGB": "\\textcolor[RGB]{255,255,250}{unseen words}",
    "HTML": "\\textcolor[HTML]{FFFFFF}{unseen words}",
    "cmyk": "\\textcolor[cmyk]{0,0,0,0}{unseen words}",
    "mixed": "\\textcolor{black!1}{unseen words}",
    "mixed with white": "\\textcolor{white!99!red}{unseen words}",
    "of its own name": "\\definecolor{blank}{RGB}{255,255,255}\\textcolor{blank}{unseen words}",
    "a phantom": "\\phantom{unseen words}",
    "a point high": "{\\fontsize{1}{1}\\selectfont unseen words}",
    "scaled down": "\\scalebox{.05}{unseen words}",
    "see-through": "\\texttransparent{0}{unseen words}",
    "in a group of commands": "\\begingroup\\color{white}unseen words\\endgroup",
    "in an environment": "\\begin{color}{white}unseen words\\end{color}",
    "hsb": "\\textcolor[hsb]{0,0,1}{unseen words}",
    "another name for white": "\\colorlet{paper}{white}\\textcolor{paper}{unseen words}",
    "without paint": "\\pdfliteral direct{3 Tr}unseen words\\pdfliteral direct{0 Tr}",
    "without paint, by a package": "\\textpdfrender{TextRenderingMode=Invisible}{unseen words}",
    "white by the driver": "\\special{color push rgb 1 1 1}unseen words\\special{color pop}",
    "of no height": "\\resizebox{!}{0.1pt}{unseen words}",
    "above the page": "\\raisebox{90cm}{unseen words}",
    "a note of the file": "\\pdfcomment{unseen words}",
    "as black as its box": "\\colorbox{black}{\\textcolor{black}{unseen words}}",
    "nearly as blue as its box": "\\colorbox{blue}{\\textcolor{blue!98!black}{unseen words}}",
    "in a black box, in no colour": "\\colorbox{black}{unseen words}",
    "white again in a white box": "\\colorbox{blue}{\\colorbox{white}{\\textcolor{white}{unseen words}}}",
    "of a mixed mixture": "\\textcolor{red!40!white!5}{unseen words}",
    "as dark as the page": "\\pagecolor{black}\\textcolor{black}{unseen words}",
    "a node without opacity": "\\begin{tikzpicture}\\node[opacity=0] at (0,0) {unseen words};\\end{tikzpicture}",
    "on a path, without opacity": "\\tikz\\draw (0,0) -- (1,1) node [text opacity=0.0, red] {unseen words};",
    "Gray, of fifteen": "\\textcolor[Gray]{15}{unseen words}",
    "without ink": "\\textcolor[cmy]{0,0,0}{unseen words}",
    "more than white": "\\textcolor[rgb]{255,255,255}{unseen words}",
    "a node without fill": "\\begin{tikzpicture}\\node[fill opacity=0] {unseen words};\\end{tikzpicture}",
    "a box that is not set": "\\sbox\\mybox{unseen words}",
    "a box of TeX that is not set": "\\setbox1=\\hbox{unseen words}",
    "a box by environment that is not set": "\\begin{lrbox}{\\mybox}unseen words\\end{lrbox}",
}
SEEN = {
    "grey": "\\textcolor[gray]{0.6}{seen words}",
    "cmyk black": "\\textcolor[cmyk]{0,0,0,1}{seen words}",
    "a colour not known": "\\textcolor{brand}{seen words}",
    "a colour as white as its name": "\\textcolor{whitesmoke!50!black}{seen words}",
    "small": "{\\fontsize{6pt}{7pt}\\selectfont seen words}",
    "half the size": "\\scalebox{0.5}{seen words}",
    "on black": "\\colorbox{black}{\\textcolor{white}{seen words}}",
    "on a framed box": "\\fcolorbox{red}{blue}{\\textcolor{white}{seen words}}",
    "in a drawing": "\\begin{tikzpicture}\\node[fill=black]{\\textcolor{white}{seen words}};\\end{tikzpicture}",
    "half see-through": "{\\transparent{0.5}seen words}",
    "digits that align": "\\phantom{00}1.5",
    "raised a little": "\\raisebox{2pt}{seen words}",
    "fitted to a column": "\\resizebox{!}{5cm}{seen words}",
    "mirrored": "\\scalebox{-1}{seen words}",
    "white on a black page": "\\pagecolor{black}\\textcolor{white}{seen words}",
    "white in a black box, set before": "{\\color{white}x}\\color{green}\\colorbox{black}{seen words}",
    "black in a grey box": "\\colorbox{gray!30}{\\textcolor{black}{seen words}}",
    "a coloured word in a black box": "\\colorbox{black}{\\color{yellow} seen words}",
    "a node with opacity": "\\begin{tikzpicture}\\node[opacity=0.5] {seen words};\\end{tikzpicture}",
    "a node without a frame": "\\begin{tikzpicture}\\node[draw opacity=0] {seen words};\\end{tikzpicture}",
    "on a node without fill": "\\tikz\\node[fill opacity=0, text opacity=1] {seen words};",
    "after sixty boxes on a page": "\\pagecolor{white}"
    + "\\colorbox{red}{a}" * 60
    + "\\colorbox{black}{\\textcolor{white}{seen words}}",
    "a box that is set": "\\sbox\\mybox{seen words}\\usebox{\\mybox}",
    "a box of TeX that is set": "\\setbox1=\\hbox{seen words}\\copy1",
    "a box by environment that is set": "\\begin{lrbox}{\\mybox}seen words\\end{lrbox}\\usebox\\mybox",
    "stroked": "\\textpdfrender{TextRenderingMode=FillStroke}{seen words}",
}


@pytest.mark.parametrize("source", WHITE.values(), ids=WHITE.keys())
def test_text_as_white_as_paper_is_left_out_and_given(source: str) -> None:
    whole = LatexSource(f"before {source} after")
    hidden_texts = find_hidden_texts(whole)
    left = remove_hidden_texts(whole, hidden_texts)
    assert "unseen words" not in left.text
    texts = [" ".join(hidden.text.split()) for hidden in hidden_texts]
    assert [text.removeprefix("\\selectfont ") for text in texts] == ["unseen words"]
    assert left.text.startswith("before")
    assert left.text.endswith("after")


def test_a_command_of_the_papers_own_that_hides_is_seen_through() -> None:
    preamble = "\\newcommand{\\canary}[1]{\\textcolor{white}{#1}}\\newcommand{\\hl}[1]{\\textcolor{red}{#1}}"
    main = f"\\documentclass{{article}}{preamble}\\begin{{document}}\\section{{A}}a \\canary{{unseen words}} \\hl{{b}}"
    paper = read_latex(make_tree({"main.tex": main}), "main.tex")
    assert "unseen" not in paper.sections[0].text
    assert "\\hl{b}" in paper.sections[0].text
    assert any("'unseen words'" in warning for warning in paper.warnings)


@pytest.mark.parametrize("source", SEEN.values(), ids=SEEN.keys())
def test_text_that_is_seen_stays(source: str) -> None:
    assert find_hidden_texts(LatexSource(source)) == []


@given(ODD_LATEX)
def test_hidden_text_is_not_found_twice(source: str) -> None:
    hidden_texts = find_hidden_texts(LatexSource(source))
    left = remove_hidden_texts(LatexSource(source), hidden_texts)
    assert len(left.text) <= len(source)
    assert bool(hidden_texts) == (left.text != source)


FRAGMENTS = {
    "one file with sections": ({"a.tex": "\\section{A}", "b.tex": "words"}, "a.tex"),
    "the file that brings in the others": (
        {"all.tex": "\\input{a}\\input{b}", "a.tex": "\\section{A}", "b.tex": ""},
        "all.tex",
    ),
    "one file of any kind": ({"a.tex": "words"}, "a.tex"),
    "two of a kind": ({"a.tex": "\\section{A}", "b.tex": "\\section{B}"}, ""),
    "none": ({"a.md": "# A"}, ""),
}


@pytest.mark.parametrize(("files", "main"), FRAGMENTS.values(), ids=FRAGMENTS.keys())
def test_without_a_class_a_main_file_must_be_the_only_one(files: dict[str, str], main: str) -> None:
    paper = read_files(files)
    assert (paper.main_file if paper.format is FileFormat.LATEX else "") == main


def test_a_paper_with_its_own_supplement_names_what_was_not_taken() -> None:
    files = {"main.tex": make_document("\\section{A} x", "\\title{T}"), "supp.tex": make_document("\\section{B} y")}
    paper = read_files(files)
    assert paper.main_file == "main.tex"
    assert any("supp.tex" in warning for warning in paper.warnings)


@pytest.mark.parametrize(
    "readme",
    [
        '{"sources": [{"filename": "b.tex", "usage": "toplevel"}]}',
        '{"sources": [3, {"usage": "ignore", "filename": "a.tex"}, {"usage": "toplevel", "filename": "b.tex"}]}',
    ],
)
def test_what_arxiv_calls_the_top_level_file_is_the_main_file(readme: str) -> None:
    long = make_document("\\section{A}" + "x" * 500, "\\title{T}")
    assert read_files({"a.tex": long, "b.tex": make_document("y"), "00README.json": readme}).main_file == "b.tex"


@pytest.mark.parametrize(
    "readme",
    [
        *("", "{", "[]", '{"sources": 1}', "[" * 5_000, '{"sources": [{"usage": "toplevel"}]}'),
        '{"sources": [{"filename": 5, "usage": "toplevel"}]}',
    ],
)
def test_a_readme_that_says_nothing_is_passed_over(readme: str) -> None:
    assert read_files({"a.tex": make_document("x"), "00README.json": readme}).main_file == "a.tex"
