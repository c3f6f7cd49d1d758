"""A written file as a reader's browser gets it, and whether anything in it acts."""

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from planner.trajectory import format

VOID = {"br", "hr"}
STRUCTURE = {"div", "h1", "h2", "h3", "style"}
TEXT = {"p", "ul", "ol", "li", "em", "strong", "code", "pre", "blockquote", "sup", "sub", "b", "i", "s", "a"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
STYLES = set(re.findall(r'style="([^"]*)"', format.REASONING_BOX + "".join(format.PLAN_BOXES.values())))
ATTRIBUTES = {
    ("a", "href"): r"https?://[^\s\"'<>]+",
    ("ol", "start"): r"\d+",
    ("code", "class"): r"language-\S*",
    ("div", "class"): "trajectory-box",
    ("div", "style"): "|".join(map(re.escape, STYLES)),
    ("h2", "style"): "|".join(map(re.escape, STYLES)),
    ("td", "style"): "text-align:(left|right|center)",
    ("th", "style"): "text-align:(left|right|center)",
}


class Page(HTMLParser):
    """Checks each tag as it comes; `outline` are the structural tags in order, each with its depth in boxes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.outline: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID | STRUCTURE | TEXT | TABLES, f"<{tag}> is active"
        for name, value in attrs:
            assert re.fullmatch(ATTRIBUTES.get((tag, name), "(?!)"), value or ""), f"<{tag} {name}={value!r}> is active"
        if tag in STRUCTURE:
            within = [outer for outer in self.stack if outer != "style"]
            assert within in ([], ["div"]), f"<{tag}> within {within}"
            self.outline.append("/".join([*within, tag]))
        if tag == "a":
            self.links.append(str(dict(attrs)["href"]))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID
        assert self.stack and self.stack[-1] == tag, f"</{tag}> closes {self.stack}"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        if self.stack != ["style"]:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment hides {data!r}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration hides {decl!r}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a section hides {data!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction hides {data!r}")


def renderers() -> tuple[MarkdownIt, ...]:
    """CommonMark as it is written, and with GitHub's tables; raw HTML allowed and no address refused."""
    made = (MarkdownIt("commonmark"), MarkdownIt("commonmark").enable(["table", "strikethrough"]))
    for renderer in made:
        renderer.validateLink = lambda url: True  # type: ignore[method-assign]
    return made


def render(text: str, ablations: int) -> Page:
    """Assert that a file is inert in every renderer and has exactly its boxes and headings; the last page rendered."""
    for renderer in renderers():
        page = Page()
        page.feed(renderer.render(text))
        page.close()
        assert page.stack == []
        assert page.outline == ["style", "h1", "div", "div/h2", "div", "div/h2", *["div/h3"] * ablations]
    return page
