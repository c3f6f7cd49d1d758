"""Where markup stands in a model's text.

The text is read by a CommonMark parser in which everything that could act (headings, links, raw HTML …) is noticed and
then taken for plain text, since that is what it becomes. Renderers disagree at the edges (marked, under docsify, is no
CommonMark parser), so a construct is trusted only in a form that all of them read alike.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, fence, heading, hr, html_block, lheading, reference, table
from markdown_it.rules_inline import StateInline, backtick
from markdown_it.token import Token

OPENING: Final = re.compile(r"<(?=[A-Za-z/!?])")
LESS_THAN: Final = re.compile(r"&(?:amp;)*lt;")
_INERT: Final = re.compile(r"<(?:(?P<close>/)?(?P<name>sup|sub|b|i|em|strong|code)|br ?/?)>")
# A label without markup and an address without anything that a renderer could read in two ways.
_PLAIN_LINK: Final = re.compile(r"\[[^\[\]`<>&\\\n!]+\]\(https?://[A-Za-z0-9][A-Za-z0-9.:/?#@$+,;=%~_-]*\)")
_FENCE_LIKE: Final = re.compile(r"^[\s>]*(?:`{3}|~{3})", re.MULTILINE)
# What is lazily carried on text for CommonMark may be a heading's underline for others.
_UNDERLINE: Final = re.compile(r"^[ \t]*(?P<mark>=+|-+)[ \t]*$", re.MULTILINE)
# A heading for others: behind the box of a task, or with a blank of Unicode.
_ODD_HEADING: Final = re.compile(r"^[^\S\n]*(?:\[[ xX]\]\s+)?(?P<mark>#{1,6})(?!\S)", re.MULTILINE)
# Blanks of Unicode that the library strips from a paragraph, though CommonMark does not: lines would go uncounted.
_ODD_LINE_END: Final = re.compile(r"[ \t]*[^\S \t\n][^\S\n]*$", re.MULTILINE)
# A fence for others: behind the mark of a list that may not interrupt a paragraph.
_ODD_FENCE: Final = re.compile(r"^[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]*)+(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})", re.MULTILINE)
_DEEPEST: Final = 20
_MARKS: Final = {"link_mark": "a link", "image_mark": "an image"}
# What raw HTML shows like Markdown does.
_PLAIN: Final = frozenset({"inert_tag", "text", "softbreak", "hardbreak", "less_than"})

_BlockRule = Callable[[StateBlock, int, int, bool], bool]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that makes something inert: `text[start:end]` becomes `instead`; `what` names it for the warning."""

    start: int
    end: int
    instead: str
    what: str


@dataclass(slots=True)
class Survey:
    """What one reading of a text found, in offsets into it.

    `edits` are the changes to be made for good, `angles` each `<` that would open a tag, `entities` each written
    `&lt;`, `&amp;lt;` …; `too_deep` says that the text nests deeper than can be judged.
    """

    edits: dict[int, Edit] = field(default_factory=dict)
    angles: set[int] = field(default_factory=set)
    entities: list[tuple[int, int]] = field(default_factory=list)
    html_blocks: dict[int, int] = field(default_factory=dict)
    too_deep: bool = False

    def insert(self, at: int, text: str, what: str) -> None:
        """Note that `text` must be put in at an offset."""
        self.edits[at] = Edit(at, at, text, what)

    def escape(self, at: int, marks: str, what: str) -> None:
        """Note that each of the marks that stand at an offset needs a backslash."""
        self.edits[at] = Edit(at, at + len(marks), "".join(f"\\{mark}" for mark in marks), what)


def survey(text: str) -> Survey:
    """Read a text of clean characters."""
    text = _ODD_LINE_END.sub(lambda end: re.sub(r"[^ \t]", "\u2027", end[0]), text)
    found = Survey()
    tokens = _parser().parse(text, {"survey": found})
    lines = _line_offsets(text)
    for token in tokens:
        found.too_deep |= token.level >= _DEEPEST - 1
        if token.type == "code_block":
            _survey_indented(found, text, lines, token)
        elif token.type == "inline":
            _survey_inline(found, text, lines, token)
    return found


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _DEEPEST}).enable("strikethrough")
    parser.disable(["normalize", "text_join", "autolink", "html_inline", "image"])
    block = parser.block.ruler
    ends_text: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote"]}
    ends_item: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    block.before("fence", "noticed_table", _notice_table, {"alt": ["paragraph", "reference"]})
    block.at("fence", _notice_fence, ends_item)
    block.at("hr", _notice_rule, ends_item)
    block.at("reference", _notice_reference)
    block.at("html_block", _notice_html_block, ends_text)
    block.at("heading", _notice_heading, ends_text)
    block.at("lheading", _notice_lheading)
    inline = parser.inline.ruler
    inline.at("link", _notice_link)
    inline.at("backticks", _notice_code)
    inline.at("entity", _notice_entity)
    inline.before("entity", "angle", _notice_angle)
    return parser


# Blocks: each rule notes what the library's own rule would have made, and makes nothing.


def _start(state: StateBlock, line: int) -> int:
    return state.bMarks[line] + state.tShift[line]


def _line_before(state: StateBlock, line: int) -> str:
    """The whole line above, its quote marks included."""
    begin = state.src.rfind("\n", 0, _start(state, line))
    return state.src[: max(begin, 0)].rpartition("\n")[2]


def _would_end(rule: _BlockRule, state: StateBlock, start: int, end: int) -> int | None:
    """The line after the block that a rule would make, leaving no trace of it; None where it makes none."""
    tokens, line, parent = len(state.tokens), state.line, state.parentType
    made = rule(state, start, end, False)
    after = state.line
    del state.tokens[tokens:]
    state.line, state.parentType = line, parent
    state.env.pop("references", None)
    return after if made else None


def _notice_heading(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    if heading(state, start, end, True):
        state.env["survey"].insert(_start(state, start), "\\", "a heading")
    return False


def _notice_lheading(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    after = _would_end(lheading, state, start, end)
    if after is not None:
        state.env["survey"].insert(_start(state, after - 1), "\\", "a heading")
    return False


def _notice_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A rule of dashes right under text is a heading's underline for some."""
    line = state.src[_start(state, start) : state.eMarks[start]].rstrip()
    if hr(state, start, end, True) and not line.strip("-") and _line_before(state, start).strip(" \t>"):
        state.env["survey"].insert(_start(state, start), "\\", "a heading")
        return False
    return hr(state, start, end, silent)


def _notice_reference(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    if _would_end(reference, state, start, end) is not None:
        state.env["survey"].insert(_start(state, start), "\\", "a link")
    return False


def _notice_html_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    after = None if silent else _would_end(html_block, state, start, end)
    if after is not None:
        state.env["survey"].html_blocks[start] = after
    return False


def _notice_table(state: StateBlock, start: int, end: int, _silent: bool) -> bool:
    """A table cuts lines at each `|`, also within code: one that holds a tag is none."""
    after = _would_end(table, state, start, end)
    if after is not None and OPENING.search(state.src, state.bMarks[start], state.eMarks[after - 1]):
        state.env["survey"].insert(_start(state, start + 1), "\\", "a table")
    return False


def _notice_fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if not fence(state, start, end, silent):
        return False
    if silent:
        return True
    token = state.tokens[-1]
    if not (_is_closed(token) and _is_plain_fence(state, token)):
        state.env["survey"].escape(_start(state, start), token.markup, "a code fence")
    return True


def _is_closed(token: Token) -> bool:
    assert token.map is not None
    lines = token.content.count("\n") + (not token.content.endswith("\n") and token.content != "")
    return lines == token.map[1] - token.map[0] - 2


def _is_plain_fence(state: StateBlock, token: Token) -> bool:
    """Whether all renderers see the same fence, or nothing in it would matter if they did not."""
    assert token.map is not None
    harmless = not OPENING.search(token.content) and "](" not in token.content
    follows = state.tokens[-2].type if len(state.tokens) > 1 else ""
    apart = token.map[0] == 0 or state.isEmpty(token.map[0] - 1) or follows == "paragraph_close"
    return not _FENCE_LIKE.search(token.content) and (harmless or (state.level == 0 and apart))


# Inlines: offsets into the inline text ride on the tokens, since only its block knows where that text stands.


def _push(state: StateInline, kind: str, start: int, end: int) -> None:
    token = state.push(kind, "", 0)
    token.content = state.src[start:end]
    token.meta = {"at": start}
    state.pos = end


def _notice_angle(state: StateInline, silent: bool) -> bool:
    if not OPENING.match(state.src, state.pos):
        return False
    inert = _INERT.match(state.src, state.pos)
    end = inert.end() if inert else state.pos + 1
    if silent:
        state.pos = end
    else:
        _push(state, "inert_tag" if inert else "angle", state.pos, end)
    return True


def _notice_entity(state: StateInline, silent: bool) -> bool:
    written = LESS_THAN.match(state.src, state.pos)
    if not written:
        return False
    if silent:
        state.pos = written.end()
    else:
        _push(state, "less_than", state.pos, written.end())
    return True


def _notice_link(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "[":
        return False
    plain = _PLAIN_LINK.match(state.src, state.pos)
    is_image = state.pos > 0 and state.src[state.pos - 1] == "!"
    if plain and not is_image:
        state.pos = plain.end()
        return True
    end = state.md.helpers.parseLinkLabel(state, state.pos)
    follows = state.src[end + 1 : end + 2] if end >= 0 else ""
    opens_line = not state.src[: state.pos].rpartition("\n")[2].strip()
    if not silent and (follows == "(" or (follows == ":" and opens_line)):
        _push(state, "image_mark" if is_image else "link_mark", state.pos, state.pos + 1)
        return True
    return False


def _notice_code(state: StateInline, silent: bool) -> bool:
    start, tokens = state.pos, len(state.tokens)
    if not backtick(state, silent):
        return False
    if len(state.tokens) > tokens and state.tokens[-1].type == "code_inline":
        state.tokens[-1].meta = {"at": start, "end": state.pos}
    return True


# From inline offsets to offsets into the text.


def _line_offsets(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]


def _survey_indented(found: Survey, text: str, lines: list[int], token: Token) -> None:
    """Not every renderer sees indented code where CommonMark does: here `<` opens a tag like anywhere else."""
    assert token.map is not None
    start, end = lines[token.map[0]], lines[token.map[1]] - 1
    found.angles.update(match.start() for match in OPENING.finditer(text, start, end))
    found.entities.extend(match.span() for match in LESS_THAN.finditer(text, start, end))
    for match in re.finditer(r"\](?=[(:])", text[start:end]):
        found.insert(start + match.end(), " ", "a link")


def _survey_inline(found: Survey, text: str, lines: list[int], token: Token) -> None:
    children = token.children or []
    offset = _offsets(text, lines, token)
    loose = _loose_tags(children, opens_html=_opens_html(found, token))
    for child in children:
        if not child.meta:
            continue
        at = offset(child.meta["at"])
        if child.type == "less_than":
            found.entities.append((at, at + len(child.content)))
        elif child.type == "angle" or child.meta["at"] in loose:
            found.angles.add(at)
        elif child.type in _MARKS:
            found.escape(at, "[", _MARKS[child.type])
        elif child.type == "code_inline" and not _is_plain_code(token, child):
            found.escape(at, child.markup, "a code span")
    for match in _ODD_FENCE.finditer(token.content):
        found.insert(offset(match.start("mark")), "\\", "a code fence")
    for match in (*_UNDERLINE.finditer(token.content), *_ODD_HEADING.finditer(token.content)):
        found.insert(offset(match.start("mark")), "\\", "a heading")


def _is_plain_code(paragraph: Token, code: Token) -> bool:
    """Whether all renderers see the same code span, or nothing in it would matter if they did not.

    They differ on lines that a list or quote carries on lazily, on runs of several backticks and on "~`".
    """
    text, start, end = paragraph.content, code.meta["at"], code.meta["end"]
    harmless = not OPENING.search(text, start, end) and "](" not in text[start:end]
    one_place = "\n" not in text or (paragraph.level == 1 and "\n" not in text[start:end])
    return harmless or (one_place and "``" not in text and text[max(start - 1, 0)] != "~")


def _opens_html(found: Survey, token: Token) -> bool:
    """Whether the inert tag that a paragraph begins with must not stand.

    Alone on its line it opens raw HTML, in which there is no code and no emphasis. It may, where that is exactly this
    paragraph and nothing in it needs Markdown.
    """
    assert token.map is not None
    after = found.html_blocks.get(token.map[0])
    if after is None or not token.content.startswith("<"):
        return False
    return after != token.map[1] or any(child.type not in _PLAIN for child in token.children or ())


def _offsets(text: str, lines: list[int], token: Token) -> Callable[[int], int]:
    """Each line of an inline text is the end of a line of the whole text, but for blanks around it."""
    assert token.map is not None
    own: list[int] = []
    there: list[int] = []
    at = 0
    for number, line in enumerate(token.content.split("\n"), start=token.map[0]):
        whole, kept = text[lines[number] : lines[number + 1] - 1].rstrip(), line.strip()
        assert whole.endswith(kept), "an inline text is not where its block says"
        own.append(at + len(line) - len(line.lstrip()))
        there.append(lines[number] + len(whole) - len(kept))
        at += len(line) + 1

    def offset(inline: int) -> int:
        line = bisect_right(own, inline) - 1
        return there[line] + inline - own[line]

    return offset


def _loose_tags(children: list[Token], *, opens_html: bool) -> set[int]:
    """Where the inert tags stand that are not opened and closed within the same emphasis of the same paragraph."""
    stack: list[Token] = []
    loose: list[Token] = children[:1] if opens_html else []
    for child in children[len(loose) :]:
        tag = _INERT.fullmatch(child.content) if child.type == "inert_tag" else None
        if (tag and tag["name"] and not tag["close"]) or child.nesting == 1:
            stack.append(child)
        elif child.nesting == -1:
            loose.extend(_unwind(stack))
        elif tag and tag["close"]:
            if stack and stack[-1].content == f"<{tag['name']}>":
                stack.pop()
            else:
                loose.append(child)
    return {child.meta["at"] for child in loose + stack if child.type == "inert_tag"}


def _unwind(stack: list[Token]) -> Iterator[Token]:
    """Close the innermost emphasis; the tags that were left open within it are loose."""
    while stack and stack[-1].nesting != 1:
        yield stack.pop()
    if stack:
        stack.pop()
