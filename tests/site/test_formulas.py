"""Formulas are set as MathML; one that is hostile, odd or too large stays as it was written."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.site.html_text import render_formulas_as_html, render_formulas_as_text
from tests.site.test_model_text import Checked

PIECES = st.sampled_from(
    [
        *(r"\frac", r"\sqrt", r"\left(", r"\right)", r"\begin{pmatrix}", r"\end{pmatrix}", r"\text{", r"\hat", r"\sum"),
        *(r"\href{javascript:alert(1)}", r"\class{a}", r"\style{color:red}", r"\newcommand{\a}{\a\a}", r"\a", r"\rule"),
        *(r"\color{red}", r"\hspace{999em}", r"\not", r"\mathbf", r"\tag", r"\limits", r"\boxed", r"\raise", r"\kern"),
        *(
            "{",
            "}",
            "^",
            "_",
            "&",
            "\\\\",
            "x",
            "1",
            "=",
            "<img src=x onerror=alert(1)>",
            "&lt;script&gt;",
            "'",
            '"',
            "[",
            "]",
        ),
    ]
)


@pytest.mark.parametrize(
    ("formula", "inside"),
    [
        ("$x^2$", "<msup><mi>x</mi><mn>2</mn></msup>"),
        (r"$\mathbb{R}$", "<mi>ℝ</mi>"),
        (r"\(\frac{a}{b}\)", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        ("$a<b$", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        (r"$\text{<b>&lt;i&gt;}$", "<mtext>&lt;b&gt;&lt;i&gt;</mtext>"),
    ],
)
def test_formulas_are_set(formula: str, inside: str) -> None:
    assert render_formulas_as_html(formula) == f'<math display="inline"><mrow>{inside}</mrow></math>'


def test_displayed_formulas_stand_alone() -> None:
    assert (
        render_formulas_as_html("$$x$$")
        == render_formulas_as_html(r"\[x\]")
        == '<math display="block"><mrow><mi>x</mi></mrow></math>'
    )


@pytest.mark.parametrize(
    "formula",
    [
        r"$\unknown{x}$",
        r"$\href{javascript:alert(1)}{x}$",
        r"$\class{card}{x}$",
        r"$\style{position:fixed}{x}$",
        r"$\color{red}x$",
        r"$\rule{9em}{9em}$",
        r"$\hspace{999em}$",
        r"$\frac{1}$",
        r"$\left( x$",
        r"$\newcommand{\a}{\b\b}\newcommand{\b}{xx}\a$",
        f"${'{' * 200}x{'}' * 200}$",
        "$" + r"\sqrt" * 80 + " x$",
        f"$${'x' * 601}$$",
        "$5, or 10$",
    ],
)
def test_what_cannot_be_set_stays_as_it_was_written(formula: str) -> None:
    assert render_formulas_as_html(formula) == f'<span class="math">{formula}</span>'
    assert render_formulas_as_text(formula) == formula


@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_formula_acts(tex: str) -> None:
    begin = time.perf_counter()
    Checked(render_formulas_as_html(f"${tex}$"))
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    ("text", "plain", "html"),
    [
        ("A <b> title & more", "A <b> title & more", "A &lt;b&gt; title &amp; more"),
        ("*not* [Markdown](x)", "*not* [Markdown](x)", "*not* [Markdown](x)"),
        (r"$\alpha$-GAN", "α-GAN", '<math display="inline"><mrow><mi>α</mi></mrow></math>-GAN'),
    ],
)
def test_a_title_holds_formulas_and_no_other_markup(text: str, plain: str, html: str) -> None:
    assert render_formulas_as_text(text) == plain
    assert render_formulas_as_html(text) == html


@pytest.mark.parametrize(
    ("formula", "plain"),
    [("$L_2$", "L_2"), ("$10^{-3}$", "10^(−3)"), (r"$\lambda_{\text{reg}}$", "λ_reg"), (r"$\frac{a+b}{2}$", "(a+b)/2")],
)
def test_a_formula_as_plain_text_can_be_read(formula: str, plain: str) -> None:
    assert render_formulas_as_text(formula) == plain
