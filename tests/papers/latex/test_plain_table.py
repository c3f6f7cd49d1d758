"""Titles, abstracts and headings as a reader sees them: accents, symbols, and no commands."""

import unicodedata

import pytest
from hypothesis import given

from planner.papers.latex.plain import convert_latex_to_line, convert_latex_to_text
from tests.papers.latex.sources import ODD_LATEX

SEEN = {
    "acute": ("caf\\'e", "café"),
    "acute in braces": ("caf\\'{e}", "café"),
    "acute around": ("caf{\\'e}", "café"),
    "umlaut over a dotless i": ('na\\"{\\i}ve', "naïve"),
    "umlaut over a dotless i without braces": ('na\\"\\i ve', "naïve"),
    "cedilla": ("gar\\c{c}on", "garçon"),
    "cedilla after a space": ("gar\\c con", "garçon"),
    "caron": ("\\v{S}koda", "Škoda"),
    "ring": ('\\r{A}ngstr\\"om', "Ångström"),
    "double acute": ("Erd\\H{o}s", "Erdős"),
    "ogonek": ("\\k{a}", "ą"),
    "slashed letter eats its space": ("S\\o ren", "Søren"),
    "slashed letter in braces": ("S{\\o}ren", "Søren"),
    "sharp s": ("Stra\\ss{}e", "Straße"),
    "polish l": ("{\\L}\\'od\\'z", "Łódź"),
    "escaped signs": ("50\\% \\& \\#1 \\$5 a\\_b", "50% & #1 $5 a_b"),
    "a tie": ("Fig.~3", "Fig. 3"),
    "a dash of each length": ("a-b 1--2 x---y", "a-b 1–2 x—y"),
    "quotes": ("``so'' and `so'", "“so” and `so'"),
    "greek in mathematics": ("$\\beta$-VAE", "β-VAE"),
    "an arrow": ("A $\\rightarrow$ B", "A → B"),
    "a sign with braces": ("5\\,\\textmu{}m", "5 µm"),
    "an exponent keeps its mark": ("$x^2$", "x^2"),
    "a citation goes": ("as in~\\cite{a,b}.", "as in ."),
    "a citation with notes goes": ("so \\citep[see][p.~3]{a} it is", "so it is"),
    "a footnote goes": ("Gears\\footnote{With $n>1$ teeth.} turn", "Gears turn"),
    "thanks go": ("Gears\\thanks{Grant \\#7}", "Gears"),
    "a label goes": ("Gears\\label{sec:gears}", "Gears"),
    "a line break": ("Gears \\\\[2mm] and widgets", "Gears and widgets"),
    "a size": ("{\\LARGE\\bfseries Gears}", "Gears"),
    "a font size": ("\\fontsize{9}{10}\\selectfont Gears", "Gears"),
    "coloured words": ("\\textcolor{red}{Gears}", "Gears"),
    "coloured by a model": ("\\textcolor[rgb]{1,0,0}{Gears}", "Gears"),
    "raised words": ("\\raisebox{-2pt}{Gears}", "Gears"),
    "a picture goes": ("\\includegraphics[width=1em]{logo.png} Gears", "Gears"),
    "space goes": ("Gears\\vspace{-2mm} turn\\hspace{1em}fast", "Gears turnfast"),
    "a link shows its words": ("\\href{http://a.b/%20}{the page}", "the page"),
    "an address is none of the words": ("at \\url{http://a.b} there", "at there"),
    "a choice for bookmarks": ("\\texorpdfstring{$\\ell_1$}{l1} norm", "ℓ_1 norm"),
    "a comment": ("Gears % or cogs\nturn", "Gears turn"),
    "verbatim words": ("\\verb|a_b|", "a_b"),
    "an unknown command leaves its words": ("\\fancy{Gears}", "Gears"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("source", "text"), SEEN.values(), ids=SEEN.keys())
def test_a_reader_sees(source: str, text: str) -> None:
    assert convert_latex_to_line(source) == text


def test_brackets_that_a_citation_emptied_go_with_it() -> None:
    assert (
        convert_latex_to_line("Gears (\\cite{a}) turn (\\cite{b}; \\cite{c}) fast (very)") == "Gears turn fast (very)"
    )


def test_paragraphs_stay_apart_and_lines_within_them_do_not() -> None:
    assert convert_latex_to_text("one\ntwo\n\n  \nthree") == "one two\n\nthree"
    assert convert_latex_to_line("one\n\ntwo") == "one two"


def test_what_is_very_long_is_cut() -> None:
    assert len(convert_latex_to_text("word " * 10_000)) <= 20_000


@given(ODD_LATEX.filter(lambda source: "verb" not in source))
def test_plain_text_holds_no_command_and_is_composed(source: str) -> None:
    text = convert_latex_to_text(source)
    assert "\\section" not in text
    assert text == unicodedata.normalize("NFC", text)
    assert text == text.strip()
