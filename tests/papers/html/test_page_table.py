"""Pages of every quality: tokens, implied ends, formulas, what is not seen, and where the title stands."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.html.dom import Element, EndTag, StartTag, parse_html, tokenize_html
from planner.papers.html.elements import read_formula_tex
from planner.papers.html.reader import find_page_title, read_html, read_html_fragment_in_markdown
from planner.papers.html.visibility import StyleRules
from planner.papers.markdown import read_markdown
from planner.papers.paper import Block, BlockKind, build_hidden_text_warnings

SCRAPS = [
    "<p>", "</p>", "<div hidden>", "</div>", "<table>", "<tr>", "<td>", "</table>", "<h1>", "</h1>", "<h2>", "<li>",
    "<!--", "-->", "<math>", "</math>", "<script>", "</script>", "<", ">", "&amp;", "&", '"', "word ", "\n", "<br/>",
    "<figure>", "</figure>", "<span style='color:white'>", "</span>", "<style>", "</style>", "<a b=c d='e", "é",
]  # fmt: skip
ODD_HTML = st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join)

TOKENS = {
    "a tag": ("<p>a</p>", [StartTag("p", {}, False), "a", EndTag("p")]),
    "case": ("<P>a</P >", [StartTag("p", {}, False), "a", EndTag("p")]),
    "attributes of each quoting": (
        "<a b=\"1\" c='2' d=3 e>",
        [StartTag("a", {"b": "1", "c": "2", "d": "3", "e": ""}, False)],
    ),
    "an attribute twice": ("<a b=1 b=2>", [StartTag("a", {"b": "1"}, False)]),
    "references in attributes": ("<a b='&lt;&#65;'>", [StartTag("a", {"b": "<A"}, False)]),
    "references in text": ("a &lt; b &nbsp;&hearts;", ["a < b \xa0♥"]),
    "self-closed": ("<br/>", [StartTag("br", {}, True)]),
    "a comment": ("a<!-- <p> -->b", ["a", "b"]),
    "a comment never closed": ("a<!-- <p>", ["a"]),
    "a doctype and an instruction": ("<!DOCTYPE html><?xml a?>b", ["b"]),
    "a script is raw": ("<script>a<b</script>c", [StartTag("script", {}, False), "a<b", EndTag("script"), "c"]),
    "a title is no markup": ("<title>a<b&amp;</title>", [StartTag("title", {}, False), "a<b&", EndTag("title")]),
    "a script never closed": ("<script>a</p>", [StartTag("script", {}, False), "a</p>"]),
    "less-than is no tag": ("1 < 2", ["1 < 2"]),
    "a tag cut off": ("a<b c=", ["a", StartTag("b", {"c": ""}, False)]),
}


@pytest.mark.parametrize(("html", "expected"), TOKENS.values(), ids=TOKENS.keys())
def test_tokens_are_those_of_the_standard(html: str, expected: list[StartTag | EndTag | str]) -> None:
    assert list(tokenize_html(html)) == expected


def shape(element: Element) -> str:
    inner = "".join(child if isinstance(child, str) else shape(child) for child in element.children)
    return f"{element.tag}({inner})" if element.tag else inner


SHAPES = {
    "a list without end tags": ("<ul><li>a<li>b</ul>c", "ul(li(a)li(b))c"),
    "a list in a list": ("<ul><li>a<ul><li>b</ul><li>c</ul>", "ul(li(aul(li(b)))li(c))"),
    "cells without end tags": ("<table><tr><td>a<td>b<tr><td>c</table>", "table(tr(td(a)td(b))tr(td(c)))"),
    "a table in a cell": ("<table><tr><td><table><tr><td>a</table>b</table>", "table(tr(td(table(tr(td(a)))b)))"),
    "a paragraph before a block": ("<p>a<div>b</div>", "p(a)div(b)"),
    "a paragraph before a paragraph": ("<p>a<p>b", "p(a)p(b)"),
    "terms": ("<dl><dt>a<dd>b<dt>c</dl>", "dl(dt(a)dd(b)dt(c))"),
    "void elements hold nothing": ("<p>a<br>b<img src=x>c</p>", "p(abr()bimg()c)"),
    "an end tag without a beginning": ("a</p></div>b", "ab"),
    "crossed tags": ("<b>a<i>b</b>c</i>d", "b(ai(b))cd"),
    "never closed": ("<div><p>a", "div(p(a))"),
}


@pytest.mark.parametrize(("html", "expected"), SHAPES.values(), ids=SHAPES.keys())
def test_ends_that_a_page_leaves_out_are_known(html: str, expected: str) -> None:
    assert shape(parse_html(html)) == expected


FORMULAS = {
    "annotated": (
        "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x_1</annotation></semantics></math>",
        "$x_1$",
    ),
    "alternative text": ("<math alttext='x_1'><mi>x</mi><mn>1</mn></math>", "$x_1$"),
    "no TeX at all": ("<math><mi>x</mi> <mo>=</mo> <mn>1</mn></math>", "$x = 1$"),
    "displayed": ("<math display='block' alttext='x'></math>", " $$x$$ "),
    "displaystyle is no content": ("<math alttext='\\displaystyle x'></math>", "$x$"),
    "MathJax source": ("<script type='math/tex'>x</script>", "$x$"),
    "MathJax display": ("<script type='math/tex; mode=display'>x</script>", " $$x$$ "),
    "Distill": ("<d-math>x</d-math>", "$x$"),
    "Distill in a block": ("<d-math block>x</d-math>", " $$x$$ "),
    "an image": ("<img class='tex' alt='x^2'>", "$x^2$"),
    "MathJax 3": ("<mjx-container><svg></svg><math alttext='x'></math></mjx-container>", "$x$"),
    "an ordinary script": ("<script>x</script>", None),
    "an ordinary image": ("<img alt='a widget'>", None),
    "empty": ("<math></math>", ""),
}


@pytest.mark.parametrize(("html", "tex"), FORMULAS.values(), ids=FORMULAS.keys())
def test_a_formula_is_given_once_and_as_tex(html: str, tex: str | None) -> None:
    element = parse_html(html).children[0]
    assert isinstance(element, Element)
    assert read_formula_tex(element) == tex


UNSEEN = [
    "display:none", "display: NONE !important", "visibility:hidden", "opacity:0", "opacity: 0.0", "font-size:0",
    "font-size:1px", "font-size: 0.01em", "text-indent:-9999px", "position:absolute;left:-10000px",
    "clip:rect(0,0,0,0)", "clip-path:inset(100%)", "transform:scale(0)", "max-height:0", "display:block;display:none",
    "display:/* */none", "displ\\61 y:none", "opacity:1%", "filter:opacity(0)", "font-size:1pt", "font-size:0.1em",
    "font-size:2%", "font:0/0 a", "font:italic 1px serif", "text-indent:-999em", "position:fixed;top:-200vh",
    "clip:rect(1px,1px,1px,1px)", "clip-path:circle(0)", "height:0;overflow:hidden",
    "width:1px;height:1px;overflow:hidden", "transform:translateX(-9999px)", "transform:scale(0.01)", "zoom:0",
    "content-visibility:hidden", "font-size:1.999pt", "opacity:0.04995", "zoom:4.999%",
]  # fmt: skip
SEEN = [
    "", "display:block", "opacity:0.5", "opacity:.05", "font-size:10px", "font-size:1.2em", "left:-5px",
    "display:none;display:block", "max-height:0.5em", "max-height:90px", "clip:rect(0,90px,90px,0)", "height:0",
    "font:700 12px/1 serif", "margin-left:-100%", "transform:scale(1.2)", "overflow:hidden;height:90px",
    "filter:blur(0)", "-webkit-font-size-delta:0", "color:red",
]  # fmt: skip


def is_hidden(style: str) -> bool:
    return StyleRules(Element("", {})).is_hidden(Element("p", {"style": style}))


@pytest.mark.parametrize("style", UNSEEN)
def test_a_style_that_hides_is_known(style: str) -> None:
    assert is_hidden(style)


@pytest.mark.parametrize("style", SEEN)
def test_a_style_that_shows_is_known(style: str) -> None:
    assert not is_hidden(style)


@pytest.mark.parametrize(
    ("colour", "is_white"),
    [
        ("white", True), ("#fff", True), ("#FFFFFF", True), ("#fefefe", True), ("rgb(255, 255, 255)", True),
        ("rgb(250 250 250)", True), ("rgba(0,0,0,0)", True), ("hsl(0, 0%, 100%)", True), ("snow", True),
        ("#ffffff80", True), ("rgb(100%,100%,100%)", True), ("#0000", True), ("#000000ff", False),
        ("transparent", True),
        ("black", False), ("#000", False), ("#f00", False), ("rgb(255,0,0)", False),
        ("rgba(0,0,0,1)", False), ("hsl(0, 0%, 50%)", False), ("inherit", False), ("var(--fg)", False),
    ],
)  # fmt: skip
def test_white_letters_are_told_in_every_notation(colour: str, is_white: bool) -> None:
    assert is_hidden(f"margin:0;color:{colour};padding:0") is is_white
    assert not is_hidden(f"background-color:{colour}")


@pytest.mark.parametrize(
    ("sheet", "tag", "hides"),
    [
        (".no{display:none}", "<p class='yes no'>", True),
        ("p.no{display:none}", "<p class='no'>", True),
        ("div.no{display:none}", "<p class='no'>", False),
        ("#no{display:none}", "<p id=no>", True),
        (".NO{display:none}", "<p class='no'>", True),
        (".a, .no {display:none}", "<p class='no'>", True),
        ("/* .no{display:none} */", "<p class='no'>", False),
        ("@media print { .no{display:none} }", "<p class='no'>", False),
        (".menu .no{display:none}", "<p class='no'>", False),
        (".menu .no{display:none}", "<div class='menu'><i><p class='no'>", True),
        (".menu > .no{display:none}", "<div class='menu'><i><p class='no'>", False),
        (".menu>.no{display:none}", "<div class='menu'><p class='no'>", True),
        (".a .b > p{display:none}", "<div class='a'><div class='b'><p>", True),
        (".no.more{display:none}", "<p class='no more'>", True),
        ("h2 + p{display:none}", "<h2>A</h2> <p>", True),
        ("h2+p{display:none}", "<h2>A</h2><b>c</b><p>", False),
        ("h2 ~ p{display:none}", "<h2>A</h2><b>c</b><p>", True),
        ("h2 ~ p{display:none}", "<i><h2>A</h2></i><p>", False),
        (".a > h2 + p{display:none}", "<div class=a><h2>A</h2><p>", True),
        (".a > h2 + p{display:none}", "<div class=b><h2>A</h2><p>", False),
        ("div > :first-child{display:none}", "<div><p>", True),
        ("div > :first-child{display:none}", "<div><h2>A</h2><p>", False),
        ("p:nth-child(2){display:none}", "<div><h2>A</h2><p>", True),
        ("p:nth-child(3){display:none}", "<div><h2>A</h2><p>", False),
        ("p:not(.yes){display:none}", "<p class='no'>", True),
        ("p:not(.yes){display:none}", "<p class='yes'>", False),
        ("p:hover{display:none}", "<p>", False),
        ("[class~='no']{display:none}", "<p class='yes no'>", True),
        (".no.more{display:none}", "<p class='no'>", False),
        ("[data-a='1']{display:none}", "<p data-a=1>", True),
        ("[data-a='1']{display:none}", "<p data-a=2>", False),
        (".no:hover{display:none}", "<p class='no'>", False),
        (".a + .no{display:none}", "<p class='no'>", False),
        ("*{display:none}", "<p>", True),
        ("@media screen { .no{display:none} }", "<p class='no'>", True),
        ("@media (max-width: 400px) { .no{display:none} }", "<p class='no'>", False),
        (":root{--no:none} p{display:var(--no)}", "<p>", True),
        ("p{display:none} p{display:block}", "<p>", False),
        (".no{display:none}", "<p class='no' style='display:block'>", False),
    ],
)
def test_the_rules_of_the_page_hide_what_they_name(sheet: str, tag: str, hides: bool) -> None:
    root = parse_html(f"<style>{sheet}</style>{tag}words</p>")
    paragraph = next(element for element in root.iterate_elements() if element.tag == "p")
    assert StyleRules(root).is_hidden(paragraph) is hides


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<div style='background:#000'><span style='color:#fff'>words here</span></div>", True),
        ("<table bgcolor='navy'><tr><td style='color:white'>words here</td></tr></table>", True),
        ("<div style='background:#000'><p style='background:#fff;color:#fff'>words here</p></div>", False),
        ("<font color='white'>words here</font>", False),
        ("<div style='background:#111'><p style='color:#101010'>words here</p></div>", False),
        ("<div style='background:url(a.png)'><p style='color:#fff'>words here</p></div>", True),
        ("<p style='color:transparent'>words here</p>", False),
        ("<dialog>words here</dialog>", False),
        ("<p aria-hidden='true'>words here</p>", True),
        ("<p hidden='until-found'>words here</p>", True),
        ("<p hidden>words here</p>", False),
    ],
)
def test_what_the_page_shows_is_text_and_the_rest_is_quoted(html: str, shown: bool) -> None:
    reading = read_html(f"<body><p>Before.</p>{html}<p>After.</p></body>", "x.html")
    assert ("words here" in "".join(section.text for section in reading.sections)) is shown
    quoted = "text that the page does not show was left out: 'words here'"
    assert reading.warnings == (() if shown else (quoted,))


MARKDOWN = {
    "a hidden span": ("a <span style='display:none'>no</span> b", "a  b", ["no"]),
    "a span in a span": ("<span hidden>a <span>b</span> c</span>d", "d", ["a b c"]),
    "never closed": ("a <span hidden>b\nc\n\nd", "a \n\nd", ["b\nc"]),
    "in code": ("`<p hidden>a</p>`", "`<p hidden>a</p>`", []),
    "in a fence": ("```\n<p hidden>a</p>\n```", "```\n<p hidden>a</p>\n```", []),
    "a fence never closed": ("```\n<p hidden>a</p>", "```\n<p hidden>a</p>", []),
    "a void element": ("<input hidden name=a> b", "<input hidden name=a> b", []),
    "coloured and seen": ("<span style='color:red'>a</span>", "<span style='color:red'>a</span>", []),
    "white on black": (
        "<b style='color:#fff;background:#000'>a</b>",
        "<b style='color:#fff;background:#000'>a</b>",
        [],
    ),
}


@pytest.mark.parametrize(("text", "left", "expected"), MARKDOWN.values(), ids=MARKDOWN.keys())
def test_hidden_elements_in_markdown_go_and_code_stays(text: str, left: str, expected: list[str]) -> None:
    paper = read_markdown(text, "x.md")
    assert "\n\n".join(section.text for section in paper.sections) == left
    assert paper.warnings == build_hidden_text_warnings(expected)


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>On Gears</title>", "On Gears"),
        ("<title>[2507.08038] On Gears</title>", "On Gears"),
        ("<title>On Gears | Journal of Cogs</title>", "On Gears"),
        ("<title>On Gears - arXiv</title>", "On Gears"),
        ("<title>Gears - and Cogs</title>", "Gears - and Cogs"),
        ("<meta name='citation_title' content='On Gears'><title>Some Site</title>", "On Gears"),
        ("<meta property='og:title' content='On  Gears'><title>Some Site</title>", "On Gears"),
        ("<title></title><meta name='DC.Title' content='On Gears'>", "On Gears"),
        ("<h1 class='ltx_title_document'>On <b>Gears</b></h1><title>x</title>", "On Gears"),
        ("<script type='text/front-matter'>\n title: \"On Gears\"\n</script><title>x</title>", "On Gears"),
        ("<svg><title>A wheel</title></svg>", ""),
        ("", ""),
    ],
)
def test_the_title_is_what_the_page_calls_itself(head: str, title: str) -> None:
    assert find_page_title(parse_html(head)) == title


def blocks(html: str) -> list[tuple[BlockKind, str]]:
    return [(item.kind, item.text) for item in read_html_fragment_in_markdown(html)[0] if isinstance(item, Block)]


BLOCKS = {
    "rows a line": (
        "<table><tr><th>Model<th>mAP<tr><td>w/o gate<td>79.1 ± 0.2</table>",
        [(BlockKind.TABLE, "Model | mAP\nw/o gate | 79.1 ± 0.2")],
    ),
    "a caption first": (
        "<table><caption>Table 1: Gears</caption><tr><td>a<td>1<tr><td>b<td>2</table>",
        [(BlockKind.TABLE, "Table 1: Gears\na | 1\nb | 2")],
    ),
    "a layout is no table": ("<table><tr><td>words</table>", [(BlockKind.PROSE, "words")]),
    "a figure with its caption": (
        "<figure><img src=a><figcaption>Figure 1: A gear</figcaption></figure>",
        [(BlockKind.FIGURE, "Figure 1: A gear")],
    ),
    "a table in a figure": (
        "<figure><figcaption>T</figcaption><table><tr><td>a<td>1<tr><td>b<td>2</table></figure>",
        [(BlockKind.TABLE, "T\na | 1\nb | 2")],
    ),
    "items": ("<ul><li>a<li>b</ul>", [(BlockKind.PROSE, "- a"), (BlockKind.PROSE, "- b")]),
    "text before a paragraph": ("<div>a<p>b</p>c</div>", [(BlockKind.PROSE, letter) for letter in "abc"]),
    "raised and lowered": ("<p>x<sup>2</sup> y<sub>i</sub></p>", [(BlockKind.PROSE, "x^2 y_i")]),
    "preformatted": ("<pre>a\n  b\n</pre>", [(BlockKind.PROSE, "a\n  b")]),
    "a break": ("<p>a<br>b</p>", [(BlockKind.PROSE, "a\nb")]),
    "navigation and style": ("<nav>menu</nav><style>p{}</style><p>a</p><footer>b</footer>", [(BlockKind.PROSE, "a")]),
    "a formula's second rendering": ("<p>a<span class='katex-html'>x1</span> b</p>", [(BlockKind.PROSE, "a b")]),
    "an assistive formula": ("<p>a<mjx-assistive-mml>x</mjx-assistive-mml> b</p>", [(BlockKind.PROSE, "a b")]),
    "a citation of Distill": ("<p>as <d-cite key='a1'></d-cite></p>", [(BlockKind.PROSE, "as [a1]")]),
}  # fmt: skip


@pytest.mark.parametrize(("html", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks_are_as_they_would_be_read_aloud(html: str, expected: list[tuple[BlockKind, str]]) -> None:
    assert blocks(html) == expected


@given(ODD_HTML)
def test_any_page_is_read_and_parsing_loses_no_text(html: str) -> None:
    root = parse_html(html)
    assert root.collect_text() == "".join(token for token in tokenize_html(html) if isinstance(token, str))
    assert read_html(html, "x.html").main_file == "x.html"


@given(ODD_HTML)
def test_every_element_is_a_child_of_its_parent(html: str) -> None:
    for element in parse_html(html).iterate_elements():
        assert element.parent is None or any(child is element for child in element.parent.children)


def test_elements_with_thousands_of_classes_are_read_soon() -> None:
    rules = "".join(f".z{number} .x{{top:0}}" for number in range(60))
    classes = " ".join(f"k{number}" for number in range(6_500))
    started = time.monotonic()
    read_html(f"<style>{rules}</style>" + f'<div class="{classes}">' * 3 + "<p class=x>word" * 2_500, "x.html")
    assert time.monotonic() - started < 8  # seconds
