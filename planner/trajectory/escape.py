"""Escape a model's text, so that it cannot end the HTML box around it, or add headings, images or unsafe HTML.

A CommonMark parser finds the active markup: headings, links, raw HTML and so on. Other renderers read some markup in
another way; marked, which docsify uses, is one of them. So markup stays only if all renderers read it in the same way.

Paragraphs, lists, quotes, emphasis, rules, tables, code, plain links (`[text](https://…)`) and harmless tags with a
closing tag (such as `<sup>`) stay. The characters that begin other markup become character references (`&#35;`,
`&lt;`), and a literal `&lt;` becomes `&amp;lt;`. The function `unescape_markup` restores the text.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import accumulate
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from planner.trajectory.markdown_rules import (
    ESCAPE,
    ESCAPES,
    INERT_TAG,
    TAG_START,
    install_markup_recorders,
)

# CommonMark may read such a line as the continuation of a paragraph, other renderers as a heading's underline.
_UNDERLINE: Final = re.compile(r"^[ \t]*(?P<mark>=+|-+)[ \t]*$", re.MULTILINE)
# A heading for other renderers: after the checkbox of a task, or with a Unicode blank.
_ODD_HEADING: Final = re.compile(r"^[^\S\n]*(?:\[[ xX]\]\s+)?(?P<mark>#{1,6})(?!\S)", re.MULTILINE)
# Unlike CommonMark, markdown-it strips these Unicode blanks from a paragraph. Its lines would be miscounted then.
_ODD_LINE_END: Final = re.compile(r"(?<![^\S\n])[^\S\n]++$", re.MULTILINE)
# A fence for other renderers: after the mark of a list that may not interrupt a paragraph.
_ODD_FENCE: Final = re.compile(r"^[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]*)+(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})", re.MULTILINE)
_MAX_DEPTH: Final = 20
# Renderers turn bare addresses into links, but not if the marked character is escaped.
ADDRESS: Final = re.compile(
    r"(?:https?|ftp)(?=://)|(?:mailto|xmpp)(?=:\S)|www(?=\.\S)|[\w.+-](?=@(?:[\w-]+\.)+[a-z])", re.IGNORECASE
)
# Tokens that look the same in raw HTML as in Markdown.
_HTML_SAFE_TOKENS: Final = frozenset({"inert_tag", "text", "softbreak", "hardbreak", "escape", "plain_link"})
_MARKS_BY_ESCAPE: Final = {reference: mark for mark, reference in ESCAPES.items()}
_MAX_ROUNDS: Final = 12
# A parser needs some 10 µs for such a character; of all published trajectories none has 300 of them.
_MARKS: Final = "\n!#$%&*+-:<=>@[\\]^_`{}~"
_MAX_MARKS: Final = 10_000  # characters of markup; a text with more is never parsed, and is made plain text
_PUNCTUATION: Final = {ord(mark): f"\\{mark}" for mark in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}
_ESCAPED_MARK: Final = re.compile(r"(\\[!-/:-@\[-`{-~])")
# Without one of these characters a line cannot hold anything but emphasis, lists, quotes and rules.
_SUSPICIOUS_LINE: Final = re.compile(r"[<&\[`~#]")
_SUSPICIOUS_TEXT: Final = re.compile(
    r"[<&\[`~#>\t]| {4}|^[^\S\n]*+(?:(?:[-*+]|\d++[.)])[^\S\n]++)*[=-]++[^\S\n]*+$", re.MULTILINE
)


@dataclass(slots=True)
class MarkupScan:
    """The markup in a text, as offsets into the text.

    `mark_offsets` are those of the characters that must be escaped, because they begin a heading, a link or other
    active markup. `tag_offsets` are those of the `<` that open a tag. `escape_spans` are the (start, end) of each
    `&lt;`, `&#35;` and so on. `html_block_lines` maps the first line of each raw HTML block to the line after the
    block. `html_end_cache` is a cache of the search for these blocks. `is_too_deep` is true if the text is nested too
    deeply for the parser.
    """

    mark_offsets: set[int] = field(default_factory=set)
    tag_offsets: set[int] = field(default_factory=set)
    escape_spans: list[tuple[int, int]] = field(default_factory=list)
    html_block_lines: dict[int, int] = field(default_factory=dict)
    html_end_cache: dict[tuple[str, int, int], int | None] = field(default_factory=dict)
    is_too_deep: bool = False


def _find_active_markup(text: str) -> MarkupScan:
    """Return the markup in a text; the text must have no control characters."""
    text = _ODD_LINE_END.sub(lambda end: re.sub(r"[^ \t]", "\u2027", end[0]), text)
    scan = MarkupScan()
    tokens = _build_parser().parse(text, {"scan": scan})
    lines = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
    for token in tokens:
        scan.is_too_deep |= token.level >= _MAX_DEPTH - 1
        if token.type == "code_block":
            _scan_indented_code(scan, text, lines, token)
        elif token.type == "inline":
            _scan_inline(scan, text, lines, token)
    return scan


@cache
def _build_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _MAX_DEPTH}).enable("strikethrough")
    parser.disable(["normalize", "text_join", "autolink", "html_inline", "image"])
    install_markup_recorders(parser)
    return parser


def _scan_indented_code(scan: MarkupScan, text: str, line_starts: list[int], token: Token) -> None:
    """Record the markup in indented code, because some renderers do not read it as code."""
    assert token.map is not None
    start, end = line_starts[token.map[0]], line_starts[token.map[1]] - 1
    scan.tag_offsets.update(match.start() for match in TAG_START.finditer(text, start, end))
    scan.escape_spans.extend(match.span() for match in ESCAPE.finditer(text, start, end))
    scan.mark_offsets.update(start + match.end() for match in re.finditer(r"\](?=[(:])", text[start:end]))
    scan.mark_offsets.update(match.end() for match in ADDRESS.finditer(text, start, end))


def _scan_inline(scan: MarkupScan, text: str, line_starts: list[int], token: Token) -> None:
    children = token.children or []
    convert_offset = _map_offsets(text, line_starts, token)
    unpaired = _find_unpaired_tags(children, opens_html_block=_opens_html_block(scan, token))
    for child in children:
        if not child.meta:
            continue
        offset = convert_offset(child.meta["at"])
        if child.type == "escape":
            scan.escape_spans.append((offset, offset + len(child.content)))
        elif child.type == "angle" or child.meta["at"] in unpaired:
            scan.tag_offsets.add(offset)
        elif child.type == "link_mark":
            scan.mark_offsets.add(offset)
        elif child.type == "code_inline" and not _is_safe_code(token, child):
            scan.mark_offsets.update(range(offset, offset + len(child.markup)))
    for pattern in (_ODD_FENCE, _UNDERLINE, _ODD_HEADING):
        scan.mark_offsets.update(convert_offset(match.start("mark")) for match in pattern.finditer(token.content))
    scan.mark_offsets.update(map(convert_offset, _find_addresses(token.content, children)))


def _find_addresses(content: str, children: list[Token]) -> Iterator[int]:
    """Yield one offset in each bare address outside code and links. An escape at this offset prevents a link."""
    spans = iter([(child.meta["at"], child.meta["end"]) for child in children if child.meta and "end" in child.meta])
    start, end = next(spans, (len(content), 0))
    for match in ADDRESS.finditer(content):
        while end and end <= match.start():
            start, end = next(spans, (len(content), 0))
        if match.end() < start:
            yield match.end()


def _is_safe_code(paragraph: Token, code: Token) -> bool:
    """Return whether a code span is safe in all renderers, even in those that do not read it as code.

    Renderers differ in two cases: the span is in a list or a quote and continues on a new line, or two backticks, or a
    tilde and a backtick, are near it.
    """
    text, start, end = paragraph.content, code.meta["at"], code.meta["end"]
    harmless = not TAG_START.search(text, start, end) and "](" not in text[start:end]
    one_place = "\n" not in text or (paragraph.level == 1 and "\n" not in text[start:end])
    return harmless or (one_place and "``" not in text and text[max(start - 1, 0)] != "~")


def _opens_html_block(scan: MarkupScan, token: Token) -> bool:
    """Return whether the tag at the start of a paragraph must be escaped, because it opens raw HTML.

    Markdown does not work in raw HTML. So the tag stays only if the HTML ends with the paragraph and has no Markdown.
    """
    assert token.map is not None
    after = scan.html_block_lines.get(token.map[0])
    if after is None or not token.content.startswith("<"):
        return False
    return after != token.map[1] or any(child.type not in _HTML_SAFE_TOKENS for child in token.children or ())


def _map_offsets(text: str, line_starts: list[int], token: Token) -> Callable[[int], int]:
    """Return a function that converts an offset in the content of `token` to an offset in `text`."""
    assert token.map is not None
    inline_starts: list[int] = []
    text_starts: list[int] = []
    offset = 0
    for number, line in enumerate(token.content.split("\n"), start=token.map[0]):
        whole, kept = text[line_starts[number] : line_starts[number + 1] - 1].rstrip(), line.strip()
        assert whole.endswith(kept), "a line of a token is not in the text"
        inline_starts.append(offset + len(line) - len(line.lstrip()))
        text_starts.append(line_starts[number] + len(whole) - len(kept))
        offset += len(line) + 1

    def convert_offset(inline_offset: int) -> int:
        line = bisect_right(inline_starts, inline_offset) - 1
        return text_starts[line] + inline_offset - inline_starts[line]

    return convert_offset


def _find_unpaired_tags(children: list[Token], *, opens_html_block: bool) -> set[int]:
    """Return the offsets of harmless tags whose counterpart (such as `</b>` for `<b>`) is not in the same emphasis."""
    stack: list[Token] = []
    unpaired: list[Token] = children[:1] if opens_html_block else []
    for child in children[len(unpaired) :]:
        tag = INERT_TAG.fullmatch(child.content) if child.type == "inert_tag" else None
        if (tag and tag["name"] and not tag["close"]) or child.nesting == 1:
            stack.append(child)
        elif child.nesting == -1:
            unpaired.extend(_close_emphasis(stack))
        elif tag and tag["close"]:
            if stack and stack[-1].content == f"<{tag['name']}>":
                stack.pop()
            else:
                unpaired.append(child)
    return {child.meta["at"] for child in unpaired + stack if child.type == "inert_tag"}


def _close_emphasis(stack: list[Token]) -> Iterator[Token]:
    """Close the innermost emphasis, and yield the tags that are still open in it."""
    while stack and stack[-1].nesting != 1:
        yield stack.pop()
    if stack:
        stack.pop()


def flatten_unescapable_markup(text: str, *, preceding_text: str = "") -> str:
    """Return a text that can be escaped and restored: the given text or, if its markup cannot be checked, plain text.

    `preceding_text` will stand before the text on its first line.
    """
    written = None if has_too_many_markup_characters(text) else _write_escapes(text, preceding_text)
    if (
        written is not None
        and not has_too_many_markup_characters(written)
        and unescape_markup(written, preceding_text=preceding_text) == text
    ):
        return text
    return _escape_punctuation(text)


def has_too_many_markup_characters(text: str) -> bool:
    """Return whether a text has too much markup to be parsed."""
    return len(text) > _MAX_MARKS and sum(map(text.count, _MARKS)) > _MAX_MARKS


def escape_markup(text: str, *, preceding_text: str = "") -> str:
    """Return the text with its active markup escaped; `text` must come from `flatten_unescapable_markup`."""
    written = text if has_too_many_markup_characters(text) else _write_escapes(text, preceding_text)
    assert written is not None, "a normalized text cannot be escaped"
    return written


def unescape_markup(text: str, *, preceding_text: str = "") -> str:
    """Return the text as it was before `escape_markup`."""
    if not ESCAPE.search(text) or has_too_many_markup_characters(text):
        return text
    whole = preceding_text + text
    escapes = ((start, end, whole[start:end]) for start, end in _find_active_markup(whole).escape_spans)
    # an escape of an escape loses one "amp;"
    marks = ((start, end, _MARKS_BY_ESCAPE.get(escape) or f"&{escape[5:]}") for start, end, escape in escapes)
    return _replace_spans(whole, marks)[len(preceding_text) :]


@lru_cache(maxsize=64)  # the fields of a trajectory are checked first, then written
def _write_escapes(text: str, prefix: str) -> str | None:
    """Return the escaped text, or None if the text cannot be escaped in a way that can be undone."""
    if not (_SUSPICIOUS_TEXT if "\n" in text else _SUSPICIOUS_LINE).search(text) and not ADDRESS.search(text):
        return text
    whole = prefix + text
    marks: list[int] = []
    for _ in range(_MAX_ROUNDS):
        references = [ESCAPES.get(whole[mark], "") for mark in marks]
        growth = list(accumulate((len(reference) - 1 for reference in references), initial=0))
        starts = [mark + grown for mark, grown in zip(marks, growth, strict=False)]
        written = _replace_spans(whole, zip(marks, (mark + 1 for mark in marks), references, strict=True))
        scan = _find_active_markup(written)
        if scan.is_too_deep or not all(references):
            return None
        found = {offset - growth[bisect_left(starts, offset)] for offset in scan.mark_offsets if offset >= len(prefix)}
        if not found:
            own = set(starts)
            is_reversible = own <= dict(scan.escape_spans).keys()
            return _write_tag_escapes(written, scan, own)[len(prefix) :] if is_reversible else None
        marks = sorted({*marks, *found})
    return None


def _write_tag_escapes(text: str, scan: MarkupScan, own_starts: set[int]) -> str:
    """Escape tags, and references such as `&lt;`, but not those that this module itself wrote at `own_starts`."""
    tags = ((start, start + 1, ESCAPES["<"]) for start in scan.tag_offsets)
    literals = ((start + 1, start + 1, "amp;") for start, _ in scan.escape_spans if start not in own_starts)
    return _replace_spans(text, (*tags, *literals))


def _replace_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Replace pieces of a text; each item of `spans` is (start, end, new text)."""
    parts: list[str] = []
    end = 0
    for start, next_end, replacement in sorted(spans):
        parts += text[end:start], replacement
        end = next_end
    return "".join((*parts, text[end:]))


def _escape_punctuation(text: str) -> str:
    """Return the text as plain text in Markdown: no indents, and a backslash before each punctuation character."""
    parts = _ESCAPED_MARK.split("\n".join(line.lstrip() for line in text.split("\n")))
    parts[::2] = (part.translate(_PUNCTUATION) for part in parts[::2])
    return "".join(parts)
