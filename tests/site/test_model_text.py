"""Model text becomes HTML in which nothing acts, whatever it holds."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.site.html_text import MAX_MARKDOWN_CHARS, render_block_markdown, render_inline_markdown
from tests.trajectory import payloads

TAGS = {
    *("p", "ul", "ol", "li", "em", "strong", "code", "pre", "blockquote", "sup", "sub", "b", "i", "s", "a", "br", "hr"),
    *("table", "thead", "tbody", "tr", "th", "td", "h4", "h5", "h6", "span"),
}
MATHML_TAGS = {
    *(
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "mfrac",
        "msqrt",
        "mroot",
        "msub",
        "msup",
        "msubsup",
        "munder",
    ),
    *("mover", "munderover", "mpadded", "mphantom", "mstyle", "mtable", "mtr", "mtd"),
}
MATHML_ATTRIBUTES = {
    *("display", "accent", "displaystyle", "fence", "form", "mathvariant", "movablelimits", "separator", "stretchy"),
    *(
        "columnalign",
        "lspace",
        "rspace",
        "width",
        "height",
        "depth",
        "minsize",
        "maxsize",
        "linethickness",
        "rowspacing",
    ),
    "columnspacing",
}
ATTRIBUTES = {
    ("a", "href"): r"https?://[^\s\"'<>]+",
    ("a", "title"): r"(?s).*",
    ("a", "rel"): "noopener noreferrer nofollow",
    ("ol", "start"): r"\d+",
    ("code", "class"): r"(?s)language-.*",
    ("pre", "class"): "plain",
    ("span", "class"): "math",
}
MARKS = ("\n\n", "*", "$", "<b>", "</b>")
PIECES = st.one_of(st.text(max_size=20), st.sampled_from(payloads.REASONINGS), st.sampled_from(MARKS))
REL = 'rel="noopener noreferrer nofollow"'


class Checked(HTMLParser):
    """Every tag is known, carries only known attributes, and closes in the element in which it opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS | MATHML_TAGS
        for name, value in attrs:
            is_of_formula = tag in MATHML_TAGS and name in MATHML_ATTRIBUTES
            assert re.fullmatch(
                r"[a-z -]+|-?\d?[.\d]*(em|px)?" if is_of_formula else ATTRIBUTES[tag, name], value or ""
            )
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("br", "hr") and not attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment


@pytest.mark.parametrize("text", payloads.REASONINGS)
def test_no_known_payload_acts(text: str) -> None:
    Checked(render_block_markdown(text))
    Checked(render_inline_markdown(text))


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_mixture_acts(text: str) -> None:
    Checked(render_block_markdown(text))
    Checked(render_inline_markdown(text))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain & simple", "plain &amp; simple"),
        ("H<sub>2</sub>O, *two* `codes`", "H<sub>2</sub>O, <em>two</em> <code>codes</code>"),
        ("a token <CLS> and <EC>", "a token &lt;CLS&gt; and &lt;EC&gt;"),
        ("<b>never closed", "&lt;b&gt;never closed"),
        ("<b>*a</b> b*", "&lt;b&gt;<em>a&lt;/b&gt; b</em>"),
        ("<i><b>x</i></b>", "&lt;i&gt;<b>x&lt;/i&gt;</b>"),
        ("one<br>two", "one<br>two"),
        (
            "![alt](https://x.example/a.png)",
            f'!<a href="https://x.example/a.png" {REL}>alt</a>',
        ),
        ("[x](ftp://x.example)", "[x](ftp://x.example)"),
        (
            r"\(a_1 * b\) and $\oddly_{i}$",
            '<math display="inline"><mrow><msub><mi>a</mi><mn>1</mn></msub><mo>*</mo><mi>b</mi></mrow></math> and '
            r'<span class="math">$\oddly_{i}$</span>',
        ),
        ("between $5 and $10", "between $5 and $10"),
        ("\x1b[2Jgone \u202eturned", "gone turned"),
    ],
)
def test_what_a_line_becomes(text: str, html: str) -> None:
    assert render_inline_markdown(text) == html


def test_blocks_stay_blocks_and_headings_go_below_those_of_the_page() -> None:
    html = render_block_markdown("# One\n\n- a\n- b\n\n| x | y |\n|:--|--:|\n| 1 | 2 |\n\n```py\n<b>\n```")
    assert "<h4>One</h4>" in html
    assert "<td>2</td>" in html, "how a column is aligned would be an inline style"
    assert "&lt;b&gt;" in html


def test_a_text_too_long_for_markdown_is_shown_as_it_is() -> None:
    text = "*<x>*" * (MAX_MARKDOWN_CHARS // 5 + 1)
    assert render_block_markdown(text) == f'<pre class="plain">{text.replace("<", "&lt;").replace(">", "&gt;")}</pre>'
    Checked(render_inline_markdown(text))
