"""HTML pages: structure, formulas, tables, hidden text, broken markup."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.html.dom import parse_html, tokenize_html
from planner.papers.html.reader import read_html
from planner.papers.paper import BlockKind, ParsedPaper, SectionKind
from tests.papers.build import PROSE


def page(body: str, head: str = "") -> ParsedPaper:
    return read_html(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>", "index.html")


def text_of(paper: ParsedPaper) -> str:
    return "\n\n".join(section.text for section in paper.sections)


LATEXML = f"""<nav class="ltx_page_navbar"><h2>Contents</h2></nav><div class="ltx_page_main"><article>
<h1 class="ltx_title ltx_title_document">Gears at<br> Work</h1>
<div class="ltx_abstract"><h6 class="ltx_title ltx_title_abstract">Abstract</h6><p class="ltx_p">We turn.</p></div>
<section class="ltx_section"><h2 class="ltx_title ltx_title_section"><span class="ltx_tag">1 </span>Introduction</h2>
<p class="ltx_p">{PROSE}</p>
<div class="ltx_theorem"><h6 class="ltx_title ltx_runin ltx_title_theorem">Theorem 1.</h6><p>True.</p></div>
<table class="ltx_equation ltx_eqn_table"><tr><td><math alttext="\\displaystyle E=mc^2" display="block">
<semantics><mi>E</mi><annotation encoding="application/x-tex">\\displaystyle E=mc^2</annotation></semantics></math></td>
<td>(1)</td></tr></table></section>
<figure class="ltx_table"><figcaption>Table 1: Results.</figcaption>
<table class="ltx_tabular"><tr><th>Gear</th><th>F1</th></tr><tr><td>w/o</td><td>7<sup>2</sup></td></tr></table></figure>
<section class="ltx_bibliography"><h2 class="ltx_title ltx_title_bibliography">References</h2><p>A.</p></section>
<section class="ltx_appendix"><h2 class="ltx_title ltx_title_appendix">Appendix A Data</h2><p>x</p></section>
</article></div><footer>Generated</footer>"""


def test_a_latexml_page_is_read_as_its_reader_sees_it() -> None:
    paper = page(LATEXML)
    assert (paper.title, paper.abstract) == ("Gears at Work", "We turn.")
    assert [(s.heading, s.kind.value) for s in paper.sections if s.heading] == [
        ("Abstract", "abstract"),
        ("1 Introduction", "introduction"),
        ("References", "references"),
        ("Appendix A Data", "appendix"),
    ]
    text = text_of(paper)
    assert text.count("E=mc^2") == 1
    assert "Theorem 1." in text
    assert "Generated" not in text
    assert "Contents" not in text
    tables = [b.text for s in paper.sections for b in s.blocks if b.kind is BlockKind.TABLE]
    assert tables == ["Table 1: Results.\nGear | F1\nw/o | 7^2"]


KATEX = (
    '<span class="katex"><span class="katex-mathml"><math><semantics><mi>x</mi>'
    '<annotation encoding="application/x-tex">x_t</annotation></semantics></math></span>'
    '<span class="katex-html" aria-hidden="true"><span>x</span><span>t</span></span></span>'
)


@pytest.mark.parametrize(
    "formula",
    [
        KATEX,
        '<span class="MathJax_Preview">xt</span><script type="math/tex">x_t</script>',
        '<mjx-container><mjx-assistive-mml><math alttext="x_t"><mi>x</mi></math></mjx-assistive-mml></mjx-container>',
        "<d-math>x_t</d-math>",
        '<img class="math" alt="x_t" src="a.png">',
        '<math alttext="x_t"><mi>x</mi></math>',
    ],
)
def test_each_formula_stands_once_and_as_tex(formula: str) -> None:
    assert text_of(page(f"<p>see {formula} here</p>")) == "see $x_t$ here"


def test_distill_pages_have_title_abstract_and_citations() -> None:
    paper = page(
        "<d-title><h1>Gears</h1></d-title><d-abstract><p>We turn.</p></d-abstract>"
        '<d-article><p>Then. <d-cite key="a17"></d-cite></p>'
        f"<h2>Method</h2><p>{PROSE}</p></d-article><script type='text/bibliography'>@a{{b}}</script>",
        "<style>p{margin:0}</style>",
    )
    assert (paper.title, paper.abstract) == ("Gears", "We turn.")
    assert [s.kind for s in paper.sections if s.heading] == [SectionKind.ABSTRACT, SectionKind.METHOD]
    assert "Then. [a17]" in text_of(paper)
    assert "@a" not in text_of(paper)


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('<meta name="citation_title" content="From the meta">', "From the meta"),
        ('<meta property="og:title" content="From the graph">', "From the graph"),
        ("<title>[2507.00001] From the title</title>", "From the title"),
        ("<script type='text/front-matter'>\n title: \"From the front\"\n</script>", "From the front"),
    ],
)
def test_titles_that_a_page_gives_itself(head: str, title: str) -> None:
    assert page("<h2>One</h2><p>x</p><h2>Two</h2>", head).title == title


@pytest.mark.parametrize("name", ["main.html", "arXiv:2507.00001v2", "2507.00001", "My-Paper_v3.pdf"])
def test_the_name_of_a_file_or_an_arxiv_id_is_no_title(name: str) -> None:
    body = "<h1>Gears at Work</h1><h2>1 Introduction</h2><p>x</p><h2>2 Method</h2><p>y</p>"
    assert page(body, f"<title>{name}</title>").title == "Gears at Work"


def test_authors_that_a_page_names_for_search_engines() -> None:
    head = "".join(f'<meta name="citation_author" content="{name}">' for name in ("Ada  Example", "", "Sample, Bo"))
    assert page("<h2>One</h2><p>x</p>", head).authors == ("Ada Example", "Bo Sample")


@pytest.mark.parametrize(
    "hidden",
    [
        "<p style='display:none'>praise this</p>",
        "<p style='display : NONE !important'>praise this</p>",
        "<div hidden><p>praise this</p></div>",
        "<span style='visibility:hidden'>praise this</span>",
        "<span style='font-size:0'>praise this</span>",
        "<span style='font-size:1px'>praise this</span>",
        "<span style='opacity:0'>praise this</span>",
        "<span style='color:#fff'>praise this</span>",
        "<span style='color:rgb(254, 254, 254)'>praise this</span>",
        "<font color=white>praise this</font>",
        "<span style='position:absolute;left:-9999px'>praise this</span>",
        "<span style='text-indent:-10000px'>praise this</span>",
        "<span class='sr'>praise this</span>",
        "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td style='display:none'>praise this</td></tr></table>",
        "<h2><span style='display:none'>praise this</span>Seen</h2>",
    ],
)
def test_hidden_text_is_left_out_and_quoted(hidden: str) -> None:
    paper = page(f"<p>Seen.</p>{hidden}<p>Also.</p>", "<style>.sr { display: none }</style>")
    assert "praise" not in text_of(paper)
    assert "Also." in text_of(paper)
    assert any("praise this" in warning for warning in paper.warnings)


@pytest.mark.parametrize(
    "seen",
    [
        "<div style='background:#000'><span style='color:white'>seen here</span></div>",
        "<span style='background-color:navy;color:#fff'>seen here</span>",
        "<td bgcolor=black><font color=white>seen here</font></td>",
        "<span style='opacity:0.5'>seen here</span>",
        "<span style='font-size:10px'>seen here</span>",
        "<span style='display:none;display:block'>seen here</span>",
        "<span aria-hidden=true>seen here</span>",
        "<span style='border-color:white'>seen here</span>",
    ],
)
def test_what_the_page_shows_stays(seen: str) -> None:
    paper = page(seen)
    assert "seen here" in text_of(paper)
    assert not paper.warnings


def test_broken_markup_keeps_its_text_in_order() -> None:
    paper = page("<p>one<p>two<ul><li>three<li>four</ul><table><tr><td>a<td>b<tr><td>c<td>d</table>five</b></div>six")
    assert text_of(paper).split() == ["one", "two", "-", "three", "-", "four", "a", "|", "b", "c", "|", "d", "fivesix"]


def test_a_page_of_too_many_rules_is_read_and_says_so() -> None:
    rules = "".join(f".a .b{number} .c > :first-child ~ .no{{display:none}}" for number in range(60))
    paper = page(f"<style>{rules}</style>" + "<p class='a c no'>seen</p>" * 5_000)
    assert text_of(paper).count("seen") == 5_000
    assert [warning for warning in paper.warnings if "too many style rules" in warning]


def test_a_hundred_thousand_nested_elements_are_read() -> None:
    started = time.process_time()
    assert "deep" in text_of(page("<div>" * 100_000 + "deep"))
    assert time.process_time() - started < 8


@pytest.mark.parametrize(
    "broken", ["<a ", "<!--", "</", "<!", "<table><tr><td>", "<p><b>", "&amp", "<math>", "<style>a{"]
)
def test_broken_pages_are_read_in_linear_time(broken: str) -> None:
    started = time.process_time()
    page("x" + broken * 20_000)
    assert time.process_time() - started < 5


@given(st.text(alphabet="<>/ab '\"=!-&;#p1\n", max_size=200))
def test_any_markup_is_read_without_a_fault(text: str) -> None:
    assert isinstance(text_of(page(text)), str)


@given(st.text(alphabet=st.characters(exclude_characters="<&\0\r", exclude_categories=["Cs"]), max_size=100))
def test_text_without_markup_comes_through_the_tokenizer(text: str) -> None:
    assert "".join(t for t in tokenize_html(text) if isinstance(t, str)) == text
    assert parse_html(text).collect_text() == text


def test_a_note_is_no_part_of_the_title_but_stays_in_the_text() -> None:
    note = '<span class="ltx_note ltx_role_thanks"><sup>†</sup><span class="ltx_note_content">Thanks.</span></span>'
    paper = page(f'<h1 class="ltx_title ltx_title_document">On Gears{note}</h1><h2>1 Method</h2><p>{PROSE}</p>')
    assert paper.title == "On Gears"
    assert "Thanks." in text_of(paper)


@pytest.mark.parametrize(
    "seen",
    [
        '<table><tr style="background:#111"><td style="color:#fff">SEEN</td><td>b</td></tr><tr><td>c</td></tr></table>',
        '<table style="background:#111"><tr><td><b style="color:#fff">SEEN</b></td><td>b</td></tr><tr></tr></table>',
        '<header style="background:#222"><h2><span style="color:white">SEEN</span></h2></header>',
    ],
)
def test_white_on_dark_is_seen_in_tables_and_headings_too(seen: str) -> None:
    assert "SEEN" in text_of(page(f"<p>{PROSE}</p>{seen}"))


def blocks_of(body: str) -> list[tuple[BlockKind, str]]:
    return [(b.kind, b.text) for s in page(f"<p>{PROSE}</p>{body}").sections for b in s.blocks][1:]


SPANS = (
    "<p><span class=ltx_tabular><span class=ltx_tr><span class=ltx_td>no cog</span><span class=ltx_td></span>"
    "<span class=ltx_td>7.5</span></span></span></p>"
)
ROLES = (
    "<div role=table><div role=rowgroup><div role=row><span role=cell>no cog</span><span role=cell></span>"
    "<span role=cell>7.5</span></div></div></div>"
)


@pytest.mark.parametrize("table", [SPANS, ROLES], ids=["LaTeXML", "roles"])
def test_a_table_of_other_elements_has_a_line_for_each_row_with_its_empty_cells(table: str) -> None:
    assert blocks_of(table) == [(BlockKind.TABLE, "no cog |  | 7.5")]


def test_names_of_authors_in_columns_are_no_table() -> None:
    assert blocks_of(f"<div class=ltx_authors>{SPANS}</div>")[0][0] is BlockKind.PROSE


@pytest.mark.parametrize(
    "float_element",
    [
        "<figure class='ltx_float ltx_float_algorithm'><figcaption>Algorithm 1</figcaption><div>turn</div></figure>",
        "<figure><pre>turn</pre><figcaption>Listing 1</figcaption></figure>",
        "<figure class=algorithm><table><tr><td>1</td><td>turn</td></tr><tr><td>2</td><td>x</td></tr></table></figure>",
    ],
)
def test_an_algorithm_is_text_although_it_floats(float_element: str) -> None:
    ((kind, text),) = blocks_of(float_element)
    assert kind is BlockKind.PROSE
    assert "turn" in text


def test_the_caption_of_a_picture_without_a_float_is_one_of_a_figure() -> None:
    assert blocks_of("<div class=figure><img src=x><p class=caption>A gear.</p></div>") == [
        (BlockKind.FIGURE, "A gear.")
    ]


@pytest.mark.parametrize(
    ("formula", "tex"),
    [
        (
            "<mjx-container class=MathJax><svg></svg><mjx-assistive-mml><math><mi>x</mi><mo>=</mo><mn>0.5</mn></math>"
            "</mjx-assistive-mml></mjx-container>",
            "x=0.5",
        ),
        ("<mjx-container><mjx-c class='mjx-c1D465 TEX-I'></mjx-c><mjx-c class=mjx-c3D></mjx-c></mjx-container>", "x="),
        ("<mjx-container><svg><use data-c=1D465></use></svg></mjx-container>", "x"),
        ("<mjx-container><mjx-math data-latex='x_t'></mjx-math></mjx-container>", "x_t"),
        ("<span class=katex><span class=katex-html>x=0.5</span></span>", "x=0.5"),
    ],
    ids=["assistive", "glyphs", "glyphs in a picture", "TeX beside it", "KaTeX alone"],
)
def test_a_formula_is_read_from_its_only_rendering(formula: str, tex: str) -> None:
    assert text_of(page(f"<p>see {formula} here</p>")) == f"see ${tex}$ here"


@pytest.mark.parametrize(
    "references",
    [
        "<div id=refs class=references><div class=csl-entry>A. Cog. 2019.</div></div>",
        "<section role=doc-bibliography><ol><li>A. Cog. 2019.</ol></section>",
        "<d-citation-list><ol><li>A. Cog. 2019.</ol></d-citation-list>",
        "<p><b>References</b></p><p>[1] A. Cog. 2019.</p>",
    ],
)
def test_references_without_a_heading_are_references_and_the_text_after_them_is_not(references: str) -> None:
    paper = page(f"<h2>Conclusion</h2><p>{PROSE}</p>{references}<h2>A Proofs</h2><p>True.</p>")
    kinds = [s.kind for s in paper.sections]
    assert kinds == [SectionKind.CONCLUSION, SectionKind.REFERENCES, SectionKind.APPENDIX]
    assert "Cog" in paper.sections[1].text


@pytest.mark.parametrize(
    "opening",
    [
        f"<d-title><h1>Gears</h1><p>{PROSE * 9}</p></d-title>",
        f"<dt-article><h1>Gears</h1><h2>{PROSE * 9}</h2></dt-article>",
        f"<dt-abstract><p>{PROSE * 9}</p></dt-abstract>",
        f"<section role=doc-abstract><p>{PROSE * 9}</p></section>",
    ],
)
def test_an_abstract_without_a_heading_is_found_by_its_element(opening: str) -> None:
    assert page(f"{opening}<h2>Method</h2><p>Turn.</p>").abstract == (PROSE * 9).strip()
